"""The ledger under real faults: killed writers, several processes, a disk that is really full."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerlab.cache.ledger import Ledger, StepRecord
from tests.cache.test_ledger import step

WRITER = """
import itertools, sys, time
from pathlib import Path
from tests.cache.test_ledger import step
from layerlab.cache.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
for number in itertools.count():
    name = f"{sys.argv[2]}-{number}"
    ledger.record([step(f"{name}-{part}", dockerfile=sys.argv[2]) for part in range(10)])
    # A lock that is not had in time costs the record, as it may.
    if ledger.find("docker", f"{name}-0"):
        print(name, flush=True)
    time.sleep(0.01)  # not so fast that the ledger's bound is reached
"""


def writer(path: Path, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def whole(records: tuple[StepRecord, ...]) -> bool:
    """All ten steps of one build, and of no other."""
    names = [record.key.rsplit("-", 1)[0] for record in records]
    return len(records) in (0, 10) and len(set(names)) <= 1


def test_two_writers_that_are_killed_leave_whole_builds_only(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    dice = random.Random(7)
    for _ in range(6):
        writers = [writer(path, name) for name in ("one", "two")]
        said = [w.stdout.readline().strip() for w in writers if w.stdout]
        time.sleep(dice.uniform(0.0, 0.15))
        for each in writers:
            each.send_signal(signal.SIGKILL)
        for each in writers:
            each.communicate()
        ledger = Ledger(path)
        for name, last in zip(("one", "two"), said, strict=True):
            assert whole(ledger.previous("docker", name))
            # What it had said was written is there.
            assert all(ledger.find("docker", f"{last}-{part}") for part in range(10))
        ledger.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("this container may not mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up(small_disk: Path) -> None:
    ledger = Ledger(small_disk / "ledger.sqlite")
    ledger.record([step("kept")])
    for number in range(40):
        ledger.record([step(f"{number}-{part:0200}", dockerfile="x") for part in range(50)])
    (small_disk / "rest").write_bytes(b"")
    assert ledger.find("docker", "kept") == step("kept")
    previous = ledger.previous("docker", "x")
    assert len(previous) in (0, 50)
    assert all(ledger.find("docker", record.key) == record for record in previous)
    assert ledger.find("docker", f"39-{0:0200}") is None, "the disk was not full"
    ledger.close()
