"""The only place in the package that starts a process.

`run` for commands whose output is wanted whole, `stream` for builds, `spawn` for servers. All
three start their command in a process group that ends with the kernel (see `guard`), without shell.

The work is done by the `sh` library, which is given the write ends of pipes: its callbacks cost
one Python call per line, a pipe that is read in blocks costs next to nothing.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import selectors
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from layerlab.engines import guard
from layerlab.engines.watchman import Watchman
from layerlab.errors import CommandNotFoundError, LayerlabError
from layerlab.progress.base import Stream

if TYPE_CHECKING:
    import sh

BLOCK = 1 << 16
"""Bytes read at once: what a pipe holds on Linux."""
_IDLE = 0.25
"""Seconds after which a silent pipe makes us look whether the command still runs."""
_LOCALE = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
"""What tools print is parsed, so it must be in English and in a known encoding."""
_ANY_EXIT = tuple(range(-64, 256))
"""Exit codes that `sh` shall not turn into exceptions: all, also the negative ones of signals."""


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
        return _start(argv, cwd, env, None, file.fileno(), file.fileno(), grace=guard.GRACE)


class Child:
    """A running command and its process group. Made by `spawn`."""

    def __init__(self, command: sh.RunningCommand) -> None:
        self._command = command
        self.pid: int = command.pid
        self.birth = guard.birth(self.pid)

    @property
    def alive(self) -> bool:
        """Whether it still runs; its children may live longer."""
        return self._command.is_alive()

    def wait(self, deadline: float | None = None) -> int | None:
        """The exit code once it has ended; None when it still runs at `deadline` (monotonic)."""
        pause = 0.0005
        while self.alive:
            if deadline is not None and time.monotonic() > deadline:
                return None
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
        self._command.wait()  # lets the library's own threads end
        code = self._command.exit_code
        return code if code >= 0 else 128 - code

    def end(self, grace: float = guard.GRACE) -> None:
        """End it and all it started, within `grace` + 1 s; an interrupt is held back meanwhile."""
        _uninterrupted(lambda: self._end(grace))

    def forget(self) -> None:
        """Leave alone what it has started; it has ended by itself."""
        _watchman.remove(self)

    def _end(self, grace: float) -> None:
        _watchman.end(self, grace)
        self.wait()
        _watchman.remove(self)


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
            self._child = _start(argv, cwd, env, input, *writers, grace=grace)
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


def _start(
    argv: Sequence[str],
    cwd: Path | str | None,
    env: Mapping[str, str] | None,
    input: bytes | None,  # noqa: A002 - see `run`
    stdout: int,
    stderr: int,
    *,
    grace: float,
) -> Child:
    """Start a command in a process group of its own, known to the watchman."""
    if sys.platform == "win32":
        raise LayerlabError(
            "Layerlab cannot start commands on Windows itself.",
            code="native-windows",
            hint="Windows has a Linux inside: install WSL 2 (type `wsl --install` in PowerShell), "
            "and install and start Layerlab there.",
        )
    environment = dict(os.environ if env is None else env) | _LOCALE
    program = _find(argv[0], environment)
    if cwd is not None and not Path(cwd).is_dir():
        raise LayerlabError(f"There is no folder {cwd} to work in.", code="no-folder", command=argv)
    children: list[Child] = []

    def start() -> None:
        _watchman.prepare()
        with _stdin(input) as stdin:
            command = _launch(
                (program, *argv[1:]),
                _in=stdin,
                _out=stdout,
                _err=stderr,
                _env=environment,
                _cwd=None if cwd is None else str(cwd),
                _new_group=True,
                _preexec_fn=_watchman.announce,
            )
        children.append(Child(command))
        _watchman.add(children[0])

    try:
        _uninterrupted(start)
    except KeyboardInterrupt:
        for child in children:
            child.end(grace)
        raise
    return children[0]


def _launch(argv: Sequence[str], **options: Any) -> sh.RunningCommand:  # noqa: ANN401 - what `sh` takes
    import sh  # noqa: PLC0415 - it refuses to be imported on Windows

    try:
        command: sh.RunningCommand = sh.Command(argv[0])(
            *argv[1:],
            _bg=True,
            _bg_exc=False,
            _ok_code=_ANY_EXIT,
            _tty_out=False,
            _return_cmd=True,
            **options,
        )
    except sh.ForkException as error:
        reason = str(error).strip().rpartition("\n")[2]
        raise LayerlabError(
            f"{argv[0]} could not be started.",
            code="command-not-started",
            command=argv,
            output=reason,
        ) from error
    return command


def _find(program: str, environment: Mapping[str, str]) -> str:
    found = shutil.which(program, path=environment.get("PATH"))
    if found is None:
        raise CommandNotFoundError(
            f"No program named {program} was found on this computer.",
            code="command-not-found",
            hint="Is it installed? Programs are looked for in the folders that PATH names.",
            command=(program,),
        )
    return found


@contextlib.contextmanager
def _stdin(data: bytes | None) -> Iterator[int]:
    """A file to read from: a pipe would need a thread to fill it."""
    if data is None:
        with Path(os.devnull).open("rb") as null:
            yield null.fileno()
        return
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        file.seek(0)
        yield file.fileno()


def _uninterrupted(work: Callable[[], None]) -> None:
    """Do some work that no KeyboardInterrupt can cut short; one that comes is raised afterwards.

    Python handles signals in the main thread only, so elsewhere there is nothing to hold back.
    """
    handler = signal.getsignal(signal.SIGINT)
    if handler is None or threading.current_thread() is not threading.main_thread():
        work()
        return
    held_back: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: held_back.append(number))
    try:
        work()
    finally:
        signal.signal(signal.SIGINT, handler)
        if held_back:
            signal.raise_signal(signal.SIGINT)


_watchman = Watchman(_launch)
atexit.register(_watchman.end_all)
