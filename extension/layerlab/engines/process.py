"""How the package runs commands; nothing else in it does, but for `child`, which starts them.

`run` for commands whose output is wanted whole, `stream` for builds, `spawn` for servers. All
three start their command in a process group that ends with the kernel (see `guard`), without shell.

The work is done by the `sh` library, which is given the write ends of pipes: its callbacks cost
one Python call per line, a pipe that is read in blocks costs next to nothing.
"""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from layerlab.engines import guard
from layerlab.engines.child import Child, start
from layerlab.errors import LayerlabError
from layerlab.progress.base import Stream

BLOCK = 1 << 16
"""Bytes read at once: what a pipe holds on Linux."""
_IDLE = 0.25
"""Seconds after which a silent pipe makes us look whether the command still runs."""


class Completed(NamedTuple):
    """A command that has ended. `exit_code` is 128 + N after signal N, as in a shell.

    `output` is both streams together, in the order of arrival.
    """

    argv: tuple[str, ...]
    exit_code: int
    stdout: bytes
    stderr: bytes
    output: bytes


class Chunk(NamedTuple):
    """Some output, as it arrived; `at` is in seconds since the epoch."""

    stream: Stream
    data: bytes
    at: float


def run(
    argv: Sequence[str],
    *,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    input: bytes | None = None,  # noqa: A002 - the name that `subprocess` made familiar
    timeout: float | None = None,
    grace: float = guard.GRACE,
) -> Completed:
    """Run a command to its end, whatever its exit code is.

    Args:
        argv: the program and its arguments.
        cwd: the folder to run it in.
        env: its whole environment; ours by default. The locale is always C.UTF-8.
        input: what it reads from its standard input; nothing by default.
        timeout: seconds after which it is ended.
        grace: seconds that it has to end by itself when it is interrupted or late.

    Raises:
        CommandNotFoundError: the program is missing.
        LayerlabError: code `command-timeout`, or one that kept it from starting.
    """
    with Output(argv, cwd=cwd, env=env, input=input, timeout=timeout, grace=grace) as output:
        chunks = list(output)
        code = output.wait()
        output.release()
    return Completed(
        tuple(argv),
        code,
        stdout=b"".join(chunk.data for chunk in chunks if chunk.stream == "stdout"),
        stderr=b"".join(chunk.data for chunk in chunks if chunk.stream == "stderr"),
        output=b"".join(chunk.data for chunk in chunks),
    )


def stream(
    argv: Sequence[str],
    *,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.time,
    grace: float = guard.GRACE,
) -> Output:
    """Start a command and hand out its output as it comes: `with stream([…]) as output`.

    Leaving the block ends the command and everything that it started; after `grace` seconds by
    force. Other arguments and errors are those of `run`; `clock` gives the time of arrival.
    """
    return Output(argv, cwd=cwd, env=env, clock=clock, grace=grace)


def spawn(
    argv: Sequence[str],
    *,
    log: Path,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
) -> Child:
    """Start a command that goes on in the background; `log` receives all that it prints.

    It is ended with `Child.end`, or with this process. Arguments and errors are those of `run`.
    """
    with log.open("ab") as file:
        return start(argv, cwd, env, None, file.fileno(), file.fileno(), grace=guard.GRACE)


class Output:
    """The output of a running command: a context manager to iterate over, once."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | str | None = None,
        env: Mapping[str, str] | None = None,
        input: bytes | None = None,  # noqa: A002 - see `run`
        timeout: float | None = None,
        clock: Callable[[], float] = time.time,
        grace: float = guard.GRACE,
    ) -> None:
        self._argv = tuple(argv)
        self._grace = grace
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._clock = clock
        self._tail = b""
        self._closed = False
        self._released = False
        self._pipes: dict[int, Stream] = {}
        self._selector = selectors.DefaultSelector()
        writers: list[int] = []
        names: tuple[Stream, ...] = ("stdout", "stderr")
        try:
            for name in names:
                reader, writer = os.pipe()
                self._pipes[reader] = name
                writers.append(writer)
                self._selector.register(reader, selectors.EVENT_READ)
            self._child = start(argv, cwd, env, input, *writers, grace=grace)
        except BaseException:
            self._close_pipes()
            raise
        finally:
            for writer in writers:
                os.close(writer)

    def __enter__(self) -> Output:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Chunk]:
        while self.files:
            yield from self.some(_IDLE)

    @property
    def files(self) -> tuple[int, ...]:
        """What can be waited for; empty once there will be no more."""
        return tuple(key.fd for key in (self._selector.get_map() or {}).values())

    def some(self, patience: float = 0.0) -> Iterator[Chunk]:
        """What there is to read, at most a block of each stream, after `patience` seconds."""
        ready = self._selector.select(patience)
        if not ready and not self._child.alive and not (ready := self._selector.select(0)):
            for file in self.files:  # who outlived it holds the pipe, and is silent
                self._selector.unregister(file)
        for key, _ in ready:
            if data := os.read(key.fd, BLOCK):
                self._tail = (self._tail + data)[-2000:]
                yield Chunk(self._pipes[key.fd], data, self._clock())
            else:
                self._selector.unregister(key.fd)
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise self._late()

    def wait(self) -> int:
        """The exit code; waits for the command to end."""
        code = self._child.wait(self._deadline)
        if code is None:
            raise self._late()
        return code

    def release(self) -> None:
        """The command has ended; let what it has started live on."""
        self._child.forget()
        self._released = True

    def close(self) -> None:
        """End the command, if it still runs, and all that it started. May be called twice."""
        try:
            if not (self._released or self._closed):
                self._child.end(self._grace)
        finally:
            self._close_pipes()

    def _close_pipes(self) -> None:
        self._closed = True
        self._selector.close()
        for reader in self._pipes:
            os.close(reader)
        self._pipes = {}

    def _late(self) -> LayerlabError:
        return LayerlabError(
            f"{Path(self._argv[0]).name} did not end within {self._timeout:g} s.",
            code="command-timeout",
            command=self._argv,
            output=self._tail.decode(errors="replace"),
        )
