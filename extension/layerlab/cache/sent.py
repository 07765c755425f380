"""BuildKit's copy of the build context, and what of a change it does not notice.

The client sends only what differs from the copy that the daemon has kept from the build before
(`tonistiigi/fsutil`, vendored by BuildKit v0.13 to v0.34):

- A file is the same where size, time and mode are (`sameFile` and `compareStat` in
  `diff_containerd.go`): other bytes under the same time (moby/buildkit#4817) and other extended
  attributes are not sent.
- A folder that is there already stays what it was when it came: `DiskWriter.HandleChange` returns
  before it tells anyone (`diskwriter.go`), so that the digests of `cache/contenthash` keep the
  mode that the folder had at first.
- What a build does not ask for leaves the copy.

docker keeps one copy for each context folder, nerdctl a single one for all (`buildctl` opens its
session without a shared key).
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from stat import S_IMODE

import msgspec

from layerlab.cache.context import FileRecord
from layerlab.cache.key import Selection

Copy = Mapping[str, FileRecord]
"""What the engine has of a context: by the path in it, which is the `source` of other records."""

_ONE_FOR_ALL = frozenset({"nerdctl"})


def copy_name(engine: str, context: Path) -> str:
    """Which copy an engine brings up to date when it is sent this context."""
    return "" if engine in _ONE_FOR_ALL else str(context.resolve())


def seen(record: FileRecord, copy: Copy) -> FileRecord:
    """A file as the engine will see it; `unseen` is what it really is, where that is another.

    Args:
        record: as it is in the context now.
        copy: what the engine has from the build before.
    """
    kept = copy.get(record.source)
    if kept is None or kept.type != record.type:
        return record
    if record.type != "dir" and not _looks_same(record, kept):
        return record
    if record.digest == kept.digest and record.mode == kept.mode and record.xattrs == kept.xattrs:
        return record
    return msgspec.structs.replace(
        record, digest=kept.digest, mode=kept.mode, xattrs=kept.xattrs, unseen=record
    )


def _looks_same(now: FileRecord, kept: FileRecord) -> bool:
    return (
        now.mtime == kept.mtime
        and now.size == kept.size
        and now.mode == kept.mode
        and now.link == kept.link
    )


class Sending:
    """A selection of files as BuildKit will see them; it remembers what a build asks for.

    Args:
        context: the folder.
        select: what is in it now.
        copy: answers what the engine has of it; asked only after files were selected.
    """

    def __init__(self, context: Path, select: Selection, copy: Callable[[], Copy]) -> None:
        self._context = context
        self._select = select
        self._copy = copy
        self._asked: list[tuple[FileRecord, ...]] = []

    def __call__(
        self, sources: Sequence[str], *, exclude: Sequence[str] = (), whole: bool = False
    ) -> tuple[FileRecord, ...]:
        """See `key.Selection`."""
        records = self._select(sources, exclude=exclude, whole=whole)
        if copy := self._copy():
            records = tuple([seen(record, copy) for record in records])
        if tops := _tops(sources, records):
            # Of a folder that is copied only the contents reach the image: nothing is stale.
            records = tuple(
                msgspec.structs.replace(record, unseen=None) if record.source in tops else record
                for record in records
            )
        self._asked.append(records)
        return records

    def copy(self) -> Copy:
        """What the engine has after the build: what was asked for, and the folders above it.

        A build that asks for nothing is sent nothing, and the copy stays.
        """
        whole = {
            record.source: msgspec.structs.replace(record, path="", source="", unseen=None)
            for records in self._asked
            for record in records
            if record.source
        }
        if not whole:
            return self._copy()
        for folder in _above(whole):
            try:
                mode = S_IMODE(os.lstat(self._context / folder).st_mode)
            except OSError:
                continue
            there = seen(FileRecord("", "dir", mode, source=folder), self._copy())
            whole[folder] = msgspec.structs.replace(there, source="", unseen=None)
        return whole


def _tops(sources: Sequence[str], found: Sequence[FileRecord]) -> set[str]:
    """The folders that are selected themselves, and not as a part of another one."""
    if any(not source.strip("./") for source in sources):
        return set()
    folders = {record.source for record in found if record.type == "dir"}
    return {folder for folder in folders if posixpath.dirname(folder) not in folders}


def _above(paths: Mapping[str, FileRecord]) -> set[str]:
    """The folders above these paths that are not among them."""
    folders: set[str] = set()
    for path in paths:
        folder = posixpath.dirname(path)
        while folder and folder not in folders and folder not in paths:
            folders.add(folder)
            folder = posixpath.dirname(folder)
    return folders
