"""Starting and stopping the daemons, and knowing which ones are ours."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.engines.layout import (
    BUILDKIT_SOCKET,
    CONTAINERD_SOCKET,
    DOCKER_PID,
    DOCKER_SOCKET,
    ETC,
    LOGS,
    REGISTRY,
    RUN,
    STORE,
    environment,
)

BRIDGES = ("docker0", "nerdctl0", "cni-podman0", "podman0")
PATIENCE = 60.0
"""Seconds that a daemon may take to answer, and to end."""


@dataclass(frozen=True)
class Daemon:
    """One background program. `ready` is a command that succeeds once it answers.

    `leftovers`: files that it leaves behind when it is killed, and stumbles over afterwards.
    """

    name: str
    argv: tuple[str, ...]
    ready: tuple[str, ...]
    leftovers: tuple[Path, ...] = ()

    @property
    def pid_file(self) -> Path:
        """Holds its pid and the time when the kernel says it started: pids are used again."""
        return RUN / f"{self.name}.pid"

    @property
    def log(self) -> Path:
        """What it prints."""
        return LOGS / f"{self.name}.log"

    def pid(self) -> int | None:
        """Its pid while the very process that was started still runs."""
        try:
            pid, born = self.pid_file.read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if _born(int(pid)) == born else None

    def start(self) -> None:
        """Start it unless it runs, and wait until it answers."""
        if self.pid() is None:
            for folder in (RUN, LOGS):
                folder.mkdir(parents=True, exist_ok=True)
            # After kill -9 a pid file names a process that is not it, and a socket looks alive.
            for file in self.leftovers:
                file.unlink(missing_ok=True)
            with self.log.open("wb") as log:
                process = subprocess.Popen(
                    self.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **environment()},
                    start_new_session=True,
                )
            self.pid_file.write_text(f"{process.pid} {_born(process.pid)}")
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            if self.pid() is None or time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace")[-3000:]
                sys.exit(f"{self.name} does not answer. The end of {self.log}:\n{tail}")
            time.sleep(0.1)

    def answers(self) -> bool:
        """Whether it does its work just now."""
        return _quiet(self.ready) == 0

    def stop(self) -> None:
        """End it and wait until it is gone."""
        pid = self.pid()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + PATIENCE
            while self.pid() is not None:
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.05)
        self.pid_file.unlink(missing_ok=True)


DAEMONS = (
    Daemon(
        "registry",
        ("docker-registry", "serve", str(ETC / "registry.yml")),
        (sys.executable, "-c", f"import urllib.request as u; u.urlopen('http://{REGISTRY}/v2/')"),
    ),
    Daemon(
        "containerd",
        ("containerd", "--config", str(ETC / "containerd.toml")),
        ("ctr", "version"),
        (CONTAINERD_SOCKET, CONTAINERD_SOCKET.with_suffix(".sock.ttrpc")),
    ),
    Daemon(
        "buildkitd",
        ("buildkitd", "--config", str(ETC / "buildkitd.toml")),
        ("buildctl", "debug", "workers"),
        (BUILDKIT_SOCKET,),
    ),
    Daemon(
        "dockerd",
        ("dockerd", "--config-file", str(ETC / "daemon.json")),
        ("docker", "version"),
        (DOCKER_SOCKET, DOCKER_PID),
    ),
)
"""In the order of starting; they are stopped the other way round."""


def remove_containers() -> None:
    """Kill what still runs in the engines: a container outlives its daemon."""
    for cli in ("docker", "nerdctl", "podman"):
        listed = _output((cli, "ps", "--all", "--quiet")).split()
        if listed:
            _quiet((cli, "rm", "--force", *listed))
    _quiet(("buildah", "rm", "--all"))


def remove_bridges() -> None:
    """Remove the engines' networks: another store's engine would find its addresses taken.

    So would the same one, where a killed dockerd has left a container's network behind, which
    goes on to answer for its address.
    """
    for namespace in (RUN / "docker" / "netns").glob("*"):
        _quiet(("umount", "--lazy", str(namespace)))
        namespace.unlink(missing_ok=True)
    for bridge in BRIDGES:
        _quiet(("ip", "link", "delete", bridge))


def forget_images_of_podman() -> None:
    """Empty the store that podman and buildah share.

    Each build leaves an image for each of its steps there, and podman looks at every image for
    every other: with the 2,000 of some runs, `podman images` takes half a minute.
    """
    remove_store(STORE / "containers")


def remove_store(store: Path) -> None:
    """Remove a store of podman and buildah, and what a killed build has left mounted in it."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for point in sorted((one for one in mounted if one.startswith(f"{store}/")), reverse=True):
        _quiet(("umount", "--lazy", point))
    shutil.rmtree(store, ignore_errors=True)


def _born(pid: int) -> str | None:
    try:
        # Field 22 of proc(5)'s stat; the name before it may hold spaces, so count from its end.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def _quiet(argv: Sequence[str]) -> int:
    env = {**os.environ, **environment()}
    return subprocess.run(argv, capture_output=True, check=False, env=env).returncode


def _output(argv: Sequence[str]) -> str:
    env = {**os.environ, **environment()}
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=env).stdout
