"""What the picture of builds side by side receives, as plain JSON data: bounded, texts cleaned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import TypedDict

from layerlab.model.build import Build, Instruction, Outcome, StepState
from layerlab.model.plan import StepKind
from layerlab.model.text import printable

MAX_ROWS = 300
"""Instructions of a comparison."""
MAX_NAME = 500
"""Characters of an instruction."""


class WireCell(TypedDict):
    """What became of an instruction in one build; `changed`: something else than in the one
    before. `before` is what that was, null where that build has no such instruction.
    """

    kind: StepKind
    state: StepState
    seconds: float | None
    reason: str
    changed: bool
    before: StepState | None


class WireRow(TypedDict):
    """An instruction; a cell for each build, null where it has no such instruction."""

    stage: str
    instruction: str
    cells: list[WireCell | None]


class WireColumn(TypedDict):
    """One build of a comparison; see `wire.WireBuild`."""

    name: str
    engine: str
    outcome: Outcome | None
    seconds: float
    hits: int
    executed: int
    countable: int
    strip: list[StepState]


class WireCompare(TypedDict):
    """Builds side by side; `omitted` rows are left out."""

    builds: list[WireColumn]
    rows: list[WireRow]
    omitted: int


def to_compare(builds: Sequence[Build]) -> WireCompare:
    """Some builds side by side, aligned by what their Dockerfiles say."""
    told = [_instructions(build) for build in builds]
    keys: list[tuple[str, str]] = []
    for each in told:
        keys = _merged(keys, list(each))
    rows = [_row(key, told) for key in keys]
    return {
        "builds": [
            {
                "name": printable(", ".join(build.tags)),
                "engine": build.engine,
                "outcome": build.outcome,
                "seconds": build.seconds(),
                "hits": build.hits,
                "executed": build.executed,
                "countable": len(build.counted),
                "strip": [instruction.state for instruction in build.counted],
            }
            for build in builds
        ],
        "rows": rows[:MAX_ROWS],
        "omitted": max(0, len(rows) - MAX_ROWS),
    }


_Told = dict[tuple[str, str], tuple[Instruction, str]]


def _instructions(build: Build) -> _Told:
    """By stage and text, for those that cost something; with the reason for what became of it."""
    reasons: dict[str, str] = defaultdict(str)
    for id_, outlook in build.outlooks.items():
        reasons[id_.rpartition(":")[2]] = outlook.reason
    lines = {step.lines: step.id.rpartition(":")[2] for step in build.steps.values()}
    return {
        (printable(one.stage), printable(one.text, limit=MAX_NAME)): (
            one,
            reasons[lines.get(one.lines, "")],
        )
        for one in build.instructions
        if one.kind == "from" or one.counted
    }


def _merged(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Both in one order, what they share once."""
    merged: list[tuple[str, str]] = []
    for _, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        merged += old[a:b]
        merged += [key for key in new[c:d] if key not in old]
    return merged


def _row(key: tuple[str, str], told: Sequence[_Told]) -> WireRow:
    cells: list[WireCell | None] = []
    before: StepState | None = None
    for number, each in enumerate(told):
        found = each.get(key)
        if found is None:
            cells.append(None)
            before = None
            continue
        instruction, reason = found
        costs = instruction.kind != "from"
        cells.append(
            {
                "kind": instruction.kind,
                "state": instruction.state,
                "seconds": instruction.seconds,
                "reason": printable(reason),
                "changed": number > 0 and costs and instruction.state != before,
                "before": before,
            }
        )
        before = instruction.state
    return {"stage": key[0], "instruction": key[1], "cells": cells}
