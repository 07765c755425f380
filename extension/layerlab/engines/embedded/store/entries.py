"""What a layer holds: its entries, and what it takes away from the layers below. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

from layerlab.errors import LayerlabError

Type = Literal["file", "dir", "link", "char", "block", "fifo"]


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One path of a layer.

    Attributes:
        path: relative to the root, normalised, never empty. Bytes that are no UTF-8 are kept as
            Python keeps them in file names (`surrogateescape`).
        type: 'link' is a symbolic link; a hard link has the type of its first name.
        mode: permission bits with setuid, setgid and sticky.
        size: in bytes; 0 unless a file.
        mtime: in whole seconds since the epoch.
        link: target of a symbolic link, as written.
        first: of a further hard link, the first name in the same layer; size, offset and digest
            are then those of the first.
        offset: where its bytes begin in the layer's tar. Names of one file share it, other
            entries of a layer never do. 0 for a folder that is there only as somebody's parent.
        digest: SHA-256 of the bytes in hexadecimal, "" unless a file.
        xattrs: extended attributes, sorted by name; values in hexadecimal.
        device: major and minor number of a device.
    """

    path: str
    type: Type
    mode: int
    uid: int
    gid: int
    size: int = 0
    mtime: int = 0
    link: str = ""
    first: str = ""
    offset: int = 0
    digest: str = ""
    xattrs: tuple[tuple[str, str], ...] = ()
    device: tuple[int, int] = (0, 0)


class LayerIndex(msgspec.Struct, frozen=True):
    """All that a layer does to the layers below.

    Attributes:
        entries: sorted by path, so that parents come before their children.
        whiteouts: paths that the lower layers lose, with what is below them.
        opaque: folders whose contents in the lower layers vanish.
    """

    entries: tuple[Entry, ...] = ()
    whiteouts: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()


class HostileLayerError(LayerlabError):
    """A layer that no honest tool would write: damaged, or made to do harm.

    Args:
        reason: what is wrong; follows the entry's name in a sentence.
        name: of the entry; "" where the archive as a whole is meant.
    """

    def __init__(self, reason: str, name: str = "") -> None:
        # A name may hold what moves the cursor, or what no terminal can encode.
        plain = name if name.isprintable() else name.encode("unicode_escape").decode()
        subject = f"its entry “{plain[:_SHOWN]}”" if name else "it"
        self.reason = f"{subject} {reason}"
        super().__init__(
            f"A layer of the image is refused: {self.reason}.",
            code="hostile-layer",
            hint="Pull the image again; if that does not help, take another image.",
        )


_SHOWN = 200
"""Characters of a name that a message shows."""


def parent(path: str) -> str:
    """The folder that a path is in, `""` for the root."""
    return path.rpartition("/")[0]


def join(folder: str, name: str) -> str:
    """The path of what is in a folder."""
    return f"{folder}/{name}" if folder else name
