"""Twelve small edits of the project of lab 04, each of another kind.

Each works on a fresh copy of the project and says what it has changed, as a short difference that
reads the same in every language. What becomes of the build is asked in `foretold` and `trial`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from stat import S_IMODE

import msgspec

from layerlab.errors import LayerlabError
from layerlab.labs import make_later, write

Edit = Callable[[Path], tuple[str, ...]]
"""Changes something in a project's folder; returns lines that say what."""

LAB = "04"
"""The lab whose project is changed."""
EDITION = "morning"
"""What the project is built with before any change: `--build-arg EDITION=morning`."""


class Change(msgspec.Struct, frozen=True):
    """One small edit.

    Attributes:
        name: what `%change` calls it; the catalogue has a sentence for it.
        edit: of the files.
        edition: the value of the build argument afterwards.
    """

    name: str
    edit: Edit
    edition: str = EDITION

    def apply(self, project: Path) -> tuple[str, ...]:
        """Change the project; returns the difference, a line each.

        Raises:
            LayerlabError: code `changed-already`, where the project is not as it was laid out.
        """
        edited = self.edit(project)
        if self.edition == EDITION:
            return edited
        words = (f"--build-arg EDITION={edition}" for edition in (EDITION, self.edition))
        return *edited, *difference(*((word,) for word in words))


def find(name: str) -> Change:
    """The change of that name. Raises a LayerlabError with code `no-such-change`."""
    for change in CHANGES:
        if change.name == name:
            return change
    close = difflib.get_close_matches(name, [change.name for change in CHANGES], n=1)
    raise LayerlabError(
        f"There is no change “{name}”.",
        code="no-such-change",
        hint=(f"Did you mean {close[0]}? " if close else "") + "%change alone lists the twelve.",
    )


def difference(before: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    """Lines before and after: `- old`, `+ new`, and with two spaces what stays between them."""
    found = difflib.ndiff(before, after)
    # Those with a question mark point at single letters.
    return tuple(line.rstrip() for line in found if not line.startswith("? "))


def _touch(name: str) -> Edit:
    def edit(project: Path) -> tuple[str, ...]:
        path = project / name
        before = path.stat().st_mtime_ns
        path.touch()
        make_later(path, before)
        return (f"touch {name}",)

    return edit


def _chmod(name: str, mode: int) -> Edit:
    def edit(project: Path) -> tuple[str, ...]:
        path = project / name
        before = S_IMODE(path.stat().st_mode)
        path.chmod(mode)
        return (f"chmod {before:o} → {mode:o} {name}",)

    return edit


def _rename(name: str, new: str) -> Edit:
    def edit(project: Path) -> tuple[str, ...]:
        (project / name).rename(project / new)
        return (f"mv {name} {new}",)

    return edit


def _add(name: str, *lines: str) -> Edit:
    def edit(project: Path) -> tuple[str, ...]:
        write(project / name, "".join(f"{line}\n" for line in lines).encode())
        return name, *difference((), lines)

    return edit


def _lines(name: str, before: tuple[str, ...], after: tuple[str, ...]) -> Edit:
    """Neighbouring lines, which the file has once, become others."""

    def edit(project: Path) -> tuple[str, ...]:
        path = project / name
        text = path.read_text(encoding="utf-8")
        old, new = ("".join(f"{line}\n" for line in lines) for lines in (before, after))
        if text.count(old) != 1:
            raise LayerlabError(
                f"{name} is not as lab {LAB} has it: the line “{before[0]}” is not there once.",
                code="changed-already",
                hint=f"%lab {LAB} lays it out anew.",
            )
        write(path, text.replace(old, new).encode())
        return name, *difference(before, after)

    return edit


def _line(name: str, before: str, after: str) -> Edit:
    return _lines(name, (before,), (after,))


def _nothing(_: Path) -> tuple[str, ...]:
    return ()


_RUN = "RUN sh make.sh > page.txt"
_SCRIPT, _TEXTS = "COPY make.sh ./", "COPY texts texts/"
_LAST_IGNORED = ".dockerignore"

CHANGES = (
    Change("touch", _touch("texts/cats.txt")),
    Change("edit", _line("texts/cats.txt", "It looked down on all of us.", "This time it waved.")),
    Change("chmod", _chmod("make.sh", 0o755)),
    Change("rename", _rename("texts/birds.txt", "texts/robins.txt")),
    Change("add", _add("texts/dogs.txt", "The dog waited at the door.")),
    Change("ignore", _lines(".dockerignore", (_LAST_IGNORED,), (_LAST_IGNORED, "texts/draft.txt"))),
    Change("folder", _chmod("texts/weather", 0o750)),
    Change("comment", _lines("Dockerfile", (_RUN,), ("# Print the page.", _RUN))),
    Change("reorder", _lines("Dockerfile", (_SCRIPT, _TEXTS), (_TEXTS, _SCRIPT))),
    Change("label", _line("Dockerfile", 'LABEL title="The Small News"', 'LABEL title="Our News"')),
    Change(
        "env", _line("Dockerfile", 'ENV GREETING="Good morning"', 'ENV GREETING="Good evening"')
    ),
    Change("arg", _nothing, "evening"),
)
"""In the order of the lab: files, the Dockerfile, the command line."""
