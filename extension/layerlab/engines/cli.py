"""What the engines that are driven by a CLI have in common. A subclass says where it differs."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import TypeVar

import msgspec

from layerlab.engines import argv, probe, process, records, refusals, serving, unpacking
from layerlab.engines.argv import Dialect
from layerlab.engines.base import (
    BuildRequest,
    Clock,
    Container,
    EngineName,
    EngineReport,
    Identity,
    Image,
)
from layerlab.engines.host import Host
from layerlab.errors import CommandFailedError, LayerlabError
from layerlab.model.events import Event, Failure
from layerlab.model.plan import Plan
from layerlab.progress.base import Parser

T = TypeVar("T")

SHORT = 30.0
"""Seconds for commands that only look something up."""


class CliEngine:
    """An engine behind a CLI that speaks like docker's. See `base.Engine` for the methods.

    Args:
        look: tells facts about this computer, when advice depends on them.
    """

    name: EngineName
    force_remove: tuple[str, ...] = ("rm", "--force")
    trial: tuple[str, ...] = ("--output", "type=tar,dest=/dev/null")
    """Options of a build that is only tried; BuildKit then keeps no image."""

    def __init__(self, look: Callable[[], Host]) -> None:
        self._look = look

    # What a subclass must say.

    @cached_property
    def dialect(self) -> Dialect:
        """How this CLI's build command differs from docker's."""
        raise NotImplementedError

    @cached_property
    def head(self) -> tuple[str, ...]:
        """The words that begin each build."""
        raise NotImplementedError

    def parser(self, request: BuildRequest, plan: Plan) -> Parser:
        """A parser for what `head` makes it print."""
        raise NotImplementedError

    def builder_words(self) -> str:
        """What builds, as in `EngineReport.builder`."""
        raise NotImplementedError

    def image(self, name: str) -> Image:
        """See `base.Engine`."""
        raise NotImplementedError

    def platforms(self) -> tuple[str, ...]:
        """See `base.Engine`."""
        raise NotImplementedError

    @property
    def cache(self) -> str:
        """See `base.Engine`."""
        return self.name

    @property
    def buildah(self) -> tuple[int, int] | None:
        """See `base.Engine`."""
        return None

    # Builds.

    def probe(self) -> EngineReport:
        """See `base.Engine`."""
        return probe.report(
            self.name,
            host=self._look(),
            head=lambda: (*self.head, *self.trial),
            builder=self.builder_words,
            start=self.start_trial,
            clean=self.clean_trial,
        )

    def start_trial(self, printed: str) -> str:  # noqa: ARG002 - for those that override it
        """Start a container of a trial build; what was said when that failed.

        Nothing where building and running go the same way: then a build has shown both.
        """
        return ""

    def clean_trial(self, printed: str) -> None:
        """Take away what a trial build has left, given what it printed; nothing for BuildKit."""

    def build_command(self, request: BuildRequest) -> tuple[str, ...]:
        """See `base.Engine`. Raises BuildInputError for a name that no image can have."""
        return argv.render(self.head, request, self.dialect)

    def notes(self, request: BuildRequest) -> tuple[str, ...]:
        """See `base.Engine`."""
        return argv.notes(request, self.dialect)

    def build(
        self, request: BuildRequest, plan: Plan, clock: Clock
    ) -> Generator[Event, None, None]:
        """See `base.Engine`."""

        def once() -> Generator[Event, None, None]:
            return self._build_once(request, plan, clock)

        return unpacking.finished(once(), once)

    def _build_once(
        self, request: BuildRequest, plan: Plan, clock: Clock
    ) -> Generator[Event, None, None]:
        command = self.build_command(request)
        parser = self.parser(request, plan)
        code: int | None = None
        begun = clock()
        yield from parser.feed(b"", "stdout", begun)  # the steps that are planned, waiting
        self.prepare(request)
        with self.surroundings() as env:
            try:
                with process.stream(command, cwd=request.cwd, env=env, clock=clock) as output:
                    for chunk in output:
                        yield from parser.feed(chunk.data, chunk.stream, chunk.at)
                    code = output.wait()
            except KeyboardInterrupt:
                pass
            finally:
                if code is None:
                    self.tidy(begun)
        cancelled = code is None
        for event in parser.close(code, clock(), cancelled=cancelled):
            yield self._explained(event, code)

    def surroundings(self) -> AbstractContextManager[Mapping[str, str] | None]:
        """The environment of a build, for as long as it runs; None for our own."""
        return nullcontext()

    def tidy(self, begun: float) -> None:
        """Remove what an interrupted build has left that began then; nothing for most."""

    def prepare(self, request: BuildRequest) -> None:
        """Whatever must be done before a build; nothing for most."""

    def _explained(self, event: Event, code: int | None) -> Event:
        """A CLI that is killed says nothing: say it."""
        if not (isinstance(event, Failure) and event.code == "unknown" and code and code > 128):
            return event
        return Failure(
            at=event.at,
            code="cli-killed",
            message=f"{self.name} was ended from outside (signal {code - 128}).",
            step=event.step,
            lines=event.lines,
            hint="Did the machine run out of memory, or did somebody stop it?",
        )

    # Commands.

    def ctr(self, args: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str]]:
        """See `base.Engine`."""
        command = (self.name, *args)
        yield command, self.said(command)

    def said(self, command: Sequence[str], *, timeout: float | None = None) -> str:
        """What a command prints, both streams; raises CommandFailedError when it fails."""
        done = process.run(command, timeout=timeout)
        text = done.output.decode(errors="replace")
        if done.exit_code != 0:
            raise refusals.error(command, done.exit_code, text)
        return text

    def stdout(self, *args: str, timeout: float | None = SHORT) -> bytes:
        """The standard output of one of this CLI's commands; raises when it fails."""
        done = process.run((self.name, *args), timeout=timeout)
        if done.exit_code != 0:
            raise refusals.error(done.argv, done.exit_code, done.output.decode(errors="replace"))
        return done.stdout

    def lines(self, *args: str) -> list[str]:
        """The lines of its standard output that hold something."""
        return [line for line in self.stdout(*args).decode(errors="replace").splitlines() if line]

    def read(self, type_: type[T], *args: str) -> T:
        """Its standard output as JSON."""
        return decode(self.stdout(*args), type_, (self.name, *args))

    # Images.

    def one_image(self, name: str, found: Sequence[T], *args: str) -> T:
        """The first of what the CLI printed about an image, if it is still there.

        It may have been removed, or its name given to another, since it was last looked at.
        """
        if not found:
            raise LayerlabError(
                f"There is no image {name}.",
                code="no-such-image",
                hint="layerlab.images() lists those that there are.",
                command=(self.name, *args),
            )
        return found[0]

    def images(self) -> tuple[Image, ...]:
        """See `base.Engine`."""
        return tuple(self.image(name) for name in self.image_names())

    def image_names(self) -> Iterable[str]:
        """The names of all images that have one, each once."""
        found = self.lines("images", "--format", "{{.Repository}}:{{.Tag}}")
        return dict.fromkeys(name for name in found if "<none>" not in name)

    def identify(self, name: str) -> Identity:
        """See `base.Engine`."""
        image = self.image(name)
        return Identity(image.id, image.architectures, image.triggers)

    def remove_image(self, name: str) -> None:
        """See `base.Engine`."""
        self.stdout("rmi", name)

    # Containers.

    def containers(self) -> tuple[Container, ...]:
        """See `base.Engine`."""
        ids = self.container_ids()
        return tuple(self._inspect(*ids)) if ids else ()

    def container_ids(self) -> Sequence[str]:
        """The ids of all containers, dead ones included."""
        return self.lines("ps", "--all", "--quiet", "--no-trunc")

    def _inspect(self, *ids: str) -> list[Container]:
        found = self.read(list[records.InspectedContainer], "container", "inspect", *ids)
        return [inspected.container() for inspected in found]

    def run(
        self,
        image: str,
        args: Sequence[str],
        *,
        platform: str | None = None,
        name: str | None = None,
        remove: bool = True,
    ) -> str:
        """See `base.Engine`."""
        self._fetch(image, platform)
        options = [*(["--rm"] if remove else []), *option("--name", name)]
        options += option("--platform", platform)
        return refusals.container_output(self.said((self.name, "run", *options, image, *args)))

    def _fetch(self, image: str, platform: str | None) -> None:
        """Pull an image that is not here, so that what a container prints stands alone."""
        if process.run((self.name, "image", "inspect", image), timeout=SHORT).exit_code != 0:
            self.stdout("pull", "--quiet", *option("--platform", platform), image, timeout=None)

    def serve(self, image: str, port: int, args: Sequence[str] = ()) -> Container:
        """See `base.Engine`."""
        self._fetch(image, None)
        try:
            # Only this machine may see it, and the system chooses a port that is free.
            publish = ("--publish", f"127.0.0.1::{port}")
            found = self._start(image, args, publish)
        except CommandFailedError as error:
            if not refusals.is_about_networks(error.output):
                raise
            found = self._serve_on_host(image, port, args)
        try:
            serving.wait(found, lambda: self._is_running(found), lambda: self.logs(found))
        except BaseException:
            self.remove(found)
            raise
        return found

    def _serve_on_host(self, image: str, port: int, args: Sequence[str]) -> Container:
        """Where containers have no network of their own: the program gets a free port instead."""
        about = self.image(image)
        command = tuple(args) or about.command
        chosen = serving.free_port()
        moved = serving.on_port((*about.entrypoint, *command), port, chosen)
        if moved is None:
            chosen, moved = port, (*about.entrypoint, *command)
        arguments = moved[len(about.entrypoint) :]
        found = self._start(image, arguments, ("--network", "host"))
        return msgspec.structs.replace(found, url=f"http://127.0.0.1:{chosen}")

    def _start(self, image: str, args: Sequence[str], options: Sequence[str]) -> Container:
        printed = self.stdout("run", "--detach", *options, image, *args, timeout=None)
        return self._inspect(printed.decode().split()[-1])[0]

    def _is_running(self, container: Container) -> bool:
        return self._inspect(container.id)[0].state == "running"

    def logs(self, container: Container) -> str:
        """See `base.Engine`."""
        return self.said((self.name, "logs", container.id), timeout=SHORT)

    def remove(self, container: Container) -> None:
        """See `base.Engine`."""
        try:
            self.stdout(*self.force_remove, container.id)
        except CommandFailedError as error:
            if error.code != "no-such-container":
                raise


def decode(data: bytes, type_: type[T], command: Sequence[str]) -> T:
    """JSON that a tool printed, as one of the types of `records`."""
    try:
        return msgspec.json.decode(data, type=type_)
    except msgspec.DecodeError as error:
        raise LayerlabError(
            f"{command[0]} printed something that Layerlab cannot read.",
            code="unreadable-output",
            hint="Please report it, with the output below and the version of the tool.",
            command=command,
            output=f"{error}\n{data[:2000].decode(errors='replace')}",
        ) from error


def version_of(words: str) -> tuple[int, int] | None:
    """The first version number in a text, as major and minor; None where there is none.

    Programs that were built from source call themselves 0.0.0: that is none either.
    """
    for major, minor in re.findall(r"\bv?(\d+)\.(\d+)", words):
        if (major, minor) != ("0", "0"):
            return int(major), int(minor)
    return None


def option(flag: str, value: str | None) -> list[str]:
    """The words of an option; none where it has no value."""
    return [] if value is None else [flag, value]
