"""A build so far: `reduce(state, event) -> state`, and what can be read from the state.

Pure: times come with the events, `now` with the question. Folding the same event
twice gives the same state, except for `Log`, which is a stream.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import reduce as fold
from typing import Literal

import msgspec

from layerlab.model.events import (
    Event,
    Failure,
    Finished,
    Log,
    Progress,
    StepUpdate,
    Warning,  # noqa: A004 - the engine's word for advice
)
from layerlab.model.plan import COUNTED, Plan, PlannedStep, StepKind
from layerlab.model.text import MAX_LINE, Line, coloured

HEAD_LINES = 50
TAIL_LINES = 150

StepState = Literal[
    "waiting", "running", "cached", "executed", "failed", "cancelled", "not reached", "free"
]
"""What a view says of a step. `free`: metadata, which costs nothing and makes no layer."""

_WORST_FIRST: tuple[StepState, ...] = (
    *("failed", "cancelled", "running", "executed", "waiting", "cached", "not reached", "free"),
)
"""Which state an instruction has when platforms differ: reused only when it ran on none of them."""

Outcome = Literal["built", "failed", "cancelled"]


class LogWindow(msgspec.Struct, frozen=True):
    """The beginning and the end of a step's output, ready to be shown.

    Attributes:
        head, tail: lines without their newline, cleaned by `coloured`.
        lines: how many lines there were in all; the views hold at most 200 of them.
        pending: an unfinished last line.
    """

    head: tuple[Line, ...] = ()
    tail: tuple[Line, ...] = ()
    lines: int = 0
    pending: str = ""

    @property
    def dropped(self) -> int:
        """Lines between head and tail that only the log file has."""
        return self.lines - len(self.head) - len(self.tail)

    @property
    def last(self) -> tuple[Line, ...]:
        """`tail` with the unfinished line, if any."""
        return (*self.tail, coloured(self.pending)) if self.pending else self.tail

    def add(self, text: str) -> LogWindow:
        """The window after more output."""
        *whole, pending = (self.pending + text).split("\n")
        room = HEAD_LINES - len(self.head)
        head = tuple(coloured(line) for line in whole[:room])
        # Only lines that stay visible are worth cleaning: a flood costs a count.
        tail = tuple(coloured(line) for line in whole[max(room, 0) :][-TAIL_LINES:])
        return LogWindow(
            head=self.head + head,
            tail=(self.tail + tail)[-TAIL_LINES:],
            lines=self.lines + len(whole),
            pending=_bounded(pending),
        )


def _bounded(pending: str) -> str:
    """An unfinished line may be a progress bar or 200 MB long: keep what will be shown of it."""
    overwritten = pending.rstrip("\r").rfind("\r") + 1  # at the end, one overwrites nothing yet
    return pending[overwritten : overwritten + 4 * MAX_LINE]


class Item(msgspec.Struct, frozen=True):
    """A part of a step that moves bytes; see `events.Progress`."""

    name: str
    current: int
    total: int | None
    done: bool


class Step(msgspec.Struct, frozen=True):
    """All that is known of one step; the fields are those of `events.StepUpdate`."""

    id: str
    kind: StepKind = "internal"
    stage: str = ""
    platform: str | None = None
    n: int | None = None
    m: int | None = None
    instruction: str = ""
    lines: tuple[int, int] | None = None
    started: float | None = None
    completed: float | None = None
    duration: float | None = None
    cached: bool = False
    cancelled: bool = False
    error: str | None = None
    items: tuple[Item, ...] = ()
    log: LogWindow = LogWindow()

    @property
    def counted(self) -> bool:
        """True for what makes up the hit ratio: instructions on the file system but FROM."""
        return self.kind in COUNTED and self.kind != "from"

    @property
    def in_dockerfile(self) -> bool:
        """False for what the engine does of its own: loading, exporting."""
        return self.kind not in ("internal", "export")

    def seconds(self, now: float | None = None) -> float | None:
        """How long it worked; up to `now` where it still does; None where it never began."""
        if self.duration is not None:
            return self.duration
        end = self.completed if self.completed is not None else now
        if self.started is None or end is None:
            return None
        return max(0.0, end - self.started)


class Instruction(msgspec.Struct, frozen=True):
    """One instruction of the Dockerfile and what became of it, on all platforms together.

    `seconds` adds up the platforms, None where it never began. See `PlannedStep` for the others.
    """

    stage: str
    n: int | None
    m: int | None
    kind: StepKind
    text: str
    lines: tuple[int, int] | None
    state: StepState
    seconds: float | None

    @property
    def counted(self) -> bool:
        """True for what makes up the hit ratio: instructions on the file system but FROM."""
        return self.kind in COUNTED and self.kind != "from"


Fate = Literal["hit", "rebuild", "unknown"]


class Outlook(msgspec.Struct, frozen=True):
    """What was foreseen of a step, in words for a view.

    Attributes:
        fate: what was predicted before the build.
        reason: one sentence that says why, told again after the build; "" where there is none.
    """

    fate: Fate
    reason: str = ""


class Guess(msgspec.Struct, frozen=True):
    """What the learner expected to run, beside what happened.

    Attributes:
        marked: the numbers of the steps that were expected to run, as `%predict` shows them.
        right, of: how many steps were guessed rightly, of how many.
        misses: one sentence for each wrong guess.
    """

    marked: tuple[int, ...]
    right: int
    of: int
    misses: tuple[str, ...] = ()


class Build(msgspec.Struct, frozen=True):
    """One build, running or done.

    Attributes:
        id: unique in the workspace, sorts by time.
        engine: `docker`, `nerdctl`, `podman`, `buildah`, `embedded`.
        command: the exact argument list that ran.
        started, finished: seconds since the epoch.
        log_file: where the whole output is kept, if it is.
        outlooks: by the id of the step; none where nothing was predicted.
        guess: of the learner, scored; None where there was none.
    """

    id: str = ""
    engine: str = ""
    command: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    plan: Plan | None = None
    started: float = 0.0
    finished: float | None = None
    steps: dict[str, Step] = {}
    warnings: tuple[Warning, ...] = ()
    failure: Failure | None = None
    outcome: Outcome | None = None
    exit_code: int | None = None
    image: str | None = None
    log_file: str | None = None
    outlooks: dict[str, Outlook] = {}
    guess: Guess | None = None

    def state(self, step: Step) -> StepState:
        """What became of a step, in one word."""
        if step.error is not None and not step.cancelled:
            return "failed"
        if step.cancelled:
            return "cancelled"
        if step.kind == "metadata":
            return "free"
        if step.completed is not None:
            return "cached" if step.cached else "executed"
        if self.outcome is None:
            return "running" if step.started is not None else "waiting"
        return "cancelled" if step.started is not None else "not reached"

    @property
    def hits(self) -> int:
        """Counted instructions that came from the cache."""
        return sum(1 for instruction in self.counted if instruction.state == "cached")

    @property
    def executed(self) -> int:
        """Counted instructions that really ran to their end."""
        return sum(1 for instruction in self.counted if instruction.state == "executed")

    @property
    def counted(self) -> tuple[Instruction, ...]:
        """The instructions that the hit ratio is about, in the order of the Dockerfile."""
        return tuple(instruction for instruction in self.instructions if instruction.counted)

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        """All instructions that the target needs; of a build without a plan, those it reported.

        The same on every engine: BuildKit does a step that two platforms have in common once,
        Buildah does it for each; the Dockerfile has it once.
        """
        reported: dict[str, list[Step]] = defaultdict(list)
        for step in self.ordered:
            if step.in_dockerfile:
                # A platform stands before the plan's id: `linux/arm64:builder/3`.
                reported[step.id.rpartition(":")[2]].append(step)
        if self.plan is None:
            return tuple(self._instruction(steps[0], steps) for steps in reported.values())
        return tuple(
            self._instruction(planned, reported.get(planned.id, ())) for planned in self.plan.steps
        )

    def _instruction(self, told: Step | PlannedStep, steps: Sequence[Step]) -> Instruction:
        states = {self.state(step) for step in steps or (Step(id=told.id, kind=told.kind),)}
        times = [value for step in steps if (value := step.seconds(self.finished)) is not None]
        return Instruction(
            stage=told.stage,
            n=told.n,
            m=told.m,
            kind=told.kind,
            text=told.instruction,
            lines=told.lines,
            state=next(state for state in _WORST_FIRST if state in states),
            seconds=sum(times) if times else None,
        )

    @property
    def ordered(self) -> tuple[Step, ...]:
        """Steps of the Dockerfile by line and platform, then the engine's own by appearance."""

        def place(step: Step) -> tuple[int, int, str]:
            line = step.lines[0] if step.lines else 0
            return (0, line, step.platform or "") if step.in_dockerfile else (1, 0, "")

        return tuple(sorted(self.steps.values(), key=place))

    def seconds(self, now: float | None = None) -> float:
        """Wall time of the whole build, up to `now` where it still runs."""
        end = self.finished if self.finished is not None else now
        return max(0.0, (end if end is not None else self.started) - self.started)


def reduce(build: Build, event: Event) -> Build:
    """The build after one more event. Never raises on events of the vocabulary."""
    match event:
        case StepUpdate():
            return _put(build, _update(_step(build, event.step), event))
        case Progress():
            return _put(build, _move(_step(build, event.step), event))
        case Log():
            step = _step(build, event.step)
            return _put(build, msgspec.structs.replace(step, log=step.log.add(event.text)))
        case Warning():
            if event in build.warnings:
                return build
            return msgspec.structs.replace(build, warnings=(*build.warnings, event))
        case Failure():
            return msgspec.structs.replace(build, failure=event)
        case Finished():
            return msgspec.structs.replace(
                build,
                outcome=event.outcome,
                exit_code=event.exit_code,
                image=event.image or build.image,
                finished=event.at,
            )


def reduce_all(build: Build, events: Iterable[Event]) -> Build:
    """Fold many events, in order."""
    return fold(reduce, events, build)


def _step(build: Build, id_: str) -> Step:
    return build.steps.get(id_) or Step(id=id_, instruction=id_.partition(":")[2] or id_)


def _put(build: Build, step: Step) -> Build:
    return msgspec.structs.replace(build, steps={**build.steps, step.id: step})


def _update(step: Step, event: StepUpdate) -> Step:
    news = {
        field: value
        for field in StepUpdate.__struct_fields__
        if field not in ("at", "step") and (value := getattr(event, field)) is not None
    }
    return msgspec.structs.replace(step, **news)


def _move(step: Step, event: Progress) -> Step:
    item = Item(event.item, event.current, event.total, event.done)
    items = tuple(item if old.name == item.name else old for old in step.items)
    if item not in items:
        items = (*items, item)
    return msgspec.structs.replace(step, items=items)
