"""What will become of each step, and what became of it: as text and as HTML.

The text names no engine and no time: the same prediction reads the same everywhere. Metadata is
left to one word, since engines differ in whether they call it a step of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, TypeVar

from layerlab.model.build import Fate
from layerlab.model.forecasts import ForecastStep
from layerlab.model.plan import StepKind
from layerlab.model.text import printable
from layerlab.views import parts, words
from layerlab.views.html import head
from layerlab.views.markup import Markup, element
from layerlab.views.tables import text_table
from layerlab.views.text import one_line
from layerlab.views.texts import say


class _Told(ForecastStep, Protocol):
    """The part of `cache.explain.Explanation` that is shown."""

    @property
    def actual(self) -> str | None: ...


S = TypeVar("S", bound=ForecastStep)

_WILL: dict[Fate, words.Fate] = {"hit": "reused", "rebuild": "ran", "unknown": "waiting"}
_DID: dict[str, words.Fate] = {
    "hit": "reused",
    "rebuild": "ran",
    "failed": "failed",
    "cancelled": "stopped",
    "not reached": "unreached",
}
_Cell = tuple[words.Fate, str]


def forecast_text(steps: Sequence[ForecastStep], reasons: Sequence[str]) -> str:
    """A prediction, one step a line; `reasons` in the order of the steps."""
    return _text(steps, {"forecast.before": _will}, reasons)


def forecast_html(steps: Sequence[ForecastStep], reasons: Sequence[str]) -> str:
    """The same as a table."""
    return _html("forecast.before.caption", steps, {"forecast.before": _will}, reasons)


def guess_text(steps: Sequence[ForecastStep], marked: Collection[int]) -> str:
    """What a learner expects of each step that can be guessed."""
    rows = [step for step in steps if step.kind not in ("from", "metadata")]
    return _text(rows, {"forecast.guess": _guessed(marked)})


def guess_html(steps: Sequence[ForecastStep], marked: Collection[int]) -> str:
    """The same as a table."""
    rows = [step for step in steps if step.kind not in ("from", "metadata")]
    return _html("predict.label", rows, {"forecast.guess": _guessed(marked)})


def question_text(steps: Sequence[ForecastStep], command: str) -> str:
    """The steps to guess, without a word of their fates, and how to guess where no boxes are."""
    return f"{_text(steps, {})}\n\n{say('mark.by-number')}\n{printable(command, limit=None)}"


def question_html(steps: Sequence[ForecastStep], command: str) -> str:
    """The same as a table."""
    how = element("p", f"{say('mark.by-number')} ", element("code", command))
    return _html("predict.label", steps, {}, below=element("div", how, cls="ll-guess"))


def no_question(file: str) -> str:
    """Instead of a question, where no step of a Dockerfile can be guessed."""
    return say("mark.empty", file=file)


def explanation_text(steps: Sequence[_Told], reasons: Sequence[str]) -> str:
    """What was foretold of each step of a build, what became of it, and why; one a line."""
    return _text(steps, {"forecast.expected": _will, "forecast.became": _did}, reasons)


def _will(step: ForecastStep) -> _Cell:
    return _undecided(step.kind) or _foretold(step.fate)


def expected(kind: StepKind, fate: Fate) -> _Cell | None:
    """What was foretold of a step, as sign and word; None where nobody foretells anything."""
    return None if _undecided(kind) else _foretold(fate)


def _undecided(kind: StepKind) -> _Cell | None:
    """Of these nobody foretells anything."""
    if kind == "metadata":
        return "free", words.word("free")
    return ("base", words.word("base")) if kind == "from" else None


def _foretold(fate: Fate) -> _Cell:
    return _WILL[fate], say(f"forecast.{fate}")


def _guessed(marked: Collection[int]) -> Callable[[ForecastStep], _Cell]:
    return lambda step: _foretold("rebuild" if step.n in marked else "hit")


def _did(step: _Told) -> _Cell:
    return did(step.kind, step.actual)


def did(kind: StepKind, actual: str | None) -> _Cell:
    """What became of a step, as sign and word."""
    return _undecided(kind) or became(actual)


def became(actual: str | None) -> _Cell:
    """What the engine did with a step that it looked up."""
    fate = _DID.get(actual or "")
    return (fate, words.word(fate)) if fate else ("waiting", say("forecast.unsaid"))


def _place(
    steps: Sequence[ForecastStep],
) -> tuple[tuple[str, ...], Callable[[ForecastStep], tuple[str, ...]]]:
    """Headings and cells of what says which step it is; stage and platform where there are any."""
    stages = len({step.stage for step in steps}) > 1
    platforms = len({step.platform for step in steps}) > 1
    columns = ["column.step", *(["column.stage"] if stages else [])]
    columns += ["column.platform"] if platforms else []

    def place(step: ForecastStep) -> tuple[str, ...]:
        named = [step.stage] if stages else []
        named += [step.platform] if platforms else []
        return (f"{step.n}", *named, words.span(step.lines), one_line(step.instruction))

    return (*columns, "column.line", "column.instruction"), place


def _text(
    steps: Sequence[S], cells: Mapping[str, Callable[[S], _Cell]], reasons: Sequence[str] = ()
) -> str:
    columns, place = _place(steps)
    rows = [
        (*place(step), *(cell(step)[1] for cell in cells.values()), *reason)
        for step, reason in zip(steps, _column(reasons, len(steps)), strict=True)
    ]
    names = (*columns, *cells, *(["column.why"] if reasons else []))
    return text_table([say(name) for name in names], rows)


def _html(
    caption: str,
    steps: Sequence[S],
    cells: Mapping[str, Callable[[S], _Cell]],
    reasons: Sequence[str] = (),
    below: Markup | None = None,
) -> str:
    columns, place = _place(steps)
    rows = (
        _row(place(step), [cell(step) for cell in cells.values()], reason)
        for step, reason in zip(steps, _column(reasons, len(steps)), strict=True)
    )
    names = (*columns, *cells, *(["column.why"] if reasons else []))
    return element(
        "section",
        parts.style(),
        element(
            "table",
            element("caption", say(caption)),
            head(names),
            element("tbody", rows),
            cls="ll-chart ll-forecast",
        ),
        below,
        cls="layerlab",
    )


def _column(reasons: Sequence[str], count: int) -> list[tuple[str, ...]]:
    return [(reason,) for reason in reasons] if reasons else [()] * count


def _row(place: Sequence[str], cells: Sequence[_Cell], reason: Sequence[str]) -> Markup:
    *before, instruction = place
    return element(
        "tr",
        (element("td", text) for text in before),
        element("td", parts.instruction(instruction), cls="ll-instruction"),
        (element("td", parts.told(*cell), cls="ll-fate") for cell in cells),
        (element("td", text, cls="ll-why") for text in reason),
    )
