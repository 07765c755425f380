"""A RUN: the tree is brought to the state before it, the command runs there, and what it did
becomes a layer.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_IMODE, S_ISREG

from layerlab.engines import process
from layerlab.engines.base import Clock
from layerlab.engines.embedded.build import difference
from layerlab.engines.embedded.build.crew import Crew
from layerlab.engines.embedded.build.rootfs import RootFilesystem, Seen, State
from layerlab.engines.embedded.runners import mounts, ownership
from layerlab.engines.embedded.runners.job import Bind, Command, Job, Runner, User
from layerlab.engines.embedded.runners.ladder import GRACE, PRoot, is_crash
from layerlab.engines.embedded.runners.tools import Toolbox
from layerlab.engines.embedded.store.entries import Entry
from layerlab.engines.embedded.store.layout import Store
from layerlab.errors import LayerlabError
from layerlab.model.events import Log
from layerlab.progress.output import Output

AGAIN = (
    "layerlab: the command ended with {code}, as about one Node.js program in a hundred does under "
    "PRoot. Its changes are undone, and it runs once more.\n"
)


@dataclass(frozen=True)
class Asked:
    """What a RUN asks for.

    Attributes:
        step: the id that its output belongs to.
        layers: what it stands on, the lowest first.
        argv, env, cwd, user: as for `Job`.
        platform: `os/arch` of its stage.
        text: as a learner reads it, for messages.
        network: False for `--network=none`.
        binds: makes its mounts in a folder, when it runs.
    """

    step: str
    layers: tuple[str, ...]
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    user: User
    platform: str
    text: str
    network: bool
    binds: Callable[[Path], contextlib.AbstractContextManager[Sequence[Bind]]]


@dataclass(frozen=True)
class Running:
    """Carries out RUNs.

    Args:
        store: has the layers, and gets the new ones.
        folder: of the engine.
        toolbox: has the runner.
        root: we are root, so that files have their owners on disk.
        epoch: SOURCE_DATE_EPOCH, if any.
        clock: seconds since the epoch.
        crew: says when the build is over.
    """

    store: Store
    folder: Path
    toolbox: Toolbox
    root: bool
    epoch: int | None
    clock: Clock
    crew: Crew

    def run(self, asked: Asked, output: Output) -> Generator[Log, None, str]:
        """Run it; the digest of the layer that came of it.

        Raises:
            LayerlabError: code `run-failed` where the command did; or nothing can run it.
        """
        owners = not self.root and ownership.gives_away(asked.text)
        runner = self.toolbox.runner(asked.platform, owners=owners)
        tree = tree_of(self.folder, asked.layers, self.store)
        with tree.at(asked.layers, self.crew.pause) as state, self.store.scratch() as folder:
            for attempt in (1, 2):
                scratch = folder / str(attempt)
                scratch.mkdir()
                with asked.binds(scratch) as binds:
                    job = self._job(asked, runner, state.root, scratch, binds)
                    with mounts.placed(state.root, runner.mount_points(job)) as made:
                        state.look(made)
                        command = runner.command(job)
                        code = yield from self._once(command, asked.step, output)
                        if code == 0:
                            return self._layer(state, command, job)
                state.settle()
                if attempt == 2 or not is_crash(code) or not isinstance(runner, PRoot):
                    break
                yield from output.text(asked.step, AGAIN.format(code=code), "stderr", self.clock())
            raise failed(asked.text, f"exit code: {code}")

    def _job(
        self,
        asked: Asked,
        runner: Runner,
        root: Path,
        scratch: Path,
        binds: Sequence[Bind],
    ) -> Job:
        saving = (
            not self.root
            and runner.keeps_owners
            and ownership.gives_away(asked.text)
            # What comes after the shell is as it is: static in small images, dynamic in others.
            and ownership.is_dynamic(root / mounts.resolve(root, "/bin/sh"))
        )
        return Job(
            root=root,
            argv=asked.argv,
            env=asked.env,
            cwd=asked.cwd,
            user=asked.user,
            binds=(*own_files(runner, scratch), *binds),
            network=asked.network,
            emulator=self.toolbox.emulator(asked.platform),
            owners=scratch / "owners" if saving else None,
        )

    def _once(self, command: Command, step: str, output: Output) -> Generator[Log, None, int]:
        with process.stream(
            command.argv, env=command.env, clock=self.clock, grace=GRACE
        ) as running:
            for chunk in self.crew.chunks(running):
                yield from output.feed(step, chunk.data, chunk.stream, chunk.at)
            code = running.wait()
        yield from output.end_of(step, self.clock())
        return code

    def _layer(self, state: State, command: Command, job: Job) -> str:
        now, new, gone = state.touched()
        with _readable(state.root, new):
            made = difference.members(state.root, new, state.view, _owner(command, job))
            lost = difference.whiteouts(gone, new, state.view)
            layer = self.store.add_layer(made, lost, epoch=self.epoch)
        state.keep(state.view.on(layer.digest, self.store.index(layer.digest)), now)
        return layer.digest


def own_files(runner: Runner, scratch: Path) -> tuple[Bind, ...]:
    """What every command gets of its own, in a folder of ours.

    As real root PRoot would let it remove this machine's devices.
    """
    shared = os.geteuid() == 0 and isinstance(runner, PRoot)
    devices = mounts.devices(scratch) if shared else None
    return (*mounts.network_files(scratch), *([devices] if devices else []))


def tree_of(folder: Path, layers: Sequence[str], store: Store) -> RootFilesystem:
    """The tree that everything on one base image shares, in the folder of the engine."""
    name = layers[0].removeprefix("sha256:") if layers else "scratch"
    return RootFilesystem(folder / "trees" / name, store, owners=os.geteuid() == 0)


def failed(text: str, how: str) -> LayerlabError:
    """A command that did not end well, in BuildKit's words (`solver/llbsolver/errdefs/exec.go`)."""
    return LayerlabError(
        f'process "{text}" did not complete successfully: {how}', code="run-failed"
    )


def _owner(command: Command, job: Job) -> difference.Owner:
    if command.owning == "disk":
        return lambda _path, seen, _before: (seen.uid, seen.gid)
    saved = ownership.saved_owners(job.owners) if job.owners and job.owners.exists() else {}
    device = job.root.stat().st_dev
    new = (0, 0) if command.owning == "saved" else (job.user.uid, job.user.gid)

    def owner(_path: str, seen: Seen, before: Entry | None) -> tuple[int, int]:
        if kept := saved.get((device, seen.inode)):
            return kept.uid, kept.gid
        return (before.uid, before.gid) if before else new

    return owner


@contextlib.contextmanager
def _readable(root: Path, new: Mapping[str, Seen]) -> Iterator[None]:
    """Let us read files that forbid it even to their owner, who we are."""
    shut = {path: seen.mode for path, seen in new.items() if S_ISREG(seen.mode)}
    shut = {path: mode for path, mode in shut.items() if not mode & 0o400}
    for path, mode in shut.items():
        (root / path).chmod(S_IMODE(mode) | 0o400)
    try:
        yield
    finally:
        for path, mode in shut.items():
            (root / path).chmod(S_IMODE(mode))
