"""A build context behind its ignore file, ready to be asked for files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from layerlab.cache.context import FileRecord, select
from layerlab.cache.digests import Digests
from layerlab.cache.ignore import Dialect, Ignore, load, of_lines
from layerlab.cache.owners import Owner, everything, nobody, root

_STRIPS_NAMES = (1, 42)
"""Since this version of Buildah the names of a file's owner do not count (see `owners`)."""


@dataclass(frozen=True)
class Files:
    """See `key.Selection`."""

    context: Path
    ignore: Ignore
    dialect: Dialect
    digests: Digests
    owner: Owner = nobody

    @classmethod
    def of(
        cls,
        context: Path,
        dockerfile: Path,
        dialect: Dialect,
        digests: Digests,
        buildah: tuple[int, int],
    ) -> Files:
        """With the ignore file that holds for a Dockerfile; raises as `ignore.load` does."""
        old = dialect == "buildah" and buildah < _STRIPS_NAMES
        ignore = load(context, dockerfile, dialect)
        return cls(context, ignore, dialect, digests, root if old else nobody)

    def __call__(
        self, sources: Sequence[str], *, exclude: Sequence[str] = (), whole: bool = False
    ) -> tuple[FileRecord, ...]:
        """Raises as `context.select` does."""
        return select(
            self.context,
            sources,
            ignore=of_lines((), self.dialect) if whole else self.ignore,
            dialect=self.dialect,
            digests=self.digests,
            exclude=exclude,
            owner=everything if whole else self.owner,
            tops=whole,
        )
