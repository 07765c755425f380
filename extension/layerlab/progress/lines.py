"""Bytes to lines, whatever the chunks: a pipe cuts inside lines and inside characters."""

from __future__ import annotations

import codecs

MAX_HELD = 64 * 1024
"""Characters of an unfinished line that are held back. A progress bar never ends its line."""


class ByteLines:
    """Splits a stream into whole lines, without their newline."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes."""
        if b"\n" not in data:
            self._rest += data
            return []
        *lines, rest = (bytes(self._rest) + data).split(b"\n")
        self._rest = bytearray(rest)
        return lines

    def close(self) -> list[bytes]:
        """The last line, if the stream ended without a newline."""
        rest, self._rest = bytes(self._rest), bytearray()
        return [rest] if rest else []


class TextLines:
    """Decodes UTF-8 and hands out whole lines, each with its newline, as one text.

    What is not UTF-8 becomes U+FFFD. A line that grows beyond `MAX_HELD` comes out in pieces.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def feed(self, data: bytes) -> str:
        """All lines that `data` completes, possibly none."""
        text = self._held + self._decoder.decode(data)
        end = text.rfind("\n") + 1
        if len(text) - end > MAX_HELD:
            end = len(text)
        self._held = text[end:]
        return text[:end]

    def close(self) -> str:
        """The last line, which has no newline, or nothing."""
        text = self._held + self._decoder.decode(b"", final=True)
        self._held = ""
        return text
