"""What a learner is told when an engine does not work: with faked programs and computers."""

from __future__ import annotations

import json
import platform
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from layerlab import cli
from layerlab.engines import detect, emulation, host, probe
from layerlab.engines.base import ENGINES, EngineName, EngineReport
from layerlab.engines.host import Host
from layerlab.errors import EngineUnavailableError

LINUX = Host("linux", user="ada", systemd=True)
SILENT = "Cannot connect to the Docker daemon at {}. Is the docker daemon running?"
LOCAL = SILENT.format("unix:///var/run/docker.sock")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH on which there is no engine yet, only what every computer has."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "env").symlink_to("/usr/bin/env")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv(detect.VARIABLE, raising=False)
    return folder


def install(folder: Path, engine: str, words: str, code: int = 1) -> None:
    """A CLI that knows its version; to all else it says `words`."""
    script = (
        f'#!/bin/sh\n[ "$1" = --version ] && {{ echo "{engine} version 26.1.5, build x"; exit 0; }}'
        f"\nprintf '%s\\n' {shlex.quote(words)} >&2\nexit {code}\n"
    )
    (folder / engine).write_text(script, encoding="utf-8")
    (folder / engine).chmod(0o755)


def on(monkeypatch: pytest.MonkeyPatch, computer: Host) -> None:
    def look(_environ: Mapping[str, str]) -> Host:
        return computer

    monkeypatch.setattr(host, "look", look)


BROKEN: list[tuple[EngineName, str, Host, str, str]] = [
    ("docker", LOCAL, LINUX, "daemon is not running", "sudo systemctl start docker"),
    ("docker", LOCAL, Host("linux"), "daemon is not running", "sudo service docker start"),
    (
        "docker",
        "permission denied while trying to connect to the Docker daemon socket at unix:///run/x",
        LINUX,
        "you may not use it",
        "usermod -aG docker",
    ),
    (
        "podman",
        "Error: runc: error setting rlimit type 7: operation not permitted",
        LINUX,
        "cannot start containers",
        "default_ulimits",
    ),
    (
        "buildah",
        "error running container: cgroups in hybrid mode not supported, drop all controllers",
        LINUX,
        "cannot start containers",
        "install runc",
    ),
    (
        "nerdctl",
        ('level=fatal msg="cannot access containerd socket: no such file or directory"'),
        LINUX,
        "containerd is not running",
        "sudo systemctl start containerd",
    ),
    (
        "nerdctl",
        (
            'level=fatal msg="rootless containerd not running? (hint: use '
            '`containerd-rootless-setuptool.sh install` to start rootless containerd)"'
        ),
        LINUX,
        "you are not root",
        "containerd-rootless-setuptool.sh install",
    ),
    (
        "nerdctl",
        "dial unix /run/containerd/containerd.sock: connect: permission denied",
        LINUX,
        "belongs to root",
        "setuptool.sh install",
    ),
    (
        "nerdctl",
        (
            'level=error msg="`buildctl` needs to be installed"\n'
            'level=fatal msg="no buildkit host is available, tried 2 candidates"'
        ),
        LINUX,
        "buildkitd, is not running",
        "sudo systemctl start buildkit",
    ),
    (
        "nerdctl",
        'exec: "buildctl": executable file not found in $PATH',
        LINUX,
        "program buildctl",
        "nerdctl-full",
    ),
    (
        "nerdctl",
        "cannot access containerd socket: no such file",
        Host("macos", rancher="moby"),
        "moby mode",
        "container-engine.name=containerd",
    ),
    (
        "nerdctl",
        "cannot access containerd socket: no such file",
        Host("macos", rancher="containerd"),
        "Rancher Desktop is not running",
        "rdctl start",
    ),
    ("docker", "docker: 'buildx' is not a docker command.", LINUX, "buildx", "docker-buildx"),
    ("docker", LOCAL, Host("macos"), "Docker Desktop is not running", "open -a Docker"),
    (
        "docker",
        SILENT.format("unix:///home/ada/.docker/desktop/docker.sock"),
        Host("linux", docker_desktop=True),
        "Docker Desktop is not running",
        "systemctl --user start docker-desktop",
    ),
    (
        "docker",
        LOCAL,
        Host("wsl", docker_desktop=True),
        "Docker Desktop is not running",
        "WSL integration",
    ),
    (
        "docker",
        "The command 'docker' could not be found in this WSL 2 distro.",
        Host("wsl", docker_desktop=True),
        "not connected to this Linux",
        "WSL integration",
    ),
    (
        "docker",
        SILENT.format("unix:///home/ada/.rd/docker.sock"),
        Host("linux", rancher="moby"),
        "Rancher Desktop is not running",
        "rdctl start",
    ),
    (
        "docker",
        LOCAL,
        Host("linux", rancher="containerd"),
        "containerd mode",
        "container-engine.name=moby",
    ),
    (
        "docker",
        SILENT.format("tcp://192.0.2.1:2375"),
        Host("linux", docker_host="tcp://192.0.2.1:2375"),
        "tcp://192.0.2.1:2375",
        "unset DOCKER_HOST",
    ),
    (
        "docker",
        SILENT.format("ssh://ada@192.0.2.1"),
        LINUX,
        "context names another machine",
        "docker context use default",
    ),
    (
        "podman",
        "no subuid ranges found for user ada in /etc/subuid",
        LINUX,
        "no range of user ids",
        "--add-subgids 100000-165535 ada",
    ),
    (
        "podman",
        "Cannot connect to Podman. Try `podman machine init` and `podman machine start`",
        Host("macos"),
        "virtual machine is not running",
        "podman machine start",
    ),
    ("podman", "newuidmap: not found", LINUX, "newuidmap is missing", "install uidmap"),
    ("podman", "cannot clone: Operation not permitted", LINUX, "user namespaces", "sysctl"),
    ("podman", "write /var/tmp/x: no space left on device", LINUX, "no room left", "df -h"),
    ("podman", "something new", LINUX, "It said: something new", "podman info"),
]


@pytest.mark.parametrize(("engine", "words", "computer", "reason", "fix"), BROKEN)
def test_a_broken_engine_is_explained(
    engine: EngineName,
    words: str,
    computer: Host,
    reason: str,
    fix: str,
    programs: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(programs, engine, words)
    on(monkeypatch, computer)
    report = detect.make(engine, {}).probe()
    assert (report.found, report.works, report.version) == (True, False, "26.1.5")
    assert reason in report.reason
    assert fix in report.fix


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize(
    ("engine", "computer", "reason", "fix"),
    [
        ("docker", Host("windows"), "Layerlab does not run on Windows itself", "wsl --install"),
        ("docker", Host("wsl", docker_desktop=True), "not connected", "WSL integration"),
        ("docker", Host("macos", docker_desktop=True), "not on the PATH", "Start Docker Desktop"),
        (
            "docker",
            Host("linux", rancher="containerd"),
            "containerd mode",
            "container-engine.name=moby",
        ),
        ("docker", Host("linux", rancher="moby"), "not on the PATH", ".rd/bin"),
        ("podman", LINUX, "podman is not installed", "apt-get install podman"),
        ("podman", Host("macos"), "podman is not installed", "brew install podman"),
        ("nerdctl", Host("linux", rancher="moby"), "moby mode", "engine.name=containerd"),
        ("nerdctl", Host("linux", rancher="containerd"), "not on the PATH", ".rd/bin"),
        ("nerdctl", LINUX, "nerdctl is not installed", "nerdctl-full"),
        ("buildah", LINUX, "buildah is not installed", "apt-get install buildah"),
        ("buildah", Host("macos"), "buildah is not installed", "Linux only"),
    ],
)
def test_a_missing_engine_is_explained(
    engine: EngineName,
    computer: Host,
    reason: str,
    fix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on(monkeypatch, computer)
    report = detect.make(engine, {}).probe()
    assert (report.found, report.works, report.version) == (False, False, "")
    assert reason in report.reason
    assert fix in report.fix


def test_a_daemon_that_hangs_does_not_hang_the_learner(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(programs, "podman", "")
    script = (programs / "podman").read_text(encoding="utf-8")
    sleeping = script.replace("exit 1\n", "/bin/sleep 60\n")
    (programs / "podman").write_text(sleeping, encoding="utf-8")
    monkeypatch.setattr(probe, "PATIENCE", 1.0)
    began = time.monotonic()
    report = detect.make("podman", {}).probe()
    assert time.monotonic() - began < 20
    assert report.found
    assert not report.works
    assert report.reason


def test_the_wish_for_an_engine_names_what_is_wrong(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(monkeypatch, LINUX)
    install(programs, "docker", LOCAL)
    for name, code, words in (
        ("no-such", "unknown-engine", ", ".join(ENGINES)),
        ("docker", "engine-unavailable", "systemctl start docker"),
        (None, "no-engine", "Nearest to it: docker"),
    ):
        with pytest.raises(EngineUnavailableError) as caught:
            detect.choose(name, {"PATH": str(programs)})
        assert caught.value.code == code
        assert words in caught.value.hint


@pytest.mark.usefixtures("programs")
def test_the_environment_chooses_and_a_word_overrules_it(monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, LINUX)
    with pytest.raises(EngineUnavailableError, match="docker cannot be used"):
        detect.choose(None, {detect.VARIABLE: "Docker"})
    with pytest.raises(EngineUnavailableError, match="podman cannot be used"):
        detect.choose("podman", {detect.VARIABLE: "Docker"})


def test_doctor_prints_a_list_of_reports(
    programs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on(monkeypatch, LINUX)
    install(programs, "docker", LOCAL)
    status = cli.main(["doctor", "--json"])
    reports: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert status == (0 if any(report["works"] for report in reports) else 1)
    assert [report["engine"] for report in reports] == list(ENGINES)
    for report in reports:
        assert set(report) == {"engine", "found", "works", "version", "builder", "reason", "fix"}
    assert [report["found"] for report in reports[:2]] == [True, False]


def test_doctor_is_content_with_one_engine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = (
        EngineReport("docker", True, True, "26.1.5", "BuildKit"),
        EngineReport("podman", False, False, reason="It is away.", fix="Fetch it."),
    )

    def all_of_them(_environ: Mapping[str, str]) -> tuple[EngineReport, ...]:
        return reports

    monkeypatch.setattr(detect, "probe_all", all_of_them)
    assert cli.main(["doctor"]) == 0
    assert "podman: It is away.\nFetch it." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("sys_platform", "release", "system"),
    [
        ("linux", "6.1.0-44-amd64", "linux"),
        ("linux", "5.15.167.4-microsoft-standard-WSL2", "wsl"),
        ("darwin", "24.1.0", "macos"),
        ("win32", "11", "windows"),
    ],
)
def test_the_kind_of_computer(
    sys_platform: str, release: str, system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", sys_platform)
    monkeypatch.setattr(platform, "release", lambda: release)
    assert host.look({"HOME": str(tmp_path), "PATH": ""}).system == system


@pytest.mark.parametrize("place", [".config", "Library/Preferences"])
def test_rancher_desktop_is_seen_in_its_settings(place: str, tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "PATH": "", "DOCKER_HOST": "tcp://192.0.2.1:2375"}
    assert host.look(environ).rancher == ""
    settings = tmp_path / place / "rancher-desktop" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text('{"containerEngine": {"name": "containerd"}}', encoding="utf-8")
    assert host.look(environ).rancher == "containerd"
    settings.write_text("{", encoding="utf-8")
    assert host.look(environ).rancher == ""
    assert host.look(environ).docker_host == "tcp://192.0.2.1:2375"


def test_docker_desktop_is_seen_in_the_home_folder(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "PATH": ""}
    assert not host.look(environ).docker_desktop
    (tmp_path / ".docker" / "desktop").mkdir(parents=True)
    assert host.look(environ).docker_desktop


def test_platforms_that_the_kernel_emulates(tmp_path: Path) -> None:
    (tmp_path / "qemu-aarch64").write_text("enabled\ninterpreter x\n", encoding="utf-8")
    (tmp_path / "qemu-riscv64").write_text("disabled\n", encoding="utf-8")
    (tmp_path / "qemu-unheard-of").write_text("enabled\n", encoding="utf-8")
    (tmp_path / "jar").write_text("enabled\n", encoding="utf-8")
    assert emulation.emulated(tmp_path) == ("linux/arm64",)
    assert emulation.emulated(tmp_path / "none") == ()


def test_variants_of_a_processor_are_left_out() -> None:
    listed = ("linux/amd64*", "linux/amd64/v2", "linux/arm64", "linux/arm64", "")
    assert emulation.without_variants(listed) == ("linux/amd64", "linux/arm64")
