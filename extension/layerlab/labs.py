"""The labs of the course: where they are, and a copy of each to work on.

A learner works on a copy, so that an edit never touches the course. The copy is
new to every engine's cache: see `STAMP`.
"""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

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
    try:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for context in lab.contexts:
            shutil.copytree(context, target / context.name)
        for path in target.rglob("*"):
            if path.is_file() and STAMP.encode() in (content := path.read_bytes()):
                path.write_bytes(content.replace(STAMP.encode(), stamp(now).encode()))
    except OSError as error:
        raise LayerlabError(
            f"Lab {lab.id} could not be laid out in {target}.",
            code="cannot-lay-out",
            hint="Is the disk full, or the folder read-only? LAYERLAB_WORK can name another one.",
            output=str(error),
        ) from error
    return target


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
