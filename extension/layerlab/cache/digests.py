"""Digests and attributes of files; one with the same inode, size and times costs a stat."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

MAX_BYTES = 64 * 2**20
"""Bytes of what is remembered on disk; the folders that changed longest ago make room."""
_SETTLED = 100_000_000
"""Nanoseconds after a change before times can be trusted: clocks of file systems tick slowly, and
a second change in the same tick would leave the same times."""
_TICK_FILES = 500
Xattrs = tuple[tuple[str, str], ...]
_Known = dict[bytes, tuple[str, Xattrs]]

_SCHEMA = "CREATE TABLE IF NOT EXISTS folders (folder PRIMARY KEY, digest, files)"
_BOUND = """DELETE FROM folders WHERE rowid NOT IN (SELECT rowid FROM (
    SELECT rowid, sum(length(files)) OVER (ORDER BY rowid DESC) AS total FROM folders
) WHERE total <= ?)"""
_INODE = struct.Struct("=QQ")
_STATE = struct.Struct("=QQQqq")
"""Device, inode, size, times of content and of attributes: packed, it is found twice as fast."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Known).decode


class Digests:
    """SHA-256 of the files of a folder, and their extended attributes.

    Args:
        path: a SQLite file to remember them in, which serves many folders; None, or one that
            cannot be used, means memory.
        folder: whose files.
    """

    def __init__(self, path: Path | None, folder: Path = Path()) -> None:
        self._path = path
        self._folder = _name(folder)
        self._known: _Known = {}
        self._changed = False
        self._asked = 0
        self._tick = 0
        if path is not None and path.exists():
            with contextlib.suppress(sqlite3.Error, OSError, msgspec.MsgspecError):
                self._known = self._load(path)

    def of(self, path: str, stat: os.stat_result) -> tuple[str, Xattrs]:
        """The digest of a file's bytes in hexadecimal, and its attributes.

        Args:
            path: of a file.
            stat: its own. A change of its bytes or its attributes changes its times, too.

        Raises:
            OSError: it cannot be read.
        """
        state = _state(stat)
        known = self._known.get(state)
        return known if known is not None else self._read(path, stat, state)

    def serves(self, folder: Path) -> bool:
        """Whether these are of this folder's files."""
        return self._folder == _name(folder)

    def save(self) -> None:
        """Write what is new; with a full or damaged disk it is remembered in memory only."""
        if self._path is None or not self._changed:
            return
        self._changed = False  # first: another thread may add
        try:
            self._save(self._path)
        except sqlite3.OperationalError:
            self._changed = True  # locked or full: perhaps the next time
        except (sqlite3.DatabaseError, OSError):
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _read(self, path: str, stat: os.stat_result, state: bytes) -> tuple[str, Xattrs]:
        # The tick is taken before the bytes are read: what changes later has later times.
        if self._asked % _TICK_FILES == 0:
            self._tick = _file_time()
        self._asked += 1
        with Path(path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            found = digest, xattrs(path)
            after = _state(os.fstat(file.fileno()))
        if after == state and max(stat.st_mtime_ns, stat.st_ctime_ns) < self._tick - _SETTLED:
            self._known[state] = found
            self._changed = True
        return found

    def _load(self, path: Path) -> _Known:
        with contextlib.closing(sqlite3.connect(path, timeout=1)) as db:
            query = "SELECT digest, files FROM folders WHERE folder = ?"
            row = db.execute(query, (self._folder,)).fetchone()
        # A damaged page must not become a wrong key.
        if not row or not isinstance(row[1], bytes) or row[0] != hashlib.sha256(row[1]).digest():
            return {}
        return _decode(row[1])

    def _save(self, path: Path) -> None:
        files = self._packed()
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(path, timeout=1)) as db, db:
            db.execute(_SCHEMA)
            row = (self._folder, hashlib.sha256(files).digest(), files)
            db.execute("INSERT OR REPLACE INTO folders VALUES (?, ?, ?)", row)
            db.execute(_BOUND, (MAX_BYTES,))

    def _packed(self) -> bytes:
        # Of one inode only the last state can come again.
        known = self._known.copy()  # another thread may be adding to it
        newest = {state[: _INODE.size]: state for state in known}
        self._known = {state: known[state] for state in newest.values()}
        return _encode(self._known)


def _name(folder: Path) -> bytes:
    return os.fsencode(folder.absolute())


def _state(stat: os.stat_result) -> bytes:
    return _STATE.pack(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


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
