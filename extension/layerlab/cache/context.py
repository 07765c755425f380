"""The build context as the engines count it: which files a COPY selects, and what of them."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from stat import S_IMODE, S_ISDIR, S_ISLNK, S_ISREG
from typing import Literal

import msgspec

from layerlab.cache.digests import Digests, Xattrs, xattrs
from layerlab.cache.ignore import Dialect, Ignore, of_lines
from layerlab.cache.owners import Owner, nobody
from layerlab.cache.patterns import Matches, clean, glob, has_wildcards


class FileRecord(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One selected file as it goes into a cache key.

    Attributes:
        path: the name that the key counts, with `/`: relative to a selected directory, `""` for
            the directory or single file itself; the last part only where BuildKit expands a
            wildcard.
        type: 'other' are devices, pipes and sockets.
        mode: permission bits with setuid, setgid and sticky as far as the engine counts them.
        owner: on the host, as far as the engine counts it: both give a context's files to root.
        size: in bytes; 0 unless a file.
        link: target of a symbolic link; the first name of a hard link where that counts.
        xattrs: extended attributes that count, sorted by name; values in hexadecimal.
        digest: SHA-256 of the bytes in hexadecimal, "" unless a file.
        source: path in the context, for people; it does not count.
        mtime: of a file, in nanoseconds since the epoch; it does not count.
        unseen: what it is in the context, where the engine has another (see `sent`).
    """

    path: str
    type: Literal["file", "dir", "link", "other"]
    mode: int
    owner: str = ""
    size: int = 0
    link: str = ""
    xattrs: tuple[tuple[str, str], ...] = ()
    digest: str = ""
    source: str = ""
    mtime: int = 0
    unseen: FileRecord | None = None


class MissingSourceError(Exception):
    """A source that selects nothing, where the engine would fail.

    Attributes:
        source: as it was asked for.
    """

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self.source = source


def select(
    context: Path,
    sources: Sequence[str],
    *,
    ignore: Ignore,
    dialect: Dialect,
    digests: Digests,
    exclude: Sequence[str] = (),
    owner: Owner = nobody,
    tops: bool = False,
) -> tuple[FileRecord, ...]:
    """The files that the sources of a COPY select, in the order of their sources, then by name.

    Args:
        context: the folder of the build.
        sources: as in the Dockerfile, after expansion.
        ignore: see `ignore.load`.
        dialect: whose rules.
        digests: of files.
        exclude: patterns of `--exclude`, relative to each source.
        owner: what of a file's owner counts.
        tops: for Buildah, a selected folder counts itself: where it is mounted, and not where its
            contents are copied. BuildKit always counts it, although it copies only the contents.

    Raises:
        MissingSourceError: a source is not there, is ignored, or leads in a circle. A wildcard
            of BuildKit's may match nothing.
        BadPatternError: `exclude` or a wildcard is malformed.
        OSError: something cannot be read.
    """
    tree = _Tree(context, ignore, dialect, digests, of_lines(exclude, dialect), owner, tops)
    return tuple(record for source in sources for record in tree.source(source))


@dataclass(frozen=True)
class _Tree:
    context: Path
    ignore: Ignore
    dialect: Dialect
    digests: Digests
    exclude: Ignore
    owner: Owner
    tops: bool
    links: dict[tuple[int, int], str] = field(default_factory=dict)

    def source(self, source: str) -> Iterator[FileRecord]:
        """All records of one source."""
        path = clean(f"/{source}")[1:]
        wild = self.dialect == "buildah" or has_wildcards(path)
        if not wild or not path:
            found = self._resolve(path)
            names = [(path, "")] if found is not None else []
        else:
            names = [(match, posixpath.basename(match)) for match in self._matches(path)]
        records = [record for match, shown in names for record in self._item(match, shown)]
        if not names or (self.dialect == "buildah" and path and not records):
            if self.dialect == "buildkit" and wild:
                return
            raise MissingSourceError(source)
        yield from records

    def _item(self, path: str, shown: str) -> Iterator[FileRecord]:
        """What one name stands for; a link among the sources is followed (`FollowLinks`)."""
        real = self._resolve(path)
        if real is None:
            raise MissingSourceError(path)
        state, ignored = self._state(real)
        full = self.context / real
        info = full.lstat()
        if not S_ISDIR(info.st_mode):
            left_out = self.exclude.look(posixpath.basename(real), ())[0]
            if not ignored and not left_out:
                yield self._record(real, shown, info, str(full))
            return
        # Buildah puts the contents of a folder side by side, whatever it is called.
        inner = "" if self.dialect == "buildah" else shown
        # The top of the context is never sent itself, only what is in it.
        if real and not ignored:
            counts = self.tops or self.dialect == "buildkit"
            whole = self._record(real, inner, info, str(full)) if counts else None
            yield whole or FileRecord(inner, "dir", 0, source=real)
        yield from self._walk(real, inner, "", (state, ()))

    def _walk(
        self, real: str, shown: str, below: str, above: tuple[Matches, Matches]
    ) -> list[FileRecord]:
        """Everything in a folder; ignored folders only for what an exception keeps in them."""
        with os.scandir(self.context / real) as found:
            entries = sorted(found, key=_name)
        at, at_shown, at_below = _folder(real), _folder(shown), _folder(below)
        records: list[FileRecord] = []
        for entry in entries:
            name = entry.name
            path, inner = at + name, at_below + name
            ignored, deeper, state = self.ignore.look(path, above[0])
            left_out, deeper2, state2 = self.exclude.look(inner, above[1])
            if (ignored and not deeper) or (left_out and not deeper2):
                # What is no folder, or has nothing to keep, ends here.
                continue
            info = entry.stat(follow_symlinks=False)
            inside: list[FileRecord] = []
            if S_ISDIR(info.st_mode):
                inside = self._walk(path, at_shown + name, inner, (state, state2))
            # `fsutil` sends the folders above what it sends; Buildah does not.
            if not (ignored or left_out) or (inside and self.dialect == "buildkit"):
                records.append(self._record(path, at_shown + name, info, entry.path))
            records += inside
        return records

    def _record(self, path: str, shown: str, info: os.stat_result, full: str) -> FileRecord:
        """`full` is for the system, and text: a `Path` for each of many files costs."""
        mode, owner = S_IMODE(info.st_mode), self.owner(info)
        if S_ISREG(info.st_mode):
            digest, found = self.digests.of(full, info)
            link = self._first_name(info, shown) if info.st_nlink > 1 else ""
            counting = self._counting(found) if found else found
            # By position: names for each of many files cost, too.
            return FileRecord(
                *(shown, "file", mode, owner, info.st_size, link, counting, digest, path),
                mtime=info.st_mtime_ns,
            )
        counting = self._counting(xattrs(full))
        if S_ISLNK(info.st_mode):
            link = str(Path(full).readlink())
            return FileRecord(shown, "link", 0o777, owner, link=link, xattrs=counting, source=path)
        kind: Literal["dir", "other"] = "dir" if S_ISDIR(info.st_mode) else "other"
        return FileRecord(shown, kind, mode, owner, xattrs=counting, source=path)

    def _counting(self, found: Xattrs) -> Xattrs:
        counts = _COUNTS[self.dialect]
        return tuple(pair for pair in found if counts(pair[0]))

    def _first_name(self, info: os.stat_result, shown: str) -> str:
        """Buildah's archive has a hard link for a second name; BuildKit copies the digest."""
        if self.dialect == "buildkit":
            return ""
        first = self.links.setdefault((info.st_dev, info.st_ino), shown)
        return "" if first == shown else first

    def _state(self, path: str) -> tuple[Matches, bool]:
        """What the ignore file says of a path, asked from the top."""
        state: Matches = ()
        ignored = False
        parts = path.split("/") if path else []
        for at in range(len(parts)):
            ignored, _, state = self.ignore.look("/".join(parts[: at + 1]), state)
        return state, ignored

    def _resolve(self, path: str) -> str | None:
        """Where a path leads within the context, links followed; None where that is nowhere."""
        done: list[str] = []
        todo = [part for part in path.split("/") if part][::-1]
        followed = 0
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                done = done[:-1]
                continue
            here = "/".join([*done, part])
            try:
                mode = (self.context / here).lstat().st_mode
            except (OSError, ValueError):
                return None
            if not S_ISLNK(mode):
                done.append(part)
                continue
            followed += 1
            target = str((self.context / here).readlink())
            if followed > _MAX_LINKS or self._state(here)[1]:
                return None
            done = [] if target.startswith("/") else done
            todo += target.split("/")[::-1]
        real = "/".join(done)
        return real if self._is_sent(real) else None

    def _is_sent(self, real: str) -> bool:
        """False for what is ignored, unless it is a folder that something is kept in."""
        state, ignored = self._state(real)
        if not ignored or not real:
            return True
        folder = (self.context / real).is_dir()
        return folder and any(True for _ in self._walk(real, "", "", (state, ())))

    def _matches(self, pattern: str) -> list[str]:
        """The paths that a wildcard matches, part by part (`filepath.Match`), sorted."""
        found = [""]
        for part in pattern.split("/"):
            regexp = glob(part)
            found = [
                posixpath.join(folder, name)
                for folder in found
                for name in self._names(folder)
                if regexp.fullmatch(name)
            ]
        return [path for path in found if self._resolve(path) is not None]

    def _names(self, folder: str) -> list[str]:
        real = self._resolve(folder)
        full = self.context / real if real is not None else None
        return (
            sorted(child.name for child in full.iterdir())
            if full is not None and full.is_dir()
            else []
        )


_MAX_LINKS = 255


def counts_for_buildkit(name: str) -> bool:
    """Whether an extended attribute counts (`cache/contenthash/tarsum.go`, `v1TarHeaderSelect`)."""
    return name == "security.capability" or not name.startswith(("security.", "system."))


def _counts_for_buildah(name: str) -> bool:
    """`copier/xattrs.go`, `relevantAttributes`."""
    return name in ("security.capability", "security.ima") or (
        name.startswith("user.") and "/" not in name
    )


_COUNTS: dict[Dialect, Callable[[str], bool]] = {
    "buildkit": counts_for_buildkit,
    "buildah": _counts_for_buildah,
}


_name = attrgetter("name")


def _folder(path: str) -> str:
    """What stands before the names of what is in it."""
    return f"{path}/" if path else ""
