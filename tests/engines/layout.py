"""Where everything of CI's engines lies, and the environment in which their CLIs find it."""

from __future__ import annotations

import os
from pathlib import Path

REGISTRY_PORT = 15000
REGISTRY = f"127.0.0.1:{REGISTRY_PORT}"
ENGINES = ("docker", "nerdctl", "podman", "buildah", "embedded")


GENERATION = os.environ.get("LAYERLAB_ENGINES_GENERATION", "old")
"""`old`: what Debian 12 and 13 have. `new`: what Debian unstable has."""


def _state() -> Path:
    if named := os.environ.get("LAYERLAB_ENGINES_DIR"):
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "layerlab" / ("engines" if GENERATION == "old" else "engines-new")


STATE = _state()
"""Outlives a run: what was downloaded and built, and the engines' stores."""
DEBS = STATE / "debs"
PREFIX = STATE / "prefix"
"""Packages of a newer Debian, unpacked beside the system's own."""
UNSTABLE = STATE / "unstable"
"""Of the new generation: a folder with the libraries that podman and Buildah need."""
ETC = STATE / "etc"
RUN = STATE / "run"
"""Sockets and pid files. Short, as a socket's path may have 107 bytes."""
LOGS = STATE / "logs"
STORE = STATE / "store"

DOCKER_SOCKET = RUN / "docker.sock"
DOCKER_PID = RUN / "dockerd-own.pid"
CONTAINERD_SOCKET = RUN / "containerd.sock"
BUILDKIT_SOCKET = RUN / "buildkitd.sock"
DOCKER_CONFIG = ETC / "docker"


def environment() -> dict[str, str]:
    """What must be set for the engines to be CI's own."""
    path = [PREFIX / "usr" / "bin", PREFIX / "usr" / "sbin"]
    return {
        "PATH": os.pathsep.join([*map(str, path), os.environ.get("PATH", os.defpath)]),
        "DOCKER_HOST": f"unix://{DOCKER_SOCKET}",
        "DOCKER_CONFIG": str(DOCKER_CONFIG),
        "CONTAINERD_ADDRESS": str(CONTAINERD_SOCKET),
        "BUILDKIT_HOST": f"unix://{BUILDKIT_SOCKET}",
        "NERDCTL_TOML": str(ETC / "nerdctl.toml"),
        "CONTAINERS_CONF": str(ETC / "containers.conf"),
        "CONTAINERS_REGISTRIES_CONF": str(ETC / "registries.conf"),
        "CONTAINERS_STORAGE_CONF": str(ETC / "storage.conf"),
        # Newer ones warn about version 1 at each call; it is what this kind of machine has.
        "PODMAN_IGNORE_CGROUPSV1_WARNING": "1",
        "LAYERLAB_TEST_REGISTRY": REGISTRY,
        "LAYERLAB_REQUIRE_ENGINES": ",".join(ENGINES),
    }
