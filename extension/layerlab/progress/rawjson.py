"""BuildKit's `--progress rawjson`: one `SolveStatus` a line (`client/graph.go`).

docker buildx and buildctl print it on stderr, with plain text between and after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from layerlab.model.events import Event, Progress
from layerlab.model.plan import Plan
from layerlab.progress.base import Stream
from layerlab.progress.console import Console
from layerlab.progress.ending import end
from layerlab.progress.lines import ByteLines, TextLines
from layerlab.progress.output import Output
from layerlab.progress.statuses import ImageDigest, item_name
from layerlab.progress.steps import Steps
from layerlab.progress.vertices import Vertex, VertexSteps, news

_CANNOT_BEGIN = "failed to calculate checksum of ref"
"""What is said of a step for which something is not there, before it is looked up or run."""
MAX_SKEW = 5.0
"""Seconds by which the builder's clock may differ before its times are shifted to ours."""


_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _Group(msgspec.Struct):
    id: str = ""
    name: str = ""
    weak: bool = False


class _Vertex(msgspec.Struct, rename="camel"):
    digest: str
    name: str = ""
    inputs: list[str] | None = None
    started: _Moment | None = None
    completed: _Moment | None = None
    cached: bool = False
    error: str = ""
    progress_group: _Group | None = None


class _Status(msgspec.Struct):
    id: str
    vertex: str = ""
    current: int = 0
    total: int = 0
    completed: str | None = None


class _Log(msgspec.Struct):
    data: bytes = b""
    vertex: str = ""
    stream: int = 1


class _Position(msgspec.Struct):
    line: int = 0


class _Range(msgspec.Struct):
    start: _Position = msgspec.field(default_factory=_Position)
    end: _Position = msgspec.field(default_factory=_Position)


class _Warning(msgspec.Struct):
    short: bytes = b""
    url: str = ""
    range: list[_Range] | None = None


class _SolveStatus(msgspec.Struct):
    vertexes: list[_Vertex] | None = None
    statuses: list[_Status] | None = None
    logs: list[_Log] | None = None
    warnings: list[_Warning] | None = None


_decoder = msgspec.json.Decoder(_SolveStatus)


class RawJsonParser:
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
        self._object: list[bytes] = []
        self._stdout = TextLines()
        self._names: dict[str, str] = {}
        self._members: dict[str, dict[str, Vertex]] = {}
        self._skew: float | None = None

    def feed(self, data: bytes, stream: Stream, at: float) -> list[Event]:
        """See `progress.base.Parser`."""
        if stream == "stdout":
            return list(self._messages(self._stdout.feed(data), at))
        return [event for line in self._lines.feed(data) for event in self._line(line, at)]

    def close(self, exit_code: int | None, at: float, *, cancelled: bool) -> list[Event]:
        """See `progress.base.Parser`."""
        events = [event for line in self._lines.close() for event in self._line(line, at)]
        for line in self._object:  # an object that was cut off
            events += self._text(line, at)
        events += self._messages(self._stdout.close(), at)
        events += self._output.close(at)
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

    def _line(self, line: bytes, at: float) -> Iterator[Event]:
        if not self._steps.several:
            yield from self._steps.announce_all(at)
        # buildx 0.13 spreads an object over lines and indents them; no string holds a newline.
        if line == b"{" or (self._object and line.startswith(b" ")):
            self._object.append(line)
            return
        document, self._object = [*self._object, line], []
        try:
            status = _decoder.decode(b"\n".join(document))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            for text in document:
                yield from self._text(text, at)
            return
        yield from self._vertexes(status.vertexes or (), at)
        for item in status.statuses or ():
            yield from self._status(item, at)
        for log in status.logs or ():
            yield from self._log(log, at)
        for warning in status.warnings or ():
            yield from self._warning(warning, at)

    def _messages(self, text: str, at: float) -> Iterator[Event]:
        if text:
            yield from self._output.say(text, "stdout", at)

    def _text(self, line: bytes, at: float) -> Iterator[Event]:
        text = line.decode(errors="replace").rstrip("\r")
        yield from self._console.add(text, at)
        if text.strip():
            yield from self._output.say(f"{text}\n", "stderr", at)

    def _vertexes(self, vertexes: Sequence[_Vertex], at: float) -> Iterator[Event]:
        changed: dict[str, None] = {}
        # Of one that begins BuildKit takes for granted that all it needs was cached, in that very
        # moment (`vertexStream.append` in `solver/progress.go`). That one could not begin.
        false_starts = {v.started for v in vertexes if _CANNOT_BEGIN in v.error}
        for vertex in vertexes:
            if vertex.cached and vertex.started == vertex.completed in false_starts:
                continue
            group = vertex.progress_group
            name = (group.name if group else "") or vertex.name
            yield from self._named.find(name, at)
            step = self._named[name]
            self._names[vertex.digest] = step
            self._merge(step, vertex, at)
            changed[step] = None
        for step in changed:
            update = news(step, at, self._members[step].values())
            if update.completed is not None:
                yield from self._output.end_of(step, at)
            if update.started is not None:
                # A step that could not even begin says nothing of those before it.
                if update.error is None:
                    yield from self._named.begun(step, update.started, at)
                yield from self._steps.say(update)

    def _merge(self, step: str, vertex: _Vertex, at: float) -> None:
        known = self._members.setdefault(step, {}).setdefault(vertex.digest, Vertex())
        group = vertex.progress_group
        known.weak = group is not None and group.weak
        known.group = group is not None
        known.source = not vertex.inputs
        started = self._time(vertex.started, at)
        if started is None and known.intervals:
            return  # sent again as it was first announced: BuildKit's own display ignores it too
        if started is not None:
            known.intervals = {**known.intervals, started: self._time(vertex.completed, at)}
        # A second run of what was cached only fetches the result, from an imported cache say.
        known.cached = vertex.cached or (known.cached and bool(known.intervals))
        known.error = vertex.error

    def _status(self, status: _Status, at: float) -> Iterator[Event]:
        step = self._names.get(status.vertex)
        if step is None:
            return
        self._image.see(status.id)
        yield Progress(
            at=at,
            step=step,
            item=item_name(status.id),
            current=status.current,
            total=status.total or None,
            done=status.completed is not None,
        )

    def _log(self, log: _Log, at: float) -> Iterator[Event]:
        stream: Stream = "stderr" if log.stream == 2 else "stdout"
        step = self._names.get(log.vertex)
        if step is None:
            yield from self._output.say(log.data.decode(errors="replace"), stream, at)
        else:
            yield from self._output.feed(step, log.data, stream, at)

    def _warning(self, warning: _Warning, at: float) -> Iterator[Event]:
        lines = [
            number for r in warning.range or () for number in (r.start.line, r.end.line) if number
        ]
        yield from self._console.warn(
            warning.short.decode(errors="replace"),
            at,
            (min(lines), max(lines)) if lines else None,
            warning.url or None,
        )

    def _time(self, moment: datetime | None, at: float) -> float | None:
        if moment is None or moment.year < 1970:  # Go's zero time
            return None
        seconds = moment.timestamp()
        if self._skew is None:
            # The clock of a virtual machine (Docker Desktop) may be off after the laptop slept.
            ahead = seconds - at
            self._skew = ahead if abs(ahead) > MAX_SKEW else 0.0
        return seconds - self._skew
