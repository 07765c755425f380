"""What a `COPY --from` selects, as BuildKit counts it: `cache.context.select` for a `View`."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence

from layerlab.cache.context import FileRecord, MissingSourceError, counts_for_buildkit
from layerlab.cache.patterns import clean, glob, has_wildcards
from layerlab.engines.embedded.store.entries import join
from layerlab.engines.embedded.store.view import Placed, View


def select(view: View, sources: Sequence[str]) -> tuple[FileRecord, ...]:
    """The files that the sources of a `COPY --from` select, in the order of sources, then by name.

    Unlike a context's, their owners count where they are not root: BuildKit keeps them.

    Raises:
        MissingSourceError: a source is not there, or leads in a circle. A wildcard may match
            nothing.
        BadPatternError: a wildcard is malformed.
    """
    return tuple(record for source in sources for record in _source(view, source))


def _source(view: View, source: str) -> Iterator[FileRecord]:
    path = clean(f"/{source}")[1:]
    if path and has_wildcards(path):
        for match in _matches(view, path):
            yield from _item(view, match, posixpath.basename(match))
    elif view.resolve(path) is None:
        raise MissingSourceError(source)
    else:
        yield from _item(view, path, "")


def _item(view: View, path: str, shown: str) -> Iterator[FileRecord]:
    """What one name stands for; a link among the sources is followed (`FollowLinks`)."""
    real = view.resolve(path) or ""
    if real:
        yield _record(view[real], shown)
    for placed in view.below(real):
        inner = placed.entry.path[len(real) :].removeprefix("/")
        yield _record(placed, join(shown, inner))


def _matches(view: View, pattern: str) -> list[str]:
    """The paths that a wildcard matches, part by part (`filepath.Match`), sorted."""
    found = [""]
    for part in pattern.split("/"):
        regexp = glob(part)
        found = [
            join(folder, name)
            for folder in found
            if (real := view.resolve(folder)) is not None
            for name in view.children(real)
            if regexp.fullmatch(name)
        ]
    return [path for path in found if view.resolve(path) is not None]


def _record(placed: Placed, shown: str) -> FileRecord:
    entry = placed.entry
    plain = entry.type in ("file", "dir", "link")
    return FileRecord(
        shown,
        entry.type if plain else "other",  # type: ignore[arg-type]  # the rest are devices
        0o777 if entry.type == "link" else entry.mode,
        f"{entry.uid}:{entry.gid}" if entry.uid or entry.gid else "",
        size=entry.size,
        link=entry.link,
        xattrs=tuple(pair for pair in entry.xattrs if counts_for_buildkit(pair[0])),
        digest=entry.digest,
        source=entry.path,
        mtime=entry.mtime * 1_000_000_000,
    )
