"""Where COPY and ADD put files, and what the layer then holds. No root filesystem is touched.

After `Copy` in fsutil's `copy/copy.go`, which BuildKit calls (`solver/llbsolver/file/backend.go`,
`docopy`): the contents of a folder are copied, a file goes into a destination that is a folder or
ends with a slash; folders above it are made with mode 755; a folder that is there keeps its mode
where it is the destination itself, and gets that of the source below. Names of one file are still
names of one file in the copy, if one source has them all.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from layerlab.cache.context import FileRecord
from layerlab.cache.patterns import clean, has_wildcards
from layerlab.engines.embedded.store.entries import Entry, join, parent
from layerlab.engines.embedded.store.layers import Member, Slice
from layerlab.engines.embedded.store.view import View
from layerlab.errors import LayerlabError

FOLDER = 0o755
LINK = 0o777
Source = Path | bytes | Slice
"""Where the bytes of a file come from."""


@dataclass(frozen=True)
class Group:
    """What one source, or one match of a wildcard, selects.

    Attributes:
        name: its own name, under which it goes into a folder.
        files: path below the source (`""` for the source itself), what it is, and its bytes.
    """

    name: str
    files: tuple[tuple[str, FileRecord], ...]

    @property
    def is_folder(self) -> bool:
        """Whether its contents are copied rather than itself."""
        path, record = self.files[0]
        return path != "" or record.type == "dir"


def groups(source: str, records: Sequence[FileRecord]) -> Iterator[Group]:
    """The records of one source (see `context.select`, dialect buildkit), by what they belong to.

    A source without wildcards is one group, whose records are named below it; of a wildcard's
    matches each record begins with the match's own name.
    """
    path = clean(f"/{source}")[1:]
    if not path or not has_wildcards(path):
        if records:
            files = tuple((record.path, record) for record in records)
            yield Group(posixpath.basename(path), files)
        return
    found: list[tuple[str, FileRecord]] = []
    name = None
    for record in records:
        first, _, rest = record.path.partition("/")
        if found and (not rest or first != name):
            yield Group(name or "", tuple(found))
            found = []
        name = first
        found.append((rest, record))
    if found:
        yield Group(name or "", tuple(found))


class _Made(NamedTuple):
    """A member so far: names of one file have the source in common, and the `put` they came by."""

    entry: Entry
    source: Source
    put: int


@dataclass
class Copying:
    """The members of one layer while they are gathered.

    Args:
        view: what the step stands on.
        owner: user and group of all that is made; None keeps what a stage's files have.
        mode: of all that is copied; None keeps their own.
        now: seconds since the epoch, for folders that are made.
    """

    view: View
    owner: tuple[int, int] | None
    mode: int | None
    now: int
    made: dict[str, _Made] = field(default_factory=dict)
    puts: int = 0

    def members(self) -> tuple[Member, ...]:
        """All that was made, by path, the names of each file led by the first."""
        firsts: dict[tuple[Source, int], str] = {}
        found = []
        for path, (entry, source, put) in sorted(self.made.items()):
            if entry.type == "file" and (first := firsts.setdefault((source, put), path)) != path:
                entry = msgspec.structs.replace(entry, first=first)  # noqa: PLW2901
            found.append(Member(entry, source))
        return tuple(found)

    def folder(self, path: str) -> str:
        """Make a folder and those above it, where they are not there; where it really is."""
        real = self._real(path)
        parts = real.split("/") if real else []
        for at in range(1, len(parts) + 1):
            here = "/".join(parts[:at])
            kind = self._kind(here)
            if kind is None:
                self._make(here, FileRecord("", "dir", FOLDER), b"", FOLDER)
            elif kind != "dir":
                raise self._no_folder(here)
        return real

    def put(self, group: Group, destination: str, content: Callable[[FileRecord], Source]) -> None:
        """Copy a group.

        Args:
            group: see `groups`.
            destination: as `cache.program.destination` makes it: absolute, with a slash at its
                end where the Dockerfile has one.
            content: tells where the bytes of its files are; the same for names of one file.
        """
        self.puts += 1
        into = destination.endswith("/")
        self.folder(destination if into else posixpath.dirname(destination))
        target = self._real(destination)
        if group.is_folder:
            self.folder(target)
        elif into or self._kind(target) == "dir":
            target = posixpath.join(target, group.name)
        for path, record in group.files:
            data = content(record) if record.type == "file" else b""
            here = posixpath.join(target, path) if path else target
            self._copy(here, record, data, keep=not path)

    def place(self, entry: Entry, source: Source, destination: str) -> None:
        """One entry of an archive, below a folder; those above it are made, it replaces others.

        Its mode is kept whatever `mode` says (BuildKit's `file/unpack.go` does not hand it on).
        """
        # Links above it are followed; one in its place is replaced.
        above = self.folder(posixpath.join(destination, parent(entry.path)))
        path = join(above, entry.path.rpartition("/")[2])
        uid, gid = self.owner or (entry.uid, entry.gid)
        mode = LINK if entry.type == "link" else entry.mode
        made = msgspec.structs.replace(entry, path=path, first="", uid=uid, gid=gid, mode=mode)
        self.made[path] = _Made(made, source, self.puts)

    def _copy(self, path: str, record: FileRecord, content: Source, *, keep: bool) -> None:
        there = self._kind(path)
        if record.type == "dir":
            if there not in (None, "dir"):
                raise self._no_folder(path)
            if there is None or not keep:
                self._make(path, record, b"", self._mode(record))
            return
        if there == "dir":
            raise LayerlabError(
                f"A file cannot take the place of the folder /{path}.",
                code="folder-in-the-way",
                hint="End the destination with a slash to copy into that folder.",
            )
        self._make(path, record, content, self._mode(record))

    def _make(self, path: str, record: FileRecord, content: Source, mode: int) -> None:
        if record.type == "other":
            return  # pipes and sockets of a context are not sent
        uid, gid = self.owner or _numbers(record.owner)
        entry = Entry(
            path=path,
            type=record.type,
            mode=LINK if record.type == "link" else mode,
            uid=uid,
            gid=gid,
            size=record.size,
            mtime=record.mtime // 1_000_000_000 or self.now,
            link=record.link if record.type == "link" else "",
            xattrs=record.xattrs,
        )
        self.made[path] = _Made(entry, content, self.puts)

    def _mode(self, record: FileRecord) -> int:
        return record.mode if self.mode is None else self.mode

    def _kind(self, path: str) -> str | None:
        if not path:
            return "dir"
        if path in self.made:
            return self.made[path].entry.type
        placed = self.view.get(path)
        return placed.entry.type if placed else None

    def _real(self, path: str) -> str:
        """Where a path is, links of the image followed; what is missing stands for itself."""
        real = self.view.destination(path)
        if real is None:
            raise self._no_folder(path.strip("/"))
        return real

    def _no_folder(self, path: str) -> LayerlabError:
        return LayerlabError(
            f"/{path} is no folder, so nothing can be copied into it.",
            code="no-folder",
            hint="In the image there is a file or a link of that name. Copy to another place.",
        )


def _numbers(owner: str) -> tuple[int, int]:
    uid, _, gid = owner.partition(":")
    return int(uid or 0), int(gid or 0)
