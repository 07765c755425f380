"""A plan with the parsed instructions put back: what the cache keys are made from."""

from __future__ import annotations

import csv
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from layerlab.cache.source import Command, Source
from layerlab.cache.words import expand
from layerlab.model.plan import Plan, PlannedStep, Stage


@dataclass(frozen=True)
class Line:
    """One planned instruction as it was parsed."""

    step: PlannedStep
    command: Command


@dataclass(frozen=True)
class Program:
    """All of a Dockerfile.

    Attributes:
        heading: what stands before the first FROM.
        stages: each with its lines, FROM first, in file order.
    """

    heading: tuple[Command, ...]
    stages: tuple[tuple[Stage, tuple[Line, ...]], ...]

    def find(self, name: str, before: int) -> Stage | None:
        """The stage that `--from=NAME` means, by number or by name; the last of a name wins."""
        if name.isascii() and name.isdigit():
            return self.stages[int(name)][0] if int(name) < before else None
        named = [s for s, lines in self.stages[:before] if _name(lines[0].command) == name.lower()]
        return named[-1] if named else None

    def base(self, name: str, before: int) -> Stage | None:
        """The stage that FROM means. Here case counts (`addState` compares as written)."""
        found = self.find(name, before) if not name.isdigit() else None
        return found if found and name == name.lower() else None

    def own_name(self, stage: Stage) -> str:
        """A stage's AS name in lower case, "" where it has none."""
        return _name(self.stages[stage.index][1][0].command)


def program(plan: Plan) -> Program:
    """Parse the plan's source again and pair it with the planned steps."""
    commands = Source(plan.source, plan.dockerfile).commands
    start = next(i for i, command in enumerate(commands) if command.word == "FROM")
    rest = iter(commands[start:])
    stages = tuple(
        (stage, tuple(Line(step, next(rest)) for step in stage.steps)) for stage in plan.stages
    )
    return Program(heading=commands[:start], stages=stages)


def trigger(command: Command) -> str:
    """What an ONBUILD asks of the stage that will build on it."""
    return command.text.partition(" ")[2].strip()


def triggered(text: str) -> tuple[Command, ...]:
    """The instruction of an ONBUILD, parsed."""
    return Source(f"FROM scratch\n{text}\n", "ONBUILD").commands[1:]


def flag(command: Command, name: str) -> str | None:
    """The value of `--name=value`; "" where it stands alone; the last one wins."""
    found = None
    for text in command.flags:
        key, _, value = text.partition("=")
        if key == f"--{name}":
            found = value
    return found


def switch(command: Command, name: str) -> bool:
    """Whether `--name` is on."""
    value = flag(command, name)
    return value is not None and value.lower() not in ("false", "0", "f")


@dataclass(frozen=True)
class Mount:
    """One `RUN --mount` (`frontend/dockerfile/instructions/commands_runmount.go`)."""

    type: str
    target: str
    source: str
    origin: str
    options: tuple[tuple[str, str], ...]

    def option(self, name: str) -> str | None:
        """An option's value, None where it was not given."""
        return dict(self.options).get(name)


_TARGETS = ("target", "dst", "destination")
_SOURCES = ("source", "src")


def mounts(command: Command, scope: Mapping[str, str]) -> Iterator[Mount]:
    """All mounts of a RUN, their variables expanded."""
    for text in command.flags:
        name, _, value = text.partition("=")
        if name != "--mount":
            continue
        options: dict[str, str] = {}
        for field in next(csv.reader([value]), []):
            key, _, given = field.partition("=")
            key = key.strip().lower()
            options[key] = given if key == "from" else expand(given, scope)
        target = next((options.pop(key) for key in _TARGETS if key in options), "")
        source = next((options.pop(key) for key in _SOURCES if key in options), "")
        yield Mount(
            type=options.pop("type", "bind"),
            target=target,
            source=source,
            origin=options.pop("from", ""),
            options=tuple(sorted(options.items())),
        )


def destination(path: str, cwd: str) -> str:
    """Where a COPY or an ADD writes: absolute, with its closing slash (`dispatchCopy`)."""
    cleaned = posixpath.normpath(posixpath.join("/", cwd, path))
    return f"{cleaned}/" if path in ("", ".") or path.endswith("/") else cleaned


def origins(command: Command) -> tuple[str, ...]:
    """The stages and images whose files an instruction reads, as `--from` names them."""
    names = [flag(command, "from"), *(mount.origin for mount in mounts(command, {}))]
    return tuple(name for name in names if name)


def is_remote(source: str) -> bool:
    """Whether an ADD fetches this from elsewhere: a URL or a Git repository."""
    lower = source.lower()
    return lower.startswith(("http://", "https://", "git://", "git@", "ssh://", "github.com/"))


def local_sources(command: Command, scope: Mapping[str, str]) -> list[str]:
    """The sources of a COPY or an ADD with variables expanded, heredocs and URLs left out."""
    words = _words(command)[:-1]
    return [s for s in (expand(w, scope) for w in words) if not is_remote(s)]


def remote_sources(command: Command, scope: Mapping[str, str]) -> list[str]:
    """The URLs and Git repositories of an ADD."""
    return [s for s in (expand(w, scope) for w in _words(command)[:-1]) if is_remote(s)]


def target(command: Command, scope: Mapping[str, str]) -> str:
    """The last word of a COPY or an ADD, expanded."""
    return expand(command.value[-1], scope)


def _words(command: Command) -> Sequence[str]:
    if not command.documents:
        return command.value
    return [word for word in command.value if not word.startswith("<<")]


def _name(command: Command) -> str:
    return command.value[2].lower() if len(command.value) == 3 else ""
