"""The gate, with runners that are shell scripts: one keeps to its root, the others do not."""

import os
import shlex
import shutil
from pathlib import Path

import msgspec
import pytest

from layerlab.engines.embedded.runners import gate
from layerlab.engines.embedded.runners.job import Command, Job, MountPoint

# Each is started as: sh FILE ROOT sh -c SCRIPT sh FOLDER WORD
KEEPS_TO_ITS_ROOT = 'root=$1; folder=$6; word=$7; exec sh -c "$4" sh "$root$folder" "$word"'
RUNS_ON_THE_HOST = 'shift; exec "$@"'
HIDES_FILES = 'echo started; cat "$1$6/inside"; echo "$7" >"$1$6/landed"'
READS_THE_HOST = f'cat "$6/outside"; {KEEPS_TO_ITS_ROOT}'
LOSES_WRITES = 'echo started; echo stat-inside; cat "$1$6/inside"'
KNOWS_NO_OPTION = "echo 'unknown option --kill-on-exit' >&2; echo 'see --help'; exit 1"
SAYS_NOTHING = "exit 0"


class Fake(msgspec.Struct, frozen=True):
    """A runner that is a shell script; it notes each start in a file beside."""

    program: Path
    keeps_owners: bool = False
    name: str = "fake"

    def command(self, job: Job) -> Command:
        argv = ("sh", str(self.program), str(job.root), *job.argv)
        return Command(argv, {"PATH": os.defpath}, "disk")

    def mount_points(self, job: Job) -> tuple[MountPoint, ...]:  # noqa: ARG002 - a runner's signature
        return (MountPoint("proc", folder=True),)

    @property
    def starts(self) -> int:
        note = self.program.with_suffix(".starts")
        return len(note.read_text().splitlines()) if note.exists() else 0


def fake(folder: Path, script: str) -> Fake:
    """A fake that does what `script` says."""
    program = folder / "fake.sh"
    note = shlex.quote(str(program.with_suffix(".starts")))
    program.write_text(f"echo x >>{note}\n{script}\n")
    return Fake(program)


def test_one_that_keeps_to_its_root_passes(tmp_path: Path) -> None:
    assert gate.trial(fake(tmp_path, KEEPS_TO_ITS_ROOT), tmp_path / "trial") == ""


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (RUNS_ON_THE_HOST, "on this computer's own files"),
        (READS_THE_HOST, "on this computer's own files"),
        (HIDES_FILES, "too old: it hides files"),
        (LOSES_WRITES, "loses what a command writes"),
        (KNOWS_NO_OPTION, "cannot start a command (1): unknown option --kill-on-exit"),
        (SAYS_NOTHING, "cannot start a command (0): it printed nothing"),
    ],
)
def test_the_others_are_refused(tmp_path: Path, script: str, reason: str) -> None:
    assert reason in gate.trial(fake(tmp_path, script), tmp_path / "trial")


def test_one_that_cannot_be_started_is_refused(tmp_path: Path) -> None:
    class Gone(Fake, frozen=True):
        def command(self, job: Job) -> Command:
            return Command((str(self.program / "nowhere"), *job.argv), {}, "disk")

    assert "could not be tried" in gate.trial(Gone(tmp_path), tmp_path / "trial")


def test_nothing_is_left_of_a_trial_nor_of_one_that_was_killed(tmp_path: Path) -> None:
    trials = tmp_path / "memory/gate/trials"
    (trials / "killed/root").mkdir(parents=True)
    gate.check(fake(tmp_path, RUNS_ON_THE_HOST), tmp_path / "memory")
    assert list(trials.iterdir()) == []


class TestMemory:
    def test_who_has_passed_is_not_tried_again(self, tmp_path: Path) -> None:
        runner = fake(tmp_path, KEEPS_TO_ITS_ROOT)
        for _ in range(3):
            assert gate.check(runner, tmp_path / "memory") == ""
        assert runner.starts == 1

    def test_who_was_refused_is(self, tmp_path: Path) -> None:
        runner = fake(tmp_path, KNOWS_NO_OPTION)
        for _ in range(3):
            assert gate.check(runner, tmp_path / "memory") != ""
        assert runner.starts == 3

    def test_another_program_at_the_same_path_is(self, tmp_path: Path) -> None:
        assert gate.check(fake(tmp_path, KEEPS_TO_ITS_ROOT), tmp_path / "memory") == ""
        assert gate.check(fake(tmp_path, RUNS_ON_THE_HOST), tmp_path / "memory") != ""

    def test_the_same_program_by_another_name_is(self, tmp_path: Path) -> None:
        runner = fake(tmp_path, KEEPS_TO_ITS_ROOT)
        assert gate.check(runner, tmp_path / "memory") == ""
        assert gate.check(msgspec.structs.replace(runner, name="other"), tmp_path / "memory") == ""
        assert runner.starts == 2


def test_a_machine_without_stat_can_try_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = shutil.which
    monkeypatch.setattr(
        "shutil.which", lambda name, path=None: None if name == "stat" else found(name, path=path)
    )
    assert "There is no stat here" in gate.trial(
        fake(tmp_path, KEEPS_TO_ITS_ROOT), tmp_path / "trial"
    )
