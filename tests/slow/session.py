"""What `tests.slow.binder` runs in a session: `python -m tests.slow.session first | course [NN …]`.

`first` runs lab 00 as far as its first cell, and says what the kernel allows here. `course` runs
labs under nbval. Both say how much memory all processes of the container have had.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

CGROUP = Path("/sys/fs/cgroup")
NAMES = (
    ("memory/memory.max_usage_in_bytes", "memory/memory.stat", "total_rss"),
    ("memory.peak", "memory.stat", "anon"),
)
"""Of both versions of control groups: the most that was used with files' pages in it; what is in
use now, and in there the line of what programs have asked for."""
PERIOD = 0.05
"""Seconds. A process that lives for less may be missed; the limit of the container is not."""


class Memory:
    """The peak of the container's memory, in bytes, while this is open.

    Attributes:
        programs: the most that programs held at once, without the pages of files.
    """

    def __init__(self) -> None:
        peak, now, self._line = next(row for row in NAMES if (CGROUP / row[0]).exists())
        self._peak, self._now = CGROUP / peak, CGROUP / now
        self.programs = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def __str__(self) -> str:
        most = int(self._peak.read_text())
        return (
            f"peak memory: programs {self.programs / 1e6:.0f} MB, "
            f"with the pages of files, which the kernel can take back, {most / 1e6:.0f} MB"
        )

    def _watch(self) -> None:
        while not self._over.wait(PERIOD):
            found = re.search(rf"^{self._line} (\d+)$", self._now.read_text(), re.MULTILINE)
            self.programs = max(self.programs, int(found[1]) if found else 0)


def first() -> int:
    """Lab 00 as far as its first cell."""
    begun = time.monotonic()
    lab = Path("course/00-check-the-engine.ipynb")
    notebook = nbformat.read(lab, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"][:1]
    NotebookClient(notebook, resources={"metadata": {"path": str(lab.parent)}}).execute()
    print("".join(output.get("text", "") for output in notebook.cells[0].outputs))
    print(f"kernel and first cell of lab 00: {time.monotonic() - begun:.1f} s")
    done = subprocess.run(("unshare", "--user", "true"), check=False, capture_output=True)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    allowed = re.findall(r"^(?:NoNewPrivs|Seccomp|CapEff):.*$", status, re.MULTILINE)
    print(*(line.replace("\t", " ") for line in allowed), sep=", ", end="; user namespaces: ")
    print("refused" if done.returncode else "allowed")
    return 0


def course(labs: tuple[str, ...]) -> int:
    """Labs under nbval; all of them, unless some are named."""
    from tests.course.test_nbval import run_labs  # noqa: PLC0415 - a session has no pytest

    with tempfile.TemporaryDirectory() as folder, Memory() as memory:
        done, _ = run_labs("embedded", Path(folder), labs)
    print(done.stdout)
    print(memory)
    return done.returncode


if __name__ == "__main__":
    sys.exit(first() if sys.argv[1] == "first" else course(tuple(sys.argv[2:])))
