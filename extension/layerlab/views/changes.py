"""What a change rebuilds, by the rules of both dialects of build caches: as text and as HTML.

Nothing in it depends on the engine in use, but for the verdict: whether it did what was foretold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from layerlab.views import forecasts, parts, words
from layerlab.views.html import head
from layerlab.views.markup import Markup, element, join
from layerlab.views.tables import Row, text_table
from layerlab.views.text import one_line
from layerlab.views.texts import say

Cell = Literal["base", "free", "reused", "stale", "runs"]
"""A step's fate in one dialect; `stale`: reused although it would not be the same today."""

_SIGNS: Mapping[Cell, words.Fate] = {
    "base": "base",
    "free": "free",
    "reused": "reused",
    "stale": "reused",
    "runs": "ran",
}
_DIALECTS = ("buildkit", "buildah")
BOTH = "both"
"""Stands for the name of a dialect in what is true of either."""


class Line(NamedTuple):
    """One step of the changed project, with its cell in either dialect, BuildKit first."""

    n: int
    lines: tuple[int, int]
    instruction: str
    cells: tuple[Cell, ...]


class Remark(NamedTuple):
    """What there is to say of a dialect, or of `BOTH`: why a step runs, or is stale.

    `line` is None where every step is reused.
    """

    dialect: str
    line: Line | None = None
    cell: Cell = "reused"
    why: str = ""


class Shown(NamedTuple):
    """A change with all that is said of it. `verdict` has a line for each sentence."""

    name: str
    difference: Sequence[str]
    lines: Sequence[Line]
    remarks: Sequence[Remark]
    verdict: Sequence[str]


class Summary(NamedTuple):
    """A change in one row of the table of all: what runs and what is stale in each dialect.

    `spans` are numbers of steps, `((8, 10),)`; `why` is a sentence for each remarkable step.
    """

    name: str
    runs: tuple[tuple[tuple[int, int], ...], ...]
    stale: tuple[tuple[tuple[int, int], ...], ...]
    why: tuple[tuple[str, ...], ...]


def sentence(name: str) -> str:
    """What a change does to the project."""
    return say(f"change.{name}")


def change_text(shown: Shown) -> str:
    """The whole of it, the same on every engine that does what its column says."""
    header = [*map(say, ("column.step", "column.line", "column.instruction")), *_dialects()]
    rows = [
        (f"{line.n}", words.span(line.lines), one_line(line.instruction), *map(_word, line.cells))
        for line in shown.lines
    ]
    said = [f"{_whose(remark)}: {_remark(remark)}" for remark in shown.remarks]
    blocks = (
        [f"{shown.name}: {sentence(shown.name)}"],
        [f"  {line}" for line in shown.difference],
        [text_table(header, rows)],
        said,
        shown.verdict,
    )
    return "\n\n".join("\n".join(block) for block in blocks)


def change_html(shown: Shown) -> str:
    """The same: a table with the instructions as headings of its rows."""
    caption = say("change.caption", name=shown.name)
    return element(
        "section",
        parts.style("more"),
        element(
            "header",
            element("p", element("strong", shown.name), f": {sentence(shown.name)}"),
            element("pre", "\n".join(shown.difference), tabindex="0"),
            cls="ll-header ll-plain",
        ),
        element(
            "table",
            element("caption", caption),
            head(("column.instruction", *(f"change.by.{dialect}" for dialect in _DIALECTS))),
            element("tbody", (_row(line) for line in shown.lines)),
            cls="ll-matrix",
        ),
        element(
            "div",
            element("dl", (_entry(remark) for remark in shown.remarks)),
            (element("p", line) for line in shown.verdict),
            cls="ll-story",
        ),
        cls="layerlab ll-change",
    )


def verdict(otherwise: Sequence[tuple[int, str | None]], *, known: bool) -> str:
    """Whether the engine in use did what its column says.

    Args:
        otherwise: the steps where it did not, by number, with what became of them.
        known: it had made this very change before.
    """
    if not otherwise:
        return say("change.agrees")
    if known:
        return say("change.known")
    steps = (say("change.step", n=f"{n}", fate=forecasts.became(what)[1]) for n, what in otherwise)
    return say("change.differs", steps="; ".join(steps))


def table_header() -> Row:
    """Of the table of all changes."""
    return (say("change.name"), say("change.does"), *_dialects())


def table_row(summary: Summary) -> Row:
    """One change in that table."""
    return (summary.name, sentence(summary.name), *map(_fates, summary.runs, summary.stale))


def markdown(summaries: Sequence[Summary]) -> str:
    """The same table in Markdown, with the causes."""
    rows = [
        (name, does, *(" ".join((f"{told}.", *why)) for told, why in zip(fates, whys, strict=True)))
        for (name, does, *fates), whys in ((table_row(s), s.why) for s in summaries)
    ]
    lines = [table_header(), ["---"] * len(table_header()), *rows]
    return "".join(f"| {' | '.join(map(_escaped, row))} |\n" for row in lines)


def _escaped(cell: str) -> str:
    return cell.replace("|", r"\|")


def _dialects() -> list[str]:
    return [say(f"change.by.{dialect}") for dialect in _DIALECTS]


def _word(cell: Cell) -> str:
    if cell in ("stale", "runs"):
        return say(f"change.{cell}")
    return words.word(_SIGNS[cell])


def _whose(remark: Remark) -> str:
    return say(f"change.of.{remark.dialect}")


def _remark(remark: Remark) -> str:
    if remark.line is None:
        return say("change.none")
    step, place = one_line(remark.line.instruction), f"{remark.line.n}"
    key = "change.first.stale" if remark.cell == "stale" else "change.first.runs"
    return say(key, n=place, instruction=step, why=remark.why)


def _row(line: Line) -> Markup:
    return element(
        "tr",
        element(
            "th",
            f"{line.n} ",
            parts.instruction(one_line(line.instruction)),
            " ",
            element("span", words.at_lines(line.lines), cls="ll-stagename"),
            scope="row",
        ),
        (
            element("td", parts.told(_SIGNS[c], _word(c)), cls=f"ll-cell ll-{_SIGNS[c]}")
            for c in line.cells
        ),
    )


def _entry(remark: Remark) -> Markup:
    return join([element("dt", _whose(remark)), element("dd", _remark(remark))])


def _fates(runs: Sequence[tuple[int, int]], stale: Sequence[tuple[int, int]]) -> str:
    told = [say("change.all")] if not runs else [_steps("change.some", runs)]
    if stale:
        told.append(_steps("change.some-stale", stale))
    return "; ".join(told)


def _steps(key: str, found: Sequence[tuple[int, int]]) -> str:
    count = sum(last - first + 1 for first, last in found)
    return say(key, count, steps=", ".join(words.span(span) for span in found))
