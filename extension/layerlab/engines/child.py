"""A running command: how it is started, watched and ended.

`sh` starts it, in a process group of its own that ends with the kernel (see `guard`).
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerlab.engines import guard
from layerlab.engines.watchman import Watchman
from layerlab.errors import CommandNotFoundError, LayerlabError

if TYPE_CHECKING:
    import sh

_LOCALE = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
"""What tools print is parsed, so it must be in English and in a known encoding."""
_ANY_EXIT = tuple(range(-64, 256))
"""Exit codes that `sh` shall not turn into exceptions: all, also the negative ones of signals."""


class Child:
    """A running command and its process group. Made by `start`."""

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


def start(
    argv: Sequence[str],
    cwd: Path | str | None,
    env: Mapping[str, str] | None,
    input: bytes | None,  # noqa: A002 - see `process.run`
    stdout: int,
    stderr: int,
    *,
    grace: float,
) -> Child:
    """Start a command in a process group of its own, known to the watchman.

    Args:
        argv, cwd, env, input, grace: as in `process.run`.
        stdout, stderr: files to write to.

    Raises:
        CommandNotFoundError: the program is missing.
        LayerlabError: code `no-folder`, `native-windows`, or `command-not-started`.
    """
    environment = dict(os.environ if env is None else env) | _LOCALE
    program = _startable(argv, cwd, environment)
    children: list[Child] = []

    def begin() -> None:
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
        _uninterrupted(begin)
    except KeyboardInterrupt:
        for child in children:
            child.end(grace)
        raise
    return children[0]


def _startable(argv: Sequence[str], cwd: Path | str | None, environment: Mapping[str, str]) -> str:
    """The program to start."""
    if sys.platform == "win32":
        raise LayerlabError(
            "Layerlab cannot start commands on Windows itself.",
            code="native-windows",
            hint="Windows has a Linux inside: install WSL 2 (type `wsl --install` in PowerShell), "
            "and install and start Layerlab there.",
        )
    program = _find(argv[0], environment)
    if cwd is not None and not Path(cwd).is_dir():
        raise LayerlabError(f"There is no folder {cwd} to work in.", code="no-folder", command=argv)
    return program


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
