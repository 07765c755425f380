"""Folders to work in. Of a process that was killed they are removed by whoever works there next.

In each its owner holds a lock: the kernel takes it away from a process that dies, and no program
that was started inherits it (PEP 446). A process id would not do, as it is given out again.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from layerlab.engines.embedded.store import disk

_OWNER: Final = ".owner"


@contextlib.contextmanager
def folder(top: Path) -> Iterator[Path]:
    """A new folder in `top`, which only its owner can enter, for as long as the block lasts."""
    with contextlib.ExitStack() as stack:
        with _alone(top):  # else `clear` might come between the two
            made = Path(tempfile.mkdtemp(dir=top))
            stack.enter_context(disk.locked(made / _OWNER))
        try:
            yield made
        finally:
            with _alone(top):
                disk.discard(made)


def clear(top: Path) -> None:
    """Remove the folders whose owners are dead."""
    with _alone(top):
        for made in filter(Path.is_dir, top.iterdir()):
            with disk.locked(made / _OWNER, wait=False) as dead:
                if dead:
                    disk.discard(made)


def _alone(top: Path) -> contextlib.AbstractContextManager[bool]:
    """While this is open, nobody else makes or removes one."""
    return disk.locked(top.with_suffix(".lock"))
