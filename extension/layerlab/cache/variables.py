"""What `$NAME` means at each line: platform arguments, global ARGs, ARG and ENV of a stage.

The two dialects differ. BuildKit keeps one list, and the latest of ARG and ENV wins
(`dispatchArg` and `dispatchEnv` in BuildKit's `frontend/dockerfile/dockerfile2llb/convert.go`).
Buildah keeps arguments and environment apart, and the environment always wins (`Builder.Step`,
`arg` and `env` in openshift/imagebuilder's `builder.go` and `dispatchers.go`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from layerlab.cache.source import Command
from layerlab.cache.words import expand

PROXIES = frozenset(
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (upper, upper.lower())
)
"""Build arguments that need no ARG and that BuildKit never counts (`proxyEnvFromBuildArgs`)."""


def platform_args(target: str, build: str) -> dict[str, str]:
    """What BuildKit sets by itself before the first FROM (`dockerfile2llb/platform.go`)."""
    arguments = {}
    for side, platform in (("BUILD", build), ("TARGET", target)):
        system, _, rest = platform.partition("/")
        architecture, _, variant = rest.partition("/")
        arguments.update(
            {
                f"{side}PLATFORM": platform,
                f"{side}OS": system,
                f"{side}ARCH": architecture,
                f"{side}VARIANT": variant,
            }
        )
    return arguments


def global_args(
    commands: Sequence[Command], builtin: Mapping[str, str], build_args: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The variables before the first FROM.

    Returns all that FROM may use, and of these what the Dockerfile declares by itself.
    """
    scope = {name: build_args.get(name, value) for name, value in builtin.items()}
    declared: dict[str, str] = {}
    for command in commands:
        if command.word != "ARG":
            break
        for name, default in declarations(command):
            value = build_args.get(name, None if default is None else expand(default, scope))
            if value is not None:
                declared[name] = scope[name] = value
    return scope, declared


def declarations(command: Command) -> list[tuple[str, str | None]]:
    """The names of an ARG with their defaults as written, None where it gives none."""
    pairs = (word.partition("=") for word in command.value)
    return [(name, default if equals else None) for name, equals, default in pairs]


def assignments(command: Command) -> list[tuple[str, str]]:
    """Names and values of an ENV or a LABEL, as written."""
    return list(zip(command.value[::2], command.value[1::2], strict=False))


@dataclass
class Variables:
    """The variables of one stage while its lines are walked.

    Args:
        build_args: from the command line.
        inherited: what an ARG without default takes: global ARGs and platform arguments.
        env: what the image has set: of a base image it is unknown, of a stage it is known.
    """

    build_args: Mapping[str, str]
    inherited: Mapping[str, str]
    env: dict[str, str] = field(default_factory=dict)
    args: dict[str, str] = field(default_factory=dict)

    def declare(self, command: Command) -> None:
        """Take in an ARG."""
        before = self.scope
        for name, default in declarations(command):
            value = self.build_args.get(name)
            if value is None:
                value = self.inherited.get(name) if default is None else expand(default, before)
            if value is not None:
                # Re-inserted, so that the latest stands last.
                self.args.pop(name, None)
                self.args[name] = value

    def set(self, command: Command) -> None:
        """Take in an ENV."""
        before = self.scope
        for name, value in assignments(command):
            self.env[expand(name, before)] = expand(value, before)

    def inherit(self, under: Variables) -> None:
        """Begin with what the stage below has left in its image."""
        self.env = dict(under.env)

    @property
    def scope(self) -> dict[str, str]:
        """All variables as words see them."""
        return {**self.args, **self.env}


class LatestWins(Variables):
    """BuildKit's: an ARG after an ENV of the same name hides it, and ARGs go on FROM a stage."""

    def inherit(self, under: Variables) -> None:
        """Begin with all that the stage below had."""
        super().inherit(under)
        self.args = dict(under.args)

    def declare(self, command: Command) -> None:
        """Take in an ARG."""
        super().declare(command)
        for name, _ in declarations(command):
            if name in self.args:
                self.env.pop(name, None)

    def set(self, command: Command) -> None:
        """Take in an ENV."""
        super().set(command)
        for name in self.env:
            self.args.pop(name, None)


def used(words: Iterable[str], scope: Mapping[str, str]) -> dict[str, str]:
    """The variables that stand in these words, with their values ("" where unset)."""
    seen = _Watched(scope)
    for word in words:
        expand(word, seen)
    return seen.asked


class _Watched(dict[str, str]):
    """A mapping that remembers what it was asked for."""

    def __init__(self, scope: Mapping[str, str]) -> None:
        super().__init__(scope)
        self.asked: dict[str, str] = {}

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]  # the overloads say no more than this
        value = super().get(key, default)
        self.asked[key] = value or ""
        return value
