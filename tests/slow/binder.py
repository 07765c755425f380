"""`python -m tests.slow.binder`: the course in a container as Binder gives one.

Builds what repo2docker would build, on another base image (`tests.slow.repo2docker`), and runs all
labs in it as uid 1000, without new privileges, behind Docker's own seccomp filter, with 2 GB of
memory and one processor. No registry of images can be reached from there, and of all names only
those of the package registries that lab 01 needs. Needs Docker. Prints the log and the figures.
"""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from layerlab.bases import settings
from layerlab.engines.embedded.runners.tools import own_proot
from tests.slow import repo2docker

IMAGE = "layerlab-binder"
TESTED = "layerlab-binder-tested"
"""The same with nbval, which a session does not have."""
LIMITS = ("--security-opt", "no-new-privileges", "--cpus", "1", "--user", "1000")
MEMORY = "2g"
LAB_01 = "500m"
"""What lab 01 must do with: kernel, nbval, engine, and all that its RUN steps start."""
PATIENCE = 120.0
WITH_NBVAL = f"""\
FROM {IMAGE}
RUN ${{NB_PYTHON_PREFIX}}/bin/pip install --quiet --no-cache-dir 'nbval>=0.11,<0.12' 'pytest>=8.2'
"""


def main() -> int:
    """Build, look, run; the exit status is 1 when anything failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.slow.binder", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep the images")
    keep = parser.parse_args().keep
    try:
        with tempfile.TemporaryDirectory(prefix="binder-") as folder:
            build(Path(folder))
        sizes()
        well = start_up()
        well &= run("course", MEMORY)
        well &= run("course", LAB_01, "01")
    finally:
        if not keep:
            docker("rmi", "--force", IMAGE, TESTED)
    return 0 if well else 1


def build(folder: Path) -> None:
    """The image, and the one with nbval."""
    program = repo2docker.install(folder / "repo2docker")
    text = repo2docker.dockerfile(program)
    say("repo2docker would build this")
    print(text, flush=True)
    mirror = settings.read(os.environ).sources.main
    variables = {
        "CONTAINERS_REGISTRIES_CONF": "/run/registries.conf",
        "LAYERLAB_DEBIAN_MIRROR": mirror,
    }
    repo2docker.context(folder / "context", program, repo2docker.adapted(text, variables))
    registries = os.environ.get("CONTAINERS_REGISTRIES_CONF", os.devnull)
    say("the same steps on another base image")
    begun = time.monotonic()
    # The registry that stands in for Docker Hub is on loopback.
    where = ("--network", "host", "--secret", f"id=registries,src={registries}")
    user = ("--build-arg", "NB_USER=jovyan", "--build-arg", "NB_UID=1000")
    docker(
        "build", *where, *user, "--progress=plain", "--tag", IMAGE, folder / "context", check=True
    )
    print(f"built in {time.monotonic() - begun:.0f} s", flush=True)
    (folder / "nbval").mkdir()
    (folder / "nbval/Dockerfile").write_text(WITH_NBVAL, encoding="utf-8")
    docker("build", "--network", "host", "--tag", TESTED, folder / "nbval", check=True)


def sizes() -> None:
    """Of the image, and of what is in it."""
    say("sizes in MB: Python and Jupyter, base images, PRoot, QEMU, all else, and together")
    home = Path("/home/jovyan")
    cache = home / ".cache/layerlab"
    parts = ("/srv", cache / "embedded", own_proot(cache).parent, home / ".local", "/")
    look = ("--total", "-xsm", *parts)
    docker("run", "--rm", "--user", "0", "--entrypoint", "du", IMAGE, *look)
    size = docker("image", "inspect", "--format", "{{.Size}}", IMAGE, check=True, quiet=True)
    print(f"as Docker's store counts it, compressed if that is containerd's: {int(size) / 1e6:.0f}")


def start_up() -> bool:
    """How long it takes until lab 00 can be run."""
    say("start-up")
    token = secrets.token_hex(8)
    options = (*LIMITS, "--memory", MEMORY, "--publish", "127.0.0.1::8888", *network())
    with container(*options, "--env", f"JUPYTER_TOKEN={token}", IMAGE) as (name, begun):
        port = docker("port", name, "8888", check=True, quiet=True).rpartition(":")[2].strip()
        address = landing(f"http://127.0.0.1:{port}/?token={token}")
        print(f"Jupyter answers after {time.monotonic() - begun:.1f} s, at {address}", flush=True)
        engine = ("--env", "LAYERLAB_ENGINE=embedded")
        argv = ("exec", *engine, name, "python3", "-m", "tests.slow.session", "first")
        docker(*argv, check=True)
        print(f"first cell done {time.monotonic() - begun:.1f} s after the start", flush=True)
        return address.endswith("/lab/tree/course/00-check-the-engine.ipynb")


def landing(url: str) -> str:
    """Where somebody lands who opens the server's address; waits until it answers."""
    deadline = time.monotonic() + PATIENCE
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    while True:
        try:
            with opener.open(url, timeout=5) as answer:
                return str(answer.url).partition("?")[0]
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def run(word: str, memory: str, *labs: str) -> bool:
    """Labs under nbval with so much memory; whether all went well."""
    say(f"{'lab ' if labs else 'the whole course'}{' '.join(labs)} with {memory} of memory")
    limits = (*LIMITS, "--memory", memory, "--memory-swap", memory, *network())
    argv = ("run", "--rm", *limits, TESTED, "python3", "-m", "tests.slow.session", word, *labs)
    begun = time.monotonic()
    done = subprocess.run(("docker", *argv), check=False)
    print(f"{time.monotonic() - begun:.0f} s, exit code {done.returncode}", flush=True)
    return done.returncode == 0


def network() -> Iterator[str]:
    """Options by which the names of lab 01's package registries are known, and no others."""
    host = settings.read(os.environ)
    asked = subprocess.run(
        ("npm", "config", "get", "registry"), stdout=subprocess.PIPE, text=True, check=True
    )
    npm = asked.stdout.strip()
    yield from ("--dns", "127.0.0.1")
    for url in dict.fromkeys((host.sources.main, host.sources.security, npm)):
        if name := urlsplit(url).hostname:
            yield from ("--add-host", f"{name}:{socket.gethostbyname(name)}")


@contextmanager
def container(*arguments: str) -> Iterator[tuple[str, float]]:
    """A container in the background: its name, and when its start began."""
    name, begun = f"layerlab-binder-{secrets.token_hex(4)}", time.monotonic()
    docker("run", "--detach", "--name", name, *arguments, check=True, quiet=True)
    try:
        yield name, begun
    finally:
        docker("rm", "--force", name, quiet=True)


def docker(*argv: str | Path, check: bool = False, quiet: bool = False) -> str:
    """Docker's CLI; gives what it printed where that is not shown."""
    pipe = subprocess.PIPE if quiet else None
    return subprocess.run(("docker", *argv), check=check, stdout=pipe, text=True).stdout or ""


def say(text: str) -> None:
    """The title of a part."""
    print(f"\n=== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
