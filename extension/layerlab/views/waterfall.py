"""What keeps a picture clear however many steps there are: lanes of time, folds, gaps.

`widgets/js/waterfall.js` says the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from layerlab.model.wire import WireBuild, WireStep
from layerlab.views import parts, words
from layerlab.views.markup import Markup, element
from layerlab.views.texts import say

MANY = 40
"""Steps of a stage from which on neighbours with one fate are folded."""
FOLD = 10
"""Neighbours that are worth a fold; the last `KEPT` of them stay in sight."""
KEPT = 3
MAX_LANES = 12
"""Lanes that are drawn."""
_FOLDED = frozenset({"reused", "ran", "waiting", "unreached"})
_DRAWN = words.TIMED | {"reused"}
_NARROW = 0.4
"""Percent of the track below which a block is joined with the one before it."""


class Chunk(NamedTuple):
    """Steps that are shown together: metadata in one row, a fold, or a step of its own."""

    kind: Literal["free", "fold", "step"]
    steps: Sequence[WireStep]


def chunks(steps: Sequence[WireStep]) -> list[Chunk]:
    """The rows of a stage."""
    runs: list[list[WireStep]] = []
    for step in steps:
        last = runs[-1][-1] if runs else None
        if last is not None and not step["skipped"] and _kind(last) == _kind(step):
            runs[-1].append(step)
        else:
            runs.append([step])
    found: list[Chunk] = []
    for run in runs:
        if run[0]["state"] == "free":
            found.append(Chunk("free", run))
            continue
        folds = len(steps) > MANY and len(run) >= FOLD and _kind(run[0]) in _FOLDED
        folded = len(run) - KEPT if folds else 0
        found += [Chunk("fold", run[:folded])] if folded else []
        found += [Chunk("step", [step]) for step in run[folded:]]
    return found


def _kind(step: WireStep) -> str:
    return "free" if step["state"] == "free" else parts.fate_of(step)


def fold_summary(steps: Sequence[WireStep]) -> Markup:
    """`✓ 118 steps reused`, and their lines."""
    fate = parts.fate_of(steps[0])
    count = words.counted(len(steps), "step")
    numbers = [line for step in steps for line in step["lines"] or ()]
    lines = f" · {words.at_lines([min(numbers), max(numbers)])}" if numbers else None
    told = parts.told(fate, say("build.fold", steps=count, fate=words.word(fate)))
    return element("summary", told, lines)


def gap(step: WireStep) -> str:
    """What is left out before a step."""
    fates = ", ".join(
        f"{words.whole(count)} {words.word(words.fate('run', state))}"
        for state, count in step["skipped"].items()
    )
    count = words.counted(sum(step["skipped"].values()), "step")
    return say("build.omitted", steps=count, fates=fates)


class _Block(NamedTuple):
    fate: words.Fate
    start: float
    end: float


def timeline(wire: WireBuild) -> Markup | None:
    """When each stage worked, one lane each, on one scale. Nothing where there is only one stage
    with few steps: the bars beside the steps say it then. For eyes only: the steps say all.
    """
    lanes: dict[str, list[WireStep]] = {}
    for step in wire["steps"]:
        if step["kind"] not in ("internal", "export"):
            lanes.setdefault(_lane(step), []).append(step)
    if len(lanes) < 2 and sum(map(len, lanes.values())) <= MANY:
        return None
    shown = [(name, _blocks(steps, wire["elapsed"])) for name, steps in lanes.items()]
    rest = len(shown) - MAX_LANES
    return element(
        "div",
        (_drawn(name, blocks, wire["elapsed"]) for name, blocks in shown[:MAX_LANES]),
        element("span", say("build.more-lanes", count=f"{rest}"), cls="ll-lanename")
        if rest > 0
        else None,
        element(
            "span",
            element("span", words.duration(0.0)),
            element("span", words.duration(wire["elapsed"])),
            cls="ll-axis",
        ),
        cls="ll-timeline",
        aria_hidden="true",
    )


def _lane(step: WireStep) -> str:
    return " ".join(part for part in (step["stage"], step["platform"]) if part)


def _blocks(steps: Sequence[WireStep], elapsed: float) -> list[_Block]:
    found: list[_Block] = []
    begun = [step for step in steps if step["offset"] is not None]
    for step in sorted(begun, key=lambda step: step["offset"] or 0.0):
        fate = parts.fate_of(step)
        if fate not in _DRAWN:
            continue
        start = step["offset"] or 0.0
        end = start + (step["seconds"] or 0.0)
        last = found[-1] if found else None
        near = elapsed * _NARROW / 100
        if last and last.fate == fate and start - last.end <= near and end - start <= near:
            found[-1] = _Block(fate, last.start, max(last.end, end))
        else:
            found.append(_Block(fate, start, end))
    return found


def _drawn(name: str, blocks: Sequence[_Block], elapsed: float) -> Markup:
    return element(
        "span",
        element("span", name, cls="ll-lanename") if name else None,
        element(
            "span",
            (
                element(
                    "span",
                    cls=f"ll-block ll-{block.fate}",
                    style=f"left:{parts.percent(block.start, elapsed)};"
                    f"width:{parts.percent(block.end - block.start, elapsed)}",
                )
                for block in blocks
            ),
            cls="ll-lanetrack",
        ),
        cls="ll-lane",
    )
