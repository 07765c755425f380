"""A build as text: the same on every engine but for the times, so that nbval can compare it.

Nothing but a time depends on the run, and a time is always the last word of its
line: no width of a column changes with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from layerlab.model.build import Build, Instruction, Step
from layerlab.model.text import plain
from layerlab.model.wire import WireFailure, to_wire
from layerlab.views import words
from layerlab.views.markup import clean
from layerlab.views.texts import say

WIDTH = 60
"""Characters of an instruction."""
LAST_LINES = 10
"""Lines of a failing step's output."""


def build_text(build: Build) -> str:
    """The whole build: a header, one line per instruction, what went wrong."""
    # Seconds even of an hour: a time is one word, whatever it is.
    told = say(f"outcome.{build.outcome or 'running'}", time=seconds(build.seconds()))
    head = (
        names(build),
        told[:1].lower() + told[1:],
        words.ratio(build.hits, len(build.counted)),
    )
    lines = [" · ".join(head), *table([_cells(step) for step in build.instructions])]
    if build.failure is not None:
        lines += ["", *_failure_lines(build)]
    if build.guess is not None:
        lines += ["", *guess_lines(build)]
    return "\n".join(lines)


def guess_lines(build: Build) -> list[str]:
    """How the learner's guess went, and each miss; nothing where there was none."""
    if build.guess is None:
        return []
    misses = (f"  {clean(miss)}" for miss in build.guess.misses)
    return [words.guessed(build.guess.right, build.guess.of), *misses]


def step_text(build: Build, step: Step) -> str:
    """One line for a step that is over, for text that grows while the build runs."""
    place = " ".join(part for part in (step.platform, step.stage, _number(step.n, step.m)) if part)
    fate = _fate(words.fate(step.kind, build.state(step)), step.seconds(build.finished))
    return f"[{clean(place)}] {one_line(step.instruction)}: {fate}"


def one_line(instruction: str, width: int = WIDTH) -> str:
    """An instruction in at most `width` characters."""
    text = re.sub(r"\s+", " ", clean(instruction)).strip()
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"


def names(build: Build) -> str:
    """The names of a build."""
    return clean(", ".join(build.tags)) or say("no-name")


def _cells(step: Instruction) -> tuple[str, ...]:
    fate = words.fate(step.kind, step.state)
    if step.kind == "from" and fate == "unreached":
        # Whether a base was looked up before the build failed elsewhere depends on the engine.
        fate = "base"
    return (
        f"{step.stage} {_number(step.n, step.m)}".strip(),
        words.at_lines(step.lines) if step.lines else "",
        one_line(step.text),
        _fate(fate, step.seconds),
    )


def _fate(fate: words.Fate, took: float | None) -> str:
    told = words.word(fate)
    # No other has a time: whether a base is fetched depends on what the engine has already.
    return told if fate != "ran" or took is None else f"{told} {seconds(took)}"


def _number(n: int | None, m: int | None) -> str:
    return f"{n}/{m}" if n and m else ""


def seconds(value: float) -> str:
    """`3.2 s`."""
    return f"{words.number(value)} s"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows with equally wide columns; the last column, where the times are, has no width."""
    columns = len(rows[0]) - 1 if rows else 0
    widths = [max(len(row[column]) for row in rows) for column in range(columns)]
    return [
        "  ".join(
            [cell.ljust(width) for cell, width in zip(row, widths, strict=False) if width]
            + [row[-1]]
        ).rstrip()
        for row in rows
    ]


def _failure_lines(build: Build) -> list[str]:
    wire = to_wire(build, build.seconds())
    failure = wire["failure"]
    if failure is None:
        return []
    lines = [f"{_where(wire['dockerfile'], failure)}{clean(failure['message']).strip()}"]
    lines += [
        f"{'>' if line['marked'] else ' '} {line['number']:4} | {clean(line['text'])}".rstrip()
        for line in failure["source"]
    ]
    step = build.steps.get(failure["step"] or "")
    if step is not None and (step.log.head or step.log.last):
        last = (*step.log.head, *step.log.last)[-LAST_LINES:]
        lines += ["", say("build.last"), *(f"  {plain(line)}".rstrip() for line in last)]
    if failure["hint"]:
        lines += ["", *clean(failure["hint"]).splitlines()]
    return lines


def _where(dockerfile: str, failure: WireFailure) -> str:
    if failure["lines"] is None:
        return ""
    return f"{clean(dockerfile) or 'Dockerfile'}, {words.at_lines(failure['lines'])}: "
