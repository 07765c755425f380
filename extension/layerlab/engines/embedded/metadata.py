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
from layerlab.engines.embedded.images import Healthcheck, Settings

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
    """
    words = tuple(expand(word, scope) for word in command.value)
    match command.word:
        case "ENV":
            env = settings.env
            for name, value in assignments(command):
                env = with_variable(env, expand(name, scope), expand(value, scope))
            return replace(settings, env=env)
        case "LABEL":
            pairs = assignments(command)
            labels = {expand(name, scope): expand(value, scope) for name, value in pairs}
            return replace(settings, labels=settings.labels | labels)
        case "EXPOSE":
            ports: dict[str, dict[str, str]] = {port: {} for word in words for port in _ports(word)}
            return replace(settings, exposed_ports=settings.exposed_ports | ports)
        case "VOLUME":
            volumes: dict[str, dict[str, str]] = {word: {} for word in words}
            return replace(settings, volumes=settings.volumes | volumes)
        case "USER":
            return replace(settings, user=words[0])
        case "STOPSIGNAL":
            return replace(settings, stop_signal=words[0])
        case "SHELL":
            return replace(settings, shell=command.value)
        case "ONBUILD":
            return replace(settings, on_build=(*settings.on_build, trigger(command)))
        case "HEALTHCHECK":
            return replace(settings, healthcheck=_health(command))
        case "CMD":
            return replace(settings, cmd=in_shell(command, settings))
        case "ENTRYPOINT":
            cmd = settings.cmd if "CMD" in own else None
            return replace(settings, entrypoint=in_shell(command, settings), cmd=cmd)
    return settings


def in_shell(command: Command, settings: Settings) -> tuple[str, ...]:
    """The program and its arguments that the instruction means, in either of its forms."""
    if command.json or not command.value:
        return command.value
    return (*(settings.shell or SHELL), command.value[0])


def with_variable(env: Sequence[str], name: str, value: str) -> tuple[str, ...]:
    """An environment with one more variable, or with another value of one that it has."""
    pair = f"{name}={value}"
    changed = tuple(pair if old.partition("=")[0] == name else old for old in env)
    return changed if pair in changed else (*env, pair)


def _ports(word: str) -> list[str]:
    """`8080` as `8080/tcp`; a range as all its ports (`nat.ParsePortSpecs`)."""
    ports, _, protocol = word.partition("/")
    first, _, last = ports.partition("-")
    if not first.isdigit() or (last and not last.isdigit()):
        return [f"{ports}/{protocol or 'tcp'}"]
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
