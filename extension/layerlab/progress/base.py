"""What every parser offers: bytes as they come, events as soon as they are sure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

from layerlab.model.events import Event

Stream = Literal["stdout", "stderr"]


class Parser(Protocol):
    """Reads what one build prints. A parser has state and serves one build.

    Nothing it is fed may make it raise: a CLI can print anything.
    """

    def feed(self, data: bytes, stream: Stream, at: float) -> Iterable[Event]:
        """Events that became certain with `data`, which may end anywhere, in any encoding.

        `at` is the time of arrival, for formats that print no times.
        """
        ...

    def close(self, exit_code: int | None, at: float, *, cancelled: bool) -> Iterable[Event]:
        """What is left when the process has ended: a `Failure` if it failed, `Finished` last."""
        ...
