"""The words, signs and numbers of every picture; the words are in the catalogues of `texts`.

`widgets/js/words.js` says the same; `tests/widgets` compares the two.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from layerlab.model.build import Outcome, StepState
from layerlab.model.plan import StepKind
from layerlab.views.texts import say

Fate = Literal[
    "base", "reused", "ran", "running", "waiting", "failed", "stopped", "unreached", "free"
]
"""What became of a step, as a learner is told. `base`: FROM, whose image is fetched, not made."""

SIGNS: dict[Fate, str] = {
    "base": "◆",
    "reused": "✓",
    "ran": "●",
    "running": "…",
    "waiting": "·",
    "failed": "✗",
    "stopped": "■",
    "unreached": "–",
    "free": "○",
}
TIMED: frozenset[Fate] = frozenset({"base", "ran", "running", "failed", "stopped"})
"""Fates that a duration belongs to."""

_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")

FATES: dict[StepState, Fate] = {
    "waiting": "waiting",
    "running": "running",
    "cached": "reused",
    "executed": "ran",
    "failed": "failed",
    "cancelled": "stopped",
    "not reached": "unreached",
    "free": "free",
}
"""The fate of any step but FROM, see `fate`."""

OUTCOMES: dict[Outcome | None, Fate] = {
    None: "running",
    "built": "reused",
    "failed": "failed",
    "cancelled": "stopped",
}
"""How a build ended: the fate that gives it sign and colour."""


def word(fate: Fate) -> str:
    """A fate in one or two words."""
    return say(f"fate.{fate}")


def outcome(ended: Outcome | None, seconds: float) -> str:
    """`Built in 3.2 s`."""
    return say(f"outcome.{ended or 'running'}", time=duration(seconds))


def fate(kind: StepKind, state: StepState) -> Fate:
    """What became of a step."""
    if kind == "from" and state in ("cached", "executed"):
        return "base"
    return FATES[state]


def fixed(value: float, digits: int = 1) -> str:
    """A number with some decimals; halves are rounded up, as JavaScript's `toFixed` does it."""
    return f"{Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):f}"


def number(value: float, digits: int = 1) -> str:
    """A number with some decimals, as the reader's language writes it."""
    return fixed(value, digits).replace(".", say("decimal"))


def duration(seconds: float) -> str:
    """`3.2 s`, `2 min 05 s`, `1 h 02 min`."""
    if seconds < 60:
        # 59.96 would become 60.0 s.
        return f"{number(min(seconds, 59.9))} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def size(count: int, of: int | None = None) -> str:
    """Bytes as the CLIs show a download, in decimal units: `12.3 MB`, `12.3 of 47.3 MB`."""
    largest = max(count, of or 0)
    # 999,960 would become 1000.0 kB.
    power = sum(1 for limit in (1e3, 999.95e3, 999.95e6) if largest >= limit)
    current, *total = (
        number(value / 1000**power) if power else f"{value}"
        for value in ((count,) if of is None else (count, of))
    )
    told = say("size.of", current=current, total=total[0]) if total else current
    return f"{told} {('B', 'kB', 'MB', 'GB')[power]}"


def mebibytes(size: int) -> str:
    """`6.3 MiB`, the unit of `nerdctl image ls`; never another, for widths and for comparing."""
    return f"{number(size / 2**20)} MiB"


def short(name: str) -> str:
    """A name with its digests cut to twelve digits, as the CLIs show them."""
    return _DIGEST.sub(r"\1", name)


def whole(value: int) -> str:
    """`12,345`."""
    return f"{value:,}".replace(",", say("thousands"))


def counted(value: int, what: str) -> str:
    """`1 line`, `12,345 lines`; `what` is one of the catalogue's `count.…`."""
    return say(f"count.{what}", value, count=whole(value))


def ratio(hits: int, countable: int) -> str:
    """`4 of 5 steps reused`."""
    if not countable:
        return say("ratio.none")
    return say("ratio", countable, hits=f"{hits}", count=whole(countable))


def guessed(right: int, of: int) -> str:
    """How well a guess went, kindly."""
    if not of:
        return say("guess.none")
    key = "guess.right" if right == of else "guess.wrong"
    return say(key, right=f"{right}", steps=counted(of, "step"))


def span(lines: tuple[int, int] | list[int]) -> str:
    """Dockerfile lines: `7`, `8–11`."""
    first, last = lines
    return f"{first}" if first == last else f"{first}–{last}"


def at_lines(lines: tuple[int, int] | list[int]) -> str:
    """`line 7`, `lines 8–11`."""
    return say("lines", lines[1] - lines[0] + 1, span=span(lines))


_FULFILLED: dict[object, tuple[Fate, ...]] = {
    "hit": ("reused",),
    "rebuild": ("ran", "running", "failed", "stopped"),
    "unknown": ("reused", "ran", "running", "failed", "stopped"),
}
"""The fates that fulfil each prediction on the wire; any is right where nothing was known."""


def expected(prediction: object, became: Fate) -> str:
    """`expected: reused`, while a step waits or when it went otherwise; else nothing."""
    if prediction not in _FULFILLED or became in {"base", "free", "unreached"}:
        return ""
    return "" if became in _FULFILLED[prediction] else say(f"expected.{prediction}")
