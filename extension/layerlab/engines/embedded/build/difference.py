"""What a command has done to a tree, as the members of a layer.

A path that only looks touched is left out: a folder in which something was made, a file that got
one more name. Docker's overlay would write down the first and not the second.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from hashlib import file_digest
from pathlib import Path
from stat import (
    S_IMODE,
    S_ISBLK,
    S_ISCHR,
    S_ISDIR,
    S_ISFIFO,
    S_ISLNK,
    S_ISREG,
)

import msgspec

from layerlab.cache.digests import xattrs
from layerlab.engines.embedded.build.rootfs import Seen, Snapshot
from layerlab.engines.embedded.store.entries import Entry, Type, parent
from layerlab.engines.embedded.store.layers import Member
from layerlab.engines.embedded.store.view import View

Owner = Callable[[str, Seen, Entry | None], tuple[int, int]]
"""Who owns a path: its name, how it looks, and what it was before, if it was there."""
_TYPES: tuple[tuple[Callable[[int], bool], Type], ...] = (
    (S_ISREG, "file"),
    (S_ISDIR, "dir"),
    (S_ISLNK, "link"),
    (S_ISFIFO, "fifo"),
    (S_ISCHR, "char"),
    (S_ISBLK, "block"),
)


def members(root: Path, new: Snapshot, view: View, owner: Owner) -> Iterator[Member]:
    """Everything that a layer must hold.

    Args:
        root: the tree.
        new: what is not as it was (`State.touched`).
        view: what was there before.
        owner: see `Owner`.
    """
    firsts: dict[int, str] = {}
    for path in sorted(new):
        seen = new[path]
        kind = next((name for test, name in _TYPES if test(seen.mode)), None)
        if kind is None:
            continue  # a socket is of no use without the program that made it
        placed = view.get(path)
        before = placed.entry if placed else None
        entry = _entry(root, path, kind, seen, owner(path, seen, before))
        if before is not None and _same(root, entry, before):
            continue
        if kind == "file" and seen.links > 1:
            first = firsts.setdefault(seen.inode, path)
            if first != path:
                entry = msgspec.structs.replace(entry, first=first)
        yield Member(entry, root / path if kind == "file" and not entry.first else b"")


def whiteouts(gone: tuple[str, ...], new: Snapshot, view: View) -> tuple[str, ...]:
    """What a layer must take away from the layers below: of a whole folder, only the folder."""
    lost = set(gone)
    hidden = {path for path, seen in new.items() if not S_ISDIR(seen.mode)}
    return tuple(
        sorted(
            path
            for path in gone
            if view.get(path) and parent(path) not in lost and not _within(path, hidden)
        )
    )


def _within(path: str, hidden: set[str]) -> bool:
    """Whether something that is no folder has taken the place of one above."""
    above = parent(path)
    while above:
        if above in hidden:
            return True
        above = parent(above)
    return False


def _entry(root: Path, path: str, kind: Type, seen: Seen, owner: tuple[int, int]) -> Entry:
    info = (root / path).lstat() if kind in ("char", "block") else None
    return Entry(
        path=path,
        type=kind,
        mode=0o777 if kind == "link" else S_IMODE(seen.mode),
        uid=owner[0],
        gid=owner[1],
        size=seen.size if kind == "file" else 0,
        mtime=seen.mtime // 1_000_000_000,
        link=str((root / path).readlink()) if kind == "link" else "",
        xattrs=() if kind == "link" else xattrs(str(root / path)),
        device=(os.major(info.st_rdev), os.minor(info.st_rdev)) if info else (0, 0),
    )


def _same(root: Path, now: Entry, before: Entry) -> bool:
    """Whether nothing was changed but what is no part of an image, or what is in a folder."""
    alike = msgspec.structs.replace(
        now, first=before.first, offset=before.offset, digest=before.digest
    )
    if now.type == "dir":
        return msgspec.structs.replace(alike, mtime=before.mtime) == before
    if alike != before:
        return False
    if now.type != "file":
        return True
    with (root / now.path).open("rb") as file:
        return file_digest(file, "sha256").hexdigest() == before.digest
