"""What the view of a guess receives: the steps to mark, and nothing of what is foreseen of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, TypedDict

from layerlab.model.forecasts import GuessableStep
from layerlab.model.text import printable
from layerlab.model.wire import MAX_NAME

End = Literal["built", "replaced"]
"""What ends a guess: a build that scores it, or a later guess about the same Dockerfile."""


class WireQuestion(TypedDict):
    """A step that can be guessed; `stage` is "" where there is only one."""

    n: int
    stage: str
    lines: list[int]
    instruction: str


class WireEnd(TypedDict):
    """Why a guess can no longer be changed, and what was marked then; null where nothing was."""

    why: End
    marked: list[int] | None


def to_questions(steps: Sequence[GuessableStep]) -> list[WireQuestion]:
    """The steps that a reader is asked about."""
    stages = len({step.stage for step in steps}) > 1
    return [
        {
            "n": step.n,
            "stage": printable(step.stage, limit=MAX_NAME) if stages else "",
            "lines": list(step.lines),
            "instruction": printable(step.instruction, limit=MAX_NAME),
        }
        for step in steps
    ]


def to_end(end: End | None, marked: Collection[int] | None) -> WireEnd | None:
    """How a guess stands at its end; None while it can be changed."""
    if end is None:
        return None
    return {"why": end, "marked": None if marked is None else sorted(marked)}
