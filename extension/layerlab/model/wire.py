"""What a view receives: a full snapshot of a build as plain JSON data, bounded in size.

Always the whole picture, never a difference: Jupyter may drop messages under load,
and a page that is reloaded has seen none of the earlier ones.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TypedDict

from layerlab.model.build import Build, Fate, Guess, Outcome, Step, StepState
from layerlab.model.events import Failure
from layerlab.model.plan import StepKind
from layerlab.model.text import Line, printable

FRAME = 3
"""Dockerfile lines shown before and after a failing one."""
MAX_MISSES = 50
"""Wrong guesses that a view explains."""
MAX_NAME = 500
"""Characters of an instruction that a view is given."""
MAX_STEPS = 400
"""Steps that a view is given: a snapshot of more would be megabytes, four times a second."""


class WireItem(TypedDict):
    """Bytes of one part of a step; `total` is null where unknown."""

    name: str
    current: int
    total: int | None
    done: bool


WireText = str | list[list[str]]
"""A line: a text, or pairs of text and style where it has colours; see `text.Piece`."""


class WireLog(TypedDict):
    """Beginning and end of a step's output; `dropped` lines lie between."""

    head: list[WireText]
    tail: list[WireText]
    dropped: int
    lines: int


class WireStep(TypedDict):
    """One row of a view. `offset`: seconds from the start of the build to the step's own.

    `skipped`: how many steps before it are left out, by their state; {} for most.
    `fate` is what was predicted, null where nothing was; `reason` a sentence or "".
    """

    id: str
    kind: StepKind
    stage: str
    platform: str | None
    n: int | None
    m: int | None
    instruction: str
    lines: list[int] | None
    state: StepState
    counted: bool
    offset: float | None
    seconds: float | None
    error: str | None
    items: list[WireItem]
    log: WireLog
    skipped: dict[StepState, int]
    fate: Fate | None
    reason: str


class WireLine(TypedDict):
    """A line of the Dockerfile; `marked` where the error is."""

    number: int
    text: str
    marked: bool


class WireFailure(TypedDict):
    """Why the build failed, and the Dockerfile around it."""

    code: str
    message: str
    hint: str
    step: str | None
    lines: list[int] | None
    source: list[WireLine]


class WireWarning(TypedDict):
    """Advice from the engine."""

    message: str
    lines: list[int] | None
    url: str | None


class WireGuess(TypedDict):
    """How many steps the learner guessed rightly, and a sentence for each that was otherwise."""

    right: int
    of: int
    misses: list[str]


class WireBuild(TypedDict):
    """The whole snapshot. Times are seconds; `outcome` is null while it runs.

    `strip`, `hits`, `executed` and `countable` are about instructions of the Dockerfile, each
    once for all platforms: see `Build.counted`. `steps` are what the engine did.
    """

    id: str
    engine: str
    command: str
    tags: list[str]
    dockerfile: str
    outcome: Outcome | None
    elapsed: float
    hits: int
    executed: int
    countable: int
    strip: list[StepState]
    image: str | None
    log_file: str | None
    steps: list[WireStep]
    warnings: list[WireWarning]
    failure: WireFailure | None
    guess: WireGuess | None


def to_wire(build: Build, now: float) -> WireBuild:
    """The snapshot of a build as it stands at `now` (seconds since the epoch)."""
    strip = [instruction.state for instruction in build.counted]
    return {
        "id": build.id,
        "engine": build.engine,
        "command": printable(shlex.join(build.command), limit=None),
        "tags": [printable(tag) for tag in build.tags],
        "dockerfile": printable(build.plan.dockerfile) if build.plan else "",
        "outcome": build.outcome,
        "elapsed": build.seconds(now),
        "hits": strip.count("cached"),
        "executed": strip.count("executed"),
        "countable": len(strip),
        "strip": strip,
        "image": build.image,
        "log_file": build.log_file,
        "steps": [_step(build, step, now, skipped) for step, skipped in _shown(build)],
        "warnings": [
            {
                "message": printable(warning.message),
                "lines": list(warning.lines) if warning.lines else None,
                "url": None if warning.url is None else printable(warning.url),
            }
            for warning in build.warnings
        ],
        "failure": _failure(build, build.failure) if build.failure else None,
        "guess": _guess(build.guess) if build.guess else None,
    }


def _shown(build: Build) -> Iterator[tuple[Step, Counter[StepState]]]:
    """The steps that a view is given, each with what is left out before it.

    Of very many: what is going on or went wrong, and the first, the latest and the last ones.
    """
    steps = build.ordered
    kept = {step.id for step in steps}
    if len(steps) > MAX_STEPS:
        some = MAX_STEPS // 4
        over = sorted((s for s in steps if s.completed is not None), key=lambda s: s.completed or 0)
        busy = [s for s in steps if build.state(s) in ("running", "failed", "cancelled")]
        kept = {s.id for s in (*steps[:some], *over[-some:], *busy[:some], *steps[-some:])}
    skipped: Counter[StepState] = Counter()
    for step in steps:
        if step.id in kept:
            yield step, skipped
            skipped = Counter()
        else:
            skipped[build.state(step)] += 1


def _step(build: Build, step: Step, now: float, skipped: Mapping[StepState, int]) -> WireStep:
    log = step.log
    outlook = build.outlooks.get(step.id)
    return {
        "id": step.id,
        "kind": step.kind,
        "stage": printable(step.stage, limit=MAX_NAME),
        "platform": None if step.platform is None else printable(step.platform),
        "n": step.n,
        "m": step.m,
        "instruction": printable(step.instruction, limit=MAX_NAME),
        "lines": list(step.lines) if step.lines else None,
        "state": build.state(step),
        "counted": step.counted,
        "offset": None if step.started is None else max(0.0, step.started - build.started),
        "seconds": step.seconds(build.finished if build.finished is not None else now),
        "error": None if step.error is None else printable(step.error),
        "items": [
            {
                "name": printable(item.name, limit=MAX_NAME),
                "current": item.current,
                "total": item.total,
                "done": item.done,
            }
            for item in step.items
        ],
        "log": {
            "head": [_text(line) for line in log.head],
            "tail": [_text(line) for line in log.last],
            "dropped": log.dropped,
            "lines": log.lines,
        },
        "skipped": dict(skipped),
        "fate": outlook.fate if outlook else None,
        "reason": printable(outlook.reason, limit=MAX_NAME) if outlook else "",
    }


def _text(line: Line) -> WireText:
    return line if isinstance(line, str) else [list(piece) for piece in line]


def _guess(guess: Guess) -> WireGuess:
    misses = [printable(miss, limit=MAX_NAME) for miss in guess.misses[:MAX_MISSES]]
    return {"right": guess.right, "of": guess.of, "misses": misses}


def _failure(build: Build, failure: Failure) -> WireFailure:
    return {
        "code": failure.code,
        "message": "\n".join(printable(line) for line in failure.message.splitlines()),
        "hint": "\n".join(printable(line) for line in failure.hint.splitlines()),
        "step": failure.step,
        "lines": list(failure.lines) if failure.lines else None,
        "source": _frame(build, failure.lines),
    }


def _frame(build: Build, lines: tuple[int, int] | None) -> list[WireLine]:
    if lines is None or build.plan is None:
        return []
    first, last = lines
    text = build.plan.source.splitlines()
    return [
        {"number": number, "text": printable(text[number - 1]), "marked": first <= number <= last}
        for number in range(max(1, first - FRAME), min(len(text), last + FRAME) + 1)
    ]
