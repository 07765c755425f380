"""What every engine offers, and the plain types that it speaks."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from layerlab.model.events import Event
from layerlab.model.plan import Plan

EngineName = Literal["docker", "nerdctl", "podman", "buildah", "embedded"]
ENGINES: tuple[EngineName, ...] = ("docker", "nerdctl", "podman", "buildah", "embedded")
"""In the order in which one is chosen when the learner has not."""

Clock = Callable[[], float]
"""Seconds since the epoch."""


class Option(msgspec.Struct, frozen=True):
    """One option of a build as the learner gave it.

    `flag` is the long name (`--tag`); `value` is None for a switch.
    """

    flag: str
    value: str | None = None


class BuildRequest(msgspec.Struct, frozen=True):
    """What should be built, in the words of the CLI.

    Attributes:
        context: path of the build context, as the learner wrote it.
        options: in the learner's order; what no engine knows is passed through.
        cwd: the folder that relative paths start from.
    """

    context: str
    options: tuple[Option, ...] = ()
    cwd: Path = Path()

    def values(self, flag: str) -> tuple[str, ...]:
        """All values of an option, in order; empty when it was not given."""
        return tuple(o.value for o in self.options if o.flag == flag and o.value is not None)

    @property
    def tags(self) -> tuple[str, ...]:
        """Names for the image."""
        return self.values("--tag")

    @property
    def platforms(self) -> tuple[str, ...]:
        """`os/arch` each, `linux/` filled in where only the architecture was given."""
        names = [name.strip() for value in self.values("--platform") for name in value.split(",")]
        return tuple(name if "/" in name else f"linux/{name}" for name in names if name)

    @property
    def context_path(self) -> Path:
        """The context as a path that can be opened."""
        return self.cwd / self.context

    @property
    def dockerfile_path(self) -> Path:
        """The Dockerfile as a path that can be opened; where none is named, the CLIs' default."""
        named = self.values("--file")
        if named:
            return self.cwd / named[-1]
        for name in ("Dockerfile", "Containerfile"):
            if (path := self.context_path / name).exists():
                return path
        return self.context_path / "Dockerfile"


class EngineReport(msgspec.Struct, frozen=True):
    """What `layerlab doctor` says of one engine.

    Attributes:
        found: its CLI is on this machine.
        works: a build of one line succeeded just now.
        version: of the CLI; `builder` names what builds (`BuildKit v0.13 (docker driver)`).
        reason: what is wrong, in a learner's words; empty when it works.
        fix: what to type or to click to mend it.
    """

    engine: EngineName
    found: bool
    works: bool
    version: str = ""
    builder: str = ""
    reason: str = ""
    fix: str = ""


class Image(msgspec.Struct, frozen=True):
    """An image in an engine's store.

    Attributes:
        name: `repository:tag`, without `docker.io/library/` and `localhost/`.
        size: bytes on disk, unpacked.
        triggers: instructions of its ONBUILD; nerdctl does not tell them.
        architectures: of every platform under this name, e.g. `("amd64",)`.
    """

    name: str
    id: str
    size: int
    architectures: tuple[str, ...] = ()
    os: str = "linux"
    created: float | None = None
    env: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    ports: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    triggers: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()

    @property
    def architecture(self) -> str:
        """The one architecture, or all of them joined by commas."""
        return ",".join(self.architectures)


class Identity(msgspec.Struct, frozen=True):
    """Which image a name stands for just now, for which architectures it is there, its ONBUILD."""

    id: str
    architectures: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()


class Container(msgspec.Struct, frozen=True):
    """A container, running or dead. `url` is where its published port answers, if any."""

    id: str
    name: str
    image: str
    state: str
    exit_code: int | None = None
    command: str = ""
    url: str = ""


class Engine(Protocol):
    """One way to build and to run. Methods raise `LayerlabError`s only."""

    name: EngineName

    @property
    def cache(self) -> str:
        """Which build cache it uses: its name, and the builder where there can be several."""
        ...

    @property
    def buildah(self) -> tuple[int, int] | None:
        """The version of Buildah that builds, major and minor; None for BuildKit."""
        ...

    def probe(self) -> EngineReport:
        """Look whether it is there and works; never raises, takes at most some seconds."""
        ...

    def build_command(self, request: BuildRequest) -> tuple[str, ...]:
        """The exact argument list that `build` will run."""
        ...

    def notes(self, request: BuildRequest) -> tuple[str, ...]:
        """What was translated for this CLI and why, one sentence each."""
        ...

    def build(
        self, request: BuildRequest, plan: Plan, clock: Clock
    ) -> Generator[Event, None, None]:
        """Build, yielding events as they come; the last is always `Finished`.

        Closing the iterator, or a KeyboardInterrupt inside it, ends the build and all that it
        started within 3 s.
        """
        ...

    def ctr(self, args: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str]]:
        """Any other subcommand: each command that was run, and its output as text.

        Raises:
            CommandFailedError: one exited non-zero.
        """
        ...

    def images(self) -> tuple[Image, ...]:
        """All named images."""
        ...

    def image(self, name: str) -> Image:
        """One image in full. Raises a LayerlabError with code `no-such-image`."""
        ...

    def identify(self, name: str) -> Identity:
        """The least of an image, without a process where that can be; raises as `image` does."""
        ...

    def containers(self) -> tuple[Container, ...]:
        """All containers, dead ones included."""
        ...

    def run(
        self,
        image: str,
        args: Sequence[str],
        *,
        platform: str | None = None,
        name: str | None = None,
        remove: bool = True,
    ) -> str:
        """Run a container to its end; what it printed, stdout and stderr, as text.

        Args:
            image: what to run.
            args: the command in it; the image's own where empty.
            platform: `linux/arm64`; the engine's own by default.
            name: of the container.
            remove: take the container away when it has ended.

        Raises:
            CommandFailedError: it exited non-zero, or could not start. Codes:
                `no-such-image`, `no-such-program` (the image has no such program),
                `wrong-platform` (nothing here emulates it), `name-taken`, `command-failed`.
        """
        ...

    def serve(self, image: str, port: int, args: Sequence[str] = ()) -> Container:
        """Start a server in the background; its `port` answers at the container's `url`."""
        ...

    def logs(self, container: Container) -> str:
        """What a container has printed."""
        ...

    def remove(self, container: Container) -> None:
        """Stop and remove a container. A container that is gone already is no error."""
        ...

    def remove_image(self, name: str) -> None:
        """Take a name away from an image, and the image with its last name.

        Raises a LayerlabError with code `no-such-image`.
        """
        ...

    def platforms(self) -> tuple[str, ...]:
        """What its builder can build for, its own platform first: `linux/amd64`."""
        ...
