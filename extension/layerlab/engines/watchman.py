"""Our end of the pipe to the `guard`: what has been started and is not over."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

from layerlab.engines import guard


class Child(Protocol):
    """The part of a running command that matters here."""

    pid: int
    birth: int

    def end(self) -> None:
        """End it and all that it started."""
        ...


class Watchman:
    """Knows every running command, and tells the guard.

    Args:
        launch: starts a program, given its argument list and options of the `sh` library.
    """

    def __init__(self, launch: Callable[..., object]) -> None:
        self._launch = launch
        self._lock = threading.Lock()
        self._children: set[Child] = set()
        self._pipe: int | None = None

    def prepare(self) -> None:
        """A command is about to be started; the first one starts the guard too."""
        with self._lock:
            self._pipe = self._pipe or self._hire()

    def announce(self) -> None:
        """Tell the guard of this very process, which is about to become a command.

        To be called in the child, as nothing else is quick enough: a kernel that is killed right
        after it has started a command could not tell any more. Never raises.
        """
        assert self._pipe is not None
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # when somebody has ended the guard
        with contextlib.suppress(OSError):
            os.write(self._pipe, _lines("+", [(os.getpid(), guard.birth(os.getpid()))]))
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)

    def add(self, child: Child) -> None:
        """A command was started."""
        with self._lock:
            self._children.add(child)
            self._tell("+", [(child.pid, child.birth)])

    def remove(self, child: Child) -> None:
        """It is over; also when it was said before."""
        with self._lock:
            if child in self._children:
                self._children.remove(child)
                self._tell("-", [(child.pid, child.birth)])

    def end(self, child: Child, grace: float) -> None:
        """End a command and all that it started; see `guard.end`.

        The guard is told whom: if Layerlab is killed in the middle, with the first of them gone,
        nobody could find the others.
        """
        noted: set[guard.Process] = set()

        def note(family: Collection[guard.Process]) -> None:
            noted.update(family)
            with self._lock:
                self._tell("+", family)

        guard.end([(child.pid, child.birth)], grace, note=note)
        with self._lock:
            self._tell("-", noted - {(child.pid, child.birth)})

    def end_all(self) -> None:
        """End whatever still runs."""
        for child in tuple(self._children):
            child.end()

    def _tell(self, sign: str, processes: Collection[guard.Process]) -> None:
        assert self._pipe is not None
        lines = _lines(sign, processes)
        try:
            os.write(self._pipe, lines)
        except BrokenPipeError:  # somebody has ended the guard: take another
            os.close(self._pipe)
            self._pipe = self._hire()
            everyone = [(child.pid, child.birth) for child in self._children]
            os.write(self._pipe, _lines("+", everyone) + lines)

    def _hire(self) -> int:
        reader, writer = os.pipe()
        with Path(os.devnull).open("wb") as null:
            self._launch(
                (sys.executable, "-I", "-S", guard.__file__),
                _in=reader,
                _out=null.fileno(),
                _err=null.fileno(),
                _new_session=True,  # an interrupt of the kernel's group is not meant for it
            )
        os.close(reader)
        return writer


def _lines(sign: str, processes: Collection[guard.Process]) -> bytes:
    """As the guard reads them."""
    return "".join(f"{sign} {pid} {birth}\n" for pid, birth in processes).encode()
