"""What the cache model says of a step, as far as it is shown; model and views know no cache."""

from __future__ import annotations

from typing import Literal, Protocol

from layerlab.model.build import Fate
from layerlab.model.plan import StepKind

Actual = Literal["hit", "rebuild", "failed", "cancelled", "not reached"]
"""What the engine did with a step."""


class GuessableStep(Protocol):
    """What is asked of a `cache.predict.Forecast` when a reader guesses."""

    @property
    def n(self) -> int:
        """See `cache.predict.Forecast`, as for all that follows."""
        ...

    @property
    def stage(self) -> str:
        """The name of its stage."""
        ...

    @property
    def lines(self) -> tuple[int, int]:
        """Its first and last line in the Dockerfile."""
        ...

    @property
    def instruction(self) -> str:
        """As it stands in the Dockerfile."""
        ...

    @property
    def kind(self) -> StepKind:
        """Of its instruction."""
        ...


class ForecastStep(GuessableStep, Protocol):
    """What is shown of a `cache.predict.Forecast`, and of a `cache.explain.Explanation`."""

    @property
    def platform(self) -> str:
        """`os/arch` that its stage runs on."""
        ...

    @property
    def fate(self) -> Fate:
        """What was expected."""
        ...
