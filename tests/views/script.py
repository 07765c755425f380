"""Writes the events of a build by hand."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from layerlab.cache.dockerfile import plan
from layerlab.model.build import Build, Outcome, reduce_all
from layerlab.model.events import Event, Finished, Log, StepUpdate
from layerlab.model.plan import PlannedStep

START = 1_800_000_000.0
"""When it starts, in seconds since the epoch."""


class Script:
    """Writes the events of one build; times are seconds from its start."""

    def __init__(
        self, source: str, tag: str, *, engine: str = "docker", path: str = "nodejs"
    ) -> None:
        self.plan = plan(source, f"{path}/Dockerfile")
        self.start = Build(
            id="20270115-090000",
            engine=engine,
            command=(engine, "build", "-t", tag, path)
            if engine != "docker"
            else ("docker", "buildx", "build", "--progress", "rawjson", "-t", tag, path),
            tags=(tag,),
            plan=self.plan,
            started=START,
            log_file=f"logs/{tag.replace(':', '-')}.log",
        )
        self.events: list[Event] = []

    def add(self, events: Iterable[Event]) -> None:
        self.events += events

    def announce(self, platform: str | None = None) -> None:
        """All steps are known and wait."""
        self.add(self._news(step, platform, 0.0) for step in self.plan.steps)

    def step(
        self,
        number: int,
        start: float,
        end: float | None = None,
        *,
        platform: str | None = None,
        cached: bool = False,
        error: str | None = None,
    ) -> str:
        """The step at a place among all instructions began, and ended if it has an end."""
        planned = self.plan.steps[number]
        event = self._news(planned, platform, end or start)
        self.events.append(
            msgspec.structs.replace(
                event,
                started=START + start,
                completed=None if end is None else START + end,
                cached=cached or None,
                error=error,
            )
        )
        return event.step

    def own(self, name: str, start: float, end: float | None, kind: str = "internal") -> str:
        """Work that is in no Dockerfile."""
        id_ = f"{kind}:{name}"
        self.events.append(
            StepUpdate(
                at=START + start,
                step=id_,
                kind="export" if kind == "export" else "internal",
                instruction=name,
                started=START + start,
                completed=None if end is None else START + end,
            )
        )
        return id_

    def log(self, step: str, text: str) -> None:
        self.events.append(Log(at=START, step=step, text=text))

    def end(self, at: float, outcome: Outcome = "built") -> Build:
        code = {"built": 0, "failed": 1, "cancelled": 130}[outcome]
        last = Finished(at=START + at, outcome=outcome, exit_code=code)
        return reduce_all(self.start, [*self.events, last])

    def now(self) -> Build:
        """The build as it stands, still running."""
        return reduce_all(self.start, self.events)

    def _news(self, step: PlannedStep, platform: str | None, at: float) -> StepUpdate:
        return StepUpdate(
            at=START + at,
            step=f"{platform}:{step.id}" if platform else step.id,
            kind=step.kind,
            stage=step.stage,
            platform=platform,
            n=step.n,
            m=step.m,
            instruction=step.instruction,
            lines=step.lines,
        )
