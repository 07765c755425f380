"""Getting the tools: Debian packages, some from the next Debian; `gotools` builds the rest."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.engines.layout import DEBS, DOCKER_CONFIG, GENERATION, PREFIX, STATE, UNSTABLE

Say = Callable[[str], None]

SYSTEM = (
    "binfmt-support",
    "bubblewrap",
    "buildah",
    "chromium",
    "containernetworking-plugins",
    "docker-registry",
    "fakeroot",
    "fonts-dejavu-core",
    "fonts-noto-color-emoji",
    "fonts-noto-core",
    "iproute2",
    "iptables",
    "libtalloc-dev",
    "mmdebstrap",
    *(["nftables", "patchelf"] if GENERATION == "new" else []),
    "pkg-config",
    "podman",
    "qemu-user-static",
    "runc",
    "skopeo",
)
"""From the machine's own Debian 12."""

NEXT_SUITE = "trixie" if GENERATION == "old" else "sid"
NEXT = ("containerd", "docker-buildx", "docker-cli", "docker.io")
"""From a newer Debian: they need only a libc that Debian 12 has. Its Docker 20.10 is too old for
rawjson."""
PODMAN = ("podman", "buildah", "conmon", "netavark", "catatonit")
"""From Debian unstable, for the new generation."""


def install(say: Say) -> None:
    """Make sure of everything; quick when it is there already."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.exit(
            "CI's engines are installed by apt, as root, on Debian 12. On your own machine "
            "none of this is needed: `make test` uses the engines that you have."
        )
    _system(say)
    _next_debian(say)
    if GENERATION == "new":
        _podman(say)


def run(argv: Sequence[str], **more: object) -> str:
    """Run a command and return what it printed; its output is shown when it fails."""
    done = subprocess.run(  # type: ignore[call-overload] # the options of subprocess.run
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more
    )
    if done.returncode:
        sys.exit(f"{' '.join(argv)}\nended with {done.returncode}:\n{done.stdout[-4000:]}")
    return str(done.stdout)


def _system(say: Say) -> None:
    status = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Abbrev}\n", *SYSTEM],
        capture_output=True,
        text=True,
        check=False,  # it fails when one is unknown to dpkg, which is what we ask
    ).stdout
    have = {line.split()[0] for line in status.splitlines() if line.endswith("ii ")}
    if missing := sorted(set(SYSTEM) - have):
        say(f"installing {' '.join(missing)}")
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update", "-qq"], env=quiet)
        run(["apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing], env=quiet)


def _next_debian(say: Say) -> None:
    done = PREFIX / "usr" / "sbin" / "dockerd"
    if done.exists():
        return
    say(f"unpacking {' '.join(NEXT)} of Debian {NEXT_SUITE}")
    apt = _private_apt(NEXT_SUITE)
    shutil.rmtree(DEBS, ignore_errors=True)
    DEBS.mkdir(parents=True)
    run(["apt-get", *apt, "update", "-qq"])
    run(["apt-get", *apt, "download", *NEXT], cwd=DEBS)
    for deb in sorted(DEBS.glob("*.deb")):
        run(["dpkg", "--extract", str(deb), str(PREFIX)])
    plugins = DOCKER_CONFIG / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    shutil.copy2(PREFIX / "usr/libexec/docker/cli-plugins/docker-buildx", plugins)


def _podman(say: Say) -> None:
    """podman and Buildah of Debian unstable, with the libraries that they need.

    Their libc is newer than the system's, and podman runs itself again: so each program gets its
    own interpreter and library path, a wrapper would not do.
    """
    programs = PREFIX / "usr" / "bin"
    if (programs / "conmon").exists():
        return
    say(f"unpacking {' '.join(PODMAN)} of Debian {NEXT_SUITE}")
    shutil.rmtree(UNSTABLE, ignore_errors=True)
    valid = ("--aptopt", 'Acquire::Check-Valid-Until "false"')
    include = f"--include={','.join(PODMAN)}"
    run(["mmdebstrap", "--quiet", "--variant=extract", *valid, include, "sid", str(UNSTABLE)])
    interpreter = UNSTABLE / "usr/lib64/ld-linux-x86-64.so.2"
    libraries = UNSTABLE / "usr/lib/x86_64-linux-gnu"
    own = ("--set-interpreter", str(interpreter), "--force-rpath", "--set-rpath", str(libraries))
    run(["patchelf", *own, str(UNSTABLE / "usr/lib/podman/netavark")])
    for name in ("podman", "buildah", "conmon"):
        patched = shutil.copy2(UNSTABLE / "usr/bin" / name, programs / f"{name}.part")
        run(["patchelf", *own, str(patched)])
        Path(patched).rename(programs / name)


def _mirror() -> str:
    """The machine's own, whatever that is."""
    sources = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    text = "\n".join(path.read_text() for path in sources if path.is_file())
    mirror = re.search(r"^(?:URIs:|deb(?:\s+\[[^]]*\])?)\s+(\S+)", text, re.MULTILINE)
    if mirror is None:
        sys.exit("No Debian mirror is configured in /etc/apt.")
    return mirror[1]


def _private_apt(suite: str) -> list[str]:
    """Options that keep another Debian's lists apart from the system's."""
    root = STATE / "apt" / suite
    for folder in ("lists/partial", "cache/archives/partial"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    listed = root / "sources.list"
    listed.write_text(f"deb [signed-by={keyring}] {_mirror()} {suite} main\n")
    settings = {
        "Dir::Etc::sourcelist": listed,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": root / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": root / "cache",
        "APT::Sandbox::User": "root",
        # Of a suite that is frozen or archived, the file can be older than it says it may be.
        "Acquire::Check-Valid-Until": "false",
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
