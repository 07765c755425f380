"""Go's file patterns in Python: `filepath.Match`, `filepath.Clean`, and the two ignore dialects.

Python's `fnmatch` and the `docker` SDK's matcher (which folds case and looks at one parent only)
decide otherwise than the engines, so the rules are written after the Go sources:
`path/filepath/match.go`, `moby/patternmatcher/patternmatcher.go` (BuildKit) and
`containers/storage/pkg/fileutils/fileutils.go` (Buildah).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from layerlab.cache.goregexp import BadPatternError, char_class, complement, from_go

__all__ = ["BadPatternError", "BuildahMatcher", "BuildkitMatcher", "clean", "glob", "has_wildcards"]

SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
"""What Go's `strings.TrimSpace` removes."""


def clean(path: str) -> str:
    """Go's `filepath.Clean`: the shortest way to write a path."""
    cleaned = posixpath.normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def has_wildcards(path: str) -> bool:
    """Whether BuildKit would match rather than look up: an unescaped `*`, `?` or `[`.

    `containsWildcards` in `solver/llbsolver/ops/file.go`.
    """
    return re.search(r"[*?\[]", re.sub(r"\\.", "", path, flags=re.DOTALL)) is not None


def glob(pattern: str) -> re.Pattern[str]:
    """A regular expression for `fullmatch` that does what Go's `filepath.Match` does.

    Of one part of a path: beyond a `/` that a class has matched, Go does not try again.

    Raises:
        BadPatternError: it is malformed.
    """
    out: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            # A row of stars means one star; many would make the match slow.
            if not out or out[-1] != "[^/]*":
                out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[":
            text, at = _glob_class(pattern, at)
            out.append(text)
        elif char == "\\":
            if at == len(pattern):
                raise BadPatternError("it ends with a backslash, which escapes nothing")
            out.append(re.escape(pattern[at]))
            at += 1
        else:
            out.append(re.escape(char))
    return re.compile("".join(out), re.DOTALL)


def _glob_class(pattern: str, at: int) -> tuple[str, int]:
    """The class that begins after the `[` before `at`, and where the rest begins."""
    negated = pattern.startswith("^", at)
    at += negated
    ranges: list[tuple[int, int]] = []
    count = 0
    while not (count and pattern.startswith("]", at)):
        low, at = _glob_class_char(pattern, at)
        high = low
        if pattern.startswith("-", at):
            high, at = _glob_class_char(pattern, at + 1)
        count += 1
        # A range that runs backwards is allowed and matches nothing.
        if low <= high:
            ranges.append((ord(low), ord(high)))
    return char_class(complement(ranges) if negated else ranges), at + 1


def _glob_class_char(pattern: str, at: int) -> tuple[str, int]:
    # `getEsc` in match.go
    char = pattern[at : at + 1]
    if char == "\\":
        at += 1
        char = pattern[at : at + 1]
    elif char in ("-", "]"):
        raise BadPatternError(f"“{char}” cannot stand there between brackets")
    if not char or at + 1 == len(pattern):
        raise BadPatternError("a bracket is opened and never closed")
    return char, at + 1


def _read(patterns: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """What both constructors do first: each pattern trimmed and cleaned, and whether it has `!`."""
    for raw in patterns:
        pattern = raw.strip(SPACE)
        if not pattern:
            continue
        pattern = clean(pattern)
        if pattern == "!":
            raise BadPatternError("“!” stands alone")
        exception = pattern.startswith("!")
        yield pattern.removeprefix("!") if exception else pattern, exception


@dataclass(frozen=True)
class _BuildkitPattern:
    """One line as BuildKit reads it (`Pattern.compile` and `Pattern.match`)."""

    text: str
    exception: bool
    kind: str
    regexp: re.Pattern[str] | None

    def match(self, path: str) -> bool:
        if self.kind == "exact":
            return path == self.text
        if self.kind == "prefix":
            return path.startswith(self.text[:-2])
        if self.kind == "suffix":
            suffix = self.text[2:]
            # `**/foo` matches `foo`
            return path.endswith(suffix) or (suffix[0] == "/" and path == suffix[1:])
        return self.regexp is not None and self.regexp.search(path) is not None


Matches = tuple[bool, ...]
"""Which patterns matched a folder or one above it; `()` at the top of the context."""


class BuildkitMatcher:
    """BuildKit's matcher (`moby/patternmatcher`), asked folder by folder from the top.

    Args:
        patterns: as in an ignore file; later ones win, `!` takes back.

    Raises:
        BadPatternError: Go would refuse one of them.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self.patterns = tuple(
            _BuildkitPattern(text, exception, *_buildkit(text))
            for text, exception in _read(patterns)
        )

    def match(self, path: str, parent: Matches) -> tuple[bool, Matches]:
        """Whether `path` is matched, and what its children need to know.

        `MatchesUsingParentResults`, where `parent` is `()` only for what lies at the top.
        """
        matched = False
        matches = []
        for at, pattern in enumerate(self.patterns):
            match = bool(parent) and parent[at]
            # What could not change the result is not looked at; children inherit that.
            if not match and pattern.exception == matched:
                match = pattern.match(path)
            matches.append(match)
            if match:
                matched = not pattern.exception
        return matched, tuple(matches)


class BuildahMatcher:
    """Buildah's matcher (`containers/storage/pkg/fileutils`): a path by itself decides.

    Raises:
        BadPatternError: Go would refuse one of the patterns.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        read = [
            (clean(text).removeprefix("/") if exception else text, exception)
            for text, exception in _read(patterns)
        ]
        self.exceptions = tuple(text for text, exception in read if exception)
        self.patterns = tuple((_buildah(text), exception) for text, exception in read)

    def match(self, path: str) -> bool:
        """Whether `path`, relative to the context, is matched (`PatternMatcher.Matches`)."""
        for regexp, exception in reversed(self.patterns):
            if regexp.search(path):
                return not exception
        return False


def _buildkit(pattern: str) -> tuple[str, re.Pattern[str] | None]:
    glob(pattern)
    kind = "exact"
    tokens: list[str] = []
    for first, piece in _tokens(pattern):
        if piece == "**/":
            tokens.append("(.*/)?")
            kind = "suffix" if first else "regexp"
        elif piece == "**":
            tokens.append(".*")
            kind = "suffix" if first else "prefix" if kind == "exact" else "regexp"
        elif piece in _WILDCARDS:
            tokens.append(_WILDCARDS[piece])
            kind = "regexp"
        elif piece in _ESCAPED:
            tokens.append("\\" + piece)
        else:
            tokens.append(piece)
            if piece in "[]" or piece[0] == "\\":
                kind = "regexp"
    return kind, from_go(f"^{''.join(tokens)}$") if kind == "regexp" else None


def _buildah(pattern: str) -> re.Pattern[str]:
    # Parentheses, `+`, `|`, `{` and `^` are not escaped and mean what they mean in Go.
    glob(pattern)
    tokens = []
    for _, piece in _tokens(pattern):
        if piece == "**/":
            tokens.append("(.*/)?")
        elif piece == "**":
            tokens.append(".*")
        else:
            tokens.append(_WILDCARDS.get(piece) or ("\\" + piece if piece in ".$" else piece))
    return from_go(f"^{''.join(tokens)}(/.*)?$")


# `shouldEscape` means `{`, `|` and `}` too, but its bitmap has no room for them: they keep their
# meaning in Go's regular expressions.
_ESCAPED = ".+()$"
_WILDCARDS = {"*": "[^/]*", "?": "[^/]"}


def _tokens(pattern: str) -> Iterator[tuple[bool, str]]:
    """Pieces as both scanners take them, and whether each is the first.

    `**/` where something follows, `**` where nothing does, an escape with its character.
    """
    at = 0
    while at < len(pattern):
        start = at
        if pattern.startswith("**", at):
            at += 3 if pattern.startswith("/", at + 2) else 2
            yield start == 0, "**/" if at < len(pattern) else "**"
        else:
            at += 2 if pattern[at] == "\\" else 1
            yield start == 0, pattern[start:at]
