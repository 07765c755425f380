"""Digests and attributes of files; one with the same inode, size and times costs a stat."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

MAX_ROWS = 200_000
"""Files that are remembered on disk; beyond that all of them are forgotten."""
_SETTLED = 100_000_000
"""Nanoseconds after a change before times can be trusted: clocks of file systems tick slowly, and
a second change in the same tick would leave the same times."""
_TICK_FILES = 500
_State = tuple[int, int, int, int, int]
Xattrs = tuple[tuple[str, str], ...]


class Digests:
    """SHA-256 of files, and their extended attributes.

    Args:
        path: a SQLite file to remember them in; None, or one that cannot be used, means memory.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[_State, str] = {}
        self._new: dict[_State, str] = {}
        self._contents: dict[_State, tuple[str, Xattrs]] = {}
        self._asked = 0
        self._tick = 0
        if path is not None and path.exists():
            with contextlib.suppress(sqlite3.Error, OSError):
                self._load(path)

    def of(self, path: str | Path, stat: os.stat_result) -> str:
        """The digest of a file's bytes in hexadecimal; `stat` is its own. Raises OSError."""
        state = _state(stat)
        if (known := self._known.get(state)) is not None:
            return known
        # The tick is taken before the bytes are read: what changes later has later times.
        if self._asked % _TICK_FILES == 0:
            self._tick = _file_time()
        self._asked += 1
        with Path(path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            after = _state(os.fstat(file.fileno()))
        if after == state and max(stat.st_mtime_ns, stat.st_ctime_ns) < self._tick - _SETTLED:
            self._known[state] = self._new[state] = digest
        return digest

    def content(self, path: str, stat: os.stat_result) -> tuple[str, Xattrs]:
        """A file's digest and its attributes; a change of these changes its times, too."""
        state = _state(stat)
        if (known := self._contents.get(state)) is not None:
            return known
        found = self.of(path, stat), xattrs(path)
        if state in self._known:
            self._contents[state] = found
        return found

    def close(self) -> None:
        """Write what is new; a full or damaged disk only loses it."""
        if self._path is None or not self._new:
            return
        try:
            self._save(self._path)
        except sqlite3.OperationalError:
            return  # locked or full: the next run digests again
        except (sqlite3.DatabaseError, OSError):
            with contextlib.suppress(OSError):
                self._path.unlink()
        self._new = {}

    def _load(self, path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path, timeout=1)) as db:
            rows = db.execute("SELECT dev, ino, size, mtime, ctime, digest FROM digests")
            for *state, digest in rows:
                # A damaged row must not become a wrong key.
                if isinstance(digest, str) and len(digest) == 2 * hashlib.sha256().digest_size:
                    dev, ino, size, mtime, ctime = map(int, state)
                    self._known[dev, ino, size, mtime, ctime] = digest

    def _save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(path, timeout=1)) as db, db:
            db.execute(
                "CREATE TABLE IF NOT EXISTS digests (dev, ino, size, mtime, ctime, digest, "
                "PRIMARY KEY (dev, ino)) WITHOUT ROWID"
            )
            db.executemany(
                "INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?, ?, ?)",
                # Numbers of inodes and devices may not fit into SQLite's signed ones.
                ((str(s[0]), str(s[1]), *s[2:], digest) for s, digest in self._new.items()),
            )
            if db.execute("SELECT count(*) FROM digests").fetchone()[0] > MAX_ROWS:
                db.execute("DELETE FROM digests")


def _state(stat: os.stat_result) -> _State:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def xattrs(path: str) -> Xattrs:
    """The extended attributes that can be read, by name; values in hexadecimal."""
    return tuple(_xattrs(path))


def _xattrs(path: str) -> Iterator[tuple[str, str]]:
    with contextlib.suppress(OSError):
        for name in sorted(os.listxattr(path, follow_symlinks=False)):
            with contextlib.suppress(OSError):
                yield name, os.getxattr(path, name, follow_symlinks=False).hex()


def _file_time() -> int:
    """What the file system's clock shows, in nanoseconds; 0 (trust nothing) where none can tell."""
    try:
        with tempfile.TemporaryFile() as file:
            return os.fstat(file.fileno()).st_ctime_ns
    except OSError:
        return 0
