"""Our end of the pipe to the `guard`: what has been started and is not over."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
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

    def add(self, child: Child) -> None:
        """A command was started. The first one starts the guard too."""
        with self._lock:
            self._children.add(child)
            self._tell(f"+ {child.pid} {child.birth}\n")

    def remove(self, child: Child) -> None:
        """It is over; also when it was said before."""
        with self._lock:
            if child in self._children:
                self._children.remove(child)
                self._tell(f"- {child.pid} {child.birth}\n")

    def end_all(self) -> None:
        """End whatever still runs."""
        for child in tuple(self._children):
            child.end()

    def _tell(self, line: str) -> None:
        if self._pipe is not None:
            try:
                os.write(self._pipe, line.encode())
            except BrokenPipeError:  # somebody has ended the guard: take another
                os.close(self._pipe)
            else:
                return
        self._pipe = self._hire()
        everyone = "".join(f"+ {child.pid} {child.birth}\n" for child in self._children)
        os.write(self._pipe, everyone.encode())

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
