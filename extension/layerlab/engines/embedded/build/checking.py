"""What BuildKit refuses of an instruction before it builds anything. Pure.

After `frontend/dockerfile/instructions/parse.go`; ports and signals after `dispatchExpose` and
`dispatchStopSignal` in `dockerfile2llb/convert.go`.
"""

from __future__ import annotations

import re
import signal

from layerlab.cache import program as read
from layerlab.cache.program import Program
from layerlab.cache.source import Command
from layerlab.errors import LayerlabError

FLAGS = {
    "FROM": ("platform",),
    "RUN": ("mount", "network", "security"),
    "COPY": ("from", "chown", "chmod", "link", "exclude", "parents"),
    "ADD": ("chown", "chmod", "link", "exclude", "checksum", "keep-git-dir"),
    "HEALTHCHECK": ("interval", "timeout", "start-period", "start-interval", "retries"),
}
"""The options that each instruction has."""
_NETWORKS = (None, "default", "none", "host")
_DURATION = re.compile(r"(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+")


class RefusedError(LayerlabError):
    """An instruction that cannot be meant as it is written; `lines` are its first and last."""

    def __init__(self, lines: tuple[int, int], code: str, message: str, hint: str) -> None:
        super().__init__(message, code=code, hint=hint)
        self.lines = lines


def check(program: Program) -> None:
    """Look at every instruction, those of stages that are not needed, too.

    Raises:
        RefusedError: one is wrong. Codes: `unknown-flag`, `dockerfile-syntax`.
    """
    for _, lines in program.stages:
        for line in lines:
            _check(line.command)


def _check(command: Command) -> None:
    known = FLAGS.get(command.word, ())
    for flag in command.flags:
        name = flag.partition("=")[0]
        if name.removeprefix("--") not in known:
            having = ", ".join(f"--{one}" for one in known)
            raise RefusedError(
                command.lines,
                "unknown-flag",
                f"{command.word} has no option {name}.",
                f"It has {having}." if known else "It has none.",
            )
    match command.word:
        case "RUN" if read.flag(command, "network") not in _NETWORKS:
            raise _syntax(command, "--network is default, none or host.", "--network=none")
        case "COPY" if any(read.is_remote(source) for source in command.value[:-1]):
            raise _syntax(command, "COPY takes no address.", "ADD https://… /there/")
        case "HEALTHCHECK":
            _check_health(command)
        case "ONBUILD":
            (inner,) = read.triggered(read.trigger(command))[:1] or (command,)
            if inner.word in ("ONBUILD", "FROM", "MAINTAINER"):
                raise _syntax(command, f"{inner.word} is no trigger.", "ONBUILD COPY . .")
            _check(inner)


def _check_health(command: Command) -> None:
    kind = command.value[0].upper()
    if kind not in ("CMD", "NONE"):
        raise _syntax(command, "after HEALTHCHECK stands CMD or NONE.", "HEALTHCHECK CMD true")
    for name in FLAGS["HEALTHCHECK"][:-1]:
        value = read.flag(command, name)
        if value is not None and not _DURATION.fullmatch(value) and value != "0":
            raise _syntax(command, f"--{name} is no time.", f"--{name}=1m30s")
    retries = read.flag(command, "retries")
    if retries is not None and not retries.isdigit():
        raise _syntax(command, "--retries is no number.", "--retries=3")


def _syntax(command: Command, what: str, example: str) -> RefusedError:
    return RefusedError(
        command.lines, "dockerfile-syntax", f"{command.text}: {what}", f"For example: {example}"
    )


def check_port(port: str) -> None:
    """Refuse what is no port after expansion: `8080`, `8080/udp`, `8000-8003`.

    Raises:
        LayerlabError: code `bad-port`.
    """
    ports, _, protocol = port.partition("/")
    first, dash, last = ports.partition("-")
    numbers = [first, *([last] if dash else [])]
    sound = all(number.isdigit() and int(number) < 1 << 16 for number in numbers)
    if (
        not sound
        or int(numbers[-1]) < int(first)
        or protocol.lower() not in ("", "tcp", "udp", "sctp")
    ):
        raise LayerlabError(
            f"{port} is no port.", code="bad-port", hint="Write EXPOSE 8080, or EXPOSE 53/udp."
        )


def check_signal(name: str) -> None:
    """Refuse what is no signal: `SIGTERM`, `TERM`, `15` (moby's `sys/signal`).

    Raises:
        LayerlabError: code `bad-signal`.
    """
    short = name.upper().removeprefix("SIG")
    realtime = re.fullmatch(r"RTM(IN|AX)([+-]\d+)?", short)
    if not (name.isdigit() or realtime or f"SIG{short}" in signal.Signals.__members__):
        raise LayerlabError(
            f"{name} is no signal.", code="bad-signal", hint="Write STOPSIGNAL SIGTERM."
        )
