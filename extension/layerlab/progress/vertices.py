"""From BuildKit's vertices to the steps of the plan: which step a name means, and its times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from layerlab.model.events import StepUpdate
from layerlab.model.plan import PlannedStep, Stage
from layerlab.progress.names import OtherName, StepName, parse, same_instruction
from layerlab.progress.steps import Steps


class _Place(msgspec.Struct, frozen=True):
    """Where a vertex stands: its step of a stage, for one target platform."""

    stage: Stage
    step: PlannedStep
    name: StepName


class VertexSteps:
    """Finds each vertex's step by its name, and says what the plan knows of it."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._ids: dict[str, str] = {}
        self._places: dict[str, _Place] = {}
        self._started: set[str] = set()
        self._added: dict[str, StepUpdate] = {}

    def __getitem__(self, name: str) -> str:
        """The id of the step that a name means; `find` it first."""
        return self._ids[name]

    def find(self, name: str, at: float) -> Iterator[StepUpdate]:
        """Announce the step of a vertex when its name is seen for the first time."""
        if name in self._ids:
            return
        parsed = parse(name)
        if isinstance(parsed, OtherName):
            self._ids[name] = parsed.id
            yield from self._steps.say(
                StepUpdate(
                    at=at,
                    step=parsed.id,
                    kind=parsed.kind,
                    platform=parsed.platform,
                    instruction=parsed.text,
                )
            )
            return
        stage = self._steps.stage(parsed.stage)
        step = self._planned(parsed, stage) if stage else None
        if stage is None or step is None:
            added = self._unplanned(parsed, stage, at)
            self._ids[name] = added.step
            self._added[added.step] = added
            return
        self._ids[name] = self._steps.id(step, parsed.target)
        self._places[self._ids[name]] = _Place(stage, step, parsed)
        yield from self._steps.announce(step, parsed.target, at, parsed.platform)

    def begun(self, id_: str, moment: float, at: float) -> Iterator[StepUpdate]:
        """A step has started: say what must have been there before, though no vertex says so.

        BuildKit runs what is the same in several stages or for several platforms once, under one
        of their names; `FROM scratch` and the FROM of an earlier stage it does not run at all.
        """
        if id_ in self._started:
            return
        self._started.add(id_)
        if id_ in self._added:
            # Announced only now: steps start in their order, but are named the other way round.
            yield from self._steps.say(self._added[id_])
        if id_ not in self._places:
            return
        place = self._places[id_]
        crossing = self._steps.several and place.name.base != place.name.target
        for step in place.stage.steps:
            metadata = step.kind == "metadata"
            own = self._steps.id(step, place.name.target)
            if own in self._places or (step.position > place.step.position and not metadata):
                continue
            if crossing and self._steps.said(self._steps.id(step, place.name.base)):
                continue
            yield from self._steps.announce(step, place.name.target, at, place.name.platform)
            if not metadata:
                cached = step.n is not None or None
                yield from self._steps.say(
                    StepUpdate(at=at, step=own, started=moment, completed=moment, cached=cached)
                )

    def _planned(self, name: StepName, stage: Stage) -> PlannedStep | None:
        """By number and text; by text alone where ONBUILD has shifted the numbers."""
        if name.onbuild:
            return None
        alike = [
            step
            for step in stage.steps
            if step.kind == name.kind
            and (step.kind == "from" or same_instruction(step.instruction, name.text))
        ]
        exact = [step for step in alike if step.n == name.n]
        free = [s for s in alike if self._steps.id(s, name.target) not in self._places]
        return next(iter(exact + free), None)

    def _unplanned(self, parsed: StepName, stage: Stage | None, at: float) -> StepUpdate:
        """A step of no line in this Dockerfile: the base image's ONBUILD, or another file's."""
        owner = stage.steps[0].id.rpartition("/")[0] if stage else parsed.stage or "stage-0"
        prefix = f"{parsed.target}:" if self._steps.several else ""
        return StepUpdate(
            at=at,
            step=f"{prefix}{owner}/added-{parsed.n}",
            kind=parsed.kind,
            stage=stage.name if stage else parsed.stage,
            platform=parsed.platform,
            instruction=parsed.text,
            lines=stage.steps[0].lines if stage else None,
        )


class Vertex(msgspec.Struct):
    """The latest state of one vertex. Times are seconds since the epoch.

    Attributes:
        intervals: when it worked: from each start to its end, None while it still does.
        weak: part of a progress group that does not count by itself.
        source: it has no inputs: an image, a download, the context.
        group: it is shown as one with others.
    """

    intervals: dict[float, float | None] = {}
    cached: bool = False
    error: str = ""
    weak: bool = False
    source: bool = False
    group: bool = False


def news(step: str, at: float, vertices: Iterable[Vertex]) -> StepUpdate:
    """What the vertices of one step mean together.

    A step has several when it downloads what it adds, or links a layer (`vertexGroup.refresh` in
    BuildKit's `progressui/display.go`).
    """
    members = tuple(vertices)
    main = tuple(v for v in members if not v.weak and not v.source) or members
    intervals = [pair for v in members for pair in v.intervals.items()]
    if not any(v.intervals for v in main):
        return StepUpdate(at=at, step=step)
    started = min(start for start, _ in intervals)
    stops = [stop for _, stop in intervals if stop is not None]
    if len(stops) < len(intervals) or not all(v.intervals for v in main):
        return StepUpdate(at=at, step=step, started=started)
    error = next((v.error for v in members if v.error), None)
    judged = members if any(v.group for v in members) else main
    return StepUpdate(
        at=at,
        step=step,
        started=started,
        completed=max(stops),
        duration=worked(intervals),
        cached=error is None and all(v.cached for v in judged),
        error=error,
        cancelled=True if error and "context canceled" in error else None,
    )


def worked(intervals: Iterable[tuple[float, float | None]]) -> float:
    """Seconds in which at least one of the intervals ran; unfinished ones do not count."""
    total, reached = 0.0, float("-inf")
    for start, stop in sorted((a, b) for a, b in intervals if b is not None):
        total += max(0.0, stop - max(start, reached))
        reached = max(reached, stop)
    return total
