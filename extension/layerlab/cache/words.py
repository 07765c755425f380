"""Variables in the words of a Dockerfile: `$NAME`, `${NAME:-default}` and their like.

The rules are those of BuildKit's `frontend/dockerfile/shell/lex.go` (v0.13.2). Where BuildKit
refuses a word (an open quote, `${A`, `${A:?message}` without A), as much as can be is expanded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"[^\W\d]\w*|\d+|[@*#?\-$!]")


def expand(
    word: str, variables: Mapping[str, str], *, escape: str = "\\", quotes: bool = True
) -> str:
    """A word with its quotes removed and its variables replaced; what is unset becomes empty.

    Args:
        word: as written.
        variables: by name.
        escape: the Dockerfile's escape character.
        quotes: whether quotes mean anything; in a heredoc they do not.
    """
    return _Scanner(word, variables, escape, quotes).until("")


class _Scanner:
    """One pass over one word; `at` is the next character."""

    def __init__(self, word: str, variables: Mapping[str, str], escape: str, quotes: bool) -> None:
        self._word = word
        self._variables = variables
        self._escape = escape
        self._quotes = quotes
        self._at = 0

    def until(self, stop: str, *, raw: bool = False) -> str:
        """What stands before `stop`, expanded; `raw` keeps escape characters (for patterns)."""
        out: list[str] = []
        while char := self._peek():
            if char == stop:
                self._at += 1
                break
            if char == "$":
                out.append(self._variable())
            elif char == "'" and self._quotes:
                out.append(self._single_quoted())
            elif char == '"' and self._quotes:
                out.append(self._double_quoted(raw=raw))
            else:
                self._at += 1
                if char == self._escape:
                    out.append(char if raw else "")
                    char = self._next()
                out.append(char)
        return "".join(out)

    def _peek(self) -> str:
        return self._word[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        self._at += 1
        return char

    def _single_quoted(self) -> str:
        end = self._word.find("'", self._at + 1)
        end = len(self._word) if end < 0 else end
        text = self._word[self._at + 1 : end]
        self._at = end + 1
        return text

    def _double_quoted(self, *, raw: bool) -> str:
        self._at += 1
        out: list[str] = []
        while (char := self._peek()) and char != '"':
            if char == "$":
                out.append(self._variable())
                continue
            self._at += 1
            if char == self._escape:
                if raw:
                    out.append(char)
                if not self._peek():
                    break
                # Only these can be escaped; before all else it stays.
                if self._peek() in ('"', "$", self._escape):
                    char = self._next()
            out.append(char)
        self._at += 1
        return "".join(out)

    def _name(self) -> str:
        match = _NAME.match(self._word, self._at)
        self._at = match.end() if match else self._at
        return match[0] if match else ""

    def _variable(self) -> str:
        start = self._at
        self._at += 1
        if self._peek() != "{":
            name = self._name()
            return self._variables.get(name) or "" if name else "$"
        self._at += 1
        if self._peek() in ("", "{", "}", ":"):
            return self._word[start : self._at]
        name = self._name()
        value = self._variables.get(name)
        operator = self._next()
        if operator == ":":
            operator = self._next()
            # Then empty counts as unset.
            value = value or None
        if operator and operator in "-+?":
            return self._default(operator, value, self.until("}"))
        if operator and operator in "#%":
            return _trimmed(operator, self.until("}", raw=True), value or "")
        if operator == "/":
            return self._replaced(value or "")
        return value or ""

    @staticmethod
    def _default(operator: str, value: str | None, word: str) -> str:
        if operator == "+":
            return "" if value is None else word
        return word if operator == "-" and value is None else value or ""

    def _replaced(self, value: str) -> str:
        count = 0 if self._peek() == "/" else 1
        self._at += count == 0
        pattern, new = self.until("/", raw=True), self.until("}", raw=True)
        regexp = _regexp(pattern, greedy=True)
        if regexp is None:
            return value
        # All at once goes through Go's templates: `$1` and the like stand for groups, of which
        # there are none. One alone is put in as it is.
        literal = re.sub(r"\$\{\w+\}|\$\w+", "", new) if count == 0 else new
        return regexp.sub(lambda _: literal, value, count=count)


def _regexp(pattern: str, *, greedy: bool) -> re.Pattern[str] | None:
    """`convertShellPatternToRegex`, not anchored; None for what it refuses."""
    out: list[str] = []
    chars = iter(range(len(pattern)))
    for at in chars:
        char, following = pattern[at], pattern[at + 1 : at + 2]
        if char == "*":
            out.append(".*" if greedy else ".*?")
        elif char == "?":
            out.append(".")
        elif char == "\\":
            # These are escaped for `${}`; the escape is no part of the pattern.
            if following in ("}", "/"):
                continue
            if following not in ("*", "?", "\\"):
                return None
            out.append(re.escape(following))
            next(chars)
        else:
            out.append(re.escape(char))
    return re.compile("".join(out))


def _trimmed(operator: str, pattern: str, value: str) -> str:
    """`${NAME#prefix}` and `${NAME%suffix}`; the operator twice means the longest."""
    greedy = pattern.startswith(operator)
    pattern = pattern[1:] if greedy else pattern
    if operator == "#":
        regexp = _regexp(pattern, greedy=greedy)
        match = regexp.match(value) if regexp else None
        return value[match.end() :] if match else value
    # A search from the right is one from the left in the mirror (`trimSuffix`).
    return _trimmed("#", ("#" if greedy else "") + _reversed(pattern), value[::-1])[::-1]


def _reversed(pattern: str) -> str:
    """A pattern back to front, its escapes whole (`reversePattern`)."""
    return "".join(reversed(re.findall(r"\\.|.", pattern, re.DOTALL)))
