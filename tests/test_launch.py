"""`make lab` and `layerlab setup` where no engine works: with faked programs, a faked Jupyter."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from layerlab import cli, launch
from layerlab.bases import proot
from layerlab.engines import detect, emulation
from layerlab.engines.base import Engine
from layerlab.engines.embedded.runners import gate
from layerlab.errors import CommandFailedError

COURSE = Path(__file__).parents[1] / "course"
APT = """#!/bin/sh
echo "$@" >>"$0.asked"
for package; do
  case $package in skopeo | bubblewrap | fakeroot) name=$package ;; *) continue ;; esac
  [ $name = bubblewrap ] && name=bwrap
  printf '#!/bin/sh\\n' >"${0%/*}/$name"
  /bin/chmod +x "${0%/*}/$name"
done
"""


class Computer:
    """What was asked of a computer on which there is nothing yet."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        self.opened: list[Sequence[str]] = []
        self.bases_for: list[str] = []

    @property
    def installed(self) -> str:
        asked = self.programs / "apt-get.asked"
        return asked.read_text() if asked.exists() else ""


@pytest.fixture
def computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Computer:
    """A PATH with apt-get alone; every runner passes the gate; Jupyter only notes its arguments."""
    found = Computer(tmp_path / "bin")
    found.programs.mkdir()
    (found.programs / "apt-get").write_text(APT)
    (found.programs / "apt-get").chmod(0o755)

    def ensure_bases(engine: Engine, _catalogue: Path) -> None:
        found.bases_for.append(engine.name)

    monkeypatch.setenv("PATH", str(found.programs))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(detect.VARIABLE, raising=False)
    monkeypatch.setattr("layerlab.bases.tools._which", _which(found.programs))
    monkeypatch.setattr(gate, "check", lambda _runner, _memory: "")
    monkeypatch.setattr(emulation, "emulated", lambda: ())
    monkeypatch.setattr(launch, "ensure_bases", ensure_bases)
    monkeypatch.setattr("jupyterlab.labapp.main", found.opened.append)
    return found


def _which(folder: Path) -> object:
    """Without this machine's own /usr/sbin."""
    return lambda name: str(folder / name) if (folder / name).exists() else None


def be(monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)


def test_root_gets_what_is_missing_and_the_lab_opens(
    computer: Computer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    be(monkeypatch, 0)
    assert launch.open_lab(COURSE, browser=False) == 0
    assert "skopeo" in computer.installed
    assert "bubblewrap" in computer.installed
    assert computer.bases_for == ["embedded"]
    assert "--allow-root" in computer.opened[0]
    assert any("00-check-the-engine" in word for word in computer.opened[0])
    assert "Engine: embedded" in capsys.readouterr().out


def test_anyone_else_reads_one_line_to_type_and_the_lab_opens(
    computer: Computer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    be(monkeypatch, 1000)
    assert launch.open_lab(COURSE, browser=False) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("sudo ")]
    assert len(lines) == 1
    assert {"skopeo", "bubblewrap", "fakeroot", *proot.COMPILER} < set(lines[0].split())
    assert computer.installed == ""
    assert computer.bases_for == []
    assert len(computer.opened) == 1
    assert "--allow-root" not in computer.opened[0]


def test_the_line_names_only_what_is_missing(
    computer: Computer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    be(monkeypatch, 1000)
    (computer.programs / "bwrap").touch()
    monkeypatch.setattr(proot, "has_compiler", lambda: True)
    assert cli.main(["setup"]) != 0
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.split()[-2:] == ["fakeroot", "skopeo"]


def test_setup_says_what_there_is(
    computer: Computer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    be(monkeypatch, 0)
    assert cli.main(["setup"]) == 0
    said = capsys.readouterr().out
    assert "RUN steps:  bubblewrap" in said
    assert str(computer.programs / "skopeo") in said


def test_without_root_proot_is_built_where_there_is_what_builds_it(
    computer: Computer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ensure(target: Path, _env: object, _say: object) -> None:
        target.parent.mkdir(parents=True)
        target.touch()

    be(monkeypatch, 1000)
    (computer.programs / "skopeo").write_text("#!/bin/sh\n")
    (computer.programs / "skopeo").chmod(0o755)
    monkeypatch.setattr(proot, "ensure", ensure)
    assert cli.main(["setup"]) == 0
    assert "PRoot" in capsys.readouterr().out


def test_setup_fails_where_no_runner_can_be_had(
    computer: Computer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ensure(*_: object) -> None:
        raise CommandFailedError("No source today.", code="proot-source")

    be(monkeypatch, 1000)
    (computer.programs / "skopeo").touch()
    monkeypatch.setattr(proot, "ensure", ensure)
    assert cli.main(["setup"]) != 0
    assert "No source today." in capsys.readouterr().err


def test_elsewhere_setup_says_that_it_runs_on_linux(
    computer: Computer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    be(monkeypatch, 0)
    monkeypatch.setattr("sys.platform", "darwin")
    assert cli.main(["setup"]) != 0
    assert "on Linux only" in capsys.readouterr().err
    assert computer.installed == ""


def test_the_doctor_names_setup(computer: Computer, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 1
    assert "layerlab setup" in capsys.readouterr().out
    assert computer.installed == ""
