"""Making build output safe to look at. Output is data: it may say anything."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import NamedTuple

# CSI, OSC (ended by BEL or ST), other string sequences, two-character escapes
# (ECMA-48; xterm's ctlseqs). An unfinished string sequence ends with the line.
_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\|$)"
    r"|\x1b[PX^_][^\x1b\n]*(?:\x1b\\|$)"
    r"|\x1b[ -/]*[0-~]?"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
# Bidirectional controls can make text read as something else (CVE-2021-42574).
_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
# Of the sequences the one kind that is kept: colours and weights (SGR), for views.
_COLOURS = re.compile(r"(\x1b\[[0-9;]*m)")
MAX_LINE = 2_000
"""Characters of a line that views are given; the whole line is in the log file."""
MAX_PIECES = 24
"""Changes of colour in a line; what follows is plain: each is an element of the page."""
MAX_CODE = 64
"""Characters of a sequence that is looked at."""


class Piece(NamedTuple):
    """A part of a line. `style`: words of a closed set, such as `bold red` or `on-blue`."""

    text: str
    style: str


Line = str | tuple[Piece, ...]
"""A line as views are given it: text, or where it has colours its pieces."""


def printable(line: str, *, limit: int | None = MAX_LINE) -> str:
    """One line as it may be shown: no escape sequences, unsafe characters spelled as U+XXXX.

    What a carriage return had overwritten is dropped, as a terminal would have done.
    """
    line = _SEQUENCE.sub("", _latest(line))
    line = _UNSAFE.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", line)
    if limit is not None and len(line) > limit:
        return f"{line[:limit]}… ({len(line) - limit} more characters)"
    return line


def coloured(line: str) -> Line:
    """The same text as `printable` says, with the colours that the line asks for.

    A line begins without: the one that had begun a colour may be long gone.
    """
    shown = printable(line)
    if "\x1b[" not in line:
        return shown
    from layerlab.model import colours  # noqa: PLC0415 - rich takes a while, most output has none

    kept = _SEQUENCE.sub(
        lambda match: match[0] if _COLOURS.fullmatch(match[0]) else "", _latest(line)
    )
    parts = _COLOURS.split(kept, maxsplit=MAX_PIECES)
    pieces: list[Piece] = []
    style, start = colours.NONE, 0
    for text, code in zip_longest(parts[::2], parts[1::2], fillvalue=""):
        end = min(MAX_LINE, start + len(printable(text, limit=None)))
        if end > start:
            # The last of very many has codes in it still: they are not followed.
            words = "" if "\x1b" in text else colours.words(style)
            pieces.append(Piece(shown[start:end], words))
        start = end
        if code and len(code) <= MAX_CODE:
            style = colours.after(style, code)
    if start < len(shown):
        pieces.append(Piece(shown[start:], ""))
    return tuple(pieces) if any(piece.style for piece in pieces) else shown


def plain(line: Line) -> str:
    """A line without its colours."""
    return line if isinstance(line, str) else "".join(piece.text for piece in line)


def _latest(line: str) -> str:
    line = line.rstrip("\r\n")
    return line[line.rfind("\r") + 1 :]
