"""Buildah: builds without a daemon. It has no `run` of its own, so its words are put together.

What docker calls a container is for Buildah a *working container*: files that may be changed, and
in which a command may be run. `run` makes one, runs the command and removes it. A container that
is kept has what was run in it, and how that ended, in its annotations.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from layerlab.engines import buildah_words, process, records, references, refusals, serving
from layerlab.engines.base import Container, EngineName, Image
from layerlab.engines.child import Child
from layerlab.engines.cli import SHORT, decode, option, version_of
from layerlab.engines.containers_storage import ContainersStorageEngine
from layerlab.errors import CommandFailedError

T = TypeVar("T")


class Server(NamedTuple):
    """A server that this process has started, and the file that it prints to."""

    child: Child
    log: Path
    url: str


_COMMAND = "layerlab.command"
_EXIT_CODE = "layerlab.exit-code"


class _Store(msgspec.Struct):
    graph_root: str = msgspec.field(name="GraphRoot")


class _Info(msgspec.Struct):
    store: _Store


class BuildahEngine(ContainersStorageEngine):
    """See `base.Engine`."""

    name: EngineName = "buildah"
    force_remove = ("rm",)

    @cached_property
    def _servers(self) -> dict[str, Server]:
        """By the id of the container."""
        return {}

    def builder_words(self) -> str:
        """See `CliEngine`."""
        return "Buildah"

    @cached_property
    def buildah(self) -> tuple[int, int] | None:
        """See `base.Engine`."""
        return version_of(self.stdout("--version").decode(errors="replace"))

    def start_trial(self, printed: str) -> str:
        """See `CliEngine`; that the program `-` is missed shows that all else was in order."""
        image = printed.rsplit(maxsplit=1)[-1]
        try:
            self.run(image, ["-"])
        except CommandFailedError as error:
            # The image may have been taken away by another process that looks at the same time.
            return "" if error.code in ("no-such-program", "no-such-image") else error.output
        return ""

    # Images.

    def image(self, name: str) -> Image:
        """See `base.Engine`."""
        if self._is_list(name):
            own = self._create(name)
            inspected = self._inspected("container", own)
            self.stdout("rm", own)
            architectures = self.list_architectures(name)
        else:
            inspected, architectures = self._inspected("image", name), ()
        sizes = stored_sizes(self.graph_root)
        size = sum(sizes.get(layer, 0) for layer in inspected.layers)
        return inspected.image(name, size=size, architectures=architectures)

    def _inspected(self, kind: str, name: str) -> records.InspectedByBuildah:
        return self.read(records.InspectedByBuildah, "inspect", "--type", kind, name)

    def listed_names(self) -> Iterable[str]:
        """See `ContainersStorageEngine`."""
        listed = self._list(records.StoredImage, "images", "--json")
        return dict.fromkeys(name for image in listed for name in image.names or ())

    def untag(self, name: str) -> None:
        """See `ContainersStorageEngine`; an image without another name goes with it."""
        process.run(("buildah", "rmi", name), timeout=SHORT)

    @cached_property
    def graph_root(self) -> Path:
        """See `ContainersStorageEngine`."""
        return Path(self.read(_Info, "info").store.graph_root)

    # Containers.

    def ctr(self, args: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str]]:
        """See `base.Engine`; docker's words for what Buildah has under another name are known."""
        return super().ctr(buildah_words.translate(args))

    def containers(self) -> tuple[Container, ...]:
        """See `base.Engine`."""
        listed = self._list(records.WorkingContainer, "containers", "--json")
        return tuple(self._container(one.id) for one in listed)

    def _list(self, type_: type[T], *args: str) -> list[T]:
        """A JSON array; where there is nothing in it, Buildah prints `null`."""
        printed = self.stdout(*args).strip()
        return decode(b"[]" if printed == b"null" else printed, list[type_], (self.name, *args))  # type: ignore[valid-type]

    def _container(self, id_: str) -> Container:
        inspected = self._inspected("container", id_)
        notes = inspected.annotations or {}
        code = notes.get(_EXIT_CODE)
        return Container(
            id=id_,
            name=inspected.container,
            image=references.short(inspected.image_name),
            state="running" if self._runs(id_) else "exited" if code else "created",
            exit_code=int(code) if code else None,
            command=notes.get(_COMMAND, ""),
            url=self._servers[id_].url if id_ in self._servers else "",
        )

    def run(
        self,
        image: str,
        args: Sequence[str],
        *,
        platform: str | None = None,
        name: str | None = None,
        remove: bool = True,
    ) -> str:
        """See `base.Engine`."""
        container = self._create(image, platform, name)
        words = self._command(container, args)
        command = ("buildah", "run", container, "--", *words)
        try:
            done = process.run(command)
            if not remove:
                self._note(container, _COMMAND, shlex.join(words))
                self._note(container, _EXIT_CODE, str(done.exit_code))
        finally:
            if remove:
                self.stdout("rm", container)
        text = done.output.decode(errors="replace")
        if done.exit_code != 0:
            raise refusals.error(command, done.exit_code, text)
        return text

    def serve(self, image: str, port: int, args: Sequence[str] = ()) -> Container:
        """See `base.Engine`: always on the host's network, Buildah publishes no ports."""
        container = self._create(image)
        words = self._command(container, args)
        chosen = serving.free_port()
        moved = serving.on_port(words, port, chosen)
        if moved is None:
            chosen, moved = port, words
        with tempfile.NamedTemporaryFile(prefix="layerlab-log-", delete=False) as file:
            log = Path(file.name)
        self._note(container, _COMMAND, shlex.join(moved))
        id_ = self._inspected("container", container).container_id
        command = ("buildah", "run", "--network", "host", container, "--", *moved)
        child = process.spawn(command, log=log)
        self._servers[id_] = Server(child, log, f"http://127.0.0.1:{chosen}")
        found = self._container(id_)
        try:
            serving.wait(found, lambda: child.alive, lambda: self.logs(found))
        except BaseException:
            self.remove(found)
            raise
        return found

    def logs(self, container: Container) -> str:
        """See `base.Engine`; of the servers that this kernel has started."""
        if container.id not in self._servers:
            return ""
        return self._servers[container.id].log.read_text(encoding="utf-8", errors="replace")

    def remove(self, container: Container) -> None:
        """See `base.Engine`."""
        if server := self._servers.pop(container.id, None):
            server.child.end()
            server.log.unlink(missing_ok=True)
        super().remove(container)

    def _create(self, image: str, platform: str | None = None, name: str | None = None) -> str:
        """A working container; its name. Images that are not here are pulled."""
        options = [*option("--platform", platform), *option("--name", name)]
        printed = self.stdout("from", "--quiet", *options, image, timeout=None)
        return printed.decode().split()[-1]

    def _command(self, container: str, args: Sequence[str]) -> tuple[str, ...]:
        """What docker would run in it: the image's entrypoint, then `args` or its command."""
        about = self._inspected("container", container).image("")
        return (*about.entrypoint, *(args or about.command))

    def _runs(self, id_: str) -> bool:
        return id_ in self._servers and self._servers[id_].child.alive

    def _note(self, container: str, key: str, value: str) -> None:
        self.stdout("config", "--annotation", f"{key}={value}", container)


def stored_sizes(root: Path) -> dict[str, int]:
    """The bytes of each layer in a containers/storage folder, by the digest of its tar."""
    sizes: dict[str, int] = {}
    for index in root.glob("*-layers/layers.json"):
        layers = msgspec.json.decode(index.read_bytes(), type=list[records.StoredLayer])
        sizes |= {layer.diff_digest: layer.diff_size for layer in layers}
    return sizes
