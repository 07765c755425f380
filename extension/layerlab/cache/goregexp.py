"""Go's regular expressions in Python's words, as far as ignore patterns can make them.

The engines turn an ignore pattern into a Go expression without escaping all of it, so `\\d`,
`[[:digit:]]` or (Buildah) `(a|b)+` mean what Go's `regexp/syntax/parse.go` (flags `Perl`) says.
"""

from __future__ import annotations

import re


class BadPatternError(ValueError):
    """Go would refuse the pattern too. The text says what is wrong with it."""


_REPEAT = re.compile(r"\{(0|[1-9]\d*)(?:(,)(0|[1-9]\d*)?)?\}", re.ASCII)
_MAX_REPEAT = 1000
_LAST = 0x10FFFF
_CONTROLS = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ASSERTIONS = {"A": r"\A", "b": r"\b", "B": r"\B", "z": r"\Z"}
_DIGITS, _LOWER, _UPPER = (0x30, 0x39), (0x61, 0x7A), (0x41, 0x5A)

Ranges = list[tuple[int, int]]

_PERL: dict[str, Ranges] = {
    "d": [_DIGITS],
    "s": [(0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20)],
    "w": [_DIGITS, _UPPER, (0x5F, 0x5F), _LOWER],
}
_POSIX: dict[str, Ranges] = {
    "alnum": [_DIGITS, _UPPER, _LOWER],
    "alpha": [_UPPER, _LOWER],
    "ascii": [(0, 0x7F)],
    "blank": [(0x09, 0x09), (0x20, 0x20)],
    "cntrl": [(0, 0x1F), (0x7F, 0x7F)],
    "digit": [_DIGITS],
    "graph": [(0x21, 0x7E)],
    "lower": [_LOWER],
    "print": [(0x20, 0x7E)],
    "punct": [(0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)],
    "space": [(0x09, 0x0D), (0x20, 0x20)],
    "upper": [_UPPER],
    "word": _PERL["w"],
    "xdigit": [_DIGITS, (0x41, 0x46), (0x61, 0x66)],
}


def from_go(text: str) -> re.Pattern[str]:
    """A Python expression that finds what the Go expression `text` finds.

    Raises:
        BadPatternError: Go refuses it, or it names a Unicode class (`\\p{Greek}`).
    """
    try:
        return re.compile(_Translator(text).all(), re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadPatternError(f"Go's regular expressions refuse “{text}”") from error


def complement(ranges: Ranges) -> Ranges:
    """All characters that are in none of the ranges."""
    out: Ranges = []
    begin = 0
    for low, high in sorted(ranges):
        if begin < low:
            out.append((begin, low - 1))
        begin = max(begin, high + 1)
    if begin <= _LAST:
        out.append((begin, _LAST))
    return out


def char_class(ranges: Ranges) -> str:
    """A class of Python's that holds exactly these characters; `(?!)` where there are none."""
    pieces = [f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges]
    return f"[{''.join(pieces)}]" if pieces else "(?!)"


class _Translator:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def fail(self, what: str) -> BadPatternError:
        return BadPatternError(f"{what} in “{self.text}”")

    def take(self) -> str:
        """The next character; a pattern that ends too early is bad."""
        if self.at == len(self.text):
            raise self.fail("something is opened and never closed")
        self.at += 1
        return self.text[self.at - 1]

    def all(self) -> str:
        out: list[str] = []
        repeated = False
        while self.at < len(self.text):
            repeat = self.repetition()
            if repeat:
                if repeated:
                    raise self.fail("a repetition of a repetition")
                if not out or out[-1] in ("(", "|"):
                    raise self.fail("a repetition of nothing")
                out.append(repeat)
            else:
                out.append(self.piece())
            repeated = bool(repeat)
        return "".join(out)

    def repetition(self) -> str:
        """`*`, `+`, `?` or `{n,m}` with its lazy `?`, if one stands here."""
        match = _REPEAT.match(self.text, self.at)
        if match:
            least, most = int(match[1]), int(match[3] or match[1])
            if least > _MAX_REPEAT or most > _MAX_REPEAT or most < least:
                raise self.fail("a repetition out of bounds")
            length = match.end() - self.at
        else:
            length = 1 if self.text[self.at] in "*+?" else 0
        if length and self.text.startswith("?", self.at + length):
            length += 1
        self.at += length
        return self.text[self.at - length : self.at]

    def piece(self) -> str:
        char = self.take()
        if char == "\\":
            return self.escape()
        if char == "[":
            return self.bracket()
        if char == "(" and self.text.startswith("?", self.at):
            raise self.fail("a group with flags")
        if char in ".()|":
            return char
        # In a group of its own Python lets it be repeated, as Go does.
        return {"^": r"(?:\A)", "$": r"(?:\Z)"}.get(char) or re.escape(char)

    def escape(self) -> str:
        char = self.take()
        if char in _ASSERTIONS:
            return f"(?:{_ASSERTIONS[char]})"
        if char == "Q":
            literal, _, rest = self.text[self.at :].partition("\\E")
            self.at = len(self.text) - len(rest)
            return f"(?:{re.escape(literal)})" if len(literal) != 1 else re.escape(literal)
        if char.lower() in _PERL:
            return char_class(_perl(char))
        return re.escape(chr(self.escaped(char)))

    def escaped(self, char: str) -> int:
        """The character meant by a backslash and `char` (`parser.parseEscape`)."""
        if char in _CONTROLS:
            return ord(_CONTROLS[char])
        if char < "\x80" and not char.isalnum():
            return ord(char)
        match = None
        if char == "x":
            match = re.compile(r"\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2})").match(self.text, self.at)
            number = int(match[1] or match[2], 16) if match else _LAST + 1
        elif char == "0" or ("1" <= char <= "7" and self.text[self.at : self.at + 1] in _OCTAL):
            match = re.compile("[0-7]{0,2}").match(self.text, self.at)
            number = int(char + match[0], 8) if match else _LAST + 1
        else:
            number = _LAST + 1
        if match is None or number > _LAST:
            raise self.fail(f"“\\{char}”, which Go does not know,")
        self.at = match.end()
        return number

    def bracket(self) -> str:
        negated = self.text.startswith("^", self.at)
        self.at += negated
        ranges: Ranges = []
        first = True
        while first or not self.text.startswith("]", self.at):
            first = False
            ranges += self.named() or [self.range()]
        self.at += 1
        return char_class(complement(ranges) if negated else sorted(ranges))

    def named(self) -> Ranges:
        """`[:alpha:]` or `\\d`, if one stands here."""
        rest = self.text[self.at :]
        if rest.startswith("[:") and ":]" in rest[2:]:
            name = rest[2 : rest.index(":]", 2)]
            self.at += len(name) + 4
            if name.removeprefix("^") not in _POSIX:
                raise self.fail(f"“[:{name}:]”, which Go does not know,")
            ranges = _POSIX[name.removeprefix("^")]
            return complement(ranges) if name.startswith("^") else ranges
        if rest[:1] == "\\" and rest[1:2] and rest[1].lower() in _PERL:
            self.at += 2
            return _perl(rest[1])
        return []

    def range(self) -> tuple[int, int]:
        low = high = self.class_char()
        if self.text.startswith("-", self.at) and self.text[self.at + 1 : self.at + 2] != "]":
            self.at += 1
            high = self.class_char()
        if high < low:
            raise self.fail("a range that runs backwards")
        return low, high

    def class_char(self) -> int:
        char = self.take()
        return self.escaped(self.take()) if char == "\\" else ord(char)


_OCTAL = frozenset("01234567")


def _perl(letter: str) -> Ranges:
    ranges = _PERL[letter.lower()]
    return ranges if letter.islower() else complement(ranges)
