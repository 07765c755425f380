"""The programs of other people that the embedded engine stands on."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from layerlab.engines import emulation
from layerlab.engines.embedded.runners import gate
from layerlab.engines.embedded.runners.job import Runner
from layerlab.engines.embedded.runners.ladder import Bubblewrap, Faked, PRoot
from layerlab.errors import EngineUnavailableError

_QEMU: Final = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "arm/v7": "arm",
    "arm/v6": "arm",
    "386": "i386",
    "loong64": "loongarch64",
    "mips64le": "mips64el",
}


class Refusal(msgspec.Struct, frozen=True):
    """A runner that must not be used, and why, in a learner's words."""

    runner: str
    reason: str


class Toolbox(msgspec.Struct, frozen=True):
    """What is there, and what is not.

    Attributes:
        skopeo: None where it is missing.
        runners: that have passed the gate, the best first.
        refusals: of the others.
        environ: tells where programs are.
    """

    skopeo: Path | None
    runners: tuple[Runner, ...]
    refusals: tuple[Refusal, ...] = ()
    environ: Mapping[str, str] = {}

    @property
    def missing(self) -> str:
        """What keeps images from being built, in a learner's words; empty when nothing does."""
        if self.skopeo is None:
            return "skopeo is missing: it fetches base images."
        return "" if self.runners else f"Nothing here can run a RUN step. {self._reasons()}".strip()

    def runner(self, platform: str | None = None, *, owners: bool = False) -> Runner:
        """The runner to take.

        Args:
            platform: whose programs it must run (`linux/arm64`); this machine's own by default.
                Foreign ones bubblewrap leaves to the kernel; see `kernel_emulates`.
            owners: one that keeps who owns a file, where there is one: the first else.

        Raises:
            EngineUnavailableError: code `no-runner`: RUN cannot be built here, and why.
        """
        foreign = bool(platform and self.emulator(platform) and not kernel_emulates(platform))
        able = [runner for runner in self.runners if not foreign or isinstance(runner, PRoot)]
        keeping = [runner for runner in able if runner.keeps_owners] if owners else []
        for runner in (*keeping, *able):
            return runner
        raise EngineUnavailableError(
            "Nothing on this computer can run a RUN step without an engine of its own.",
            code="no-runner",
            hint=f"{self._reasons()}\nA Dockerfile without RUN can be built as it is; docker, "
            "nerdctl, podman and buildah can run RUN.".strip(),
        )

    def emulator(self, platform: str) -> Path | None:
        """The static QEMU that runs programs of a platform; None where there is none.

        Also None for this machine's own platform.
        """
        if platform == emulation.native():
            return None
        architecture = platform.removeprefix("linux/")
        name = _QEMU.get(architecture, architecture)
        return _which(f"qemu-{name}-static", self.environ)

    def _reasons(self) -> str:
        return "\n".join(refusal.reason for refusal in self.refusals)


def find(environ: Mapping[str, str], cache: Path) -> Toolbox:
    """Look at this machine. Takes some hundredths of a second when nothing has changed.

    Args:
        environ: environment variables.
        cache: the user's own folder for Layerlab: PRoot is built there, and the gate remembers
            there who has passed.
    """
    passed: list[Runner] = []
    refusals = []
    for runner in candidates(environ, cache, root=os.geteuid() == 0):
        if any(isinstance(better, PRoot) and isinstance(runner, PRoot) for better in passed):
            continue  # the same again, but slower
        if reason := gate.check(runner, cache):
            refusals.append(Refusal(runner.name, reason))
        else:
            passed.append(runner)
    return Toolbox(_which("skopeo", environ), tuple(passed), tuple(refusals), environ)


def candidates(environ: Mapping[str, str], cache: Path, *, root: bool) -> Iterator[Runner]:
    """The runners that are there, the best first, whether they pass the gate or not."""
    if bwrap := _which("bwrap", environ):
        yield Bubblewrap(bwrap, root, Path(sys.executable))
    own = own_proot(cache)
    if own.exists():
        faked, pinned = _faked(environ), _which("taskset", environ) is not None
        yield PRoot(own, root, faked=faked, pinned=pinned)
        yield PRoot(own, root, seccomp=False, faked=faked, pinned=pinned)
    if program := _which("proot", environ):
        yield PRoot(program, root, own=False, pinned=False)
        yield PRoot(program, root, seccomp=False, own=False, pinned=False)


def own_proot(cache: Path) -> Path:
    """Where the PRoot is that Layerlab has built; another one in each version of its source."""
    return cache / "proot-5.4.0-3" / "proot"


def kernel_emulates(platform: str) -> bool:
    """Whether the kernel starts programs of a foreign platform by itself (binfmt_misc)."""
    return platform in emulation.emulated()


def _faked(environ: Mapping[str, str]) -> Faked | None:
    """fakeroot as Debian has it; the kind that speaks System V messages needs no port."""
    daemon = _which("faked-sysv", environ)
    if daemon is None:
        return None
    found = sorted(daemon.parents[1].glob("lib/*/libfakeroot/libfakeroot-sysv.so"))
    return Faked(daemon, found[0]) if found else None


def _which(name: str, environ: Mapping[str, str]) -> Path | None:
    found = shutil.which(name, path=environ.get("PATH", os.defpath))
    return Path(found) if found else None
