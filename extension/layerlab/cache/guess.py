"""A learner's guess which steps will run, and what there is to say of it afterwards."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from layerlab.cache.explain import Explanation
from layerlab.cache.predict import Forecast
from layerlab.cache.sentences import miss
from layerlab.model.build import Guess
from layerlab.model.plan import COUNTED


def guessable(steps: Sequence[Forecast]) -> tuple[Forecast, ...]:
    """The steps that can be guessed: those that touch the file system, but for FROM.

    Each is there once, for how many platforms ever it is built.
    """
    found: dict[int, Forecast] = {}
    for step in steps:
        if step.kind in COUNTED and step.kind != "from":
            found.setdefault(step.n, step)
    return tuple(found.values())


def score(marked: Collection[int], told: Sequence[Explanation]) -> Guess:
    """What was guessed against what happened.

    Args:
        marked: the n of the steps that the learner expected to run.
        told: what became of the steps; on several platforms a step ran where it ran on one.

    Returns:
        The score over the steps that the engine spoke of, with one sentence for each miss.
    """
    happened: dict[int, list[Explanation]] = {}
    open_to_guess = {step.n for step in guessable(told)}
    for step in told:
        if step.n in open_to_guess and step.actual in ("hit", "rebuild", "failed"):
            happened.setdefault(step.n, []).append(step)
    misses = []
    for n, steps in happened.items():
        ran = next((step for step in steps if step.actual != "hit"), None)
        if (ran is not None) != (n in marked):
            misses.append(miss(ran or steps[0], told))
    return Guess(
        marked=tuple(sorted(marked)),
        right=len(happened) - len(misses),
        of=len(happened),
        misses=tuple(misses),
    )
