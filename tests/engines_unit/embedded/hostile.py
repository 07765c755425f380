"""Archives that no honest tool would write, byte by byte."""

from __future__ import annotations

from collections.abc import Mapping

END = bytes(1024)


def octal(value: int, width: int = 12) -> bytes:
    return b"%0*o\0" % (width - 1, value)


def head(
    name: bytes = b"x",
    kind: bytes = b"0",
    *,
    size: int | bytes = 0,
    link: bytes = b"",
    uid: bytes = octal(0, 8),
    mtime: bytes = octal(0),
    prefix: bytes = b"",
    device: tuple[int, int] = (0, 0),
) -> bytes:
    """One header block with a right checksum."""
    length = octal(size) if isinstance(size, int) else size
    block = bytearray(512)
    fields = {
        0: name,
        100: octal(0o644, 8),
        108: uid,
        116: octal(0, 8),
        124: length,
        136: mtime,
        148: b" " * 8,
        156: kind,
        157: link,
        257: b"ustar\x0000",
        329: octal(device[0], 8),
        337: octal(device[1], 8),
        345: prefix,
    }
    for at, value in fields.items():
        block[at : at + len(value)] = value
    block[148:156] = octal(sum(block), 7) + b" "
    return bytes(block)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def file(name: bytes, data: bytes = b"data") -> bytes:
    return head(name, size=len(data)) + padded(data)


def folder(name: bytes) -> bytes:
    return head(name, b"5")


def link(name: bytes, target: bytes) -> bytes:
    return head(name, b"2", link=target)


def hard(name: bytes, target: bytes) -> bytes:
    return head(name, b"1", link=target)


def record(key: bytes, value: bytes) -> bytes:
    rest = b" %s=%s\n" % (key, value)
    length = len(rest) + 1
    while len(b"%d" % length) + len(rest) != length:
        length += 1
    return b"%d" % length + rest


def pax(records: Mapping[bytes, bytes], kind: bytes = b"x") -> bytes:
    return raw_pax(b"".join(record(key, value) for key, value in records.items()), kind)


def raw_pax(data: bytes, kind: bytes = b"x") -> bytes:
    return head(b"pax", kind, size=len(data)) + padded(data)


def long_name(name: bytes, kind: bytes = b"L") -> bytes:
    return head(b"././@LongLink", kind, size=len(name)) + padded(name)


LONG = b"/".join([b"n" * 200] * 15)

REFUSED: dict[str, tuple[bytes, str]] = {
    "climbs": (file(b"../outside"), "climbs out"),
    "climbs from below": (file(b"a/b/../../../outside"), "climbs out"),
    "climbs by a pax record": (pax({b"path": b"../outside"}) + file(b"x"), "climbs out"),
    "climbs by a long name": (long_name(b"../" * 60 + b"outside\0") + file(b"x"), "climbs out"),
    "climbs by a prefix": (head(b"outside", prefix=b".."), "climbs out"),
    "name with NUL": (pax({b"path": b"a\0b"}) + file(b"x"), "NUL"),
    "target with NUL": (pax({b"linkpath": b"a\0b"}) + link(b"x", b"y"), "NUL"),
    "hard link outside": (hard(b"x", b"../../etc/passwd"), "climbs out"),
    "hard link to a lower layer": (hard(b"x", b"/etc/passwd"), "does not hold"),
    "hard link to nothing": (hard(b"x", b"nothing"), "does not hold"),
    "hard link to itself": (file(b"x") + hard(b"x", b"x"), "does not hold"),
    "hard link before its target": (hard(b"x", b"y") + file(b"y"), "does not hold"),
    "hard link to a folder": (folder(b"d") + hard(b"x", b"d"), "to a folder"),
    "hard link to the root": (hard(b"x", b"/"), "does not hold"),
    "below a file": (file(b"f") + file(b"f/x"), "no folder"),
    "deep below a file": (file(b"f") + file(b"f/a/b/x"), "no folder"),
    "below a file of a lower layer": (file(b"etc/passwd/x"), "no folder"),
    "below a link to a file": (file(b"f") + link(b"l", b"f") + file(b"l/x"), "no folder"),
    "below a loop": (link(b"a", b"b") + link(b"b", b"a") + file(b"a/x"), "no folder"),
    "below links that add up": (
        long_name(LONG, b"K")
        + link(b"l", b"")
        + long_name(LONG, b"K")
        + link(b"l/l", b"")
        + file(b"l/l/x"),
        "no folder",
    ),
    "a socket": (head(b"x", b"s"), "of a type"),
    "an unknown type": (head(b"x", b"Z"), "of a type"),
    "sparse, old": (head(b"x", b"S", size=512) + bytes(512), "stored sparsely"),
    "sparse, of eight exbibytes": (
        pax({b"GNU.sparse.major": b"1", b"GNU.sparse.realsize": b"9223372036854775807"})
        + file(b"x"),
        "stored sparsely",
    ),
    "ends in contents": (head(b"x", size=9999) + bytes(512), "larger than the archive"),
    "eight gibibytes": (head(b"x", size=0o77777777777), "larger than the archive"),
    "size by a pax record": (
        pax({b"size": b"99999999999999"}) + file(b"x"),
        "larger than the archive",
    ),
    "negative size": (head(b"x", size=b"\xff" * 12), "out of range"),
    "size beyond all": (head(b"x", size=b"\x80" + b"\x7f" * 11), "out of range"),
    "size that is no number": (head(b"x", size=b"12three45678"), "is none"),
    "a number of 5,000 digits": (pax({b"size": b"9" * 5000}) + file(b"x"), "is none"),
    "user that does not exist": (head(b"x", uid=b"\x80\0\0\0\xff\xff\xff\xff"), "out of range"),
    "negative user": (head(b"x", uid=b"\xff" * 8), "out of range"),
    "huge extended header": (head(b"p", b"x", size=1 << 30) + file(b"x"), "mebibyte"),
    "huge long name": (head(b"l", b"L", size=1 << 30) + file(b"x"), "mebibyte"),
    "extended header cut off": (head(b"p", b"x", size=5000) + bytes(512), "cut off"),
    "record without length": (raw_pax(b"path=x\n") + file(b"x"), "damaged extended"),
    "record of length 0": (raw_pax(b"0 path=x\n") + file(b"x"), "damaged extended"),
    "record longer than its header": (raw_pax(b"99 path=x\n") + file(b"x"), "damaged extended"),
    "record without name": (raw_pax(b"5 =x\n") + file(b"x"), "damaged extended"),
    "extends nothing": (long_name(b"x"), "extends nothing"),
    "wrong checksum": (b"y" + file(b"x")[1:], "sum of a header"),
    "no archive": (b"Not Found. " * 100, "is none"),
    "goes on after its end": (bytes(512) + file(b"x"), "after its end"),
    "as deep as 300 folders": (long_name(b"d/" * 300) + folder(b"x"), "deeper than"),
    "name of 5,000 bytes": (long_name(b"long/" * 1000) + folder(b"x"), "longer than"),
    "part of a name of 300 bytes": (long_name(b"n" * 300) + file(b"x"), "longer than"),
    "link to nowhere at all": (link(b"x", b""), "target"),
    "link with a target of 5,000 bytes": (long_name(b"t" * 5000, b"K") + link(b"x", b""), "target"),
    "a file for the root": (file(b"./"), "the root"),
    "no name": (file(b""), "the root"),
    "whiteout of its folder": (file(b"etc/.wh."), "takes away what it lies in"),
    "whiteout of the same": (file(b"etc/.wh.."), "takes away what it lies in"),
    "whiteout of what is above": (file(b"etc/.wh..."), "takes away what it lies in"),
    "below a whiteout of what is above": (file(b".wh.../x"), "a marker by its name"),
    "below a whiteout": (folder(b".wh.a") + file(b".wh.a/x"), "a marker by its name"),
    "whiteout that climbs": (file(b"../.wh.x"), "climbs out"),
}
"""Archives by name, and words of the reason that each is refused for."""

# What is there after an archive on top of: etc, etc/passwd, lower -> /etc
LOWER = {"etc": "dir", "etc/passwd": "file", "lower": "link"}
CONTAINED: dict[str, tuple[bytes, dict[str, str]]] = {
    "absolute": (file(b"/x/y"), LOWER | {"x": "dir", "x/y": "file"}),
    "climbs from the root": (file(b"/../../x"), LOWER | {"x": "file"}),
    "not normalised": (file(b"./a//b/./../c"), LOWER | {"a": "dir", "a/c": "file"}),
    "below a link out": (
        link(b"l", b"../../../out") + file(b"l/x"),
        LOWER | {"l": "link", "out": "dir", "out/x": "file"},
    ),
    "below an absolute link": (
        link(b"l", b"/etc") + file(b"l/x"),
        LOWER | {"l": "link", "etc/x": "file"},
    ),
    "below a lower layer's link": (file(b"lower/x"), LOWER | {"etc/x": "file"}),
    "overwrites through a link": (file(b"lower/passwd", b"new"), LOWER),
    "hard link through a link": (
        folder(b"d") + file(b"d/f") + link(b"l", b"d") + hard(b"x", b"l/f"),
        LOWER | {"d": "dir", "d/f": "file", "l": "link", "x": "file"},
    ),
    "hard link to a link": (
        link(b"l", b"/etc/shadow") + hard(b"x", b"l"),
        LOWER | {"l": "link", "x": "link"},
    ),
    "devices": (
        head(b"c", b"3", device=(1, 3)) + head(b"b", b"4", device=(8, 0)) + head(b"p", b"6"),
        LOWER | {"c": "char", "b": "block", "p": "fifo"},
    ),
    "the same name twice": (folder(b"x") + file(b"x/in") + file(b"x"), LOWER | {"x": "file"}),
    "a file, then a folder": (
        file(b"x") + folder(b"x") + file(b"x/y"),
        LOWER | {"x": "dir", "x/y": "file"},
    ),
    "a link for a lower folder": (link(b"etc", b"/"), {"etc": "link", "lower": "link"}),
    "a link to the root, in itself": (
        link(b"r", b"/") + file(b"r/r/r/x"),
        LOWER | {"r": "link", "x": "file"},
    ),
    "name that is no UTF-8": (file(b"\xff\xfe"), LOWER | {"\udcff\udcfe": "file"}),
    "name that moves the cursor": (file(b"\x1b[2J"), LOWER | {"\x1b[2J": "file"}),
    "pax for all": (pax({b"path": b"../out"}, b"g") + file(b"x"), LOWER | {"x": "file"}),
    "long names in a row": (b"".join([long_name(b"y")] * 5000) + file(b"x"), LOWER | {"y": "file"}),
    "empty records": (pax({b"path": b"", b"size": b""}) + file(b"x"), LOWER | {"x": "file"}),
    "a size where none belongs": (
        head(b"d", b"5", size=512) + file(b"x"),
        LOWER | {"d": "dir", "x": "file"},
    ),
    "the root itself": (folder(b"./") + file(b"x"), LOWER | {"x": "file"}),
    "old engines' own": (
        folder(b".wh..wh.plnk") + file(b".wh..wh.plnk/1.2") + file(b".wh..wh.aufs"),
        LOWER,
    ),
    "whiteout through a link": (
        file(b"lower/.wh.passwd"),
        {"etc": "dir", "lower": "link"},
    ),
    "whiteout through this layer's link": (
        link(b"l", b"etc") + file(b"l/.wh.passwd"),
        LOWER | {"l": "link"},
    ),
    "whiteout of a link": (file(b".wh.lower"), {"etc": "dir", "etc/passwd": "file"}),
    "whiteout of nothing": (file(b"a/b/.wh.c"), LOWER),
    "whiteout of everything": (file(b".wh..wh..opq"), {}),
    "opaque by a link": (file(b"lower/.wh..wh..opq"), LOWER),
}
"""Archives by name, and all that is there once each lies on `LOWER`."""
