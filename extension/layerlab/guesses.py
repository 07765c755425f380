"""A learner's guess for as long as it can be changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from layerlab.cache.guess import guessable
from layerlab.cache.predict import Forecast
from layerlab.model.wire_guess import End


class OpenGuess:
    """Which steps a learner expects to run in the next build of a Dockerfile.

    Args:
        dockerfile: its identity in the ledger.
        steps: what is foreseen of the build.

    Attributes:
        dockerfile: as it was given.
        questions: the steps that can be guessed.
        marked: the n of those that are expected to run; None as long as there is no guess.
        end: what has ended it; None while it can be changed.
        on_end: called when `end` has changed, for a view of it.
    """

    def __init__(self, dockerfile: str, steps: Sequence[Forecast]) -> None:
        self.dockerfile = dockerfile
        self.questions = guessable(steps)
        self.marked: frozenset[int] | None = None
        self.end: End | None = None
        self.on_end: Callable[[], None] = lambda: None

    def mark(self, numbers: Collection[int] | None) -> None:
        """Expect these steps to run; `()` says that none will, None takes the guess back.

        Nothing changes when it is too late, or when a number is no step to guess: a page may send
        anything at any time.
        """
        possible = {step.n for step in self.questions}
        if self.end is None and possible.issuperset(numbers or ()):
            self.marked = None if numbers is None else frozenset(numbers)

    def close(self, end: End) -> None:
        """No more changes."""
        self.end = end
        self.on_end()

    def reopen(self) -> None:
        """Of the build that was to score it, nothing can be said."""
        self.end = None
        self.on_end()
