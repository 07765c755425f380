"""One RUN as a runner is asked to do it, and what it makes of that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import msgspec


class User(NamedTuple):
    """Whom a command runs as, in numbers."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()


class Bind(NamedTuple):
    """A path of this machine that the command sees at an absolute path of its own.

    PRoot cannot keep the command from writing: where that matters, bind a copy.
    """

    host: Path
    guest: str
    read_only: bool = False


class Job(msgspec.Struct, frozen=True):
    """A command, and the root file system that it runs in.

    Attributes:
        root: that file system, a folder of this machine.
        argv: the program and its arguments; it is looked for in the PATH of `env`, in the root.
        env: its whole environment.
        cwd: absolute, in the root; it is there.
        binds: in the order in which they are made: later ones may lie inside earlier ones.
        network: False cuts the command off from it.
        hostname: this machine's where it is empty, and always under PRoot.
        emulator: a static QEMU that runs the root's programs; None where this machine does.
        owners: a file that does not exist yet, where to save who owns what; None where the
            command need not be able to give files away.
    """

    root: Path
    argv: tuple[str, ...]
    env: Mapping[str, str] = {}
    cwd: str = "/"
    user: User = User()
    binds: tuple[Bind, ...] = ()
    network: bool = True
    hostname: str = ""
    emulator: Path | None = None
    owners: Path | None = None


Owning = Literal["disk", "saved", "user"]
"""Who owns what a command has made or changed: whom the file system names, whom the file
`Job.owners` names (`ownership.saved_owners`), or, for what is new, the user of the job."""


class Command(msgspec.Struct, frozen=True):
    """What to start with `process.stream(argv, env=env, grace=GRACE)`.

    Attributes:
        env: of the runner, not of the command in the root.
        owning: whom to note as the owner of what it has made.
    """

    argv: tuple[str, ...]
    env: dict[str, str]
    owning: Owning


class MountPoint(NamedTuple):
    """A path that must be there before a runner starts: `etc/hosts`, relative to the root."""

    path: str
    folder: bool


class Runner(Protocol):
    """One way to give a command a root file system of its own."""

    @property
    def name(self) -> str:
        """As it is told to a learner."""
        ...

    @property
    def program(self) -> Path:
        """What it starts."""
        ...

    @property
    def keeps_owners(self) -> bool:
        """Whether a command can give files to somebody else, and that is kept."""
        ...

    def command(self, job: Job) -> Command:
        """What to start. Raises a LayerlabError with code `runner-cannot` and the reason."""
        ...

    def mount_points(self, job: Job) -> tuple[MountPoint, ...]:
        """What must be there in the root; `mounts.placed` makes what is missing, for a while."""
        ...
