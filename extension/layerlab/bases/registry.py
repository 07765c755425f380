"""Serve stand-ins from a registry on loopback, and put them there.

The registry is Debian's `docker-registry`, started by `start-stop-daemon`, which also keeps its
process id. Nothing but loopback can reach it. The package is unpacked, not installed: installed,
it would start a service of its own that the whole network can reach.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from layerlab.bases import oci, tools
from layerlab.bases.standin import StandIn
from layerlab.bases.tools import Say
from layerlab.engines import process
from layerlab.errors import CommandFailedError, LayerlabError

PORT: Final = 5000
"""Docker treats any registry on 127.0.0.0/8 as one that needs no TLS."""

_WAIT: Final = 10.0
_MANIFESTS: Final = ", ".join(
    (
        oci.INDEX,
        oci.MANIFEST,
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)


@dataclass(frozen=True)
class Registry:
    """A registry on loopback, by its `host:port`."""

    address: str

    def __post_init__(self) -> None:
        host, _, port = self.address.rpartition(":")
        if host not in ("127.0.0.1", "localhost") or not port.isdigit():
            raise LayerlabError(
                f"{self.address} is not an address on this machine like 127.0.0.1:{PORT}.",
                code="bases-registry",
            )

    def answers(self) -> bool:
        """Whether a registry speaks at this address."""
        return self._ask("GET", "/v2/")[0] in (200, 401)

    def digest(self, stand_in: StandIn) -> str:
        """The digest under a stand-in's name; empty when it is not there."""
        base = stand_in.base
        path = f"/v2/{base.repository}/manifests/{base.tag}"
        status, headers = self._ask("HEAD", path)
        return headers.get("docker-content-digest", "") if status == 200 else ""

    def push(self, stand_in: StandIn, say: Say) -> str:
        """Put a stand-in under its name, all platforms, unless it is there. Returns its name.

        Raises:
            LayerlabError: skopeo is missing, or the registry refused.
        """
        base = stand_in.base
        name = f"{self.address}/{base.repository}:{base.tag}"
        if self.digest(stand_in) == oci.index_digest(stand_in.folder):
            return name
        tools.need(["skopeo"], say)
        say(f"{base.short_name}: pushing the stand-in to {self.address}")
        argv = ["skopeo", "--insecure-policy", "copy", "--all", "--quiet"]
        argv += ["--dest-tls-verify=false", f"oci:{stand_in.folder}:{base.tag}", f"docker://{name}"]
        done = process.run(argv, timeout=600)
        if done.exit_code != 0:
            raise CommandFailedError(
                f"The stand-in for {base.short_name} could not be pushed to {self.address}.",
                code="bases-push",
                command=argv,
                exit_code=done.exit_code,
                output=done.stderr.decode(errors="replace")[-2000:],
            )
        return name

    def _ask(self, method: str, path: str) -> tuple[int, dict[str, str]]:
        host, _, port = self.address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=3)
        try:
            connection.request(method, path, headers={"Accept": _MANIFESTS})
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}
        except (OSError, http.client.HTTPException):
            return 0, {}
        finally:
            connection.close()


def state_folder() -> Path:
    """Where the registry keeps its blobs, its settings and its process id."""
    top = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(top) / "layerlab" / "registry"


def start(say: Say, *, state: Path | None = None, port: int = PORT) -> Registry:
    """The registry of this state folder, started unless it runs.

    Another program on `port` is left alone: the registry takes a free one.

    Raises:
        LayerlabError: it cannot be installed, or does not come up.
    """
    state = state or state_folder()
    if running := find(state):
        return running
    state.mkdir(parents=True, exist_ok=True)
    program = _program(state, say)
    registry = Registry(f"127.0.0.1:{_free(port)}")
    config = state / "config.json"  # JSON is YAML too
    config.write_text(json.dumps(_config(registry, state), indent=1), encoding="utf-8")
    argv = ["start-stop-daemon", "--start", "--quiet", "--background", "--make-pidfile"]
    argv += ["--pidfile", str(state / "pid"), "--output", str(state / "log"), "--startas"]
    argv += [str(program), "--", "serve", str(config)]
    done = process.run(argv, timeout=30)
    say(f"A registry for stand-ins runs on {registry.address}")
    deadline = time.monotonic() + _WAIT
    while done.exit_code == 0 and time.monotonic() < deadline:
        if registry.answers():
            (state / "address").write_text(registry.address, encoding="utf-8")
            return registry
        time.sleep(0.1)
    raise CommandFailedError(
        "The registry for stand-ins did not start.",
        code="bases-registry",
        command=argv,
        exit_code=done.exit_code,
        output=_tail(state / "log") or done.stderr.decode(errors="replace"),
    )


def find(state: Path | None = None) -> Registry | None:
    """The registry that `start` started from this state folder, if it answers."""
    try:
        address = ((state or state_folder()) / "address").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    registry = Registry(address)
    return registry if registry.answers() else None


def stop(*, state: Path | None = None) -> bool:
    """End the registry that `start` started. Its blobs stay. False when none ran."""
    state = state or state_folder()
    pid = state / "pid"
    if not pid.exists():
        return False
    # With --name a process that only inherited the number is left alone.
    argv = ["start-stop-daemon", "--stop", "--quiet", "--oknodo", "--remove-pidfile"]
    argv += ["--pidfile", str(pid), "--name", "docker-registry", "--retry", "5"]
    process.run(argv, timeout=30)
    (state / "address").unlink(missing_ok=True)
    return True


def _program(state: Path, say: Say) -> Path:
    installed = shutil.which("docker-registry")
    if installed:
        return Path(installed)
    unpacked = state / "docker-registry" / "usr" / "bin" / "docker-registry"
    if not unpacked.exists():
        say("Fetching the registry program (docker-registry)")
        fetched = process.run(["apt-get", "download", "docker-registry"], cwd=state, timeout=300)
        for package in sorted(state.glob("docker-registry_*.deb")):
            process.run(["dpkg-deb", "-x", str(package), str(state / "docker-registry")])
            package.unlink()
        if not unpacked.exists():
            raise CommandFailedError(
                "The registry that serves stand-ins could not be fetched.",
                code="bases-registry",
                hint="If `apt-get update` works, try again after it.",
                command=fetched.argv,
                exit_code=fetched.exit_code,
                output=fetched.stderr.decode(errors="replace")[-2000:],
            )
    return unpacked


def _config(registry: Registry, state: Path) -> dict[str, object]:
    return {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(state / "storage")},
            "delete": {"enabled": True},
        },
        "http": {"addr": registry.address},
    }


def _free(port: int) -> int:
    for wanted in (port, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise LayerlabError("No port is free on 127.0.0.1.", code="bases-registry")


def _tail(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")[-2000:]
    except OSError:
        return ""
