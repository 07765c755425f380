"""`python -m tests.cache.twelve`: the twelve changes of lab 04, foretold and then built for real.

Writes both tables of docs/cache-model.md: what the model says for either dialect, and what each
engine of this machine did. `tests/test_foretold.py` sees that the first stays true, and lab 04
under nbval that the engines do what it says.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from layerlab import foretold, trial
from layerlab.changes import CHANGES, LAB
from layerlab.engines.base import ENGINES
from layerlab.labs import Course, lay_out
from layerlab.render import Quiet
from layerlab.session import Session

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "cache-model.md"
COURSE = Course(ROOT / "course")
STAMP = datetime(2026, 1, 1, tzinfo=UTC)
BEGIN, END = "<!-- twelve: {} -->\n", "<!-- end -->\n"


def expected() -> str:
    """What the model says of each."""
    return trial.markdown(foretold.foretell_all(COURSE.lab(LAB), STAMP))


def happened(names: Sequence[str]) -> str:
    """What each engine did: the steps that ran, and whether that had been foretold."""
    columns = [list(_tried(name)) for name in names]
    header = ["change", *names]
    rows = [header, ["---"] * len(header)]
    rows += [[c.name, *cells] for c, *cells in zip(CHANGES, *columns, strict=True)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _tried(name: str) -> Iterable[str]:
    with tempfile.TemporaryDirectory() as folder:
        session = Session({**os.environ, "LAYERLAB_HOME": f"{folder}/home"})
        engine = session.use(name)
        now = datetime.now(UTC)
        copy = trial.Copy(COURSE.lab(LAB), lay_out(COURSE.lab(LAB), Path(folder), now), now)
        for change in CHANGES:
            tried = trial.attempt(session, copy, change, Quiet(), report=lambda _: None)
            ran = sorted(step.n for step in tried.told if step.actual == "rebuild")
            told = "ran: " + ", ".join(map(str, ran)) if ran else "all reused"
            yield f"{told} {'(otherwise)' if tried.otherwise else '✓'}"
            engine.remove_image(f"{trial.REPOSITORY}:{change.name}")
        engine.remove_image(f"{trial.REPOSITORY}:baseline")


def block(page: str, name: str) -> str:
    """What stands between the marks of that name."""
    return page.partition(BEGIN.format(name))[2].partition(END)[0]


def main() -> int:
    """Write both tables."""
    page = PAGE.read_text(encoding="utf-8")
    for name, text in (("expected", expected()), ("happened", happened(ENGINES))):
        begin = BEGIN.format(name)
        before, _, rest = page.partition(begin)
        page = before + begin + text + END + rest.partition(END)[2]
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
