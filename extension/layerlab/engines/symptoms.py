"""Why an engine does not work, in a learner's words, and what to type. Pure.

The words that are looked for are those of the tools themselves; each rule names its source. What
they mean can depend on the computer: a Docker that does not answer is started by systemd on Linux
and with a click where Docker Desktop is.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from layerlab.engines.base import EngineName
from layerlab.engines.host import Host
from layerlab.engines.refusals import LIMITS


class Advice(msgspec.Struct, frozen=True):
    """What is wrong, and what to type or to click."""

    reason: str
    fix: str


class _Symptom(msgspec.Struct, frozen=True):
    """Words of a tool, and what they mean on this computer."""

    engines: tuple[EngineName, ...]
    pattern: str
    advice: Callable[[Host, re.Match[str]], Advice]


WSL_INSTALL = (
    "In PowerShell as administrator: wsl --install. Restart, open Ubuntu from the Start menu, and "
    "install and start Layerlab there."
)
_INSTALL: dict[EngineName, str] = {
    "docker": "sudo apt-get install docker.io docker-buildx   (or docs.docker.com/get-docker)",
    "nerdctl": "Rancher Desktop (rancherdesktop.io) brings it; on Linux also the package "
    "nerdctl-full from github.com/containerd/nerdctl/releases",
    "podman": "sudo apt-get install podman   (or podman.io/docs/installation)",
    "buildah": "sudo apt-get install buildah   (or buildah.io, Installation)",
}
_MACOS: dict[EngineName, str] = {
    "docker": "brew install --cask docker, then start Docker Desktop once.",
    "nerdctl": "Install Rancher Desktop (rancherdesktop.io), choose containerd in its settings.",
    "podman": "brew install podman && podman machine init && podman machine start",
    "buildah": "Buildah is for Linux only; podman builds with the same code: brew install podman",
}
_RANCHER_MODES: dict[EngineName, str] = {"docker": "moby", "nerdctl": "containerd"}
"""What Rancher Desktop calls the engine that each CLI speaks to."""
_RANCHER_STOPPED = Advice("Rancher Desktop is not running.", "Start it: rdctl start")
_SUBIDS = (
    "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user} "
    "&& podman system migrate"
)


def missing(engine: EngineName, host: Host) -> Advice:
    """There is no such program on the PATH."""
    if host.system == "windows":
        return Advice("Layerlab does not run on Windows itself, but in its Linux.", WSL_INSTALL)
    if engine == "docker" and host.docker_desktop:
        return _desktop_without_cli(host)
    if host.rancher and engine in _RANCHER_MODES:
        if host.rancher != _RANCHER_MODES[engine]:
            return _rancher_mode(engine, host)
        return Advice(
            f"Rancher Desktop is installed, but its {engine} is not on the PATH.",
            'Open a new terminal after this: export PATH="$HOME/.rd/bin:$PATH"',
        )
    how = (_MACOS if host.system == "macos" else _INSTALL)[engine]
    return Advice(f"{engine} is not installed.", how)


def broken(engine: EngineName, output: str, host: Host) -> Advice:
    """The program is there, and building one line failed with this output."""
    for symptom in _SYMPTOMS:
        if engine in symptom.engines and (match := re.search(symptom.pattern, output)):
            return symptom.advice(host, match)
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    said = f" It said: {lines[-1][:300]}" if lines else ""
    return Advice(
        f"{engine} is installed, but cannot build.{said}",
        f"Try in a terminal: {engine} info",
    )


def _desktop_without_cli(host: Host) -> Advice:
    if host.system == "wsl":
        return Advice(
            "Docker Desktop is installed in Windows, but not connected to this Linux.",
            "Start Docker Desktop; in Settings → Resources → WSL integration switch this "
            "distribution on; then open a new terminal.",
        )
    return Advice(
        "Docker Desktop is installed, but its docker command is not on the PATH.",
        "Start Docker Desktop once: it puts the command there. Then open a new terminal.",
    )


def _rancher_mode(engine: EngineName, host: Host) -> Advice:
    return Advice(
        f"Rancher Desktop runs in {host.rancher} mode, which has no {engine}.",
        f"Change it: rdctl set --container-engine.name={_RANCHER_MODES[engine]}",
    )


def _docker_silent(host: Host, match: re.Match[str]) -> Advice:
    """`client/errors.go` of moby: ErrorConnectionFailed, with the address where it tried."""
    address = (match["address"] or host.docker_host).rstrip(".")
    if re.match(r"(?:tcp|ssh|https?)://", address):
        return _remote_silent(address, host)
    if ".rd/" in address or (host.rancher and not host.docker_desktop):
        if host.rancher == "containerd":
            return _rancher_mode("docker", host)
        return _RANCHER_STOPPED
    if ".colima" in address:
        return Advice("Colima is not running.", "Start it: colima start")
    if "podman" in address:
        return Advice("Docker talks to podman, which does not run.", "podman machine start")
    if host.docker_desktop or "/desktop/" in address or host.system == "macos":
        return _desktop_stopped(host)
    start = "sudo systemctl start docker" if host.systemd else "sudo service docker start"
    return Advice("Docker is installed, but its daemon is not running.", start)


def _desktop_stopped(host: Host) -> Advice:
    start = {
        "macos": "open -a Docker",
        "linux": "systemctl --user start docker-desktop",
    }.get(host.system, "Start Docker Desktop from the Start menu")
    hint = " (in Settings → Resources → WSL integration this Linux must be on)"
    return Advice(
        "Docker Desktop is not running.",
        f"{start}, and wait until its whale is still{hint if host.system == 'wsl' else ''}.",
    )


def _remote_silent(address: str, host: Host) -> Advice:
    if host.docker_host:
        return Advice(
            f"DOCKER_HOST names another machine, {address}, and it does not answer.",
            "For the Docker of this computer: unset DOCKER_HOST, and start Jupyter again. "
            "Otherwise ask whoever runs that machine.",
        )
    return Advice(
        f"Docker's context names another machine, {address}, and it does not answer.",
        "For the Docker of this computer: docker context use default",
    )


def _denied(_host: Host, _match: re.Match[str]) -> Advice:
    return Advice(
        "Docker runs, but you may not use it: its socket belongs to root and the group docker.",
        "sudo usermod -aG docker $USER, then log out and in again. (Members of that group can do "
        "anything on this computer; podman needs no such right.)",
    )


def _no_wsl_integration(host: Host, _match: re.Match[str]) -> Advice:
    return _desktop_without_cli(msgspec.structs.replace(host, system="wsl"))


def _no_buildx(_host: Host, _match: re.Match[str]) -> Advice:
    return Advice(
        "Docker is there, but its builder, buildx, is missing.",
        "sudo apt-get install docker-buildx   (docker-buildx-plugin, where Docker's own packages "
        "are installed)",
    )


def _no_containerd(host: Host, _match: re.Match[str]) -> Advice:
    """nerdctl: `pkg/clientutil/client.go`, `pkg/rootlessutil`."""
    if host.rancher == "moby":
        return _rancher_mode("nerdctl", host)
    if host.rancher:
        return _RANCHER_STOPPED
    if "rootless" in _match[0]:
        return Advice(
            "containerd does not run for you: you are not root.",
            "containerd-rootless-setuptool.sh install",
        )
    start = "sudo systemctl start containerd" if host.systemd else "sudo containerd &"
    return Advice("nerdctl is installed, but containerd is not running.", start)


def _no_buildkit(host: Host, match: re.Match[str]) -> Advice:
    """nerdctl: `pkg/buildkitutil/buildkitutil.go`."""
    if "executable file not found" in match[0]:
        return Advice(
            "nerdctl runs containers, but to build it needs the program buildctl.",
            "Install BuildKit: the package nerdctl-full has it, or "
            "github.com/moby/buildkit/releases",
        )
    start = "sudo systemctl start buildkit" if host.systemd else "sudo buildkitd &"
    return Advice(
        "nerdctl runs containers, but its builder, buildkitd, is not running.",
        f"{start}   (without root: containerd-rootless-setuptool.sh install-buildkit)",
    )


def _containerd_denied(_host: Host, _match: re.Match[str]) -> Advice:
    return Advice(
        "containerd runs, but you may not use it: its socket belongs to root.",
        "Start Jupyter as root, or get a containerd of your own: "
        "containerd-rootless-setuptool.sh install",
    )


def _no_subids(host: Host, _match: re.Match[str]) -> Advice:
    return Advice(
        "You have no range of user ids to give to containers (/etc/subuid and /etc/subgid).",
        _SUBIDS.format(user=host.user),
    )


def _no_machine(_host: Host, match: re.Match[str]) -> Advice:
    init = "podman machine init && " if "init" in match[0] else ""
    return Advice(
        "podman's virtual machine is not running.",
        f"{init}podman machine start",
    )


def _no_user_namespaces(_host: Host, _match: re.Match[str]) -> Advice:
    return Advice(
        "This computer does not allow user namespaces, which containers without root need.",
        "sudo sysctl -w kernel.unprivileged_userns_clone=1 (Debian), or "
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu). In a container or "
        "on Binder nothing helps; use another engine.",
    )


def _no_newuidmap(_host: Host, _match: re.Match[str]) -> Advice:
    return Advice("The program newuidmap is missing.", "sudo apt-get install uidmap")


def _no_limits(_host: Host, _match: re.Match[str]) -> Advice:
    return Advice("It builds, but cannot start containers: it may not raise their limits.", LIMITS)


def _cgroups(_host: Host, _match: re.Match[str]) -> Advice:
    return Advice(
        "It builds, but cannot start containers: crun does not know this kind of control groups.",
        "sudo apt-get install runc, and put two lines into /etc/containers/containers.conf:\n"
        '[engine]\nruntime = "runc"',
    )


def _disk_full(_host: Host, _match: re.Match[str]) -> Advice:
    return Advice(
        "There is no room left on the disk.",
        "See what takes it: df -h. Unused images can go: image prune of the engine.",
    )


_DOCKER: tuple[EngineName, ...] = ("docker",)
_NERDCTL: tuple[EngineName, ...] = ("nerdctl",)
_PODMAN: tuple[EngineName, ...] = ("podman",)
_STORAGE: tuple[EngineName, ...] = ("podman", "buildah")

_SYMPTOMS = (
    # /usr/bin/docker as Docker Desktop puts it into a distribution without integration
    _Symptom(_DOCKER, r"could not be found in this WSL (?:1|2) distro", _no_wsl_integration),
    # moby: client/errors.go; golang: net.OpError
    _Symptom(_DOCKER, r"(?i)permission denied[^\n]*(?:docker|socket|\.sock)", _denied),
    _Symptom(
        _DOCKER,
        r"(?:Cannot connect to the Docker daemon|error during connect"
        r"|failed to connect to the docker API)(?: at (?P<address>[^\s;]+))?",
        _docker_silent,
    ),
    # cli: cmd/docker/builder.go (errBuildKitMissing), cli-plugins/manager
    _Symptom(
        _DOCKER,
        r"buildx component is missing|'buildx' is not a docker command"
        r"|unknown command: docker buildx",
        _no_buildx,
    ),
    _Symptom(
        _NERDCTL,
        r"(?i)permission denied[^\n]*containerd|containerd[^\n]*permission denied",
        _containerd_denied,
    ),
    _Symptom(
        _NERDCTL,
        r"rootless containerd not running|cannot access containerd socket"
        r"|containerd\.sock[^\n]*(?:no such file|connection refused)",
        _no_containerd,
    ),
    _Symptom(
        _NERDCTL,
        r"[^\n]*buildctl[^\n]*executable file not found|no buildkit host is available"
        r"|`buildctl` needs to be installed|buildkitd[^\n]*(?:no such file|connection refused)",
        _no_buildkit,
    ),
    # podman: cmd/podman/registry/remote.go, pkg/bindings/connection.go
    _Symptom(
        _PODMAN,
        r"(?:unable|Cannot) (?:to )?connect to Podman[^\n]*(?:machine init)?|podman machine start",
        _no_machine,
    ),
    # containers/storage: pkg/idtools/parser.go, pkg/unshare
    _Symptom(_STORAGE, r"newuidmap[^\n]*(?:not found|no such file)", _no_newuidmap),
    _Symptom(
        _STORAGE,
        r"no sub[ug]id ranges found|insufficient [UG]IDs|[Cc]annot find [UG]ID/GID"
        r"|there might not be enough IDs available",
        _no_subids,
    ),
    _Symptom(
        _STORAGE,
        r"cannot clone: |user namespaces are not enabled|cannot set up namespace"
        r"|unshare[^\n]*[Oo]peration not permitted",
        _no_user_namespaces,
    ),
    # runc: libcontainer/process_linux.go; crun: src/libcrun/linux.c
    _Symptom(_STORAGE, r"(?i)setting rlimit|setrlimit", _no_limits),
    # crun: src/libcrun/cgroup-utils.c
    _Symptom(
        _STORAGE, r"cgroups in hybrid mode not supported|invalid file system type on", _cgroups
    ),
    _Symptom((*_DOCKER, *_NERDCTL, *_STORAGE), r"no space left on device", _disk_full),
)
