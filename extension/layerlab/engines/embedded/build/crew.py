"""Independent stages at once: each in a thread, their events as one stream.

A learner's interrupt reaches the main thread only, so whoever waits in another one looks now and
then whether the build has been stopped.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from queue import Empty, SimpleQueue
from typing import NamedTuple, TypeVar

from layerlab.engines.process import Chunk, Output
from layerlab.model.events import Event

T = TypeVar("T")
LOOK = 0.05
"""Seconds between two looks."""


class StoppedError(Exception):
    """The build was stopped, or another of its stages has failed."""


class Crew:
    """Those who work on one build, and how they hear that it is over."""

    def __init__(self) -> None:
        self._over = threading.Event()

    def pause(self) -> None:
        """Wait a moment. Raises StoppedError when there is nothing to wait for any more."""
        if self._over.wait(LOOK):
            raise StoppedError

    def until(self, ready: Callable[[], bool]) -> None:
        """Wait for something to become true; raises StoppedError."""
        while not ready():
            self.pause()

    def result(self, future: Future[T]) -> T:
        """What somebody else works on; raises StoppedError, also where that failed."""
        while True:
            try:
                return future.result(LOOK)
            except NotYet:
                self.pause()

    def chunks(self, output: Output) -> Iterator[Chunk]:
        """The output of a command, as it comes; raises StoppedError."""
        while output.files:
            yield from output.some(LOOK)
            if self._over.is_set():
                raise StoppedError

    def together(self, tasks: Sequence[Iterator[Event]]) -> Generator[Event, None, None]:
        """The events of all tasks, as they come. The first error stops all, and is raised."""
        if len(tasks) == 1:
            yield from tasks[0]
            return
        said: SimpleQueue[Event | _End] = SimpleQueue()
        threads = [
            threading.Thread(target=_work, args=(task, said), name="layerlab-stage")
            for task in tasks
        ]
        left, error = len(tasks), None
        try:
            for thread in threads:
                thread.start()
            while left:
                try:
                    item = said.get(timeout=LOOK)
                except Empty:
                    continue  # an interrupt is raised here
                if not isinstance(item, _End):
                    yield item
                    continue
                left -= 1
                if item.error and not isinstance(item.error, StoppedError):
                    error = error or item.error
                    self._over.set()
        finally:
            self._over.set()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        if error:
            raise error


class _End(NamedTuple):
    """A task is over, well or not."""

    error: BaseException | None


def _work(task: Iterator[Event], said: SimpleQueue[Event | _End]) -> None:
    error = None
    try:
        for event in task:
            said.put(event)
    except BaseException as raised:
        error = raised
    said.put(_End(error))
