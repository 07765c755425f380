"""Digests of files: right, remembered, and never older than the file."""

import os
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from layerlab.cache.digests import Digests


def of(digests: Digests, path: Path) -> str:
    return digests.of(str(path), path.lstat())[0]


def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the files were old."""
    monkeypatch.setattr("layerlab.cache.digests._file_time", lambda: 2**62)


def test_an_unchanged_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settled(monkeypatch)
    path, memory = tmp_path / "a", tmp_path / "memory"
    path.write_text("one")
    digests = Digests(memory)
    assert of(digests, path) == sha256(b"one").hexdigest()
    digests.save()
    again = Digests(memory)
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("it was read again"))
    assert of(again, path) == sha256(b"one").hexdigest()


def test_the_same_size_and_time_do_not_deceive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, digests = tmp_path / "a", Digests(None)
    path.write_text("one")
    os.utime(path, (1, 1))
    # just written: its times are not trusted yet
    of(digests, path)
    assert not digests._known
    settled(monkeypatch)
    digests = Digests(None)
    of(digests, path)
    path.unlink()
    path.write_text("two")
    os.utime(path, (1, 1))
    assert of(digests, path) == sha256(b"two").hexdigest()


def test_a_damaged_memory_is_only_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settled(monkeypatch)
    path, memory = tmp_path / "a", tmp_path / "memory"
    path.write_text("one")
    memory.write_bytes(b"garbage" * 1000)
    digests = Digests(memory)
    assert of(digests, path) == sha256(b"one").hexdigest()
    digests.save()
    assert not memory.exists()


def test_a_damaged_row_is_no_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settled(monkeypatch)
    path, memory = tmp_path / "a", tmp_path / "memory"
    path.write_text("one")
    digests = Digests(memory)
    right = of(digests, path)
    digests.save()
    with closing(sqlite3.connect(memory)) as db, db:
        ((files,),) = db.execute("SELECT files FROM folders").fetchall()
        wrong = files.replace(right.encode(), right[::-1].encode())
        assert wrong != files
        db.execute("UPDATE folders SET files = ?", (wrong,))
    assert of(Digests(memory), path) == right


def test_each_folder_has_its_own_and_the_last_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(monkeypatch)
    memory = tmp_path / "memory"
    for name in "abc":
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
        digests = Digests(memory, tmp_path / name)
        of(digests, tmp_path / name / "file")
        if name == "b":
            size = len(digests._packed())
            monkeypatch.setattr("layerlab.cache.digests.MAX_BYTES", 2 * size)
        digests.save()
    assert [bool(Digests(memory, tmp_path / name)._known) for name in "abc"] == [False, True, True]


def test_changed_attributes_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settled(monkeypatch)
    path, digests = tmp_path / "a", Digests(None)
    path.write_text("one")
    before = digests.of(str(path), path.lstat())
    os.setxattr(path, "user.layerlab", b"1")
    after = digests.of(str(path), path.lstat())
    assert (before[1], after[1]) == ((), (("user.layerlab", b"1".hex()),))
