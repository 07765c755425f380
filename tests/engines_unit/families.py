"""A family of real processes to be ended, and how to see who is left of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

# A family of three: the command, a child, and a grandchild in a session of its own. Each notes
# its process id; those that a placeholder names ignore SIGTERM.
FAMILY = """
import os, signal, subprocess, sys, time
depth, folder, deaf = int(sys.argv[1]), sys.argv[2], sys.argv[3]
if str(depth) in deaf:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(f"{folder}/{depth}.part", "w").write(str(os.getpid()))
os.rename(f"{folder}/{depth}.part", f"{folder}/{depth}")
if depth < 3:
    subprocess.Popen([sys.executable, __file__, str(depth + 1), folder, deaf],
                     start_new_session=depth == 2)
print("here", depth, flush=True)
if depth > 1 or "leave" not in deaf:
    time.sleep(60)
"""


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def living(pid: int) -> bool:
    """False for processes that are gone, and for zombies, which are."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:  # it has gone, before or after its file was opened
        return False
    return state != "Z"


class Family:
    """The processes of FAMILY."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = folder / "family.py"
        self.script.write_text(FAMILY)

    def argv(self, deaf: str = "-") -> list[str]:
        return [sys.executable, str(self.script), "1", str(self.folder), deaf]

    def complete(self) -> bool:
        return all((self.folder / str(n)).exists() for n in (1, 2, 3))

    @property
    def pids(self) -> list[int]:
        return [int((self.folder / str(n)).read_text()) for n in (1, 2, 3)]

    def alive(self) -> list[int]:
        return [pid for pid in self.pids if living(pid)]
