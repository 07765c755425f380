"""What kind of computer this is, as far as it decides how an engine is mended."""

from __future__ import annotations

import getpass
import json
import platform
import shutil
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal

import msgspec

System = Literal["linux", "wsl", "macos", "windows"]

_RANCHER_SETTINGS = (
    ".config/rancher-desktop/settings.json",
    "Library/Preferences/rancher-desktop/settings.json",
)
"""Where Rancher Desktop keeps its choices on Linux and macOS (its `utils/paths.ts`)."""
_DESKTOP_SIGNS = (
    ".docker/desktop",  # Linux
    "/Applications/Docker.app",
    "/mnt/c/Program Files/Docker/Docker",  # WSL
)


class Host(msgspec.Struct, frozen=True):
    """Facts about this computer; none of them names an engine's state.

    Attributes:
        system: `wsl` is Linux inside Windows.
        user: who we are, for commands that name the user.
        docker_desktop: it is installed, running or not.
        rancher: which engine Rancher Desktop is set to, `moby` or `containerd`; empty where it is
            not installed.
        docker_host: the value of DOCKER_HOST.
        systemd: services are started by systemd.
    """

    system: System
    user: str = "you"
    docker_desktop: bool = False
    rancher: str = ""
    docker_host: str = ""
    systemd: bool = False


def look(environ: Mapping[str, str]) -> Host:
    """Look at this computer. Only files are read; nothing is started."""
    home = Path(environ.get("HOME") or Path.home())
    return Host(
        system=_system(),
        user=_user(),
        docker_desktop=any((home / sign).exists() for sign in _DESKTOP_SIGNS),
        rancher=_rancher(home, environ),
        docker_host=environ.get("DOCKER_HOST", ""),
        systemd=Path("/run/systemd/system").is_dir(),
    )


def runs(programs: Collection[str], word: str) -> bool:
    """Whether one of these programs runs with this word among its arguments. Linux only."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended meanwhile
            continue
        if Path(words[0]).name in programs and word in words[1:]:
            return True
    return False


def _system() -> System:
    if sys.platform == "win32":
        return "windows"
    if sys.platform == "darwin":
        return "macos"
    return "wsl" if "microsoft" in platform.release().lower() else "linux"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without a name, as in many containers
        return "$(id -un)"


def _rancher(home: Path, environ: Mapping[str, str]) -> str:
    for place in _RANCHER_SETTINGS:
        try:
            settings = json.loads((home / place).read_text(encoding="utf-8"))
            return str(settings["containerEngine"]["name"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    installed = shutil.which("rdctl", path=environ.get("PATH")) or (home / ".rd").is_dir()
    return "moby" if installed else ""
