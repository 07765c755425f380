"""Docker 20.10 for recordings: the last with BuildKit's older plain format, still in Debian 12.

It runs beside CI's engines, on a socket of its own, and only while it is recorded.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engines.layout import REGISTRY, STATE

HOME = STATE.parent / "docker-20.10"
PATIENCE = 60.0
"""Seconds that the daemon may take to answer and to end."""


@contextmanager
def old_docker() -> Iterator[dict[str, str]]:
    """The environment in which `docker` is 20.10."""
    binaries = _unpack() / "usr"
    socket = HOME / "docker.sock"
    (HOME / "daemon.json").write_text("{}")
    environment = {
        **os.environ,
        "PATH": f"{binaries / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "DOCKER_HOST": f"unix://{socket}",
        "DOCKER_CONFIG": str(HOME),
        "DOCKER_BUILDKIT": "1",
    }
    daemon = subprocess.Popen(
        [
            binaries / "sbin" / "dockerd",
            *("--config-file", HOME / "daemon.json", "--pidfile", HOME / "dockerd.pid"),
            *("--data-root", HOME / "data", "--exec-root", HOME / "exec", "-H", f"unix://{socket}"),
            *("--bridge=none", "--iptables=false", "--ip6tables=false"),
            *("--registry-mirror", f"http://{REGISTRY}", "--insecure-registry", REGISTRY),
        ],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=(HOME / "dockerd.log").open("wb"),
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + PATIENCE
        while not socket.exists():
            assert daemon.poll() is None, (HOME / "dockerd.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "Docker 20.10 does not answer"
            time.sleep(0.1)
        yield environment
    finally:
        daemon.terminate()
        daemon.wait(PATIENCE)


def _unpack() -> Path:
    root = HOME / "root"
    if not root.exists():
        HOME.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "docker.io=20.10.*"], cwd=HOME, check=True)
        (package,) = HOME.glob("docker.io_20.10.*.deb")
        subprocess.run(["dpkg", "-x", package, root], check=True)
    return root
