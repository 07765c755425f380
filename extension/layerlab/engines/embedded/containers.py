"""Containers of the embedded engine: a command in an image's files, and what is told of it after.

A command that is run to its end works in the same tree as RUN steps, and what it did there is
undone. A server gets a tree of its own, for as long as it is there. Of a container that is kept,
its words and its end are kept, and not what it wrote.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import msgspec

from layerlab.engines import process, references, serving
from layerlab.engines.base import Container
from layerlab.engines.child import Child
from layerlab.engines.embedded.build import users
from layerlab.engines.embedded.build.rootfs import RootFilesystem, State
from layerlab.engines.embedded.build.running import own_files, tree_of
from layerlab.engines.embedded.build.working import reader
from layerlab.engines.embedded.runners import mounts
from layerlab.engines.embedded.runners.job import Command, Job
from layerlab.engines.embedded.runners.ladder import GRACE
from layerlab.engines.embedded.runners.tools import Toolbox
from layerlab.engines.embedded.store import disk
from layerlab.engines.embedded.store.images import Image, by_name
from layerlab.engines.embedded.store.layout import Store
from layerlab.errors import CommandFailedError, LayerlabError

_RECORD = "container.json"
_LOG = "log"


@dataclass(frozen=True)
class Server:
    """A server that this process has started, and what ends with it."""

    child: Child
    kept: contextlib.ExitStack


@dataclass(frozen=True)
class Containers:
    """Runs commands, and knows those that were run.

    Args:
        store: has the layers of images.
        folder: of the engine.
        toolbox: has the runner.
    """

    store: Store
    folder: Path
    toolbox: Toolbox
    servers: dict[str, Server] = field(default_factory=dict)

    @property
    def _home(self) -> Path:
        return self.folder / "containers"

    def all(self) -> tuple[Container, ...]:
        """Those that are kept, the newest first."""
        records = sorted(self._home.glob(f"*/{_RECORD}"), key=lambda path: path.stat().st_mtime)
        found = [msgspec.json.decode(path.read_bytes(), type=Container) for path in records[::-1]]
        return tuple(self._now(container) for container in found)

    def find(self, name: str) -> Container | None:
        """A container by its name, its id, or how that begins."""
        known = self.all()
        named = (one for one in known if name and (one.name == name or one.id.startswith(name)))
        return next(named, None)

    def log(self, container: Container) -> str:
        """What a container has printed."""
        path = self._home / container.id / _LOG
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def remove(self, container: Container) -> None:
        """Stop and remove one; nothing happens where it is gone already."""
        if server := self.servers.pop(container.id, None):
            server.child.end(GRACE)
            server.kept.close()
        disk.discard(self._home / container.id)

    def run(
        self, name: str, image: Image, args: Sequence[str], *, container: str | None, remove: bool
    ) -> str:
        """Run a command to its end; what it printed.

        Args:
            name: of the image.
            image: its configuration.
            args: the command; the image's own where empty.
            container: its name.
            remove: keep nothing of it.

        Raises:
            CommandFailedError: it exited non-zero, or could not start.
        """
        if container and self.find(container):
            raise CommandFailedError(
                f"A container named {container} is there already.",
                code="name-taken",
                hint=f"Take it away first: layerlab.remove_containers({container!r})",
            )
        argv = _argv(image, args)
        shown = ("layerlab", "ctr", "run", *(["--rm"] if remove else []), name, *args)
        tree = tree_of(self.folder, image.rootfs.diff_ids, self.store)
        with tree.at(image.rootfs.diff_ids) as state, self._job(state, image, argv) as command:
            done = process.run(command.argv, env=command.env, grace=GRACE)
        text = done.output.decode(errors="replace")
        if not remove:
            made = self._new(name, argv, container)
            self._keep(msgspec.structs.replace(made, state="exited", exit_code=done.exit_code))
            (self._home / made.id / _LOG).write_text(text, encoding="utf-8")
        if done.exit_code != 0:
            raise CommandFailedError(
                f"The command in the container ended with exit code {done.exit_code}.",
                code="command-failed",
                command=shown,
                exit_code=done.exit_code,
                output=text[-2000:],
            )
        return text

    def serve(self, name: str, image: Image, port: int, args: Sequence[str]) -> Container:
        """Start a server; its port answers at the container's `url`.

        Without a network of its own it gets a port that is free, in the place of its own.
        """
        argv = _argv(image, args)
        chosen = serving.free_port()
        moved = serving.on_port(argv, port, chosen)
        if moved is None:
            chosen, moved = port, argv
        made = self._new(name, moved, None)
        running = msgspec.structs.replace(made, state="running", url=f"http://127.0.0.1:{chosen}")
        folder = self._keep(running)
        with contextlib.ExitStack() as stack:
            stack.callback(disk.discard, folder)
            top = stack.enter_context(self.store.scratch())
            tree = RootFilesystem(top / "tree", self.store, owners=os.geteuid() == 0)
            state = stack.enter_context(tree.at(image.rootfs.diff_ids))
            command = stack.enter_context(self._job(state, image, moved))
            child = process.spawn(command.argv, log=folder / _LOG, env=command.env)
            stack.callback(child.end, GRACE)
            serving.wait(running, lambda: child.alive, lambda: self.log(running))
            self.servers[made.id] = Server(child, stack.pop_all())
        return running

    @contextlib.contextmanager
    def _job(self, state: State, image: Image, argv: Sequence[str]) -> Iterator[Command]:
        """What starts a command in a tree that holds an image, while that is so."""
        read = reader(self.store, state.view)
        account = users.account(image.config.user, read)
        env = {"HOME": account.home} | by_name(image.config.env)
        cwd = image.config.working_dir or "/"
        _check_program(state, argv, cwd, env)
        platform = "/".join(filter(None, (image.os, image.architecture, image.variant)))
        runner = self.toolbox.runner(platform)
        with self.store.scratch() as scratch:
            job = Job(
                root=state.root,
                argv=tuple(argv),
                env=env,
                cwd=cwd,
                user=account.user,
                binds=own_files(runner, scratch),
                emulator=self.toolbox.emulator(platform),
            )
            with mounts.placed(state.root, runner.mount_points(job)):
                yield runner.command(job)

    def _new(self, image: str, argv: Sequence[str], name: str | None) -> Container:
        id_ = uuid4().hex + uuid4().hex
        return Container(
            id=id_,
            name=name or f"container-{id_[:8]}",
            image=references.short(image),
            state="created",
            command=shlex.join(argv),
        )

    def _keep(self, container: Container) -> Path:
        folder = self._home / container.id
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _RECORD).write_bytes(msgspec.json.encode(container))
        return folder

    def _now(self, container: Container) -> Container:
        """Servers end with the process that has started them, at the latest."""
        if container.state != "running":
            return container
        server = self.servers.get(container.id)
        if server is not None and server.child.alive:
            return container
        return msgspec.structs.replace(container, state="exited", url="")


def _argv(image: Image, args: Sequence[str]) -> tuple[str, ...]:
    argv = (*(image.config.entrypoint or ()), *(args or image.config.cmd or ()))
    if not argv:
        raise LayerlabError(
            "The image does not say what to run, and neither do you.",
            code="no-command",
            hint="Name a program after the image.",
        )
    return argv


def _check_program(state: State, argv: Sequence[str], cwd: str, env: Mapping[str, str]) -> None:
    """What no image has cannot be run in it: said before anything is started."""
    program = argv[0]
    folders = [cwd] if "/" in program else env.get("PATH", "").split(":")
    places = [posixpath.join(folder, program) for folder in folders]
    if not any(state.view.resolve(place) is not None for place in places):
        raise CommandFailedError(
            f"There is no program {program} in this image.",
            code="no-such-program",
            hint="An image has only what was put into it; one made from scratch has no shell "
            "either.",
            command=tuple(argv),
            exit_code=127,
        )
