"""BuildKit's `--progress plain` (`progressui/printer.go`), for builders without rawjson.

    #5 [2/3] RUN make                 a step's header, printed again after others had their turn
    #5 sha256:…                       20.10 only: the vertex's digest, right after the header
    #5 sha256:… 1.05MB / 2.10MB 0.2s  a part of it: `ID[ current / total][ seconds][ done]`
    #5 0.123 some output              seconds since the step began, and what it printed
    #5 DONE 0.3s | CACHED | CANCELED | ERROR: …

The numbers follow the order of printing, not the Dockerfile's. It says no times of day, so those
of arrival are taken, and durations as they are printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from layerlab.model.events import Event, Progress, StepUpdate
from layerlab.model.plan import Plan
from layerlab.progress.base import Stream
from layerlab.progress.console import Console
from layerlab.progress.ending import end
from layerlab.progress.lines import ByteLines, TextLines
from layerlab.progress.output import Output
from layerlab.progress.statuses import ImageDigest, item_name
from layerlab.progress.steps import Steps
from layerlab.progress.vertices import VertexSteps

_LINE = re.compile(r"#(?P<index>\d{1,9}) (?P<body>.*)", re.DOTALL)
_OUTPUT = re.compile(r"\d+\.\d* (?P<text>.*)|\d+\.\d*", re.DOTALL)
_DONE = re.compile(r"DONE(?: (?P<seconds>\d{1,9}\.\d+)s)?")
# 20.10 ends no line for a command: `#8 0.359 no newline#8 DONE 0.4s`.
_RUN_ON = re.compile(
    r"(?P<output>#(?P<index>\d{1,9}) .*)(?P<end>#(?P=index) (?:DONE \d+\.\ds|CANCELED|ERROR: .*))",
    re.DOTALL,
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SIZE = r"\d{1,9}(?:\.\d{1,9})?(?:[kMGTP]?B)"
_PART = re.compile(
    rf"(?P<id>.+?)(?: (?P<current>{_SIZE})(?: / (?P<total>{_SIZE}))?)?"
    r"(?: \d+\.\d+s)?(?P<done> done)?"
)
_UNITS: dict[str, int] = {
    unit: 1000**power for power, unit in enumerate(("B", "kB", "MB", "GB", "TB", "PB"))
}


class PlainParser:
    """Reads one build; see `progress.base.Parser`.

    Args:
        plan: what the Dockerfile asks for.
        platforms: target platforms, where the learner chose any.
    """

    def __init__(self, plan: Plan, platforms: Sequence[str] = ()) -> None:
        self._steps = Steps(plan, platforms)
        self._named = VertexSteps(self._steps)
        self._console = Console()
        self._output = Output(self._steps)
        self._image = ImageDigest()
        self._lines = ByteLines()
        self._stdout = TextLines()
        self._names: dict[int, str] = {}
        self._last = 0
        self._header = False
        self._old = False
        self._held: list[str] = []

    def feed(self, data: bytes, stream: Stream, at: float) -> list[Event]:
        """See `progress.base.Parser`."""
        if stream == "stdout":
            return list(self._messages(self._stdout.feed(data), stream, at))
        return self._read(self._lines.feed(data), at)

    def close(self, exit_code: int | None, at: float, *, cancelled: bool) -> list[Event]:
        """See `progress.base.Parser`."""
        events = self._read(self._lines.close(), at)
        events += self._messages(self._stdout.close(), "stdout", at)
        events += end(
            self._steps,
            self._console,
            self._output,
            exit_code=exit_code,
            at=at,
            cancelled=cancelled,
            image=self._image.value,
        )
        return events

    def _read(self, lines: Sequence[bytes], at: float) -> list[Event]:
        events: list[Event] = []
        if lines and not self._steps.several:
            events += self._steps.announce_all(at)
        for line in lines:
            events += self._line(line.decode(errors="replace"), at)
        events += self._release(at)
        return events

    def _line(self, line: str, at: float) -> Iterator[Event]:
        if self._old and (both := _RUN_ON.fullmatch(line)):
            yield from self._line(both["output"], at)
            line = both["end"]
        match = _LINE.fullmatch(line)
        after_header, self._header = self._header, False
        if match is None:
            yield from self._release(at)
            yield from self._console.add(line.rstrip("\r"), at)
            if line.strip():
                yield from self._messages(f"{line}\n", "stderr", at)
            return
        index, body = int(match["index"]), match["body"]
        output = _OUTPUT.fullmatch(body)
        if output and index == 0:
            index = self._last  # BuildKit 0.9 and 0.10 number a step's first output 0
        if output and index in self._names:
            if index != self._last:
                yield from self._release(at)
            self._last = index
            self._held.append(f"{output['text'] or ''}\n")
            return
        yield from self._release(at)
        self._last = index
        if index not in self._names:
            yield from self._begin(index, body, at)
        elif after_header and _DIGEST.fullmatch(body):
            self._old = True
        else:
            yield from self._news(self._named[self._names[index]], index, body, at)

    def _begin(self, index: int, name: str, at: float) -> Iterator[Event]:
        if index == 0:
            yield from self._messages(f"{name}\n", "stderr", at)  # which builder it is
            return
        self._header = True
        self._names[index] = name
        yield from self._named.find(name, at)
        yield from self._named.begun(self._named[name], at, at)
        yield from self._steps.say(StepUpdate(at=at, step=self._named[name], started=at))

    def _news(self, step: str, index: int, body: str, at: float) -> Iterator[Event]:
        if body == self._names[index]:
            self._header = True
        elif done := _DONE.fullmatch(body):
            duration = float(done["seconds"]) if done["seconds"] else None
            yield from self._steps.say(
                StepUpdate(at=at, step=step, completed=at, duration=duration, cached=False)
            )
        elif body == "CACHED":
            yield from self._steps.say(StepUpdate(at=at, step=step, completed=at, cached=True))
        elif body == "CANCELED":
            yield from self._steps.say(
                StepUpdate(at=at, step=step, completed=at, cached=False, cancelled=True)
            )
        elif body.startswith("ERROR: "):
            yield from self._steps.say(
                StepUpdate(at=at, step=step, completed=at, cached=False, error=body[7:])
            )
        elif body.startswith("WARN: "):
            yield from self._console.warn(body[6:], at)
        elif body != "...":
            yield from self._part(step, body, at)

    def _part(self, step: str, body: str, at: float) -> Iterator[Event]:
        part = _PART.fullmatch(body)
        if part is None:
            return
        self._image.see(part["id"])
        yield Progress(
            at=at,
            step=step,
            item=item_name(part["id"]),
            current=_bytes(part["current"]) or 0,
            total=_bytes(part["total"]),
            done=part["done"] is not None,
        )

    def _messages(self, text: str, stream: Stream, at: float) -> Iterator[Event]:
        if text:
            yield from self._output.say(text, stream, at)

    def _release(self, at: float) -> Iterator[Event]:
        """Output lines in a row go out as one `Log`."""
        if self._held:
            text = "".join(self._held)
            self._held.clear()
            yield from self._output.text(self._named[self._names[self._last]], text, "stdout", at)


def _bytes(size: str | None) -> int | None:
    """`1.05MB` as bytes; the two decimals are all that is left of it."""
    if size is None:
        return None
    number = size.rstrip("kMGTPB")
    return round(float(number) * _UNITS[size[len(number) :]])
