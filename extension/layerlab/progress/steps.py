"""The steps of one build as a parser knows them: their ids, and what was said of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from layerlab.model.events import StepUpdate
from layerlab.model.plan import Plan, PlannedStep, Stage
from layerlab.progress.names import platform_name


class Steps:
    """Turns news of steps into events, each piece of news once.

    Args:
        plan: what the Dockerfile asks for.
        platforms: target platforms; ids carry one only where there are several.
    """

    def __init__(self, plan: Plan, platforms: Sequence[str] = ()) -> None:
        self.plan = plan
        names = tuple(dict.fromkeys(platform_name(name) for name in platforms))
        self.platforms: tuple[str | None, ...] = names if len(names) > 1 else (None,)
        self.several = len(names) > 1
        self._all_announced = False
        self._said: dict[str, StepUpdate] = {}
        self._planned: dict[str, PlannedStep] = {}

    def id(self, step: PlannedStep, platform: str | None) -> str:
        """`builder/3`, or `linux/arm64:builder/3` in a build for several platforms."""
        return f"{platform}:{step.id}" if self.several and platform else step.id

    def say(self, update: StepUpdate) -> Iterator[StepUpdate]:
        """What is new in an update, if anything is."""
        old = self._said.get(update.step)
        if old is None:
            self._said[update.step] = update
            yield update
            return
        news: dict[str, Any] = {
            field: value
            for field in StepUpdate.__struct_fields__
            if (value := getattr(update, field)) is not None and value != getattr(old, field)
        }
        news.pop("at", None)
        if news:
            self._said[update.step] = msgspec.structs.replace(old, **news)
            yield StepUpdate(at=update.at, step=update.step, **news)

    def said(self, id_: str) -> StepUpdate | None:
        """All that was said of a step, in one."""
        return self._said.get(id_)

    def announce(
        self, step: PlannedStep, platform: str | None, at: float, shown: str | None = None
    ) -> Iterator[StepUpdate]:
        """All that the plan says of a step, the first time that it is mentioned.

        `shown` is the platform as the learner should see it, where the engine says more.
        """
        id_ = self.id(step, platform)
        if id_ not in self._planned:
            self._planned[id_] = step
            yield from self.say(
                StepUpdate(
                    at=at,
                    step=id_,
                    kind=step.kind,
                    stage=step.stage,
                    platform=shown or platform,
                    n=step.n,
                    m=step.m,
                    instruction=step.instruction,
                    lines=step.lines,
                )
            )

    def announce_all(self, at: float) -> Iterator[StepUpdate]:
        """Every needed step on every platform, but for those that are known on some platform."""
        if self._all_announced:
            return
        self._all_announced = True
        known = {step.id for step in self._planned.values()}
        for platform in self.platforms:
            for step in self.plan.steps:
                if step.id not in known:
                    yield from self.announce(step, platform, at)

    def stage(self, name: str) -> Stage | None:
        """The stage that an engine calls `name`; the only one, whatever it is called."""
        if len(self.plan.stages) == 1:
            return self.plan.stages[0]
        return next((stage for stage in self.plan.stages if stage.name == name), None)

    @property
    def open(self) -> tuple[str, ...]:
        """Steps that have begun and not ended."""
        return tuple(
            said.step
            for said in self._said.values()
            if said.started is not None and said.completed is None
        )

    @property
    def failed(self) -> StepUpdate | None:
        """The first step that failed of its own accord."""
        return next((s for s in self._said.values() if s.error and not s.cancelled), None)

    def at_lines(self, lines: tuple[int, int]) -> StepUpdate | None:
        """The first step of the Dockerfile that these lines belong to."""
        first, last = lines
        return next(
            (
                s
                for s in self._said.values()
                if s.lines and s.lines[0] <= last and first <= s.lines[1]
            ),
            None,
        )

    def on_image(self, name: str) -> StepUpdate | None:
        """The first FROM of an image whose full name (`docker.io/library/…:latest`) this is."""
        bases = {stage.steps[0].id: f"/{stage.base}" for stage in self.plan.stages if stage.needed}
        return next(
            (
                self._said[id_]
                for id_, step in self._planned.items()
                if f"/{name}".removesuffix(":latest").endswith(bases.get(step.id, "//"))
            ),
            None,
        )
