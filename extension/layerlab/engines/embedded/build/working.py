"""Carrying out the steps that make a layer: WORKDIR, COPY, ADD and RUN."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from layerlab.cache import program as read
from layerlab.cache.context import FileRecord
from layerlab.cache.key import Selection
from layerlab.cache.program import Line, Mount
from layerlab.cache.source import Command
from layerlab.cache.variables import PROXIES
from layerlab.cache.walk import StageState
from layerlab.cache.words import expand
from layerlab.engines.base import Clock
from layerlab.engines.embedded.build import adding, metadata, users
from layerlab.engines.embedded.build.adding import Answer
from layerlab.engines.embedded.build.copying import Copying, Source, groups
from layerlab.engines.embedded.build.mounting import SHOWN, Mounting, ssh_targets
from layerlab.engines.embedded.build.running import Asked, Running, failed
from layerlab.engines.embedded.runners.job import Bind
from layerlab.engines.embedded.store import images
from layerlab.engines.embedded.store.images import History, Settings
from layerlab.engines.embedded.store.layers import Slice
from layerlab.engines.embedded.store.layout import Store
from layerlab.engines.embedded.store.selection import select
from layerlab.engines.embedded.store.view import View
from layerlab.errors import LayerlabError
from layerlab.model.events import Log
from layerlab.progress.output import Output

PIPES = "/dev/pipes"
"""Where a RUN finds the script that it is (`dispatchRun`)."""
ViewOf = Callable[[str, StageState], View]
"""The files of a stage or of an image, by the name that `--from` has."""


class Place(NamedTuple):
    """A step, and what it stands on.

    Attributes:
        id: of the step.
        platform: `os/arch` of its stage.
        layers: what is below, the lowest first.
        settings: of the image so far.
        state: of the walk, after the step.
        line: the instruction.
        scope: the variables before it.
    """

    id: str
    platform: str
    layers: tuple[str, ...]
    settings: Settings
    state: StageState
    line: Line
    scope: Mapping[str, str]


@dataclass(frozen=True)
class Working:
    """Carries out steps.

    Args:
        store: has the layers, and gets the new ones.
        context, select: the build context, and what may be seen of it.
        running: carries out RUNs.
        output: what they print.
        mounts: the folder of the cache mounts.
        secrets, agents: see the functions of these names in `mounting`.
        scratch: a folder of ours, for as long as the build lasts.
    """

    store: Store
    context: Path
    select: Selection
    running: Running
    output: Output
    mounts: Path
    secrets: Mapping[str, bytes]
    agents: Mapping[str, Path]
    scratch: Path
    answers: dict[str, Answer] = field(default_factory=dict)

    @property
    def clock(self) -> Clock:
        """Seconds since the epoch."""
        return self.running.clock

    @property
    def now(self) -> int:
        """The time of what is made, not after SOURCE_DATE_EPOCH."""
        now, epoch = int(self.clock()), self.running.epoch
        return now if epoch is None else min(now, epoch)

    def moment(self) -> str:
        """The same, as images have it."""
        return images.timestamp(self.now, None)

    def history(self, command: Command, scope: Mapping[str, str]) -> History:
        """What an image's history says of an instruction."""
        text = f"{command.word} {command.text.partition(' ')[2].strip()}"
        if command.word == "RUN" and not command.json:
            text = f"RUN /bin/sh -c {command.value[0]}"
        elif command.word in ("ENV", "LABEL", "WORKDIR", "USER", "EXPOSE"):
            text = expand(text, scope) if "$" in text else text
        return History(created_by=f"{text} # buildkit")

    def answer(self, url: str) -> Answer:
        """What an address answers, asked once in a build."""
        if url not in self.answers:
            self.answers[url] = adding.fetch(url, self.scratch, self.now)
        return self.answers[url]

    def layer(self, place: Place, view_of: ViewOf) -> Generator[Log, None, str]:
        """Do what a step asks; the digest of the layer that came of it.

        Raises:
            LayerlabError: it failed, or cannot be done here.
        """
        command = place.line.command
        if command.word == "RUN":
            return (yield from self._run(place, view_of))
        with TemporaryDirectory(dir=self.scratch) as folder:
            copying = self._copying(place)
            if command.word == "WORKDIR":
                copying.folder(place.state.cwd)
            else:
                self._copy(place, copying, view_of, Path(folder))
            return self.store.add_layer(copying.members(), epoch=self.running.epoch).digest

    # COPY, ADD, WORKDIR

    def _copying(self, place: Place) -> Copying:
        command = place.line.command
        view = self.store.view(place.layers)
        owner = mode = None
        if command.word == "WORKDIR":
            owner = users.owner(place.state.user or "0", reader(self.store, view))
        elif chown := read.flag(command, "chown"):
            owner = users.owner(expand(chown, place.scope), reader(self.store, view))
        if chmod := read.flag(command, "chmod"):
            mode = _mode(expand(chmod, place.scope))
        linked = read.switch(command, "link")
        return Copying(View() if linked else view, owner, mode, self.now)

    def _copy(self, place: Place, copying: Copying, view_of: ViewOf, folder: Path) -> None:
        command, scope = place.line.command, place.scope
        if read.switch(command, "parents"):
            raise _refused(f"{command.word} --parents")
        destination = read.destination(read.target(command, scope), place.state.cwd)
        origin = read.flag(command, "from")
        for source in read.local_sources(command, scope):
            if origin:
                self._put_from(copying, view_of(origin, place.state), source, destination)
            else:
                self._put_context(copying, place, source, destination, folder)
        for document in command.documents:
            text = document.text
            if document.expands:
                text = expand(text, scope, quotes=False)
            self._put_file(copying, document.name, text.encode(), 0o644, self.now, destination)
        for url in read.remote_sources(command, scope):
            answer = self.answer(url)
            _check(command, answer, url)
            self._put_file(
                copying, answer.name, answer.path, adding.MODE, answer.mtime, destination
            )

    def _put_from(self, copying: Copying, view: View, source: str, destination: str) -> None:
        def content(record: FileRecord) -> Source:
            placed = view[record.source]
            return Slice(self.store.layer(placed.layer), placed.entry.offset, placed.entry.size)

        for group in groups(source, select(view, [source])):
            copying.put(group, destination, content)

    def _put_context(
        self, copying: Copying, place: Place, source: str, destination: str, folder: Path
    ) -> None:
        command = place.line.command
        exclude = [
            expand(text.partition("=")[2], place.scope)
            for text in command.flags
            if text.startswith("--exclude=")
        ]
        for group in groups(source, self.select([source], exclude=exclude)):
            path = self.context / group.files[0][1].source
            if command.word == "ADD" and not group.is_folder and adding.is_archive(path):
                adding.unpack(path, copying, destination, folder)
            else:
                copying.put(group, destination, _files(self.context))

    def _put_file(
        self,
        copying: Copying,
        name: str,
        source: Source,
        mode: int,
        mtime: int,
        destination: str,
    ) -> None:
        size = len(source) if isinstance(source, bytes) else Path(str(source)).stat().st_size
        record = FileRecord("", "file", mode, size=size, mtime=mtime * 1_000_000_000)
        for group in groups(name, [record]):
            copying.put(group, destination, lambda _: source)

    # RUN

    def _run(self, place: Place, view_of: ViewOf) -> Generator[Log, None, str]:
        command, state = place.line.command, place.state
        if read.flag(command, "security") == "insecure":
            raise _refused("RUN --security=insecure")
        view = self.store.view(place.layers)
        account = users.account(state.user, reader(self.store, view))
        argv, script = _arguments(command, place.settings)
        text = " ".join(argv)
        if argv[0].startswith("/") and script is None and view.resolve(argv[0]) is None:
            missing = f'exec: "{argv[0]}": stat {argv[0]}: no such file or directory'
            raise failed(text, missing)
        mounts = tuple(read.mounts(command, place.scope))
        agents = dict(zip(["SSH_AUTH_SOCK"], ssh_targets(mounts, state.cwd), strict=False))

        @contextlib.contextmanager
        def binds(scratch: Path) -> Iterator[Sequence[Bind]]:
            mounting = Mounting(
                self.store,
                self.mounts,
                self.running.crew.pause,
                lambda mount, copying: self._show(mount, copying, place, view_of),
                self.secrets,
                self.agents,
                owners=self.running.root,
                now=self.now,
            )
            with mounting.made(mounts, state.cwd, scratch) as made:
                yield [*made, *([_script(argv[0], script, scratch)] if script is not None else [])]

        asked = Asked(
            step=place.id,
            layers=place.layers,
            argv=argv,
            env=agents | _environment(place.scope, state, account.home),
            cwd=state.cwd,
            user=account.user,
            platform=place.platform,
            text=text,
            network=read.flag(command, "network") != "none",
            binds=binds,
        )
        return (yield from self.running.run(asked, self.output))

    def _show(self, mount: Mount, copying: Copying, place: Place, view_of: ViewOf) -> None:
        """What a bind mount shows: files of a stage, or of the context."""
        source = mount.source or "/"
        if mount.origin:
            self._put_from(copying, view_of(mount.origin, place.state), source, SHOWN)
            return
        for group in groups(source, self.select([source])):
            copying.put(group, SHOWN, _files(self.context))


def _files(context: Path) -> Callable[[FileRecord], Source]:
    """Where the bytes of a context's files are: of all names of one file, the same place."""
    names: dict[tuple[int, int], Path] = {}

    def content(record: FileRecord) -> Source:
        path = context / record.source
        info = path.lstat()
        return path if info.st_nlink == 1 else names.setdefault((info.st_dev, info.st_ino), path)

    return content


def reader(store: Store, view: View) -> users.Read:
    """Reads text files of an image."""

    def text(path: str) -> str | None:
        real = view.resolve(path)
        placed = view.get(real) if real else None
        if placed is None or placed.entry.type != "file":
            return None
        with store.layer(placed.layer).open("rb") as blob:
            blob.seek(placed.entry.offset)
            return blob.read(placed.entry.size).decode(errors="replace")

    return text


def _arguments(command: Command, settings: Settings) -> tuple[tuple[str, ...], str | None]:
    """What a RUN starts, and the script that it is, where it is one (`dispatchRun`)."""
    if command.json:
        return command.value, None
    text = command.value[0]
    documents = command.documents
    if len(documents) == 1 and text.lstrip("<-").strip("\"'") == documents[0].name:
        text = documents[0].text
        if text.startswith("#!"):
            return (f"{PIPES}/{documents[0].name}",), text
    elif documents:
        text = "\n".join([text, *(f"{one.content}{one.name}" for one in documents)])
    return (*(settings.shell or metadata.SHELL), text), None


def _script(program: str, text: str, scratch: Path) -> Bind:
    folder = scratch / "pipes"
    folder.mkdir()
    path = folder / posixpath.basename(program)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return Bind(folder, PIPES, read_only=True)


def _environment(scope: Mapping[str, str], state: StageState, home: str) -> dict[str, str]:
    undeclared = PROXIES - state.variables.args.keys()
    given = {name: value for name, value in scope.items() if name not in undeclared}
    return {"HOME": home} | given


def _mode(written: str) -> int:
    try:
        return int(written, 8)
    except ValueError:
        raise LayerlabError(
            f"--chmod={written} is no mode that the embedded engine knows.",
            code="bad-mode",
            hint="Write it in digits, as in --chmod=755.",
        ) from None


def _check(command: Command, answer: Answer, url: str) -> None:
    wanted = read.flag(command, "checksum")
    if wanted and wanted != f"sha256:{answer.digest}":
        raise LayerlabError(
            f"{url} has another content than --checksum says: sha256:{answer.digest}.",
            code="checksum-mismatch",
            hint="If you trust it, write this digest into the Dockerfile.",
        )


def _refused(what: str) -> LayerlabError:
    return LayerlabError(
        f"The embedded engine has no {what}.",
        code="not-embedded",
        hint="docker, nerdctl, podman and buildah have it.",
    )
