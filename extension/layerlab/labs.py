"""The labs of the course: where they are, and a copy of each to work on.

A learner works on a copy, so that an edit never touches the course. The copy is
new to every engine's cache: see `STAMP`.
"""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from stat import S_IMODE, S_IXUSR

import msgspec

from layerlab.errors import LayerlabError

STAMP = "@LAID_OUT@"
"""Replaced in every file of a lab by the time of laying it out.

Without it a lab that is done twice would find the first time's results in the
engine's cache, and its lesson would be another one. It belongs into the name of
a WORKDIR, on which every later step rests: BuildKit takes that one from the
cache even under --no-cache (`dockerfile2llb/convert.go`, `dispatchWorkdir`).
"""


class Lab(msgspec.Struct, frozen=True):
    """One lab.

    `contexts` are folders below `course/contexts`, copied under their last name; `bases` are
    repositories of the catalogue of base images, `node` for `docker.io/library/node`.
    """

    id: str
    title: str
    notebook: Path
    contexts: tuple[Path, ...]
    bases: tuple[str, ...] = ()


class Course:
    """A folder with `labs.toml`, notebooks and `contexts/`.

    Raises:
        LayerlabError: `no-course` where there is none, `bad-course` where it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            table = tomllib.loads((folder / "labs.toml").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise LayerlabError(
                f"There is no course in {folder}.",
                code="no-course",
                hint="Open a notebook in the course folder of Layerlab and try again there.",
            ) from None
        except (OSError, ValueError) as error:
            raise LayerlabError(
                f"The list of labs, {folder / 'labs.toml'}, cannot be read.",
                code="bad-course",
                output=str(error),
            ) from error
        self.labs = tuple(
            Lab(
                id=id_,
                title=entry["title"],
                notebook=folder / entry["notebook"],
                contexts=tuple(folder / "contexts" / name for name in entry["contexts"]),
                bases=tuple(entry["bases"]),
            )
            for id_, entry in sorted(table.items())
        )

    @classmethod
    def around(cls, start: Path) -> Course:
        """The course that `start` is in, or that lies in a `course` folder above it."""
        for parent in (start, *start.parents):
            for folder in (parent, parent / "course"):
                if (folder / "labs.toml").exists():
                    return cls(folder)
        return cls(start)

    @property
    def bases(self) -> Path:
        """The catalogue of base images."""
        return self.folder / "bases.toml"

    def lab(self, id_: str) -> Lab:
        """The lab of that number; `1` finds `01`."""
        for lab in self.labs:
            if lab.id == id_.zfill(2):
                return lab
        raise LayerlabError(
            f"There is no lab “{id_}”.",
            code="no-such-lab",
            hint="\n".join(f"%lab {lab.id}  {lab.title}" for lab in self.labs),
        )


def scratch(course: Course, environ: Mapping[str, str]) -> Path:
    """Where copies go: `LAYERLAB_WORK`, else `work/` in the course, so that learners see them."""
    named = environ.get("LAYERLAB_WORK")
    return Path(named) if named else course.folder / "work"


def stamp(now: datetime) -> str:
    """The time as a part of a path: `20261124-010203-456789`."""
    return f"{now:%Y%m%d-%H%M%S-%f}"


def lay_out(lab: Lab, under: Path, now: datetime) -> Path:
    """Make a fresh copy of a lab's contexts, replacing an earlier one; returns its folder."""
    target = under / lab.id
    with _told(lab, target):
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        _restore(lab, target, now)
    return target


def restore(lab: Lab, target: Path, now: datetime) -> None:
    """Make a copy again what it was when it was laid out: names, bytes and modes.

    Args:
        lab: whose copy it is.
        target: its folder, as `lay_out` returned it; nothing else may be in there.
        now: when it was laid out, for the stamp.
    """
    with _told(lab, target):
        _restore(lab, target, now)


def write(path: Path, content: bytes) -> None:
    """Write a file so that its time is later than before.

    BuildKit takes a file for the one that it knows when size and time are the same
    (moby/buildkit#4817), and clocks of file systems may tick in seconds.
    """
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_bytes(content)
    make_later(path, before)


def make_later(path: Path, than: int) -> None:
    """See to it that a file's time is later than one in nanoseconds."""
    if path.stat().st_mtime_ns <= than:
        os.utime(path, ns=(than + _TICK, than + _TICK))


_TICK = 2_000_000_000
"""The coarsest clock of a file system in use, in nanoseconds: FAT's."""


@contextmanager
def _told(lab: Lab, target: Path) -> Iterator[None]:
    """A failure to write as an error for learners."""
    try:
        yield
    except OSError as error:
        raise LayerlabError(
            f"Lab {lab.id} could not be laid out in {target}.",
            code="cannot-lay-out",
            hint="Is the disk full, or the folder read-only? LAYERLAB_WORK can name another one.",
            output=str(error),
        ) from error


def _restore(lab: Lab, target: Path, now: datetime) -> None:
    # What is right already is left alone, so that its time stays, too.
    sources = {target / context.name: context for context in lab.contexts}
    for copy, context in list(sources.items()):
        sources |= {copy / path.relative_to(context): path for path in context.rglob("*")}
    for path in sorted(target.rglob("*"), reverse=True):
        if path not in sources or path.is_symlink() or path.is_dir() != sources[path].is_dir():
            _remove(path)
    for path, source in sorted(sources.items()):
        if source.is_dir():
            path.mkdir(exist_ok=True)
        else:
            content = source.read_bytes().replace(STAMP.encode(), stamp(now).encode())
            if not path.exists() or path.read_bytes() != content:
                write(path, content)
        if S_IMODE(path.stat().st_mode) != (mode := _mode(source)):
            path.chmod(mode)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()  # what was in it went before
    else:
        path.unlink()


def _mode(source: Path) -> int:
    """The mode of a copy: what Git keeps of it, so that no umask makes another lesson."""
    return 0o755 if source.stat().st_mode & S_IXUSR else 0o644


def edit(path: Path, name: str, value: str) -> tuple[int, str, str]:
    """Set `name` to `value` in the one line that gives it a value.

    Understands what the labs hold: `var NAME="…";`, `NAME = '…'`, `"NAME": "…"`, `ARG NAME=…`.
    Quotes stay as they are, and so does the rest of the file, byte by byte.

    Returns the line's number (1-based), and the line before and after.

    Raises:
        LayerlabError: `no-such-file`, `no-such-name`, or `ambiguous-name`.
    """
    pattern = re.compile(
        rf"(?P<before>(?<![\w.]){re.escape(name)}[\"']?[ \t]*[:=]+[ \t]*)"
        r"(?P<old>\"[^\"\n]*\"|'[^'\n]*'|[^\s;,\"']+)"
    )
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LayerlabError(
            f"{path.name} cannot be read.", code="no-such-file", hint=f"Looked for it at {path}."
        ) from error
    found = list(pattern.finditer(text))
    if len(found) != 1:
        numbers = ", ".join(str(text.count("\n", 0, match.start()) + 1) for match in found)
        raise LayerlabError(
            f"{name} is given a value in lines {numbers} of {path.name}; which one is meant?"
            if found
            else f"No line of {path.name} gives {name} a value.",
            code="ambiguous-name" if found else "no-such-name",
            hint="Open the file in the editor and change the line by hand.",
        )
    match = found[0]
    quote = match["old"][0] if match["old"][0] in "\"'" else ""
    if "\n" in value or (quote and quote in value):
        raise LayerlabError(
            f"A new value may not contain a line break{f' or {quote}' if quote else ''}.",
            code="bad-value",
        )
    edited = f"{text[: match.start('old')]}{quote}{value}{quote}{text[match.end('old') :]}"
    path.write_bytes(edited.encode("utf-8"))
    index = text.count("\n", 0, match.start())
    return index + 1, text.split("\n")[index].strip(), edited.split("\n")[index].strip()
