"""Which files of a store go when it has grown too large. The caller alone uses the store."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path


def prune(
    blobs: Path,
    indexes: Path,
    results: Mapping[Path, Collection[str]],
    needed: Collection[str],
    keep: int,
) -> int:
    """Remove the blobs that have been of no use for the longest time, and what depends on them.

    Args:
        blobs: the folder of all blobs.
        indexes: the folder of what layers hold, under the names of their blobs.
        results: files of remembered steps, and the names of the blobs that each counts on. A
            file's time is that of its last use.
        needed: names of blobs that stay.
        keep: bytes that all other blobs may take together.

    Returns:
        How many bytes have become free.
    """
    there = {path.name: path.stat() for path in blobs.iterdir()}
    used = {path: path.stat().st_mtime_ns for path in results}
    last = {name: info.st_mtime_ns for name, info in there.items()}
    for path, names in results.items():
        for name in last.keys() & set(names):
            last[name] = max(last[name], used[path])
    spare = sorted(there.keys() - set(needed), key=lambda name: last[name])
    total = sum(there[name].st_size for name in spare)
    gone = set()
    for name in spare:
        if total <= keep:
            break
        gone.add(name)
        total -= there[name].st_size
    left = there.keys() - gone
    # A result without layers costs nothing, but is of no more use than the ones beside it.
    horizon = max((last[name] for name in gone), default=0)
    useless = [
        path
        for path, names in results.items()
        if not left.issuperset(names) or (not names and used[path] <= horizon)
    ]
    # Results first: none that is found may count on what is gone.
    freed = removed(useless) + removed(blobs / name for name in gone)
    return freed + removed(path for path in indexes.iterdir() if path.name not in left)


def removed(paths: Iterable[Path]) -> int:
    """Remove files; returns their bytes."""
    freed = 0
    for path in paths:
        freed += path.stat().st_size
        path.unlink()
    return freed
