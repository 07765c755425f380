"""What the two dialects have in common: going through stages and platforms in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from layerlab.cache.context import FileRecord, MissingSourceError
from layerlab.cache.dockerfile import SCRATCH
from layerlab.cache.key import (
    CHECKS_PLATFORM,
    Base,
    Doubt,
    Key,
    Options,
    Selection,
    file_ingredient,
    hashed,
    platform_name,
)
from layerlab.cache.ledger import Ingredient
from layerlab.cache.program import Line, Program, flag, triggered
from layerlab.cache.variables import Variables, global_args, platform_args, used
from layerlab.cache.words import expand
from layerlab.model.plan import PlannedStep, Stage


@dataclass
class Inputs:
    """What a step is made of, gathered before it is hashed."""

    ingredients: list[Ingredient] = field(default_factory=list)
    reads: list[Key] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    missing: str | None = None

    def add(self, kind: str, name: str, value: str) -> None:
        """One more ingredient."""
        self.ingredients.append(Ingredient(kind, name, value))

    def note_variables(self, words: Iterable[str], variables: Variables) -> None:
        """Remember what these words are expanded with, to explain a change later."""
        for name, value in used(words, variables.scope).items():
            self.add("uses-env" if name in variables.env else "uses-arg", name, value)


@dataclass
class StageState:
    """A stage while it is walked, and what a later stage takes over from it.

    Attributes:
        image: the base image's name, "" on another stage.
        last: the key that the next step builds on.
        platform: what the stage runs on.
        fresh: `--no-cache` holds for it.
    """

    stage: Stage
    platform: str
    variables: Variables
    last: Key | None = None
    fresh: bool = False
    cwd: str = "/"
    user: str = ""
    shell: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    image: str = ""
    doubts: tuple[Doubt, ...] = ()


class World(Protocol):
    """What can be seen of the world while a build runs, and not before."""

    def written(self, name: str, state: StageState, paths: Sequence[str]) -> Iterable[FileRecord]:
        """The files of another stage or of an image; raises `MissingSourceError`."""
        ...

    def answered(self, url: str) -> str:
        """The digest of what a URL answers."""
        ...


@dataclass
class Walk:
    """All stages for one target platform.

    Args:
        dialect: goes first into every hash.
        program: the whole Dockerfile.
        options: of the command line.
        select: the build context.
        bases: images by their names as the Dockerfile has them after expansion.
        target: the target platform.
        kind: how variables behave.
        world: where a build runs, so that keys count what other stages have written; None where
            one is foretold, and keys count who will write it.
    """

    dialect: str
    program: Program
    options: Options
    select: Selection
    bases: Mapping[str, Base]
    target: str
    kind: type[Variables]
    world: World | None = None
    done: dict[int, StageState] = field(default_factory=dict)

    def __post_init__(self) -> None:
        builtin = platform_args(self.target, self.options.native)
        self.globals, declared = global_args(self.program.heading, builtin, self.options.build_args)
        self.inherited = {**{k: self.globals[k] for k in builtin}, **declared}

    def run(self, step: Step) -> Iterator[Key]:
        """Every key of the stages that are needed, in file order."""
        for stage, lines in self.program.stages:
            if not stage.needed:
                continue
            state, triggers = self.begin(stage, lines[0])
            yield self._from(state, lines[0], triggers, step)
            for line in lines[1:]:
                yield step(self, state, line)

    def key(
        self, state: StageState, step: PlannedStep, inputs: Inputs, *, fresh: bool, head: str = ""
    ) -> Key:
        """The key of a step that builds on the stage so far; the next one will build on it."""
        exact, loose = hashed(
            f"{self.dialect} {head}", inputs.ingredients, state.last, inputs.reads
        )
        if state.last:
            inputs.add("parent", state.last.step.instruction, state.last.key)
        key = Key(
            id=self.id(step),
            step=step,
            platform=state.platform,
            key=exact,
            loose=loose,
            ingredients=tuple(inputs.ingredients),
            parent=state.last.id if state.last else None,
            reads=tuple(key.id for key in inputs.reads),
            doubts=(*state.doubts, *inputs.doubts),
            fresh=fresh,
            pinned=(
                self.dialect == "buildah"
                and self.options.buildah >= CHECKS_PLATFORM
                and state.platform != self.target
            ),
            missing=inputs.missing,
        )
        state.last = key
        return key

    def id(self, step: PlannedStep) -> str:
        """As in `Build.steps`."""
        return f"{self.target}:{step.id}" if len(self.options.targets) > 1 else step.id

    def take_files(
        self,
        inputs: Inputs,
        sources: Sequence[str],
        exclude: Sequence[str] = (),
        *,
        whole: bool = False,
    ) -> None:
        """The files of the context that these sources select."""
        try:
            records = self.select(sources, exclude=exclude, whole=whole)
        except MissingSourceError as error:
            inputs.missing = error.source
            return
        inputs.ingredients += map(file_ingredient, records)
        inputs.ingredients += (file_ingredient(r.unseen, "unseen") for r in records if r.unseen)

    def take_from(self, inputs: Inputs, state: StageState, name: str, paths: Sequence[str]) -> None:
        """Another stage's files, or an image's."""
        if self.world is not None:
            try:
                inputs.ingredients += map(file_ingredient, self.world.written(name, state, paths))
            except MissingSourceError as error:
                inputs.missing = error.source
            return
        for path in paths:
            inputs.add("path", name, path)
        found = self.program.find(name, state.stage.index)
        other = self.done.get(found.index) if found else None
        if other is None:
            if name not in self.bases:
                inputs.doubts.append(Doubt("base", name))
            inputs.add("from", name, self._digest(name))
        elif other.last:
            inputs.reads.append(other.last)

    def stands_on(self, state: StageState, name: str) -> bool:
        """Whether what `--from=NAME` means is the very state that the stage is in."""
        found = self.program.find(name, state.stage.index)
        last = state.last
        if found is None:
            on_image = last is not None and last.step.kind == "from" and not last.triggered
            return on_image and state.image == name
        other = self.done[found.index].last
        return other is not None and last is not None and other.key == last.key

    def take_answer(self, inputs: Inputs, url: str, *, checked: bool) -> None:
        """What a URL answers; `checked` where the Dockerfile says what that must be."""
        inputs.add("instruction", "address", url)
        if self.world is not None:
            inputs.add("remote", "", self.world.answered(url))
        elif not checked:
            inputs.doubts.append(Doubt("remote", url))

    def begin(self, stage: Stage, line: Line) -> tuple[StageState, tuple[str, ...]]:
        """A stage with all that it takes over, and the triggers that wait for it."""
        name = expand(line.command.value[0], self.globals)
        platform = flag(line.command, "platform")
        platform = platform_name(expand(platform, self.globals)) if platform else self.target
        variables = self.kind(self.options.build_args, self.inherited)
        state = StageState(stage, platform, variables, fresh=self._is_fresh(stage))
        self.done[stage.index] = state
        base = self.program.base(name, stage.index)
        under = self.done.get(base.index) if base else None
        if under is None:
            state.image = name
            if name not in self.bases and name != SCRATCH:
                state.doubts = (Doubt("base", name),)
            image = self.bases.get(name)
            return state, image.triggers if image else ()
        variables.inherit(under.variables)
        state.last, state.platform, state.doubts = under.last, under.platform, under.doubts
        state.cwd, state.user, state.shell = under.cwd, under.user, under.shell
        # Buildah forgets the triggers of a stage of the same file.
        return state, under.triggers if self.dialect == "buildkit" else ()

    def on_image(self, state: StageState, line: Line, image: str, digest: str) -> Key:
        """The key of a FROM that takes an image."""
        inputs = Inputs()
        inputs.add("base", image, digest)
        inputs.add("platform", "", state.platform)
        return self.key(state, line.step, inputs, fresh=False, head="from")

    def _is_fresh(self, stage: Stage) -> bool:
        named = {name.lower() for name in self.options.no_cache_filter}
        # Buildah has no such option.
        return self.options.no_cache or (
            self.dialect == "buildkit" and self.program.own_name(stage) in named
        )

    def _from(self, state: StageState, line: Line, triggers: Sequence[str], step: Step) -> Key:
        base = state.last
        if base is None:
            image = self.on_image(state, line, state.image, self._digest(state.image))
            return self._with_triggers(state, line, image, triggers, step) or image
        done = self._with_triggers(state, line, base, triggers, step)
        return done or Key(self.id(line.step), line.step, state.platform, parent=base.id)

    def _digest(self, image: str) -> str:
        return self.bases[image].digest if image in self.bases else ""

    def _with_triggers(
        self, state: StageState, line: Line, base: Key, triggers: Sequence[str], step: Step
    ) -> Key | None:
        """The key of a FROM after what it triggers on what it takes; None where that is nothing."""
        commands = [command for text in triggers for command in triggered(text)]
        keys = [step(self, state, Line(line.step, command)) for command in commands]
        keys = [key for key in keys if not key.free]
        if not keys:
            return None
        # All triggers are one step to the learner: the FROM that they come with.
        state.last = msgspec.structs.replace(
            keys[-1],
            parent=None if base.step is line.step else base.id,
            ingredients=tuple(i for key in keys for i in key.ingredients),
            reads=tuple(read for key in keys for read in key.reads),
            doubts=tuple(doubt for key in keys for doubt in key.doubts),
            fresh=any(key.fresh for key in keys),
            missing=next((key.missing for key in keys if key.missing), None),
            triggered=True,
        )
        return state.last


Step = Callable[[Walk, StageState, Line], Key]
"""Makes the key of one instruction after FROM, and changes the state of its stage."""
