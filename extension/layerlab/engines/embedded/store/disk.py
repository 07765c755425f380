"""Files that are whole or not there, and locks between processes; killed at any moment, too."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from layerlab.errors import LayerlabError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextlib.contextmanager
def aside(folder: Path) -> Iterator[BinaryIO]:
    """A new file in `folder` to write to; it is gone at the end unless `settle` has moved it.

    Raises:
        LayerlabError: code `disk-full`.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            try:
                yield file.file  # type: ignore[misc]  # what it wraps: a file, with all methods
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(file.name)  # noqa: PTH108 - a string, not a path
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise LayerlabError(
            "The disk is full: what was being written has been removed again.",
            code="disk-full",
            hint="Make room, then build again.",
        ) from error


def settle(file: BinaryIO, target: Path) -> None:
    """Give a file that was written aside its name; whoever looks sees all of it or nothing."""
    file.flush()
    Path(file.name).replace(target)


@contextlib.contextmanager
def locked(
    path: Path,
    *,
    shared: bool = False,
    wait: bool = True,
    pause: Callable[[], None] | None = None,
) -> Iterator[bool]:
    """Hold a lock that ends with the process.

    Args:
        path: a file, made where it is missing.
        shared: others may hold it, too, if they share it.
        wait: while another has it; else the block is given False.
        pause: called again and again while another has it, and may raise.
    """
    import fcntl  # noqa: PLC0415 - not on Windows, where this engine does not run

    mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    with path.open("ab") as file:

        def got() -> bool:
            try:
                fcntl.flock(file, mode | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        if wait and pause is None:
            fcntl.flock(file, mode)
        while not (mine := got()) and pause is not None:
            pause()
        yield mine


def discard(folder: Path) -> None:
    """Remove a tree, also where its folders forbid that to their owner; what is not ours stays."""
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.is_dir():
        return
    folder.chmod(0o700)
    for above, names, _ in os.walk(folder):
        for inner in (Path(above, name) for name in names):
            if not inner.is_symlink():  # it may lead to what shall stay as it is
                inner.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def size(path: Path) -> int:
    """Bytes of a file, -1 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
