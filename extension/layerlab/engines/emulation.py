"""For which platforms programs run on this machine: its own, and those that QEMU emulates."""

from __future__ import annotations

import platform as machine
from collections.abc import Iterable
from pathlib import Path

BINFMT = Path("/proc/sys/fs/binfmt_misc")
"""Where Linux keeps the interpreters for foreign programs."""
_NATIVE = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm/v7", "armv6l": "arm/v6"}
_QEMU = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "arm": "arm/v7",
    "i386": "386",
    "ppc64le": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
    "loongarch64": "loong64",
    "mips64el": "mips64le",
}


FOREIGN = tuple(f"linux/{name}" for name in _QEMU.values())
"""All platforms that QEMU can run programs of."""


def native() -> str:
    """The platform of this machine as containers know it: `linux/amd64`."""
    name = machine.machine()
    if name in ("arm64", "AMD64"):  # macOS and Windows
        return f"linux/{name.lower()}"
    return f"linux/{_NATIVE.get(name, name)}"


def emulated(folder: Path = BINFMT) -> tuple[str, ...]:
    """The platforms that QEMU is registered for with the kernel."""
    found = []
    for entry in sorted(folder.glob("qemu-*")):
        name = _QEMU.get(entry.name.removeprefix("qemu-"))
        if name and entry.read_text(encoding="utf-8", errors="replace").startswith("enabled"):
            found.append(f"linux/{name}")
    return tuple(found)


def without_variants(platforms: Iterable[str]) -> tuple[str, ...]:
    """Without `linux/amd64/v2` and its like, which only say how new a processor is; each once."""
    kept = (name.strip(" *") for name in platforms)
    return tuple(dict.fromkeys(p for p in kept if p and not p.startswith("linux/amd64/")))
