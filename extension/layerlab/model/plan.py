"""What a Dockerfile asks for, before any engine has run: stages and their instructions.

The plan is what makes four engines speak alike. BuildKit counts only the steps
that touch the file system, Buildah counts every line; both point at the same
`PlannedStep`, so a step has one id and one number everywhere.
"""

from __future__ import annotations

from typing import Literal

import msgspec

StepKind = Literal["from", "run", "copy", "add", "workdir", "metadata", "internal", "export"]

COUNTED: frozenset[StepKind] = frozenset({"from", "run", "copy", "add", "workdir"})
"""Kinds that BuildKit numbers (`dockerfile2llb/convert.go`, `prefixCommand`)."""


class PlannedStep(msgspec.Struct, frozen=True):
    """One instruction of one stage.

    Attributes:
        id: `STAGE/POSITION`, with the stage's name (or `stage-K` where it has none) and
            `position`; the same on every engine, e.g. `builder/3`.
        stage: the stage's name as BuildKit prints it: its `AS` name, `stage-K` when unnamed
            in a Dockerfile of several stages, and `""` when it is the only one.
        position: 1-based place among all instructions of the stage, FROM included. This is the
            n that Buildah prints.
        n: 1-based place among the counted steps of the stage, None for metadata and for
            `FROM scratch`, which BuildKit does not count either.
        m: how many counted steps the stage has.
        kind: what it does.
        instruction: the text as written, continuation lines joined, comments dropped.
        lines: first and last line in the Dockerfile, 1-based, both included.
    """

    id: str
    stage: str
    position: int
    n: int | None
    m: int
    kind: StepKind
    instruction: str
    lines: tuple[int, int]


class Stage(msgspec.Struct, frozen=True):
    """One `FROM` and what follows it.

    Attributes:
        index: 0-based place in the Dockerfile.
        name: see `PlannedStep.stage`.
        base: what follows FROM after expansion of global ARGs: an image, `scratch`, or the
            name of an earlier stage.
        steps: all instructions in order, FROM first.
        needed: False when the target does not depend on it, so that an engine may skip it.
    """

    index: int
    name: str
    base: str
    steps: tuple[PlannedStep, ...]
    needed: bool = True


class Plan(msgspec.Struct, frozen=True):
    """All stages of a Dockerfile, in file order; `dockerfile` is its path as the learner knows it.

    `source` is the whole text, for showing a line beside its error.
    """

    dockerfile: str
    stages: tuple[Stage, ...]
    source: str = ""

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        """Every instruction of the stages that the target needs, in file order."""
        return tuple(step for stage in self.stages if stage.needed for step in stage.steps)

    @property
    def own(self) -> tuple[str, ...]:
        """What the target adds to its base image: its instructions after FROM, as written.

        Where the target is built on an earlier stage, that stage's come first.
        """
        by_name = {stage.name: stage for stage in self.stages}
        stage = next((s for s in reversed(self.stages) if s.needed), None)
        found: list[str] = []
        while stage is not None:
            found[:0] = [step.instruction for step in stage.steps[1:]]
            earlier = by_name.get(stage.base)
            stage = earlier if earlier is not None and earlier.index < stage.index else None
        return tuple(found)
