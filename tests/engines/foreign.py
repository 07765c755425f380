"""Programs for other processors: the kernel is told to run them with QEMU."""

from __future__ import annotations

from pathlib import Path

from tests.engines.packages import run

FOLDER = Path("/proc/sys/fs/binfmt_misc")
EMULATOR = "qemu-aarch64"


def enable() -> None:
    """Register QEMU for arm64 with the kernel; nothing when that is done."""
    if not (FOLDER / "register").exists():
        run(["mount", "-t", "binfmt_misc", "none", str(FOLDER)])
    if not (FOLDER / EMULATOR).exists():
        run(["update-binfmts", "--enable", EMULATOR])
