"""The text that podman and buildah print (buildah's `imagebuildah/stage_executor.go`).

    [1/2] STEP 2/3: RUN make          stdout; the step before it has ended
    (what the command prints)         stdout and stderr, as it is
    --> Using cache 0f3c…             stdout; at once after the STEP line, if at all
    --> 0f3c2a9d1b7e                  stdout; the step's result

It says no times, so those of arrival are taken; and output is not marked as such, so a line that
only looks like one of these is believed where it could be real and nowhere else. Use `--layers
--jobs 1`: without the first nothing is cached, with more jobs nobody could tell the output apart.

Stages are begun in any order. A step that needs another stage (`waitForStage`) waits for it, so
that whole stages may be told between a STEP line and its result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from layerlab.model.events import Event, Progress, StepUpdate
from layerlab.model.plan import Plan, PlannedStep, Stage
from layerlab.progress.base import Stream
from layerlab.progress.console import Console
from layerlab.progress.ending import end
from layerlab.progress.lines import TextLines
from layerlab.progress.names import KINDS
from layerlab.progress.output import Output
from layerlab.progress.statuses import item_name
from layerlab.progress.steps import Steps

_STEP = re.compile(
    r"(?:\[(?P<platform>[a-z]\w*/[^\]\s]+)\] )?(?:\[(?P<stage>\d{1,4})/\d+\] )?"
    r"STEP (?P<n>\d{1,6})(?:/(?P<m>\d{1,6}))?: (?P<text>.*)"
)
_CACHED = re.compile(r"--> Using cache [0-9a-f]{64}")
# What --cache-from has found, before the step is said to be cached.
_FETCHED = re.compile(r"--> Cache pulled from remote \S+")
# The command's last line may lack a newline; then the result stands behind it.
_RESULT = re.compile(r"(?P<before>.*)--> [0-9a-f]{11,12}")
_COMMIT = re.compile(r"(?:\[[^\]]+\] )*COMMIT(?: \S+)?")
_IMAGE = re.compile(r"[0-9a-f]{64}")
_BLOB = re.compile(r"Copying (?P<what>blob|config) (?P<digest>(?:sha256:)?[0-9a-f]{12,64})\b")
_ERROR = "Error: "
_AT_STEP = f"{_ERROR}building at STEP "
MAX_ERROR = 20
"""Lines of an error message that are kept."""
_PULLED = ("Writing manifest to image destination", "Storing signatures")


class _Current:
    """The step that runs, or ran last."""

    def __init__(
        self, id_: str, place: tuple[str | None, int], step: re.Match[str], *, runs: bool
    ) -> None:
        self.id = id_
        self.place = place
        self.last = step["n"] == step["m"]
        # A stage that is nothing but FROM: no result is told of that.
        self.alone = self.last and step["n"] == "1"
        self.runs = runs
        self.open = True
        self.printed = False
        self.blobs: list[str] = []

    def may_print(self, stream: Stream) -> bool:
        """A command prints on both, a pull on stderr.

        What a command says on stderr may arrive after its result, which is on stdout.
        """
        if self.runs:
            return self.open or stream == "stderr"
        return self.open and stream == "stderr"


class BuildahParser:
    """Reads one build; see `progress.base.Parser`.

    Args:
        plan: what the Dockerfile asks for.
        platforms: target platforms, where the learner chose any.
    """

    def __init__(self, plan: Plan, platforms: Sequence[str] = ()) -> None:
        self._steps = Steps(plan, platforms)
        self._console = Console()
        self._output = Output(self._steps)
        self._lines: dict[Stream, TextLines] = {"stdout": TextLines(), "stderr": TextLines()}
        self._current: _Current | None = None
        self._waiting: list[_Current] = []
        self._reached: dict[tuple[str | None, int], int] = {}
        self._matched: dict[tuple[str | None, int], int] = {}
        self._held: list[str] = []
        self._image: str | None = None

    def feed(self, data: bytes, stream: Stream, at: float) -> list[Event]:
        """See `progress.base.Parser`."""
        events: list[Event] = list(self._steps.announce_all(at))
        events += self._text(self._lines[stream].feed(data), stream, at)
        return events

    def close(self, exit_code: int | None, at: float, *, cancelled: bool) -> list[Event]:
        """See `progress.base.Parser`."""
        events: list[Event] = list(self._steps.announce_all(at))
        for stream, lines in self._lines.items():
            events += self._text(lines.close(), stream, at)
        if exit_code != 0 and not cancelled:
            events += self._fail(at)
        events += self._release(at)
        events += self._output.close(at)
        events += end(
            self._steps,
            self._console,
            self._output,
            exit_code=exit_code,
            at=at,
            cancelled=cancelled,
            image=self._image,
        )
        return events

    def _fail(self, at: float) -> Iterator[Event]:
        """What was held back is the CLI's own error: it is about the step that has not ended."""
        error = "".join(self._held)
        self._held.clear()
        yield from self._console.add(error.rstrip("\n"), at)
        if error:
            yield from self._output.say(error, "stderr", at)
        # A command can print what looks like its step's result, and fail.
        if self._current and (self._current.open or error.startswith(_AT_STEP)):
            words = error.removeprefix(_ERROR).rstrip("\n") or "the engine ended without a word"
            yield from self._steps.say(
                StepUpdate(at=at, step=self._current.id, completed=at, cached=False, error=words)
            )

    def _text(self, text: str, stream: Stream, at: float) -> Iterator[Event]:
        """Whole lines; those between two that mean something go out as one `Log`."""
        plain: list[str] = []
        for line in _lines(text):
            if stream == "stderr" and self._may_be_last_words(line):
                yield from self._print(plain, stream, at)
                if line.startswith(_ERROR):
                    yield from self._release(at)
                self._held.append(line)
                continue
            yield from self._release(at)
            first = not (plain and self._current and self._current.may_print(stream))
            meaning = self._line(line.removesuffix("\n"), stream, at, first=first)
            if meaning is None:
                plain.append(line)
                continue
            yield from self._print(plain, stream, at)
            yield from meaning
        yield from self._print(plain, stream, at)

    def _may_be_last_words(self, line: str) -> bool:
        """True for an error with which the CLI may end; only the end of the process tells."""
        goes_on = line.startswith(("\t", " ")) and 0 < len(self._held) < MAX_ERROR
        return line.startswith(_ERROR) or goes_on

    def _release(self, at: float) -> Iterator[Event]:
        """It went on after what looked like an error, so a command had printed that."""
        if self._held:
            held, self._held = self._held, []
            yield from self._print(held, "stderr", at)

    def _print(self, lines: list[str], stream: Stream, at: float) -> Iterator[Event]:
        """Output that means nothing to us: the current step's, or else the CLI's own."""
        current, text = self._current, "".join(lines)
        lines.clear()
        if not text:
            return
        if current is not None and current.may_print(stream):
            current.printed = True
            yield from self._output.text(current.id, text, stream, at)
            return
        for line in _lines(text):
            yield from self._console.add(line.rstrip(), at)
        yield from self._output.say(text, stream, at)

    def _line(self, line: str, stream: Stream, at: float, *, first: bool) -> Iterator[Event] | None:
        """What a line means, None when it is nothing but output.

        It takes effect when the events are taken, after the output before it has gone out; `first`
        says that none of that is the current step's.
        """
        if stream == "stderr":
            return self._stderr(line, at)
        if line.startswith(("STEP", "[")) and (step := _STEP.fullmatch(line)):
            stage = self._next_in(step)
            # Any other is what a command printed.
            return self._begin(step, stage, at) if stage else None
        current = self._current
        if (current is None or not current.may_print(stream)) and _IMAGE.fullmatch(line):
            self._image = line
        if current is None:
            return None
        if "-->" in line:
            if first and not current.printed:
                if _CACHED.fullmatch(line):
                    return self._complete(current, at, cached=True)
                if _FETCHED.fullmatch(line):
                    return self._output.say(f"{line}\n", stream, at)
            if result := _RESULT.fullmatch(line):
                return self._result(result["before"], current, at)
        if current.last and _COMMIT.fullmatch(line):
            return self._output.say(f"{line}\n", stream, at)
        return None

    def _stderr(self, line: str, at: float) -> Iterator[Event] | None:
        if line.startswith('time="'):
            return self._console.add(line, at)
        current = self._current
        if current is None or not current.open:
            return None
        if blob := _BLOB.match(line):
            return self._blob(current, item_name(blob["digest"]), line, at)
        if line in _PULLED:
            return self._pulled(current, line, at)
        if line.startswith("WARNING: ") and not current.runs:
            return self._advice(line, at)
        return None

    def _blob(self, current: _Current, name: str, line: str, at: float) -> Iterator[Event]:
        current.blobs.append(name)
        yield from self._print([f"{line}\n"], "stderr", at)
        yield Progress(at=at, step=current.id, item=name, current=0)

    def _pulled(self, current: _Current, line: str, at: float) -> Iterator[Event]:
        yield from self._print([f"{line}\n"], "stderr", at)
        for name in current.blobs:
            yield Progress(at=at, step=current.id, item=name, current=0, done=True)
        current.blobs.clear()

    def _advice(self, line: str, at: float) -> Iterator[Event]:
        yield from self._print([f"{line}\n"], "stderr", at)
        yield from self._console.add(line, at)

    def _place(self, match: re.Match[str]) -> tuple[str | None, int]:
        """Platform and index of the stage that a STEP line names."""
        return match["platform"] if self._steps.several else None, int(match["stage"] or 1) - 1

    def _next_in(self, match: re.Match[str]) -> Stage | None:
        """The stage of a STEP line, if that step is due there."""
        place, stages = self._place(match), self._steps.plan.stages
        due = int(match["n"]) == self._reached.get(place, 0) + 1
        return stages[place[1]] if due and 0 <= place[1] < len(stages) else None

    def _begin(self, match: re.Match[str], stage: Stage, at: float) -> Iterator[Event]:
        place, n = self._place(match), int(match["n"])
        platform = place[0]
        self._reached[place] = n
        yield from self._leave(place, n, at)
        step = self._planned(stage, place, match)
        if step is None:
            owner = stage.steps[0].id.rpartition("/")[0]
            kind = KINDS.get(match["text"].partition(" ")[0].upper(), "metadata")
            id_ = f"{platform + ':' if platform else ''}{owner}/added-{n}"
            update = StepUpdate(
                at=at,
                step=id_,
                kind=kind,
                stage=stage.name,
                platform=platform,
                instruction=match["text"],
                lines=stage.steps[self._matched.get(place, 1) - 1].lines,
                started=at,
            )
        else:
            yield from self._steps.announce(step, platform, at)
            kind, id_ = step.kind, self._steps.id(step, platform)
            update = StepUpdate(at=at, step=id_, started=at)
        self._current = _Current(id_, place, match, runs=kind == "run")
        yield from self._steps.say(update)

    def _leave(self, place: tuple[str | None, int], n: int, at: float) -> Iterator[Event]:
        """Another step begins: the current one has ended, unless it waits for that one's stage."""
        current = self._current
        if current is not None and current.open:
            if n == 1 and place != current.place and not current.alone:
                self._waiting.append(current)
            else:
                yield from self._complete(current, at, cached=False)
        for waiting in [w for w in self._waiting if w.place == place]:
            self._waiting.remove(waiting)
            yield from self._complete(waiting, at, cached=False)

    def _planned(
        self, stage: Stage, place: tuple[str | None, int], match: re.Match[str]
    ) -> PlannedStep | None:
        """The instruction that a STEP line is about; None for what Buildah added.

        It counts what it adds: `--env` in front, the base image's ONBUILD after FROM, `--label`
        at the end. Then only the text can tell.
        """
        n = int(match["n"])
        if n == 1 or (match["m"] == str(len(stage.steps)) and n <= len(stage.steps)):
            self._matched[place] = n
            return stage.steps[n - 1]
        following = self._matched.get(place, 1)
        if following < len(stage.steps):
            step = stage.steps[following]
            # Behind a heredoc's instruction stands a summary of the document.
            if _squeezed(match["text"]).startswith(_squeezed(step.instruction)):
                self._matched[place] = following + 1
                return step
        return None

    def _result(self, before: str, current: _Current, at: float) -> Iterator[Event]:
        yield from self._print([before], "stdout", at)
        yield from self._complete(current, at, cached=False)
        if current.last and self._waiting:
            self._current = self._waiting.pop()

    def _complete(self, current: _Current, at: float, *, cached: bool) -> Iterator[Event]:
        if current.open:
            current.open = False
            yield from self._output.end_of(current.id, at)
            yield from self._steps.say(
                StepUpdate(at=at, step=current.id, completed=at, cached=cached)
            )


def _lines(text: str) -> list[str]:
    """Lines with their newline; other separators that Unicode knows stay in the line."""
    *whole, rest = text.split("\n")
    return [*(f"{line}\n" for line in whole), *([rest] if rest else [])]


def _squeezed(instruction: str) -> str:
    return " ".join(instruction.split())
