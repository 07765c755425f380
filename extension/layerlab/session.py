"""The composition root: one engine, one workspace, and what happens in a build.

Everything a learner does, by magic, by Python or on the command line, goes
through a `Session`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from itertools import chain, repeat
from pathlib import Path
from types import TracebackType
from typing import Protocol

import msgspec

from layerlab.cache.dockerfile import plan
from layerlab.cache.explain import Explanation
from layerlab.cache.goregexp import BadPatternError
from layerlab.cache.guess import guessable, score
from layerlab.engines import detect
from layerlab.engines.base import BuildRequest, Clock, Engine
from layerlab.errors import BuildInputError, BuildInterrupted, LayerlabError
from layerlab.foresight import Foreseen, Foresight, Hunch, identity
from layerlab.guesses import OpenGuess
from layerlab.model.build import Build, reduce
from layerlab.model.events import Event, Finished
from layerlab.model.plan import Plan
from layerlab.workspace import Recorder, Workspace, home

INTERVAL = 0.25
"""Seconds between two pictures of a running build: Jupyter drops messages under a flood."""
AT_FIRST = (1.0, 1.0)
"""Seconds before the first two pictures: a cell begins and ends with messages of its own, and
JupyterLab asks for three more when the first view opens. Ten in a second are the most.
"""


class Sink(Protocol):
    """Something that shows a build."""

    def start(self, build: Build, notes: Sequence[str]) -> None:
        """The build is about to run; `build.command` says how, `notes` what was translated."""
        ...

    def event(self, event: Event, build: Build) -> None:
        """One event, with the state after it. Called for each, at full speed."""
        ...

    def show(self, build: Build, now: float) -> None:
        """The state has changed; called at most once per `INTERVAL`, from a thread."""
        ...

    def finish(self, build: Build) -> None:
        """The build has ended, however it did."""
        ...


class Session:
    """What a learner works with.

    Args:
        environ: environment variables; `LAYERLAB_ENGINE` and `LAYERLAB_HOME` are read.
        clock: seconds since the epoch.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ, clock: Clock = time.time) -> None:
        self.workspace = Workspace(home(environ))
        self.foresight = Foresight(self.workspace.root, environ)
        self._environ = environ
        self._clock = clock
        self._engine: Engine | None = None
        self._told: tuple[Explanation, ...] = ()
        self._guesses: dict[str, OpenGuess] = {}

    @property
    def engine(self) -> Engine:
        """The engine in use, found on first need. Raises EngineUnavailableError."""
        if self._engine is None:
            self._engine = detect.choose(None, self._environ)
        return self._engine

    def use(self, name: str) -> Engine:
        """Choose an engine by name; it is kept only when it works."""
        self._engine = detect.choose(name, self._environ)
        return self._engine

    def predict(self, request: BuildRequest, guess: Collection[int] | None = None) -> Foreseen:
        """The fate of each step, were it built now; nothing is started.

        Args:
            request: as for `build`.
            guess: the numbers of the steps that the learner expects to run; the next build of
                this Dockerfile scores it.

        Raises:
            BuildInputError: there is nothing to build, or a number that is no step to guess.
        """
        intended = read_plan(request)
        try:
            foreseen = self.foresight.foresee(self.engine, request, intended)
        except (BadPatternError, OSError) as error:
            raise BuildInputError(
                "The build context cannot be read as the engine would read it.",
                code="unreadable-context",
                hint="Look at the ignore file and at who may read the files.",
                output=str(error),
            ) from error
        if guess is not None:
            _check_guess(guess, [step.n for step in guessable(foreseen.steps)])
            self.guess(foreseen).mark(guess)
        return foreseen

    def guess(self, foreseen: Foreseen) -> OpenGuess:
        """A guess about the next build of this Dockerfile, with nothing marked yet.

        An earlier one about it counts no more, so that nothing counts that nobody sees.
        """
        made = OpenGuess(foreseen.dockerfile, foreseen.steps)
        if earlier := self._guesses.get(made.dockerfile):
            earlier.close("replaced")
        self._guesses[made.dockerfile] = made
        return made

    def explained(self) -> tuple[Explanation, ...]:
        """What became of each step of this session's last build, and why.

        Before its first one, of the last build that the workspace remembers.

        Raises:
            LayerlabError: code `nothing-explained` where there is no such build.
        """
        found = self._told or self.workspace.explained()
        if not found:
            raise LayerlabError(
                "There is no build to explain yet.",
                code="nothing-explained",
                hint="Build something first: %build -t NAME CONTEXT",
            )
        return found

    def build(self, request: BuildRequest, sink: Sink) -> Build:
        """Build for real and show it as it runs.

        Returns the build as it ended, failed builds included.

        Raises:
            BuildInputError: there is nothing to build; no process was started.
            BuildInterrupted: it was stopped; the workspace has it as cancelled.
        """
        intended = read_plan(request)
        engine, recorder = self.engine, Recorder(self.workspace)
        build = recorder.start(self._planned(engine, request, intended))
        sink.start(build, engine.notes(request))
        hunch = Hunch(self.foresight, engine, request, intended)
        # From here on everybody can see what runs.
        if guess := self._guesses.pop(identity(request), None):
            guess.close("built")
        with _Painter(sink, build, self._clock) as painter:
            try:
                with closing(engine.build(request, intended, self._clock)) as events:
                    for event in events:
                        build = hunch.on(reduce(build, event))
                        recorder.event(event, build)
                        sink.event(event, build)
                        painter.build = build
            except KeyboardInterrupt:
                pass  # the state tells: it has no outcome yet
            finally:
                if build.outcome is None:
                    # The events were cut off: by the learner, or by an error on its way up.
                    build = reduce(build, Finished(at=self._clock(), outcome="cancelled"))
                painter.close()
                build = self._explained(build, hunch, guess)
                recorder.finish(build)
                sink.finish(build)
        if build.outcome == "cancelled":
            raise BuildInterrupted(
                f"The build was stopped after {build.seconds():.1f} s. "
                "Everything that it had started has ended; nothing was tagged."
            )
        return build

    def _planned(self, engine: Engine, request: BuildRequest, intended: Plan) -> Build:
        started = self._clock()
        return Build(
            id=self.workspace.new_id(started),
            engine=engine.name,
            command=engine.build_command(request),
            tags=request.tags,
            plan=intended,
            started=started,
        )

    def _explained(self, build: Build, hunch: Hunch, guess: OpenGuess | None) -> Build:
        build, told = hunch.after(build)
        self._told = told
        if told:
            self.workspace.save_explained(build.id, told)
            if guess and guess.marked is not None:
                build = msgspec.structs.replace(build, guess=score(guess.marked, told))
        elif guess:
            # Nothing is known of what ran: the next build will do.
            self._guesses[guess.dockerfile] = guess
            guess.reopen()
        return build


def _check_guess(guess: Collection[int], possible: Sequence[int]) -> None:
    if wrong := sorted(set(guess) - set(possible)):
        raise BuildInputError(
            f"There is no step {wrong[0]} to guess.",
            code="no-such-step",
            hint=f"%predict numbers the steps; those to guess are {', '.join(map(str, possible))}.",
        )


def read_plan(request: BuildRequest) -> Plan:
    """What the request's Dockerfile asks for.

    Raises:
        BuildInputError: context or Dockerfile is missing or unreadable.
        DockerfileSyntaxError: it is no Dockerfile.
    """
    context, path = request.context_path, request.dockerfile_path
    if not context.is_dir():
        raise BuildInputError(
            f"The build context “{request.context}” is not a folder that can be found.",
            code="no-context",
            hint=f"Paths start from {request.cwd}. Which folder holds your Dockerfile?",
        )
    try:
        source = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BuildInputError(
            f"There is no Dockerfile at {_shown(path, request.cwd)}.",
            code="no-dockerfile",
            hint="Name another file with -f, or write one with %%dockerfile PATH.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BuildInputError(
            f"The Dockerfile at {_shown(path, request.cwd)} cannot be read.",
            code="unreadable-dockerfile",
            hint="It must be a UTF-8 text file that you may read.",
            output=str(error),
        ) from error
    return plan(
        source,
        _shown(path, request.cwd),
        target=next(iter(request.values("--target")), None),
        build_args=_build_args(request),
    )


def _build_args(request: BuildRequest) -> dict[str, str]:
    pairs = (value.partition("=") for value in request.values("--build-arg"))
    return {name: value for name, equals, value in pairs if equals}


def _shown(path: Path, cwd: Path) -> str:
    """A path as the learner would write it."""
    return str(path.relative_to(cwd) if path.is_relative_to(cwd) else path)


class _Painter:
    """Calls `sink.show` at most once per interval, also when the engine is silent."""

    def __init__(self, sink: Sink, build: Build, clock: Clock) -> None:
        self.build = build
        self._sink = sink
        self._clock = clock
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._paint, name="layerlab-painter", daemon=True)

    def __enter__(self) -> _Painter:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """No picture is painted after this returns."""
        self._over.set()
        self._thread.join()

    def _paint(self) -> None:
        painted = None
        pauses = chain(AT_FIRST, repeat(INTERVAL))
        while not self._over.wait(next(pauses)):
            # States are immutable: the same object means that nothing has happened.
            if self.build is not painted:
                painted = self.build
                self._sink.show(painted, self._clock())
