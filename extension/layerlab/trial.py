"""Trying a change for real: on the copy of lab 04, with the engine in use."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from layerlab.cache.explain import Explanation
from layerlab.cache.ignore import Dialect
from layerlab.cache.key import LINEAR
from layerlab.changes import EDITION, LAB, Change
from layerlab.engines.base import BuildRequest, Option
from layerlab.errors import LayerlabError
from layerlab.foretold import Foretold, foretell
from layerlab.labs import Lab, restore
from layerlab.model.build import Build, Guess
from layerlab.render import Picture, Quiet
from layerlab.session import Session, Sink
from layerlab.views import changes
from layerlab.views.changes import Cell
from layerlab.views.text import guess_lines
from layerlab.views.texts import say

REPOSITORY = f"lab{LAB}"
"""Images are called `lab04:edit`, after their change, and `lab04:baseline`."""


@dataclass(frozen=True)
class Copy:
    """A copy of the lab to work on: its folder, and when it was laid out."""

    lab: Lab
    folder: Path
    laid_out: datetime

    @property
    def project(self) -> Path:
        """The folder that is built."""
        return self.folder / self.lab.contexts[0].name

    def request(self, name: str, edition: str) -> BuildRequest:
        """How it is built, as anyone would type it."""
        words = (("--build-arg", f"EDITION={edition}"), ("--tag", f"{REPOSITORY}:{name}"))
        options = tuple(Option(flag, value) for flag, value in words)
        return BuildRequest(self.project.name, options, self.folder)


@dataclass(frozen=True)
class Tried:
    """A change that was foretold and then built.

    Attributes:
        foretold: by the rules of both dialects.
        dialect: of the engine that built it.
        anew: that engine reads the context itself, and has no copy of it that could be stale.
        told: what became of each step there.
        build: with the score of a guess, if there was one.
    """

    foretold: Foretold
    dialect: Dialect
    anew: bool
    told: tuple[Explanation, ...]
    build: Build

    @property
    def otherwise(self) -> dict[int, Explanation]:
        """The steps where the engine did not do what its column says, by number."""
        told = {step.n: step for step in self.told}
        return {
            n: told[n]
            for n, cell in self._column.items()
            if told[n].actual != ("rebuild" if cell == "runs" else "hit")
        }

    @property
    def _column(self) -> dict[int, Cell]:
        if self.anew:
            return self.foretold.column_anew()
        return self.foretold.column(self.dialect)

    @property
    def _notes(self) -> list[str]:
        apart = self._column != self.foretold.column(self.dialect)
        return [say("change.anew")] if apart else []

    @property
    def known(self) -> bool:
        """The engine only reused what it has from an earlier try of the same change."""
        return all(step.fate == step.actual == "hit" for step in self.otherwise.values())

    @property
    def guess(self) -> Guess | None:
        """The learner's, scored against the engine."""
        return self.build.guess

    def picture(self) -> Picture:
        """All there is to see of it."""
        otherwise = [(n, step.actual) for n, step in self.otherwise.items()]
        shown = changes.Shown(
            self.foretold.change.name,
            self.foretold.difference,
            self.foretold.lines(),
            self.foretold.remarks(),
            [
                *self._notes,
                changes.verdict(otherwise, known=self.known),
                *guess_lines(self.build),
            ],
        )
        return Picture(changes.change_text(shown), changes.change_html(shown))


def attempt(
    session: Session,
    copy: Copy,
    change: Change,
    sink: Sink,
    *,
    guess: Collection[int] | None = None,
    report: Callable[[str], object],
) -> Tried:
    """Build the lab as it was laid out, change it, build it again.

    Whatever else was done in the copy is undone first.

    Args:
        session: whose engine builds.
        copy: that is changed, and stays so.
        change: to try.
        sink: shows the second build.
        guess: numbers of the steps that the learner expects to run.
        report: takes a line when the first build is done.

    Raises:
        LayerlabError: something cannot be written, there is no engine, a build fails (code
            `change-not-built`), or the guess names a step that there is not.
    """
    foretold = foretell(copy.lab, change, copy.laid_out)
    restore(copy.lab, copy.folder, copy.laid_out)
    _succeeded(session.build(copy.request("baseline", EDITION), Quiet()))
    report(say("change.baseline"))
    change.apply(copy.project)
    request = copy.request(change.name, change.edition)
    if guess is not None:
        session.predict(request, guess)
    build = _succeeded(session.build(request, sink))
    dialect: Dialect = "buildah" if session.engine.name in LINEAR else "buildkit"
    anew = session.engine.name == "embedded"
    return Tried(foretold, dialect, anew, session.explained(), build)


def _succeeded(build: Build) -> Build:
    if build.outcome == "built":
        return build
    raise LayerlabError(
        f"{build.tags[0]} could not be built, so there is nothing to compare.",
        code="change-not-built",
        hint=build.failure.hint if build.failure else "",
        command=build.command,
        exit_code=build.exit_code,
        output=build.failure.message if build.failure else "",
    )


def table(foretold: Collection[Foretold]) -> Picture:
    """What each change rebuilds, without building."""
    rows = [changes.table_row(one.summary()) for one in foretold]
    return Picture.table(say("change.table"), changes.table_header(), rows)


def markdown(foretold: Collection[Foretold]) -> str:
    """The same for a page of documentation, with the causes."""
    return changes.markdown([one.summary() for one in foretold])
