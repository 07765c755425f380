"""Digests of files: right, remembered, and never older than the file."""

import os
from hashlib import sha256
from pathlib import Path

import pytest

from layerlab.cache.digests import Digests


def of(digests: Digests, path: Path) -> str:
    return digests.of(path, path.lstat())


def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the files were old."""
    monkeypatch.setattr("layerlab.cache.digests._file_time", lambda: 2**62)


def test_an_unchanged_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settled(monkeypatch)
    path, memory = tmp_path / "a", tmp_path / "memory"
    path.write_text("one")
    digests = Digests(memory)
    assert of(digests, path) == sha256(b"one").hexdigest()
    digests.close()
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
    digests.close()
    assert not memory.exists()
