"""What the steps print, as `Log` events of whole lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from layerlab.model.events import Event, Log, StepUpdate
from layerlab.model.plan import StepKind
from layerlab.progress.base import Stream
from layerlab.progress.lines import TextLines
from layerlab.progress.steps import Steps

KEPT = 4_000
"""Characters of a step's output that are kept for the case that it fails."""
_MESSAGES: dict[Stream, tuple[str, StepKind]] = {
    "stdout": ("export:messages", "export"),
    "stderr": ("internal:messages", "internal"),
}


class Output:
    """The output of all steps, each stream of each step by itself."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._lines: dict[tuple[str, Stream], TextLines] = {}
        self._ends: dict[str, deque[str]] = {}

    def feed(self, step: str, data: bytes, stream: Stream, at: float) -> Iterator[Log]:
        """More output of a step."""
        lines = self._lines.get((step, stream))
        if lines is None:
            lines = self._lines[step, stream] = TextLines()
        yield from self.text(step, lines.feed(data), stream, at)

    def say(self, text: str, stream: Stream, at: float) -> Iterator[Event]:
        """What the CLI itself printed: the log of a step of its own."""
        step, kind = _MESSAGES[stream]
        if self._steps.said(step) is None:
            yield from self._steps.say(
                StepUpdate(
                    at=at,
                    step=step,
                    kind=kind,
                    instruction="messages of the command",
                    started=at,
                    completed=at,
                )
            )
        yield from self.text(step, text, stream, at)

    def end_of(self, step: str, at: float) -> Iterator[Log]:
        """The unfinished lines of a step that will print no more."""
        for stream in ("stdout", "stderr"):
            if lines := self._lines.pop((step, stream), None):
                yield from self.text(step, lines.close(), stream, at)

    def close(self, at: float) -> Iterator[Log]:
        """The unfinished lines of all steps."""
        for step in dict.fromkeys(step for step, _ in self._lines):
            yield from self.end_of(step, at)

    def last(self, step: str | None) -> str:
        """The end of what a step printed, at most `KEPT` characters."""
        return "".join(self._ends.get(step or "", ()))[-KEPT:]

    def text(self, step: str, text: str, stream: Stream, at: float) -> Iterator[Log]:
        """Output that is decoded already and ends with a line, if there is any."""
        if text:
            self._ends.setdefault(step, deque(maxlen=20)).append(text[-KEPT:])
            yield Log(at=at, step=step, text=text, stream=stream)
