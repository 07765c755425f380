"""What the view of an explanation receives: each step, what became of it and why.

Plain JSON data, bounded; sentences come as they are to be read, words of fates are found in the
views.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypedDict, TypeVar

from layerlab.model.build import Fate
from layerlab.model.forecasts import Actual, ForecastStep
from layerlab.model.plan import StepKind
from layerlab.model.text import printable

MAX_STEPS = 300
"""Steps of an explanation."""
MAX_NAME = 500
"""Characters of an instruction or of a sentence."""
MAX_FILES = 20
"""Changed files that are listed of one step."""
MAX_TEXT = 200
"""Characters of a changed line."""


class WireLineChange(TypedDict):
    """A line of a file before and after; null where there is none."""

    line: int
    before: str | None
    after: str | None


class WireFile(TypedDict):
    """A changed file: what happened to it, and its changed lines where they are known."""

    told: str
    lines: list[WireLineChange]


class WireTold(TypedDict):
    """One step. `fate`: what was expected; `actual`: null where the engine did not speak of it.

    `more`: changed files that are not listed.
    """

    n: int
    stage: str
    platform: str
    lines: list[int]
    instruction: str
    kind: StepKind
    fate: Fate
    actual: Actual | None
    reason: str
    files: list[WireFile]
    more: int


class WireExplain(TypedDict):
    """A whole build, step by step; `omitted` are left out."""

    steps: list[WireTold]
    omitted: int


class _Line(Protocol):
    """The part of `cache.causes.LineChange` that is shown; the model knows no cache."""

    @property
    def line(self) -> int: ...
    @property
    def before(self) -> str | None: ...
    @property
    def after(self) -> str | None: ...


class _File(Protocol):
    """The part of `cache.causes.FileChange` that is shown."""

    @property
    def lines(self) -> Sequence[_Line]: ...


F_co = TypeVar("F_co", bound=_File, covariant=True)


class _Cause(Protocol, Generic[F_co]):
    """The part of `cache.causes.Cause` that is shown."""

    @property
    def files(self) -> Sequence[F_co]: ...
    @property
    def more(self) -> int: ...


class _Told(ForecastStep, Protocol, Generic[F_co]):
    """The part of `cache.explain.Explanation` that is shown."""

    @property
    def actual(self) -> Actual | None: ...
    @property
    def cause(self) -> _Cause[F_co] | None: ...


F = TypeVar("F", bound=_File)


def to_explain(
    steps: Sequence[_Told[F]], reasons: Sequence[str], told: Callable[[F], str]
) -> WireExplain:
    """What became of a build.

    Args:
        steps: explanations.
        reasons: a sentence for each, or "".
        told: what happened to a file, without its lines.
    """
    platforms = len({step.platform for step in steps}) > 1
    shown = list(zip(steps, reasons, strict=True))[:MAX_STEPS]
    return {
        "steps": [
            {
                "n": step.n,
                "stage": printable(step.stage, limit=MAX_NAME),
                "platform": printable(step.platform) if platforms else "",
                "lines": list(step.lines),
                "instruction": printable(step.instruction, limit=MAX_NAME),
                "kind": step.kind,
                "fate": step.fate,
                "actual": step.actual,
                "reason": printable(reason, limit=MAX_NAME),
                **_files(step.cause, told),
            }
            for step, reason in shown
        ],
        "omitted": len(steps) - len(shown),
    }


class _Files(TypedDict):
    files: list[WireFile]
    more: int


def _files(cause: _Cause[F] | None, told: Callable[[F], str]) -> _Files:
    if cause is None:
        return {"files": [], "more": 0}
    listed = cause.files[:MAX_FILES]
    return {
        "files": [
            {"told": printable(told(file)), "lines": [_line(line) for line in file.lines]}
            for file in listed
        ],
        "more": len(cause.files) - len(listed) + cause.more,
    }


def _line(change: _Line) -> WireLineChange:
    def text(value: str | None) -> str | None:
        return None if value is None else printable(value, limit=MAX_TEXT)

    return {"line": change.line, "before": text(change.before), "after": text(change.after)}
