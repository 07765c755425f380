"""The index of a layer that anybody may have made: nothing in it may reach out of the image.

Names are cleaned as Docker cleans them (`daemon/.../archive/diff.go` and `archive.go` in moby):
what begins with `/` lies in the image, what climbs above it is refused. Entries are replayed in
their order (see `tree`): the last of several with one name wins. Refused are also names that
Linux could not hold, and such that begin with `.wh.` and are no sound marker.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from layerlab.cache.patterns import clean
from layerlab.engines.embedded.store import archive
from layerlab.engines.embedded.store.archive import Header
from layerlab.engines.embedded.store.entries import (
    Entry,
    HostileLayerError,
    LayerIndex,
    Type,
    join,
    parent,
)
from layerlab.engines.embedded.store.layers import NO_MORE, OPAQUE, WHITEOUT, Limits, too_large
from layerlab.engines.embedded.store.tree import MAX_DEPTH, MAX_PATH, Tree, follow

_MAX_NAME: Final = 255
"""Bytes of a part of a path, Linux's `NAME_MAX`."""
_MAX_ID: Final = (1 << 32) - 2
"""The highest number of a user or group; the next one means "leave it as it is"."""
_MAX_DEVICE: Final = (1 << 32) - 1
_TIMES: Final = (-(1 << 31), (1 << 34) - 1)
"""What file systems can keep, in seconds; times beyond that are moved to the nearest."""
_CHUNK: Final = 1 << 18
_AUFS: Final = ".wh..wh."
"""Begins the names of what old engines kept for themselves at the top of a layer."""
_HARD_LINK: Final = b"1"
_TYPES: Final[dict[bytes, Type]] = {
    b"0": "file",
    b"7": "file",
    b"2": "link",
    b"3": "char",
    b"4": "block",
    b"5": "dir",
    b"6": "fifo",
}


def read(blob: Path, limits: Limits = NO_MORE, *, markers: bool = True) -> LayerIndex:
    """What an uncompressed layer holds. Attributes of the root itself are left out.

    Args:
        blob: the archive.
        limits: how much it may hold.
        markers: names that begin with `.wh.` take something away; in an archive that is no layer
            they are names like others.

    Raises:
        HostileLayerError: see the module's text, `archive` and `tree`.
        OSError: it cannot be read.
    """
    if blob.stat().st_size > limits.bytes:
        raise too_large(limits)
    with blob.open("rb") as file:
        replay = _Replay(file, markers=markers)
        for count, header in enumerate(archive.headers(file), 1):
            replay.take(header)
            # Folders that one deep path implies count, too.
            if max(count, len(replay.tree.placed)) > limits.entries:
                raise too_large(limits)
    return replay.index()


class _Replay:
    """The layer's own effects so far; what lower layers hold is not known here."""

    def __init__(self, file: BinaryIO, *, markers: bool) -> None:
        self._file = file
        self._markers = markers
        self._whiteouts: set[str] = set()
        self._opaque: set[str] = set()
        self.tree = Tree()

    def take(self, header: Header) -> None:
        """One more entry."""
        path = _cleaned(header.name)
        name = path.rpartition("/")[2]
        if not self._markers:
            self._put(path, header)
            return
        if path.startswith(_AUFS) and path != OPAQUE:
            return
        if any(part.startswith(WHITEOUT) for part in parent(path).split("/")):
            raise HostileLayerError("lies in what is a marker by its name", path)
        if name == OPAQUE:
            # Markers are about lower layers: links of this one do not lead them elsewhere.
            self._opaque.add(parent(path))
        elif name.startswith(WHITEOUT):
            self._take_whiteout(path, name.removeprefix(WHITEOUT))
        else:
            self._put(path, header)

    def index(self) -> LayerIndex:
        """All entries, the names of each file led by the one that comes first."""
        leaders: dict[int, str] = {}
        entries = []
        for path, placed in sorted(self.tree.placed.items()):
            entry = placed.entry
            if not entry.offset:
                continue  # implied: other layers may know better
            leader = leaders.setdefault(entry.offset, path)
            first = "" if leader == path else leader
            if entry.first != first:
                entry = msgspec.structs.replace(entry, first=first)
            entries.append(entry)
        return LayerIndex(
            tuple(entries), tuple(sorted(self._whiteouts)), tuple(sorted(self._opaque))
        )

    def _put(self, path: str, header: Header) -> None:
        if path:
            self.tree.put("", self._entry(path, header))
        elif header.type != b"5":
            raise HostileLayerError("would take the place of the root", header.name)

    def _take_whiteout(self, path: str, hidden: str) -> None:
        if hidden in ("", ".", ".."):
            raise HostileLayerError("is a marker that takes away what it lies in", path)
        self._whiteouts.add(join(parent(path), hidden))

    def _entry(self, path: str, header: Header) -> Entry:
        if header.type == _HARD_LINK:
            return self._hard_link(path, header.link)
        kind = _TYPES.get(header.type)
        if kind is None:
            raise HostileLayerError("is of a type that layers do not have", path)
        if max(header.uid, header.gid) > _MAX_ID or max(header.device) > _MAX_DEVICE:
            raise HostileLayerError("has a number that is out of range", path)
        link = header.link if kind == "link" else ""
        if kind == "link" and not 0 < len(link.encode(errors="surrogateescape")) <= MAX_PATH:
            raise HostileLayerError("is a link with a target that Linux could not hold", path)
        return Entry(
            path,
            kind,
            header.mode,
            header.uid,
            header.gid,
            size=header.size if kind == "file" else 0,
            mtime=min(max(header.mtime, _TIMES[0]), _TIMES[1]),
            link=link,
            offset=header.offset,
            digest=self._digest(header) if kind == "file" else "",
            xattrs=tuple((name, value.hex()) for name, value in sorted(header.xattrs.items())),
            device=header.device,
        )

    def _hard_link(self, path: str, target: str) -> Entry:
        real = follow(self.tree.placed, _cleaned(target), last=False)
        found = self.tree.placed.get(real) if real else None
        if found is None or found.entry.path == path:
            raise HostileLayerError("is a hard link to what the layer does not hold", path)
        if found.entry.type == "dir":
            raise HostileLayerError("is a hard link to a folder", path)
        return msgspec.structs.replace(found.entry, path=path)

    def _digest(self, header: Header) -> str:
        digest, left = hashlib.sha256(), header.size
        self._file.seek(header.offset)
        while left and (chunk := self._file.read(min(left, _CHUNK))):
            digest.update(chunk)
            left -= len(chunk)
        return digest.hexdigest()


def _cleaned(name: str) -> str:
    """A name relative to the root, `""` for the root itself."""
    path = clean(name)
    if path == ".." or path.startswith("../"):
        raise HostileLayerError("climbs out of the image", name)
    path = path.lstrip("/")
    if path in ("", "."):
        return ""
    parts = path.split("/")
    if (
        len(path.encode(errors="surrogateescape")) > MAX_PATH
        or max(len(part.encode(errors="surrogateescape")) for part in parts) > _MAX_NAME
    ):
        raise HostileLayerError("has a name that is longer than Linux allows", name)
    if len(parts) > MAX_DEPTH:
        raise HostileLayerError(f"lies deeper than {MAX_DEPTH} folders", name)
    return path
