"""An engine's own image store, as far as base images need it: look, pull, tag, take a stand-in.

Each CLI says these things a little differently; what they need is written down here once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from layerlab.bases.contents import LABEL
from layerlab.engines import emulation, process
from layerlab.engines.base import Engine, EngineName
from layerlab.engines.embedded.engine import EmbeddedEngine
from layerlab.errors import LayerlabError

_PULL: Final = 1800.0
_STATE: Final = f'{{{{.Os}}}}/{{{{.Architecture}}}} {{{{index .Config.Labels "{LABEL}"}}}}'

_BUILDAH_STATE: Final = (
    f'{{{{.OCIv1.OS}}}}/{{{{.OCIv1.Architecture}}}} {{{{index .OCIv1.Config.Labels "{LABEL}"}}}}'
)


class StoreError(Exception):
    """The engine said no; the text is its last word. Stays inside this package."""


@dataclass(frozen=True)
class Found:
    """An image that a store has: its platforms, as far as known, and whether it stands in."""

    platforms: tuple[str, ...]
    stand_in: bool


class Store(Protocol):
    """What base images need of an engine."""

    engine: str

    def find(self, name: str) -> Found | None:
        """The image of this name, if it is there."""
        ...

    def pull(self, name: str, *, timeout: float) -> None:
        """Pull an image for this machine's platform. Raises StoreError."""
        ...

    def tag(self, source: str, target: str) -> None:
        """Give an image one more name. Raises StoreError."""
        ...

    def take(self, served: str, name: str, platforms: Sequence[str]) -> tuple[str, ...]:
        """Pull a stand-in from loopback and name it. Returns its platforms. Raises StoreError."""
        ...


def store_of(engine: Engine) -> Store:
    """The image store behind an engine."""
    if isinstance(engine, EmbeddedEngine):
        return EmbeddedStore(engine)
    return _STORES.get(engine.name, CliStore)(engine.name)


class CliStore:
    """Docker's and nerdctl's, which keep all platforms of an image under one name."""

    inspection: tuple[str, ...] = ("image", "inspect", "--format", _STATE)

    def __init__(self, engine: str) -> None:
        self.engine = engine

    def find(self, name: str) -> Found | None:
        """See `Store`."""
        try:
            words = self._run(*self.inspection, name, timeout=30).split()
        except StoreError:
            return None
        return Found(tuple(words[:1]), "true" in words[1:])

    def pull(self, name: str, *, timeout: float) -> None:
        """See `Store`."""
        self._run("pull", "--quiet", name, timeout=timeout)

    def tag(self, source: str, target: str) -> None:
        """See `Store`."""
        self._run("tag", source, target)

    def take(self, served: str, name: str, platforms: Sequence[str]) -> tuple[str, ...]:
        """See `Store`. `platforms` begins with this machine's own."""
        taken = tuple(platforms if self._keeps_all() else platforms[:1])
        for platform in reversed(taken):
            self._run("pull", "--quiet", "--platform", platform, served, timeout=_PULL)
        self.tag(served, name)
        self._run("rmi", served)
        return taken

    def _keeps_all(self) -> bool:
        # Docker's older store has one platform per name: a second pull would replace the first.
        if self.engine != "docker":
            return True
        try:
            return "io.containerd" in self._run("info", "--format", "{{json .DriverStatus}}")
        except StoreError:
            return False

    def _run(self, *args: str, timeout: float = 60) -> str:
        try:
            done = process.run([self.engine, *args], timeout=timeout)
        except LayerlabError as error:
            if error.code != "command-timeout":
                raise
            raise StoreError(f"no answer within {timeout:.0f} s") from error
        if done.exit_code != 0:
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            raise StoreError(lines[-1].strip() if lines else f"exit code {done.exit_code}")
        return done.stdout.decode(errors="replace")


class PodmanStore(CliStore):
    """Podman's: one platform per name, and lists of such names."""

    def take(self, served: str, name: str, platforms: Sequence[str]) -> tuple[str, ...]:
        """See `Store`. A list keeps only references: each platform has a name of its own."""
        own = {}
        for platform in reversed(platforms):
            flags = ["--quiet", "--tls-verify=false", "--platform", platform]
            self._run("pull", *flags, served, timeout=_PULL)
            repository = name.rpartition("/")[2].replace(":", "-")
            own[platform] = f"localhost/layerlab-stand-in/{repository}:{platform.split('/')[1]}"
            self.tag(served, own[platform] if len(platforms) > 1 else name)
        self._run("rmi", served)
        if len(platforms) > 1:
            self._run("manifest", "create", name)
            for platform in platforms:
                self._run("manifest", "add", name, f"containers-storage:{own[platform]}")
        return tuple(platforms)


class BuildahStore(PodmanStore):
    """The same store, looked at with other words."""

    inspection = ("inspect", "--type", "image", "--format", _BUILDAH_STATE)


class EmbeddedStore:
    """Our own, which keeps all platforms of an image under one name."""

    engine = "embedded"

    def __init__(self, engine: EmbeddedEngine) -> None:
        self._engine = engine

    def find(self, name: str) -> Found | None:
        """See `Store`."""
        try:
            image = self._engine.image(name)
        except LayerlabError:
            return None
        platforms = tuple(f"linux/{architecture}" for architecture in image.architectures)
        return Found(platforms, image.labels.get(LABEL) == "true")

    def pull(self, name: str, *, timeout: float) -> None:  # noqa: ARG002 - skopeo has limits itself
        """See `Store`."""
        self._pull(name, emulation.native())

    def tag(self, source: str, target: str) -> None:
        """See `Store`."""
        self._engine.tag(source, target)

    def take(self, served: str, name: str, platforms: Sequence[str]) -> tuple[str, ...]:
        """See `Store`."""
        for platform in platforms:
            self._pull(served, platform)
        self.tag(served, name)
        self._engine.remove_image(served)
        return tuple(platforms)

    def _pull(self, name: str, platform: str) -> None:
        try:
            for _ in self._engine.library.pull(name, platform):
                pass
        except LayerlabError as error:
            raise StoreError(error.message) from error


_STORES: dict[EngineName, type[CliStore]] = {"podman": PodmanStore, "buildah": BuildahStore}
