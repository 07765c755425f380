"""All stages of a build for one platform: each instruction carried out, or found in the cache.

It goes through the Dockerfile as the cache model does (`cache.walk`), with real answers where that
can only guess: what a base image sets, what another stage has written, what an address answers.
A step whose key the store knows is reused, unless what it stands on was carried out in this build:
BuildKit then looks no further either (`solver/edge.go`).
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property

from msgspec.structs import replace

from layerlab.cache import program as read
from layerlab.cache.context import FileRecord
from layerlab.cache.dockerfile import SCRATCH
from layerlab.cache.key import Options, Selection, platform_parts
from layerlab.cache.keys_buildkit import step as step_key
from layerlab.cache.program import Line, Program, triggered
from layerlab.cache.source import Command
from layerlab.cache.variables import LatestWins
from layerlab.cache.walk import StageState, Walk
from layerlab.cache.words import expand
from layerlab.engines.embedded.build import metadata
from layerlab.engines.embedded.build.crew import Crew, StoppedError
from layerlab.engines.embedded.build.pulling import Library
from layerlab.engines.embedded.build.working import Place, Working
from layerlab.engines.embedded.store.images import Image, RootFs, Settings, by_name
from layerlab.engines.embedded.store.layout import StepResult, Store
from layerlab.engines.embedded.store.selection import select
from layerlab.engines.embedded.store.view import View
from layerlab.errors import LayerlabError
from layerlab.model.events import Event, StepUpdate
from layerlab.model.plan import Stage as PlannedStage
from layerlab.progress.steps import Steps

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for in an image that says nothing of it (`util/system/path.go`)."""


@dataclass
class Stage:
    """A stage's image so far.

    Attributes:
        platform: `os/arch` that it runs on.
        image: as it would be written now.
        ran: the last step that makes a layer was carried out in this build.
        own: the instructions that it has had itself.
    """

    platform: str
    image: Image
    ran: bool = False
    own: set[str] = field(default_factory=set)

    @property
    def layers(self) -> tuple[str, ...]:
        """Their digests, the lowest first."""
        return self.image.rootfs.diff_ids


class StepError(Exception):
    """A step failed. Attributes: its id, and what went wrong."""

    def __init__(self, step: str, error: LayerlabError) -> None:
        super().__init__(step)
        self.step = step
        self.error = error


@dataclass
class Target:
    """One target platform; a `cache.walk.World`.

    Args:
        program, options, select: what is asked, see `cache.walk.Walk`.
        platform: the target.
        store: has the layers, and what was built before.
        library: finds base images.
        working: carries steps out.
        steps: turns news of steps into events.
        crew: does what need not wait at once.
    """

    program: Program
    options: Options
    select: Selection
    platform: str
    store: Store
    library: Library
    working: Working
    steps: Steps
    crew: Crew
    stages: dict[int, Stage] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    done: dict[str, Future[tuple[StepResult, bool]]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def walk(self) -> Walk:
        """Its keys count what there really is."""
        return Walk(
            "buildkit", self.program, self.options, self.select, {}, self.platform, LatestWins, self
        )

    def build(self) -> Generator[Event, None, Stage]:
        """Every needed stage, those at once that need not wait; the last is what was asked for.

        Raises:
            StepError: one failed.
        """
        needed = [(stage, lines) for stage, lines in self.program.stages if stage.needed]
        yield from self.crew.together([self._stage(*each) for each in needed])
        return self.stages[needed[-1][0].index]

    # What the walk asks.

    def written(self, name: str, state: StageState, paths: Sequence[str]) -> Iterable[FileRecord]:
        """See `cache.walk.World`."""
        return select(self.view(name, state), paths)

    def answered(self, url: str) -> str:
        """See `cache.walk.World`."""
        return self.working.answer(url).digest

    def view(self, name: str, state: StageState) -> View:
        """The files of a stage or of an image, by the name that `--from` has."""
        found = self.program.find(name, state.stage.index)
        if found is not None:
            self._wait_for(found)
            return self.store.view(self.stages[found.index].layers)
        if name.isdigit():
            raise LayerlabError(f"invalid stage index {name}", code="unknown-target")
        image = self.library.image(name, state.platform, self.crew).image
        return self.store.view(image.rootfs.diff_ids)

    def _wait_for(self, stage: PlannedStage) -> None:
        self.crew.until(lambda: stage.index in self.ended)

    # Stages.

    def _stage(self, planned: PlannedStage, lines: Sequence[Line]) -> Generator[Event, None, None]:
        name = expand(lines[0].command.value[0], self.walk.globals)
        if (under := self.program.base(name, planned.index)) is not None:
            self._wait_for(under)
        state, _ = self.walk.begin(planned, lines[0])
        stage = yield from self._from(state, lines[0])
        self.stages[planned.index] = stage
        triggers = stage.image.config.on_build
        stage.image = _with(stage.image, replace(stage.image.config, on_build=()))
        for text in triggers:
            for command in triggered(text):
                yield from self._instruction(stage, state, Line(lines[0].step, command))
        for line in lines[1:]:
            yield from self._instruction(stage, state, line)
        self.ended.add(planned.index)

    def _from(self, state: StageState, line: Line) -> Generator[Event, None, Stage]:
        id_ = self.walk.id(line.step)
        yield from self._begun(id_)
        if not state.image:
            name = expand(line.command.value[0], self.walk.globals)
            base = self.program.base(name, state.stage.index)
            under = self.stages[base.index if base else 0]
            yield from self._ended(id_, cached=True)
            return Stage(under.platform, under.image, under.ran)
        if state.image == SCRATCH:
            image, digest, cached = _scratch(state.platform), "", None
        else:
            with _failing(id_):
                found = yield from self.library.get(state.image, state.platform, id_, self.crew)
            image, digest, cached = found.image, found.id, not found.pulled
        yield from self._ended(id_, cached=cached)
        self.walk.on_image(state, line, state.image, digest)
        # What the base image sets holds for the instructions after it.
        settings = image.config
        state.variables.env = by_name(settings.env)
        state.cwd = settings.working_dir or "/"
        state.user = settings.user
        state.shell = settings.shell or ()
        return Stage(state.platform, image)

    # Instructions.

    def _instruction(
        self, stage: Stage, state: StageState, line: Line
    ) -> Generator[Event, None, None]:
        command = line.command
        scope = dict(state.variables.scope)
        for name in read.origins(command):
            if (other := self.program.find(name, state.stage.index)) is not None:
                self._wait_for(other)
        with _failing(self.walk.id(line.step)):
            key = step_key(self.walk, state, line)
            if key.missing is not None:
                raise _missing(key.missing)
            stage.image = self._described(stage, state, command, scope)
        history = replace(self.working.history(command, scope), created=stage.image.created)
        if key.free:
            # The time is that of the last layer: built again, the image is the same.
            stage.image = stage.image.extended(history)
            return
        yield from self._begun(key.id)
        place = Place(key.id, stage.platform, stage.layers, stage.image.config, state, line, scope)
        result, cached = yield from self._result(place, key.key, known=not (key.fresh or stage.ran))
        history = replace(history, created=result.created)
        stage.image = stage.image.extended(history, result.layers[0])
        stage.ran = not cached
        yield from self._ended(key.id, cached=cached)

    def _described(
        self, stage: Stage, state: StageState, command: Command, scope: Mapping[str, str]
    ) -> Image:
        """The image with what an instruction says of it."""
        settings = stage.image.config
        match command.word:
            case "RUN" | "COPY" | "ADD" | "ARG":
                return stage.image
            case "MAINTAINER":
                return replace(stage.image, author=command.value[0])
            case "WORKDIR":
                return _with(stage.image, replace(settings, working_dir=state.cwd))
        changed = metadata.applied(settings, command, scope, stage.own)
        stage.own.add(command.word)
        return _with(stage.image, changed)

    def _result(
        self, place: Place, key: str, *, known: bool
    ) -> Generator[Event, None, tuple[StepResult, bool]]:
        """What a step makes, and whether that was found.

        Args:
            place: see `Place`.
            key: what it is found by.
            known: an earlier build may have made it.
        """
        with self.lock:
            shared = self.done.get(key)
            mine = self.done.setdefault(key, Future())
        if shared is not None:
            return self.crew.result(shared)  # done once, and told alike of all
        try:
            made = yield from self._made(place, key, known=known)
        except BaseException:
            mine.set_exception(StoppedError())
            raise
        mine.set_result(made)
        return made

    def _made(
        self, place: Place, key: str, *, known: bool
    ) -> Generator[Event, None, tuple[StepResult, bool]]:
        if known and (found := self.store.find(key)) is not None:
            return found, True
        with _failing(place.id):
            layer = yield from self.working.layer(place, self.view)
            result = StepResult((layer,), created=self.working.moment())
            self.store.keep(key, result)
        return result, False

    def _begun(self, id_: str) -> Iterable[Event]:
        now = self.working.clock()
        return self.steps.say(StepUpdate(at=now, step=id_, started=now))

    def _ended(self, id_: str, *, cached: bool | None) -> Iterable[Event]:
        now = self.working.clock()
        return self.steps.say(StepUpdate(at=now, step=id_, completed=now, cached=cached))


class _failing:  # noqa: N801 - reads as the statement that it is
    """Errors of the block are those of a step."""

    def __init__(self, step: str) -> None:
        self._step = step

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, LayerlabError):
            raise StepError(self._step, error) from error
        if isinstance(error, PermissionError):
            raise StepError(self._step, _forbidden(error)) from error


def _with(image: Image, settings: Settings) -> Image:
    return replace(image, config=settings)


def _scratch(platform: str) -> Image:
    """What `FROM scratch` begins with (`emptyImage` in `dockerfile2llb/image.go`)."""
    system, architecture, variant = platform_parts(platform)
    settings = Settings(env=(f"PATH={PATH}",), working_dir="/")
    return Image(architecture, system, RootFs(), variant, config=settings)


def _forbidden(error: PermissionError) -> LayerlabError:
    return LayerlabError(
        f"{error.filename} may not be read by the one who builds: {error.strerror}.",
        code="permission-denied",
        hint="Look at its owner and mode with ls -l, or leave it out in .dockerignore.",
    )


def _missing(source: str) -> LayerlabError:
    """In BuildKit's words, which `progress.failures` explains."""
    return LayerlabError(
        f'failed to calculate checksum of ref: "/{source.lstrip("/")}": not found',
        code="file-not-found",
    )
