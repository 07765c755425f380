"""Ignore files: which paths of a context an engine never sees.

BuildKit: `frontend/dockerui/config.go` (which file), `moby/patternmatcher/ignorefile`, and
`fsutil/filter.go` (how it is applied). Buildah: `pkg/parse/parse.go` (`ContainerIgnoreFile`) and
`copier/copier.go` (`copierHandlerGet`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol

from layerlab.cache.patterns import SPACE, BuildahMatcher, BuildkitMatcher, Matches, clean

Dialect = Literal["buildkit", "buildah"]

_SUFFIXES: dict[Dialect, tuple[str, ...]] = {
    "buildkit": (".dockerignore",),
    "buildah": (".containerignore", ".dockerignore"),
}


class Ignore(Protocol):
    """One ignore file, asked folder by folder from the top of the context."""

    def look(self, path: str, parent: Matches) -> tuple[bool, bool, Matches]:
        """What becomes of a path.

        Args:
            path: relative to the context.
            parent: the third answer for its folder, `()` at the top.

        Returns:
            Whether it is ignored; whether, if it is an ignored folder, something in it may not
            be; and what its children need.
        """
        ...


class BuildkitIgnore:
    """BuildKit sends an ignored folder only for what an exception keeps in it."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._matcher = BuildkitMatcher(lines)
        self._exceptions = any(pattern.exception for pattern in self._matcher.patterns)

    def look(self, path: str, parent: Matches) -> tuple[bool, bool, Matches]:
        """See `Ignore.look`."""
        if not self._matcher.patterns:  # most contexts and COPYs; there are many files
            return False, False, ()
        ignored, matches = self._matcher.match(path, parent)
        return ignored, self._exceptions, matches


class BuildahIgnore:
    """Buildah enters an ignored folder only where an exception begins with its path."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._matcher = BuildahMatcher(lines)

    def look(self, path: str, parent: Matches) -> tuple[bool, bool, Matches]:  # noqa: ARG002 - the protocol's; here a path by itself decides
        """See `Ignore.look`."""
        if not self._matcher.patterns:  # as with BuildKit
            return False, False, ()
        inside = any(
            f"{text.strip('/')}/".startswith(f"{path}/") for text in self._matcher.exceptions
        )
        return self._matcher.match(path), inside, ()


def load(context: Path, dockerfile: Path, dialect: Dialect) -> Ignore:
    """The ignore file that holds for a build; the Dockerfile's own comes before the context's.

    Raises:
        BadPatternError: the engine would refuse one of its patterns.
        OSError: it is there and cannot be read.
    """
    suffixes = _SUFFIXES[dialect]
    # Of a Dockerfile's own two, Buildah takes the one that it looks for last.
    own = (dockerfile.with_name(dockerfile.name + suffix) for suffix in reversed(suffixes))
    for path in (*own, *(context / suffix for suffix in suffixes)):
        if path.is_file():
            text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
            return of_lines(tuple(read_lines(text)), dialect)
    return of_lines((), dialect)


def of_lines(lines: Sequence[str], dialect: Dialect) -> Ignore:
    """The matcher for patterns that are read already. Raises BadPatternError."""
    return BuildkitIgnore(lines) if dialect == "buildkit" else BuildahIgnore(lines)


def read_lines(text: str) -> Iterator[str]:
    """The patterns of an ignore file (`ignorefile.ReadAll`)."""
    for line in text.split("\n"):
        if line.startswith("#"):
            continue
        pattern = line.strip(SPACE)
        exception = pattern.startswith("!")
        pattern = pattern.removeprefix("!").strip(SPACE) if exception else pattern
        if pattern:
            pattern = clean(pattern)
            if len(pattern) > 1:
                pattern = pattern.removeprefix("/")
        if pattern or exception:
            yield f"!{pattern}" if exception else pattern
