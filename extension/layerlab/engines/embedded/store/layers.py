"""Write layers so that the same content gives the same bytes, and take in those of others.

A layer of ours is an uncompressed tar archive: the digest of the blob is its diff id, and any
file's bytes can be read at an offset. After the OCI image specification, `layer.md`.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec

from layerlab.engines.embedded.store.archive import BLOCK, XATTR
from layerlab.engines.embedded.store.entries import Entry, HostileLayerError, LayerIndex
from layerlab.errors import LayerlabError

WHITEOUT: Final = ".wh."
"""How the name of a marker begins that takes the rest of its name away from lower layers."""
OPAQUE: Final = ".wh..wh..opq"
"""Name of a marker that empties the folder it is in of what lower layers have put there."""

_CHUNK: Final = 1 << 18
_TYPES: Final = {
    "file": tarfile.REGTYPE,
    "dir": tarfile.DIRTYPE,
    "link": tarfile.SYMTYPE,
    "char": tarfile.CHRTYPE,
    "block": tarfile.BLKTYPE,
    "fifo": tarfile.FIFOTYPE,
}
_COMPRESSED: Final = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
}


class Limits(NamedTuple):
    """How much a layer of somebody else's may be: bytes of its tar, and its entries."""

    bytes: int = 20 << 30
    entries: int = 2_000_000


NO_MORE: Final = Limits()
"""What is enough for any honest layer."""


class Slice(NamedTuple):
    """Bytes within another layer's tar."""

    tar: Path
    offset: int
    size: int


class Member(NamedTuple):
    """An entry to write, and where the bytes of a file come from.

    Offset and digest of the entry are not looked at. A further hard link needs no source; its
    `first` must be among the members, and be no further one itself.
    """

    entry: Entry
    source: Path | bytes | Slice = b""


@dataclass(frozen=True)
class Written:
    """A layer's tar: its digest with `sha256:`, its size in bytes, and what is in it."""

    digest: str
    size: int
    index: LayerIndex


def write(
    target: BinaryIO,
    members: Iterable[Member],
    whiteouts: Iterable[str] = (),
    opaque: Iterable[str] = (),
    *,
    epoch: int | None,
) -> Written:
    """Write a layer; the order of the arguments' items makes no difference.

    Args:
        target: is written from where it stands to the end of the archive.
        members: one for each path; folders above them only where they are given, too.
        whiteouts: paths that lower layers lose.
        opaque: folders whose contents in lower layers vanish.
        epoch: the latest time that the archive may hold (SOURCE_DATE_EPOCH), in seconds.

    Raises:
        LayerlabError: code `file-changed`: a file has another size than its entry says.
        OSError: something cannot be read or written.
    """
    by_path = {member.entry.path: member for member in members}
    taken, emptied = tuple(sorted(set(whiteouts))), tuple(sorted(set(opaque)))
    # Markers come before their siblings: some unpackers take them for the same layer, too.
    plan: list[tuple[str, str, Member | None]] = [
        (member.entry.path, member.entry.path, member) for member in _linked(by_path)
    ]
    markers = [f"{_folder(path)}{WHITEOUT}{path.rpartition('/')[2]}" for path in taken]
    markers += [_folder(f"{path}/") + OPAQUE if path else OPAQUE for path in emptied]
    plan += [(f"{_folder(name)}\0{name}", name, None) for name in markers]
    out = _Writer(target, epoch)
    for _, name, member in sorted(plan, key=lambda item: item[0]):
        if member is None:
            out.add_marker(name)
        else:
            out.add(member)
    out.write(bytes(2 * BLOCK))
    index = LayerIndex(tuple(out.entries), taken, emptied)
    return Written(f"sha256:{out.digest.hexdigest()}", out.size, index)


def _folder(path: str) -> str:
    return path[: path.rfind("/") + 1]


def _linked(by_path: dict[str, Member]) -> Iterator[Member]:
    """The members with the names of each file led by the one that comes first."""
    names: dict[str, list[str]] = {}
    for path, member in by_path.items():
        names.setdefault(member.entry.first or path, []).append(path)
    for first, paths in names.items():
        leader = min(paths)
        whole = by_path[first]
        for path in paths:
            led = "" if path == leader else leader
            entry = msgspec.structs.replace(whole.entry, path=path, first=led)
            yield Member(entry, whole.source)


class _Writer:
    """The archive so far: its bytes go on to `target` and into a digest."""

    def __init__(self, target: BinaryIO, epoch: int | None) -> None:
        self._target = target
        self._epoch = epoch
        self._files: dict[str, Entry] = {}
        self.digest = hashlib.sha256()
        self.size = 0
        self.entries: list[Entry] = []

    def write(self, data: bytes) -> None:
        self._target.write(data)
        self.digest.update(data)
        self.size += len(data)

    def add_marker(self, name: str) -> None:
        info = tarfile.TarInfo(name)
        info.mode = 0
        self._head(info)

    def add(self, member: Member) -> None:
        entry = member.entry
        if entry.first:
            info = tarfile.TarInfo(entry.path)
            info.type, info.linkname = tarfile.LNKTYPE, entry.first
            first = self._files[entry.first]
            done = msgspec.structs.replace(first, path=entry.path, first=entry.first)
            self._describe(info, done)
            self._head(info)
        else:
            done = self._whole(member)
            self._files[entry.path] = done
        self.entries.append(done)

    def _whole(self, member: Member) -> Entry:
        entry = member.entry
        is_file = entry.type == "file"
        mtime = entry.mtime if self._epoch is None else min(entry.mtime, self._epoch)
        size = entry.size if is_file else 0
        # The format has no way to write a name with a `=` in it, or an empty value.
        kept = tuple(sorted(pair for pair in entry.xattrs if pair[1] and "=" not in pair[0]))
        entry = msgspec.structs.replace(entry, mtime=mtime, size=size, digest="", xattrs=kept)
        info = tarfile.TarInfo(entry.path)
        info.type, info.linkname = _TYPES[entry.type], entry.link
        info.devmajor, info.devminor = entry.device
        info.size = size
        self._describe(info, entry)
        self._head(info)
        offset = self.size
        digest = self._content(member) if is_file else ""
        return msgspec.structs.replace(entry, offset=offset, digest=digest)

    def _describe(self, info: tarfile.TarInfo, entry: Entry) -> None:
        info.mode, info.mtime = entry.mode, entry.mtime
        info.uid, info.gid = entry.uid, entry.gid
        info.pax_headers = {
            f"{XATTR}{name}": bytes.fromhex(value).decode(errors="surrogateescape")
            for name, value in entry.xattrs
        }

    def _head(self, info: tarfile.TarInfo) -> None:
        self.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))

    def _content(self, member: Member) -> str:
        """The bytes of a file, padded; returns their digest."""
        size, digest, done = member.entry.size, hashlib.sha256(), 0
        for chunk in _chunks(member.source, size):
            done += len(chunk)
            if done <= size:
                digest.update(chunk)
                self.write(chunk)
        if done != size:
            raise LayerlabError(
                f"The file {member.entry.path} has changed while it was copied.",
                code="file-changed",
                hint="Build again when nothing writes to it.",
            )
        self.write(bytes(-size % BLOCK))
        return digest.hexdigest()


def _chunks(source: Path | bytes | Slice, size: int) -> Iterator[bytes]:
    """The bytes of a source, and some more where it has more than `size`."""
    if isinstance(source, bytes):
        yield source
        return
    path, offset, left = source if isinstance(source, Slice) else (source, 0, size + 1)
    with open(path, "rb", opener=_no_link) as file:
        file.seek(offset)
        while left > 0 and (chunk := file.read(min(left, _CHUNK))):
            left -= len(chunk)
            yield chunk


def _no_link(path: str, flags: int) -> int:
    # What a RUN has left may become a link or a pipe: neither is followed, nor waited for.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def unpacked(source: Path, target: BinaryIO, limits: Limits = NO_MORE) -> tuple[str, int]:
    """Write a layer's blob without its compression: gzip or none, told by its first bytes.

    Returns:
        The diff id with `sha256:`, and the size in bytes.

    Raises:
        HostileLayerError: it is damaged, or larger than `limits` allows.
        LayerlabError: code `layer-compression`: it is compressed in another way.
        OSError: something cannot be read or written.
    """
    kind = compression(source)
    if kind not in ("", "gzip"):
        raise LayerlabError(
            f"A layer of the image is compressed with {kind}, which is not supported.",
            code="layer-compression",
            hint="Take an image whose layers are compressed with gzip.",
        )
    with source.open("rb") as file:
        if not kind:
            return _copy(file.read, target, limits)
        with gzip.GzipFile(fileobj=file) as unzipped:
            return _copy(unzipped.read, target, limits)


def compression(blob: Path) -> str:
    """How a file is compressed, told by its first bytes; empty where it is not."""
    with blob.open("rb") as file:
        begin = file.read(6)
    return next((name for magic, name in _COMPRESSED.items() if begin.startswith(magic)), "")


def _copy(read: Callable[[int], bytes], target: BinaryIO, limits: Limits) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while chunk := _read(read):
        size += len(chunk)
        if size > limits.bytes:
            raise too_large(limits)
        digest.update(chunk)
        target.write(chunk)
    return f"sha256:{digest.hexdigest()}", size


def _read(read: Callable[[int], bytes]) -> bytes:
    try:
        return read(_CHUNK)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise HostileLayerError("cannot be decompressed, it is damaged or cut off") from error


def too_large(limits: Limits) -> HostileLayerError:
    """What a layer beyond the limits is refused with."""
    return HostileLayerError(f"has more than {limits.bytes:,} bytes or {limits.entries:,} entries")
