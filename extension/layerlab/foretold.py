"""What a change does to a build, in both dialects of cache rules: the model alone, no engine.

The project is built in thought, changed, and looked at again, in a folder of its own and with a
ledger in memory. So the answer is the same on every computer.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256
from itertools import groupby
from pathlib import Path

from layerlab.cache.digests import Digests
from layerlab.cache.dockerfile import plan
from layerlab.cache.explain import records
from layerlab.cache.ignore import Dialect
from layerlab.cache.key import Base, Key, Options
from layerlab.cache.keys import base_names, step_keys
from layerlab.cache.ledger import StepRecord
from layerlab.cache.predict import Forecast, predict
from layerlab.cache.selection import Files
from layerlab.cache.sent import Copy, Sending
from layerlab.cache.sentences import why
from layerlab.changes import CHANGES, EDITION, Change
from layerlab.labs import Lab, lay_out
from layerlab.model.build import Build
from layerlab.views.changes import BOTH, Cell, Line, Remark, Summary

DIALECTS: tuple[Dialect, ...] = ("buildkit", "buildah")
_ENGINES = {"buildkit": "docker", "buildah": "buildah"}
"""One engine of each dialect, to ask the model for."""
_DOCKERFILE = "Dockerfile"


@dataclass(frozen=True)
class Foretold:
    """One change.

    Attributes:
        change: what it is.
        difference: what it changed, a line each.
        steps: of the changed project, for each dialect.
        anew: the same by BuildKit's rules, for an engine that has no copy of the context that
            could be stale.
    """

    change: Change
    difference: tuple[str, ...]
    steps: Mapping[Dialect, tuple[Forecast, ...]]
    anew: tuple[Forecast, ...]

    def cell(self, dialect: Dialect, step: Forecast) -> Cell:
        """The fate of one of these steps."""
        if step.kind == "from":
            return "base"
        if dialect == "buildkit" and step.kind == "metadata":
            return "free"
        if step.fate != "hit":
            return "runs"
        return "stale" if step.stale else "reused"

    def column(self, dialect: Dialect) -> dict[int, Cell]:
        """The fates of the steps that the engines of a dialect look up, by number."""
        return self._counting(dialect, self.steps[dialect])

    def column_anew(self) -> dict[int, Cell]:
        """The same for `anew`."""
        return self._counting("buildkit", self.anew)

    def _counting(self, dialect: Dialect, steps: Sequence[Forecast]) -> dict[int, Cell]:
        cells = {step.n: self.cell(dialect, step) for step in steps}
        return {n: cell for n, cell in cells.items() if cell not in ("base", "free")}

    def lines(self) -> tuple[Line, ...]:
        """The rows of its table."""
        both = zip(*(self.steps[dialect] for dialect in DIALECTS), strict=True)
        return tuple(
            Line(steps[0].n, steps[0].lines, steps[0].instruction, self._cells(steps))
            for steps in both
        )

    def _cells(self, steps: Sequence[Forecast]) -> tuple[Cell, ...]:
        return tuple(map(self.cell, DIALECTS, steps))

    def remarks(self) -> tuple[Remark, ...]:
        """What there is to say of each dialect, said once where it is the same."""
        said = [self._remarks(dialect) for dialect in DIALECTS]
        first, second = ([remark[1:] for remark in remarks] for remarks in said)
        if first == second:
            return tuple(remark._replace(dialect=BOTH) for remark in said[0])
        return tuple(remark for remarks in said for remark in remarks)

    def summary(self) -> Summary:
        """Its row in the table of all."""
        columns = [self.column(dialect) for dialect in DIALECTS]
        runs, stale = (
            tuple(_spans([n for n, cell in column.items() if cell == wanted]) for column in columns)
            for wanted in ("runs", "stale")
        )
        whys = (tuple(r.why for r in self._remarks(dialect) if r.why) for dialect in DIALECTS)
        return Summary(self.change.name, runs, stale, tuple(whys))

    def _remarks(self, dialect: Dialect) -> list[Remark]:
        """The first stale step and the first that runs, or that there is neither."""
        steps, column = self.steps[dialect], self.column(dialect)
        found: dict[Cell, Remark] = {}
        for step, line in zip(steps, self.lines(), strict=True):
            cell = column.get(step.n, "reused")
            if cell != "reused" and cell not in found:
                found[cell] = Remark(dialect, line, cell, why(step, steps))
        return list(found.values()) or [Remark(dialect)]


def foretell(lab: Lab, change: Change, now: datetime) -> Foretold:
    """What one change does.

    Args:
        lab: whose first context is the project; its copy is not touched.
        change: of a fresh copy, which was built before.
        now: for the stamp.

    Raises:
        LayerlabError: the lab is not as the change expects it.
    """
    with tempfile.TemporaryDirectory() as folder:
        project = lay_out(lab, Path(folder), now) / lab.contexts[0].name
        before = {dialect: _built(project, dialect) for dialect in DIALECTS}
        difference = change.apply(project)

        def fates(dialect: Dialect, copy: Copy) -> tuple[Forecast, ...]:
            return predict(
                _keys(project, dialect, change.edition, copy)[0],
                before[dialect],
                engine=_ENGINES[dialect],
                dockerfile=_DOCKERFILE,
                now=partial(_text, project),
            )

        steps = {dialect: fates(dialect, before[dialect].copy) for dialect in DIALECTS}
        anew = fates("buildkit", {})
    return Foretold(change, difference, steps, anew)


def foretell_all(lab: Lab, now: datetime) -> tuple[Foretold, ...]:
    """The same of all twelve."""
    return tuple(foretell(lab, change, now) for change in CHANGES)


def _spans(numbers: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """`1, 2, 3, 7` as `(1, 3), (7, 7)`."""
    runs = (list(run) for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]))
    return tuple((run[0][1], run[-1][1]) for run in runs)


@dataclass(frozen=True)
class _Memory:
    """A ledger that knows one build."""

    build: tuple[StepRecord, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    copy: Copy = field(default_factory=dict)

    def find(self, _engine: str, key: str) -> StepRecord | None:
        return next((record for record in self.build if record.key == key), None)

    def previous(self, _engine: str, _dockerfile: str) -> Sequence[StepRecord]:
        return self.build

    def text(self, digest: str) -> str | None:
        return self.texts.get(digest)


def _built(project: Path, dialect: Dialect) -> _Memory:
    """What is known after the project was built as it is."""
    keys, copy = _keys(project, dialect, EDITION, {})
    build = Build(engine=_ENGINES[dialect], outcome="built")
    made = records(keys, build, _Memory(), dockerfile=_DOCKERFILE)
    files = [path.read_bytes() for path in project.rglob("*") if path.is_file()]
    return _Memory(made, {sha256(data).hexdigest(): data.decode() for data in files}, copy)


def _keys(
    project: Path, dialect: Dialect, edition: str, copy: Copy
) -> tuple[tuple[Key, ...], Copy]:
    """The keys, given what BuildKit has of the context; and what it has after this build."""
    dockerfile, args = project / _DOCKERFILE, {"EDITION": edition}
    intended = plan(dockerfile.read_text(encoding="utf-8"), _DOCKERFILE, build_args=args)
    options = Options(build_args=args)
    files = Files.of(project, dockerfile, dialect, Digests(None), options.buildah)
    sending = Sending(project, files, lambda: copy)
    keys = step_keys(
        intended,
        dialect,
        select=sending if dialect == "buildkit" else files,
        options=options,
        # Which image it is says nothing of a change.
        bases=dict.fromkeys(base_names(intended, options), Base("the base image")),
    )
    return keys, sending.copy()


def _text(project: Path, name: str) -> str:
    return (project / name).read_text(encoding="utf-8")
