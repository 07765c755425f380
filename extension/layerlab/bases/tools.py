"""Programs that a stand-in needs, and some helpers that its modules share."""

from __future__ import annotations

import hashlib
import json
import os
import platform as machine
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from layerlab.engines import process
from layerlab.errors import CommandFailedError, CommandNotFoundError

Say = Callable[[str], None]
"""Takes one line of progress, in a learner's words."""

_PACKAGES: Final = {
    "mmdebstrap": "mmdebstrap",
    "arch-test": "arch-test",
    "bwrap": "bubblewrap",
    "fakeroot": "fakeroot",
    "podman": "podman",
    "skopeo": "skopeo",
    "update-binfmts": "binfmt-support",
    "qemu-aarch64-static": "qemu-user-static",
    "qemu-x86_64-static": "qemu-user-static",
}
_ARCHITECTURES: Final = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_QEMU: Final = {"amd64": "qemu-x86_64", "arm64": "qemu-aarch64"}
_BINFMT: Final = Path("/proc/sys/fs/binfmt_misc")


def host_platform() -> str:
    """The platform of this machine: `linux/amd64`."""
    name = machine.machine().lower()
    return f"linux/{_ARCHITECTURES.get(name, name)}"


def need(programs: Sequence[str], say: Say) -> None:
    """Make sure that programs are there: root installs them, anyone else is told how.

    Raises:
        CommandNotFoundError: they are missing and cannot be installed from here.
    """
    missing = [name for name in programs if not has(name)]
    if missing:
        install(missing, packages(missing), say)


def has(program: str) -> bool:
    """Whether a program is there."""
    return _which(program) is not None


def packages(programs: Sequence[str]) -> tuple[str, ...]:
    """The packages of Debian and Ubuntu that bring programs."""
    return tuple(sorted({_PACKAGES[name] for name in programs}))


def install(missing: Sequence[str], packages: Sequence[str], say: Say) -> None:
    """Install packages of Debian or Ubuntu; see `need`. `missing` is what is wanted of them."""
    line = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    if not _is_root() or not _which("apt-get"):
        raise CommandNotFoundError(
            f"{' and '.join(missing)} must be installed first.",
            code="bases-tools",
            hint=f"sudo {line}",
        )
    say(f"Installing {', '.join(packages)}")
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = process.run(line.split(), env=env, timeout=600)
    if done.exit_code != 0:  # fresh machines have no package lists yet
        process.run(["apt-get", "update"], env=env, timeout=600)
        done = process.run(line.split(), env=env, timeout=600)
    if done.exit_code != 0:
        raise CommandFailedError(
            f"{', '.join(packages)} could not be installed.",
            code="bases-tools",
            hint=f"Try it in a terminal: {line}",
            command=done.argv,
            exit_code=done.exit_code,
            output=done.stderr.decode(errors="replace")[-2000:],
        )


def can_run(platform: str, say: Say) -> bool:
    """Whether programs of a platform run here; root sets emulation up where it is missing."""
    if platform == host_platform():
        return True
    handler = _QEMU.get(platform.rpartition("/")[2])
    if handler is None:
        return False
    if not (_BINFMT / handler).exists() and _is_root():
        _emulate(handler, say)
    return (_BINFMT / handler).exists()


def _emulate(handler: str, say: Say) -> None:
    try:
        need([f"{handler}-static", "update-binfmts"], say)
    except (CommandFailedError, CommandNotFoundError):
        return  # the caller does without
    if not (_BINFMT / "register").exists():
        process.run(["mount", "-t", "binfmt_misc", "none", str(_BINFMT)], timeout=30)
    process.run(["update-binfmts", "--enable", handler], timeout=30)


def key(parts: object) -> str:
    """A short name for a value: the same value, the same name."""
    data = json.dumps(parts, sort_keys=True, default=list).encode()
    return hashlib.sha256(data).hexdigest()[:16]


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Keep other processes from doing the same work at the same time."""
    import fcntl  # noqa: PLC0415  # not on Windows, where nothing is put together

    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def publish(made: Path, target: Path) -> None:
    """Move a finished folder to its place, unless someone else was faster."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        made.rename(target)
    except OSError:
        if not target.exists():
            raise


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _which(name: str) -> str | None:
    # sbin is not on everyone's PATH, but update-binfmts lives there
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
