"""The configuration files of every engine, written anew at each start.

All of them mirror docker.io from the registry on loopback, and reach it without TLS.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.engines.layout import (
    BUILDKIT_SOCKET,
    CONTAINERD_SOCKET,
    DOCKER_CONFIG,
    DOCKER_PID,
    DOCKER_SOCKET,
    ETC,
    GENERATION,
    PREFIX,
    REGISTRY,
    RUN,
    STORE,
    UNSTABLE,
)


def write_all() -> None:
    """Write them all."""
    for name, text in _files().items():
        path = ETC / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _files() -> dict[str, str]:
    return {
        "daemon.json": _docker(),
        "containerd.toml": _containerd(),
        "buildkitd.toml": _buildkitd(),
        "nerdctl.toml": _nerdctl(),
        "hosts/docker.io/hosts.toml": _mirror(),
        "containers.conf": CONTAINERS if GENERATION == "old" else CONTAINERS + _helpers(),
        "registries.conf": _registries(),
        "storage.conf": _storage(),
        "registry.yml": _registry(),
        str((DOCKER_CONFIG / "config.json").relative_to(ETC)): "{}\n",
    }


def _docker() -> str:
    return json.dumps(
        {
            "hosts": [f"unix://{DOCKER_SOCKET}"],
            "containerd": str(CONTAINERD_SOCKET),
            "data-root": str(STORE / "docker"),
            "exec-root": str(RUN / "docker"),
            "pidfile": str(DOCKER_PID),
            # Today's default: images of several platforms under one tag.
            "features": {"containerd-snapshotter": True},
            "registry-mirrors": [f"http://{REGISTRY}"],
            "insecure-registries": [REGISTRY],
        },
        indent=2,
    )


def _containerd() -> str:
    # By default containerd collects garbage after each deletion, and a build that unpacks its
    # image at that moment may lose a layer (containerd issue 10835, buildkit issue 6521). Here
    # several tests build and remove at once: garbage waits for the next start instead.
    return f"""\
version = 2
root = "{STORE / "containerd"}"
state = "{RUN / "containerd"}"
disabled_plugins = ["io.containerd.grpc.v1.cri"]

[grpc]
address = "{CONTAINERD_SOCKET}"

[plugins."io.containerd.gc.v1.scheduler"]
deletion_threshold = 10000
mutation_threshold = 10000
"""


def _buildkitd() -> str:
    return f"""\
root = "{STORE / "buildkit"}"

[grpc]
address = ["unix://{BUILDKIT_SOCKET}"]

[worker.oci]
enabled = false

[worker.containerd]
enabled = true
address = "{CONTAINERD_SOCKET}"
namespace = "default"

[registry."docker.io"]
mirrors = ["{REGISTRY}"]

[registry."{REGISTRY}"]
http = true
"""


def _nerdctl() -> str:
    return f"""\
address = "{CONTAINERD_SOCKET}"
data_root = "{STORE / "nerdctl"}"
hosts_dir = ["{ETC / "hosts"}"]
cni_path = "/usr/lib/cni"
cni_netconfpath = "{ETC / "cni"}"
"""


def _mirror() -> str:
    return f"""\
[host."http://{REGISTRY}"]
capabilities = ["pull", "resolve"]
"""


# crun refuses this kind of machine's hybrid cgroup mount, and there is no systemd to ask.
CONTAINERS = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]

[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


def _helpers() -> str:
    return f"""\
conmon_path = ["{PREFIX / "usr/bin/conmon"}"]
helper_binaries_dir = ["{UNSTABLE / "usr/lib/podman"}"]

[network]
# Another one than the older podman's, whose bridge stays.
default_subnet = "10.87.0.0/16"
# Docker drops what is forwarded, unless a rule beside its own lets it pass.
firewall_driver = "iptables"
"""


def _registries() -> str:
    return f"""\
unqualified-search-registries = ["docker.io"]
short-name-mode = "permissive"

[[registry]]
location = "docker.io"

[[registry.mirror]]
location = "{REGISTRY}"
insecure = true

[[registry]]
location = "{REGISTRY}"
insecure = true
"""


def _storage() -> str:
    return f"""\
[storage]
driver = "overlay"
runroot = "{RUN / "containers"}"
graphroot = "{STORE / "containers"}"
"""


def _registry() -> str:
    return f"""\
version: 0.1
log:
  level: warn
storage:
  filesystem:
    rootdirectory: {STORE / "registry"}
  delete:
    enabled: true
http:
  addr: {REGISTRY}
"""


def folders() -> tuple[Path, ...]:
    """What must exist before the daemons start."""
    return (RUN, STORE / "registry")
