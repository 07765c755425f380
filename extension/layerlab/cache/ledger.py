"""What was built before: for every step that succeeded, its key and what went into it.

One SQLite file serves every engine and every kernel of a workspace. It is knowledge, not truth:
losing it costs explanations, never a build.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from layerlab.cache.context import FileRecord


class Ingredient(msgspec.Struct, frozen=True, gc=False):
    """One thing that went into a step's key.

    Attributes:
        kind: 'instruction', 'file', 'env', 'arg', 'base', 'platform', 'user', 'workdir', 'mount',
            'parent', 'mode', …
        name: which one: a path, a variable.
        value: what it was: text, or a digest of it.
    """

    kind: str
    name: str
    value: str


class StepRecord(msgspec.Struct, frozen=True):
    """One step of one build, as it succeeded.

    Attributes:
        engine: whose cache it is in.
        dockerfile: path identity of the Dockerfile, so that a step's earlier self can be found.
        stage: see `PlannedStep.stage`.
        position: 1-based place in the stage, see `PlannedStep.position`.
        instruction: the text as written.
        platform: `os/arch` it was built for.
        key: what the cache model says the engine looks it up by.
        ingredients: what went into the key.
        build_id: the build that it was part of.
        at: when, in seconds since the epoch.
        made: which execution made it; a step that was reused keeps the one before. `RIVALS` where
            two builds made it at once, and nobody knows which one the engine will take.
        on: which execution made what it stands on.
    """

    engine: str
    dockerfile: str
    stage: str
    position: int
    instruction: str
    platform: str
    key: str
    ingredients: tuple[Ingredient, ...]
    build_id: str
    at: float
    made: str = ""
    on: str = ""


RIVALS = "?"
"""See `StepRecord.made`."""


class _Copy(msgspec.Struct, frozen=True):
    engine: str
    context: str
    files: dict[str, FileRecord]


MAX_STEPS = 20_000
MAX_BUILDS = 500
MAX_TEXTS = 2_000
MAX_COPIES = 20
"""How much is remembered of each; what was not used for longest makes room."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS steps (engine, key, record, PRIMARY KEY (engine, key));
CREATE TABLE IF NOT EXISTS builds (engine, dockerfile, records, PRIMARY KEY (engine, dockerfile));
CREATE TABLE IF NOT EXISTS texts (digest PRIMARY KEY, text);
CREATE TABLE IF NOT EXISTS copies (engine, context, files, PRIMARY KEY (engine, context));
"""
_PATIENCE = 2.0
"""Seconds to wait for another kernel that is writing."""
_TRIES = 40
"""How often to ask within them."""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


class Ledger:
    """The ledger on disk. Nothing that happens to the file becomes an error or a wrong hit.

    Args:
        path: the SQLite file, made when it is first needed. A damaged one is begun anew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None

    def find(self, engine: str, key: str) -> StepRecord | None:
        """The step that has this key, if it was ever built; its `file` ingredients are left out.

        They are in the key, there may be 50,000, and it is `previous` that tells what changed.
        """
        row = self._one("SELECT record FROM steps WHERE engine = ? AND key = ?", engine, key)
        with contextlib.suppress(msgspec.MsgspecError, UnicodeError):
            record = msgspec.json.decode(row, type=StepRecord)
            # A damaged page may answer with another row.
            return record if (record.engine, record.key) == (engine, key) else None
        return None

    def previous(self, engine: str, dockerfile: str) -> tuple[StepRecord, ...]:
        """The steps of the last build of a Dockerfile."""
        row = self._one(
            "SELECT records FROM builds WHERE engine = ? AND dockerfile = ?", engine, dockerfile
        )
        with contextlib.suppress(msgspec.MsgspecError, UnicodeError):
            records: tuple[StepRecord, ...] = msgspec.json.decode(row, type=tuple[StepRecord, ...])
            return records
        return ()

    def text(self, digest: str) -> str | None:
        """A small text file by the digest of its bytes; None where the text has another one."""
        text = self._one("SELECT text FROM texts WHERE digest = ?", digest)
        if not isinstance(text, str):
            return None
        data = text.encode("utf-8", "surrogatepass")
        return text if hashlib.sha256(data).hexdigest() == digest else None

    def copy(self, engine: str, context: str) -> dict[str, FileRecord]:
        """What an engine was last sent of a context (see `sent.Copy`); empty where not known."""
        row = self._one(
            "SELECT files FROM copies WHERE engine = ? AND context = ?", engine, context
        )
        with contextlib.suppress(msgspec.MsgspecError, UnicodeError):
            data = row if isinstance(row, bytes) else b""
            kept = msgspec.msgpack.decode(data, type=_Copy)
            # A damaged page may answer with another row.
            return kept.files if (kept.engine, kept.context) == (engine, context) else {}
        return {}

    def keep_copy(self, engine: str, context: str, files: Mapping[str, FileRecord]) -> None:
        """Remember what an engine was sent."""
        encoded = msgspec.msgpack.encode(_Copy(engine, context, dict(files)))
        self._do(lambda db: _keep_copy(db, engine, context, encoded))

    def record(self, records: Sequence[StepRecord], texts: Mapping[str, str] | None = None) -> None:
        """Learn what a build did: all of it or, where that cannot be written, none.

        Args:
            records: of one build, as `explain.records` makes them.
            texts: small text files of its context by the digests of their bytes.
        """
        if records:
            self._do(lambda db: _write(db, records, texts or {}))

    def forget(self, folder: str) -> None:
        """Forget the last builds of the Dockerfiles in a folder; their steps stay known."""
        below = f"{folder.rstrip('/')}/"
        self._do(
            lambda db: db.execute(
                "DELETE FROM builds WHERE substr(dockerfile, 1, ?) = ?", (len(below), below)
            )
        )

    def close(self) -> None:
        """Give the file back; asking again opens it again."""
        with self._lock:
            self._drop()

    def _one(self, query: str, *values: str) -> str | bytes:
        row = self._do(lambda db: db.execute(query, values).fetchone())
        value = row[0] if isinstance(row, tuple) else b""
        # SQLite keeps what it is given; a damaged page may hold anything.
        return value if isinstance(value, str | bytes) else b""

    def _do(self, work: Callable[[sqlite3.Connection], object]) -> object:
        """`work` on the open file, in one transaction; None where it cannot be done."""
        with self._lock:
            for _ in range(2):
                try:
                    self._db = self._db or self._open()
                    with self._db:
                        return work(self._db)
                except (sqlite3.Error, OSError) as error:
                    self._drop()
                    damaged = getattr(error, "sqlite_errorcode", None) in _DAMAGED
                    if not damaged or not self._begin_anew():
                        return None
                except (UnicodeError, OverflowError):
                    return None
            return None

    def _open(self) -> sqlite3.Connection:
        """Connect, and make the file where there is none.

        Of several kernels that make it at once SQLite refuses all but one, without waiting: its
        time limit does not hold for the change to WAL.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(_TRIES - 1):
            try:
                return self._connect()
            except sqlite3.OperationalError as error:
                code = getattr(error, "sqlite_errorcode", 0)
                if code & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
            time.sleep(_PATIENCE / _TRIES)
        return self._connect()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=_PATIENCE / _TRIES, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.executescript(_SCHEMA)
            db.execute(f"PRAGMA busy_timeout = {_PATIENCE * 1000:.0f}")
        except BaseException:
            db.close()
            raise
        return db

    def _drop(self) -> None:
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _begin_anew(self) -> bool:
        try:
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        except OSError:
            return False
        return True


def _keep_copy(db: sqlite3.Connection, engine: str, context: str, files: bytes) -> None:
    db.execute("INSERT OR REPLACE INTO copies VALUES (?, ?, ?)", (engine, context, files))
    _bound(db, "copies", MAX_COPIES)


def _bound(db: sqlite3.Connection, table: str, most: int) -> None:
    # Replacing gives a new row id, so the lowest ones were not used for longest.
    db.execute(
        f"DELETE FROM {table} WHERE rowid <= (SELECT max(rowid) FROM {table}) - ?",  # noqa: S608 - one of our own tables
        (most,),
    )


def _without_files(record: StepRecord) -> StepRecord:
    kept = tuple(i for i in record.ingredients if i.kind != "file")
    return msgspec.structs.replace(record, ingredients=kept)


def _write(db: sqlite3.Connection, records: Sequence[StepRecord], texts: Mapping[str, str]) -> None:
    encode = msgspec.json.encode
    db.executemany(
        "INSERT OR REPLACE INTO steps VALUES (?, ?, ?)",
        ((record.engine, record.key, encode(_without_files(record))) for record in records),
    )
    first = records[0]
    db.execute(
        "INSERT OR REPLACE INTO builds VALUES (?, ?, ?)",
        (first.engine, first.dockerfile, encode(tuple(records))),
    )
    db.executemany("INSERT OR REPLACE INTO texts VALUES (?, ?)", texts.items())
    for table, most in (("steps", MAX_STEPS), ("builds", MAX_BUILDS), ("texts", MAX_TEXTS)):
        _bound(db, table, most)
