"""Folders to work in: nobody loses one that he is in, and of the dead nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from layerlab.engines.embedded.store import disk, scratch
from layerlab.engines.embedded.store.layout import Store
from tests.engines_unit.embedded.conftest import NOBODY

SECONDS = 1.5
"""How long several make and clear folders beside each other."""
WORKER = """
import sys
from pathlib import Path
from tests.engines_unit.embedded.test_scratch import work
work(Path(sys.argv[1]))
"""
HOLDER = """
import subprocess, sys, time
from pathlib import Path
from layerlab.engines.embedded.store.layout import Store
with Store(Path(sys.argv[1])).scratch() as folder:
    (folder / "of mine").touch()
    guest = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, close_fds=False)
    print(folder, guest.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def left(store: Store) -> list[Path]:
    return list((store.root / "part").iterdir())


@contextmanager
def holder(store: Store) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that is in a folder, with a guest that inherits all it can and outlives it."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(store.root)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        folder, guest = process.stdout.readline().split()
        try:
            yield process, Path(folder)
        finally:
            process.kill()
            os.kill(int(guest), signal.SIGKILL)


def test_it_is_gone_when_its_owner_leaves_it(store: Store) -> None:
    with store.scratch() as folder:
        (folder / "inner").mkdir()
        (folder / "inner/file").touch()
        assert left(store) == [folder]
    assert left(store) == []


def test_it_is_gone_when_its_owner_is_interrupted(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt), store.scratch():
        raise KeyboardInterrupt
    assert left(store) == []


def test_it_stays_while_its_owner_lives(store: Store) -> None:
    with holder(store) as (_, theirs), store.scratch() as ours:
        store.clear()
        store.prune(0)
        assert sorted(left(store)) == sorted((theirs, ours))
        assert (theirs / "of mine").exists()


def test_it_goes_after_its_owner_was_killed(store: Store) -> None:
    with holder(store) as (process, theirs):
        process.kill()
        process.wait()
        assert left(store) == [theirs]
        with store.holding():  # another build goes on
            store.clear()
        assert left(store) == []


def test_one_whose_owner_had_not_got_the_lock_yet_goes(store: Store) -> None:
    (store.root / "part/tmp").mkdir()
    store.prune(0)
    assert left(store) == []


def test_files_go_when_nobody_can_be_writing_them(store: Store) -> None:
    dead = store.root / "part/dead"
    dead.write_bytes(bytes(1000))
    with Store(store.root).holding():
        assert store.clear() == 0
        assert left(store) == [dead]
    assert store.clear() == 1000
    assert left(store) == []


def work(top: Path) -> None:
    """Be in folders of our own, and clear after others, for a while."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with scratch.folder(top) as folder:
            (folder / "mine").touch()
            scratch.clear(top)
            assert (folder / "mine").exists()


def test_several_at_once_lose_nothing_and_leave_nothing(tmp_path: Path) -> None:
    top = tmp_path / "part"
    top.mkdir()
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(top)], cwd=Path(__file__).parents[3])
        for _ in range(4)
    ]
    assert [worker.wait() for worker in workers] == [0] * len(workers)
    assert list(top.iterdir()) == []


@contextmanager
def somebody_else() -> Iterator[Path]:
    """A folder of nobody's, and we are he: root may write where it is forbidden."""
    ours = os.geteuid()
    with tempfile.TemporaryDirectory(prefix="layerlab-test-") as name:
        if ours == 0:
            os.chown(name, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            os.seteuid(ours)


def test_a_whole_tree_is_removed_whatever_forbids_it() -> None:
    with somebody_else() as folder:
        kept = folder / "kept"
        kept.mkdir(mode=0o500)
        top = folder / "top"
        (top / "shut/inner").mkdir(parents=True)
        (top / "shut/inner/file").touch()
        (top / "shut/link").symlink_to(kept)
        (top / "shut/inner").chmod(0)
        (top / "shut").chmod(0o500)
        top.chmod(0)
        disk.discard(top)
        assert not top.exists()
        assert kept.stat().st_mode & 0o777 == 0o500
        disk.discard(top)  # it is gone already
