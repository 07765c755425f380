"""One build from beginning to end: its platforms one after the other, and how it ended."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from layerlab.cache.key import Options, Selection
from layerlab.cache.program import program
from layerlab.engines import references
from layerlab.engines.base import BuildRequest, Clock
from layerlab.engines.embedded.build import checking, mounting
from layerlab.engines.embedded.build.checking import RefusedError
from layerlab.engines.embedded.build.crew import Crew
from layerlab.engines.embedded.build.pulling import Library
from layerlab.engines.embedded.build.running import Running
from layerlab.engines.embedded.build.target import StepError, Target
from layerlab.engines.embedded.build.working import Working
from layerlab.engines.embedded.runners.tools import Toolbox
from layerlab.engines.embedded.store.images import Image, Json, by_name
from layerlab.engines.embedded.store.layout import Store
from layerlab.errors import BuildInputError, LayerlabError
from layerlab.model.events import Event, Failure, Finished, StepUpdate
from layerlab.model.plan import Plan
from layerlab.progress.failures import find_cause
from layerlab.progress.output import Output
from layerlab.progress.steps import Steps

KNOWN = frozenset(
    (
        *("--tag", "--file", "--build-arg", "--platform", "--label", "--target", "--secret"),
        "--ssh",
        *("--no-cache", "--no-cache-filter", "--load", "--progress", "--quiet"),
    )
)
"""The options of a build that there are; `--load` asks for what is always done."""
EXPORT = "export:exporting to image"
_EPOCH = "SOURCE_DATE_EPOCH"


@dataclass
class Builder:
    """Carries out one request.

    Args:
        store, library, toolbox: of the engine.
        folder: of the engine: trees and cache mounts are kept in it.
        request, plan: what is asked.
        options: of the request, as the cache model has them.
        select: the build context.
        environ: environment variables.
        clock: seconds since the epoch.
    """

    store: Store
    library: Library
    toolbox: Toolbox
    folder: Path
    request: BuildRequest
    plan: Plan
    options: Options
    select: Selection
    environ: Mapping[str, str]
    clock: Clock
    steps: Steps = field(init=False)
    output: Output = field(init=False)

    def __post_init__(self) -> None:
        self.steps = Steps(self.plan, self.request.platforms)
        self.output = Output(self.steps)

    def events(self) -> Generator[Event, None, None]:
        """The whole build; the last event is `Finished`."""
        yield from self.steps.announce_all(self.clock())
        try:
            self._check()
            self.store.clear()
            with self.store.holding(), self.store.scratch() as scratch:
                built = []
                for platform in self.options.targets:
                    target = self._target(platform, scratch)
                    stage = yield from target.build()
                    built.append((platform, stage.image))
                image = yield from self._export(built)
        except StepError as failed:
            yield from self._failed(failed.step, failed.error)
        except RefusedError as refused:
            yield from self._failed(None, refused, refused.lines)
        except LayerlabError as error:
            yield from self._failed(None, error)
        except KeyboardInterrupt:
            yield from self._open_steps_end()
            yield Finished(at=self.clock(), outcome="cancelled")
        else:
            yield Finished(at=self.clock(), outcome="built", exit_code=0, image=image)

    def _check(self) -> None:
        for option in self.request.options:
            if option.flag not in KNOWN:
                raise BuildInputError(
                    f"The embedded engine has no option {option.flag}.",
                    code="unknown-flag",
                    hint=f"It has {', '.join(sorted(KNOWN))}. docker, nerdctl, podman and buildah "
                    "have more.",
                )

        checking.check(program(self.plan))

    def _target(self, platform: str, scratch: Path) -> Target:
        crew = Crew()
        epoch = self.options.build_args.get(_EPOCH) or self.environ.get(_EPOCH)
        running = Running(
            store=self.store,
            folder=self.folder,
            toolbox=self.toolbox,
            root=os.geteuid() == 0,
            epoch=int(epoch) if epoch else None,
            clock=self.clock,
            crew=crew,
        )
        secrets = self.request.values("--secret")
        working = Working(
            store=self.store,
            context=self.request.context_path,
            select=self.select,
            running=running,
            output=self.output,
            mounts=self.folder / "mounts",
            secrets=mounting.secrets(secrets, self.request.cwd, self.environ),
            agents=mounting.agents(self.request.values("--ssh"), self.request.cwd, self.environ),
            scratch=scratch,
        )
        return Target(
            program=program(self.plan),
            options=self.options,
            select=self.select,
            platform=platform,
            store=self.store,
            library=self.library,
            working=working,
            steps=self.steps,
            crew=crew,
        )

    def _export(self, built: list[tuple[str, Image]]) -> Generator[Event, None, str]:
        """Write configurations and manifests, and give the image its names; its id."""
        begun = self.clock()
        yield from self.steps.say(
            StepUpdate(
                at=begun,
                step=EXPORT,
                kind="export",
                instruction="exporting to image",
                started=begun,
            )
        )
        made: list[Json] = []
        for platform, image in built:
            labelled = _labelled(image, self.request.values("--label"))
            digests = labelled.rootfs.diff_ids
            layers = [(digest, self.store.layer(digest).stat().st_size) for digest in digests]
            made.append(self.library.put(labelled, layers, platform))
        for tag in self.request.tags:
            self.library.name(references.short(tag), made)
        ended = self.clock()
        yield from self.steps.say(StepUpdate(at=ended, step=EXPORT, completed=ended))
        return self.library.id_of(made[0])

    def _failed(
        self, step: str | None, error: LayerlabError, lines: tuple[int, int] | None = None
    ) -> Iterator[Event]:
        at = self.clock()
        message, code, hint = error.message, error.code, error.hint
        if not hint:
            cause = find_cause([message], [], self.output.last(step))
            code, hint = cause.code, cause.hint
        if step is not None:
            begun = self.steps.said(step)
            started = None if begun and begun.started is not None else at
            yield from self.steps.say(
                StepUpdate(at=at, step=step, started=started, completed=at, error=message)
            )
        yield from self._open_steps_end()
        said = self.steps.said(step) if step else None
        lines = said.lines if said else lines
        yield Failure(at=at, code=code, message=message, step=step, lines=lines, hint=hint)
        yield Finished(at=at, outcome="failed", exit_code=1)

    def _open_steps_end(self) -> Iterator[Event]:
        at = self.clock()
        yield from self.output.close(at)
        for step in self.steps.open:
            yield from self.steps.say(StepUpdate(at=at, step=step, completed=at, cancelled=True))


def _labelled(image: Image, labels: Sequence[str]) -> Image:
    given = image.config.labels | by_name(labels)
    return replace(image, config=replace(image.config, labels=given))
