"""What the instructions that make no layer do to an image's settings. Pure.

After the `dispatch…` functions in BuildKit's `frontend/dockerfile/dockerfile2llb/convert.go`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from layerlab.cache.program import flag, trigger
from layerlab.cache.source import Command
from layerlab.cache.variables import assignments
from layerlab.cache.words import expand
from layerlab.engines.embedded.build import checking
from layerlab.engines.embedded.store.images import Healthcheck, Settings, by_name

SHELL = ("/bin/sh", "-c")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}


def applied(
    settings: Settings, command: Command, scope: Mapping[str, str], own: set[str]
) -> Settings:
    """An image's settings after one instruction.

    Args:
        settings: of the image so far.
        command: anything but FROM, RUN, COPY, ADD, ARG, WORKDIR and MAINTAINER.
        scope: the variables before it.
        own: the instructions that this stage has had; ENTRYPOINT looks at it.

    Raises:
        LayerlabError: see `checking.check_port` and `checking.check_signal`.
    """
    words = tuple(expand(word, scope) for word in command.value)
    changes: dict[str, object] = {}
    match command.word:
        case "ENV":
            changes["env"] = _set(settings.env, command, scope)
        case "LABEL":
            pairs = assignments(command)
            labels = {expand(name, scope): expand(value, scope) for name, value in pairs}
            changes["labels"] = settings.labels | labels
        case "EXPOSE":
            ports = [port for word in words for port in _ports(word)]
            changes["exposed_ports"] = settings.exposed_ports | {port: {} for port in ports}
        case "VOLUME":
            changes["volumes"] = settings.volumes | {word: {} for word in words}
        case "USER":
            changes["user"] = words[0]
        case "STOPSIGNAL":
            checking.check_signal(words[0])
            changes["stop_signal"] = words[0]
        case "SHELL":
            changes["shell"] = command.value
        case "ONBUILD":
            changes["on_build"] = (*settings.on_build, trigger(command))
        case "HEALTHCHECK":
            changes["healthcheck"] = _health(command)
        case "CMD" | "ENTRYPOINT":
            changes[command.word.lower()] = in_shell(command, settings) or None
            if command.word == "ENTRYPOINT" and "CMD" not in own:
                changes["cmd"] = None
    return replace(settings, **changes)


def in_shell(command: Command, settings: Settings) -> tuple[str, ...]:
    """The program and its arguments that the instruction means, in either of its forms."""
    if command.json or not command.value:
        return command.value
    return (*(settings.shell or SHELL), command.value[0])


def _set(env: Sequence[str], command: Command, scope: Mapping[str, str]) -> tuple[str, ...]:
    """An environment with the variables of an ENV, each where it was before or at the end."""
    variables = by_name(env)
    for name, value in assignments(command):
        variables[expand(name, scope)] = expand(value, scope)
    return tuple(f"{name}={value}" for name, value in variables.items())


def _ports(word: str) -> list[str]:
    """`8080` as `8080/tcp`; a range as all its ports (`nat.ParsePortSpecs`)."""
    checking.check_port(word)
    ports, _, protocol = word.partition("/")
    first, _, last = ports.partition("-")
    numbers = range(int(first), int(last or first) + 1)
    return [f"{number}/{protocol.lower() or 'tcp'}" for number in numbers]


def _health(command: Command) -> Healthcheck:
    if command.value[0].upper() == "NONE":
        return Healthcheck(("NONE",))
    form = "CMD" if command.json else "CMD-SHELL"
    return Healthcheck(
        test=(form, *command.value[1:]),
        interval=_nanoseconds(flag(command, "interval")),
        timeout=_nanoseconds(flag(command, "timeout")),
        start_period=_nanoseconds(flag(command, "start-period")),
        start_interval=_nanoseconds(flag(command, "start-interval")),
        retries=int(flag(command, "retries") or 0),
    )


def _nanoseconds(text: str | None) -> int:
    parts = _DURATION.findall(text or "")
    return int(sum(float(number) * _NANOSECONDS[unit] for number, unit in parts))
