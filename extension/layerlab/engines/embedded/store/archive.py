"""Read the headers of a tar archive that anybody may have made.

Python's `tarfile` is made for archives of friends: it reads a header of any size into memory,
calls itself for each long name, and in some versions goes backwards at a negative size. Where
readers differ, this one does as Go's `archive/tar` does, which the engines read layers with.
Formats: POSIX.1-2017 pax, and the GNU manual's "Basic Tar Format".
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from layerlab.engines.embedded.store.entries import HostileLayerError

BLOCK: Final = 512
"""Bytes that everything in a tar archive is a multiple of."""
MAX_SPECIAL: Final = 1 << 20
"""Bytes of a header that extends another one; Go's `maxSpecialFileSize`."""
XATTR: Final = "SCHILY.xattr."
"""How the names of pax records with extended attributes begin."""
_MAX_NUMBER: Final = (1 << 63) - 1
_MAX_DIGITS: Final = 20
_HEADER_ONLY: Final = b"123456"
_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL, _SPARSE = b"L", b"K", b"x", b"g", b"S"


@dataclass(frozen=True)
class Header:
    """One entry as the archive has it, nothing in it checked but that it is whole.

    Attributes:
        name, link: may climb, begin with `/`, or be empty.
        type: the character of the format: `0` file, `1` hard link, `2` symbolic link…
        size: bytes of content; 0 for types that have none, whatever the header says.
        offset: where the content begins; it ends within the archive.
        xattrs: names and values.
    """

    name: str
    type: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    link: str
    device: tuple[int, int]
    offset: int
    xattrs: dict[str, bytes]


@dataclass
class _Extended:
    """What headers before an entry's own say of it."""

    name: str | None = None
    link: str | None = None
    numbers: dict[str, int] = field(default_factory=dict)
    xattrs: dict[str, bytes] = field(default_factory=dict)


def headers(file: BinaryIO) -> Iterator[Header]:
    """The entries of an uncompressed archive, in its order.

    The file may be read elsewhere in between.

    Raises:
        HostileLayerError: it is no archive, is damaged, ends too early, or is stored sparsely.
    """
    total = file.seek(0, os.SEEK_END)
    at = 0
    extended = _Extended()
    while (block := _block(file, at)) is not None:
        kind = block[156:157]
        own = _text(block[:100])
        size = _number(block[124:136], own)
        if kind in (_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL):
            if size > MAX_SPECIAL:
                raise HostileLayerError("has an extended header of more than a mebibyte", own)
            data = _content(file, at + BLOCK, size, own)
            at = _after(at + BLOCK, size)
            _extend(extended, kind, data, own)
            continue
        header = _header(block, at + BLOCK, size, extended)
        at = _after(header.offset, header.size)
        if at > total:
            raise HostileLayerError("is larger than the archive", header.name)
        extended = _Extended()
        yield header
    if extended != _Extended():
        raise HostileLayerError("ends after a header that extends nothing")


def _after(offset: int, size: int) -> int:
    return offset + -(-size // BLOCK) * BLOCK


def _block(file: BinaryIO, at: int) -> bytes | None:
    """The header block at an offset, None at the end of the archive."""
    file.seek(at)
    block = file.read(BLOCK)
    if not block:
        return None  # Go takes an archive without end marker, too
    if len(block) < BLOCK:
        raise HostileLayerError("ends in the middle")
    if not block.strip(b"\0"):
        if file.read(BLOCK).strip(b"\0"):
            raise HostileLayerError("goes on after its end")
        return None
    written = _number(block[148:156], "")
    rest = block[:148] + b" " * 8 + block[156:]
    # Some old programs have added signed characters.
    if (unsigned := sum(rest)) != written and unsigned != written + 256 * _high(rest):
        raise HostileLayerError("is damaged, or no tar archive: the sum of a header is wrong")
    return block


def _high(data: bytes) -> int:
    return sum(byte > 127 for byte in data)


def _content(file: BinaryIO, offset: int, size: int, name: str) -> bytes:
    file.seek(offset)
    data = file.read(size)
    if len(data) < size:
        raise HostileLayerError("is cut off", name)
    return data


def _header(block: bytes, offset: int, size: int, extended: _Extended) -> Header:
    name = _text(block[:100])
    if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
        name = f"{prefix}/{name}"
    if extended.name is not None:
        name = extended.name
    kind = block[156:157]
    if kind == b"\0":
        kind = b"5" if name.endswith("/") else b"0"
    if kind == _SPARSE:
        raise _sparse(name)
    numbers = {
        "uid": _number(block[108:116], name),
        "gid": _number(block[116:124], name),
        "mtime": _number(block[136:148], name, signed=True),
        "size": size,
    } | extended.numbers
    device = (0, 0)
    if kind in (b"3", b"4"):
        device = _number(block[329:337], name), _number(block[337:345], name)
    return Header(
        name=name,
        type=kind,
        mode=_number(block[100:108], name) & 0o7777,
        uid=numbers["uid"],
        gid=numbers["gid"],
        size=0 if kind in _HEADER_ONLY else numbers["size"],
        mtime=numbers["mtime"],
        link=_text(block[157:257]) if extended.link is None else extended.link,
        device=device,
        offset=offset,
        xattrs=extended.xattrs,
    )


def _extend(extended: _Extended, kind: bytes, data: bytes, name: str) -> None:
    """Take in what a header says of the entry after it; what is said of all counts for nothing."""
    if kind == _LONG_NAME:
        extended.name = _text(data)
    elif kind == _LONG_LINK:
        extended.link = _text(data)
    elif kind == _PAX:
        for key, value in _records(data, name):
            _take_record(extended, key, value, name)


def _take_record(extended: _Extended, key: str, value: bytes, name: str) -> None:
    if not value:
        return  # what the entry's own header says holds
    if key in ("path", "linkpath"):
        if b"\0" in value:
            raise HostileLayerError("has a name with a NUL in it", name)
        text = value.decode(errors="surrogateescape")
        if key == "path":
            extended.name = text
        else:
            extended.link = text
    elif key in ("uid", "gid", "size"):
        extended.numbers[key] = _decimal(value, name)
    elif key == "mtime":
        # The seconds before the fraction; a time before 1970 has a fraction, too.
        whole, _, fraction = value.partition(b".")
        negative = whole.startswith(b"-")
        seconds = _decimal(whole.removeprefix(b"-") or b"0", name)
        early = negative and bool(fraction.strip(b"0"))
        extended.numbers[key] = -seconds - early if negative else seconds
    elif key.startswith("GNU.sparse."):
        raise _sparse(name)
    elif key.startswith(XATTR):
        extended.xattrs[key.removeprefix(XATTR)] = value


def _records(data: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """The records of a pax header: `LENGTH KEY=VALUE` and a line feed each."""
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + _MAX_DIGITS)
        length = _decimal(data[at:space], name) if space > at else 0
        record = data[space + 1 : at + length]
        key, equals, value = record.partition(b"=")
        if at + length > len(data) or not key or not equals or not value.endswith(b"\n"):
            raise HostileLayerError("has a damaged extended header", name)
        yield key.decode(errors="surrogateescape"), value[:-1]
        at += length


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode(errors="surrogateescape")


def _number(data: bytes, name: str, *, signed: bool = False) -> int:
    """A number of a header: octal, or binary where the first bit is set (GNU)."""
    if data[0] & 0x80:
        bits = 8 * len(data) - 1
        value = int.from_bytes(data) & ((1 << bits) - 1)
        if data[0] & 0x40:
            value -= 1 << bits
    else:
        digits = data.strip(b" \0").partition(b"\0")[0]
        if digits.strip(b"01234567"):
            raise HostileLayerError("has a number that is none", name)
        value = int(digits or b"0", 8)
    if (value < 0 and not signed) or abs(value) > _MAX_NUMBER:
        raise HostileLayerError("has a number that is out of range", name)
    return value


def _decimal(data: bytes, name: str) -> int:
    if not data.isdigit() or len(data) > _MAX_DIGITS or (value := int(data)) > _MAX_NUMBER:
        raise HostileLayerError("has a number that is none, or out of range", name)
    return value


def _sparse(name: str) -> HostileLayerError:
    # Go's writer, and so every engine, makes none; a few bytes could stand for any size.
    return HostileLayerError("is stored sparsely, as layers never are", name)
