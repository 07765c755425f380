"""Ends process groups: a function for Layerlab, and a watchman for when Layerlab itself is killed.

Run as a script (standard library only, so that it starts in a few milliseconds) it reads lines
from its standard input: `+ PID BIRTH` when a process was started, or is about to be ended, and
`- PID BIRTH` when it is over. The other end of that pipe is held by the Jupyter kernel; however
that dies, the pipe closes, and the watchman ends all that are left, with their groups. Linux's
death signal (`PR_SET_PDEATHSIG`) would not do: it reaches the CLI but not what the CLI has started,
and comes when a thread ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Collection

GRACE = 2.0
"""Seconds between the polite signal and the one that cannot be refused."""
_AFTER_KILL = 1.0
"""Seconds that the system may take to remove what was killed."""
_POLL = 0.02
_PROC = "/proc"
_LINUX = sys.platform == "linux"

Process = tuple[int, int]
"""Process id and birth; together they never name another process."""


def birth(pid: int) -> int:
    """When a process was started, in the system's own unit; 0 where that cannot be known."""
    fields = _stat(pid)
    return int(fields[19]) if fields else 0


def end(
    roots: Collection[Process],
    grace: float = GRACE,
    note: Callable[[Collection[Process]], None] = lambda _family: None,
) -> None:
    """End processes, their groups and all that descends from them; returns when none lives.

    All get SIGTERM, and whoever lives after `grace` seconds gets SIGKILL; also descendants that
    made a group of their own, as a container's processes do, and whom one of them traces, as PRoot
    does with all that was started in it. A tracer is killed last: as long as it lives, those whom
    it traces can be found, however far they have gone.

    Args:
        roots: those that were started first; one that only got the same id is spared.
        grace: seconds.
        note: is told who will be signalled, before each signal.
    """
    known = {(pid, born) for pid, born in roots if not born or birth(pid) in (born, 0)}
    groups = {pid for pid, _ in known}
    known = _family(groups, known)
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, _AFTER_KILL)):
        note(known)
        _signal_all(groups, known, number)
        deadline = time.monotonic() + patience
        while known or _answer(groups):
            if time.monotonic() > deadline:
                break
            time.sleep(_POLL)
            known = _family(groups, known)
            if number == signal.SIGKILL:  # one of them may have started others meanwhile
                _signal_all(groups, known, number)
        else:
            return
    for pid, _ in known:
        _signal(pid, signal.SIGKILL)


def _family(groups: Collection[int], known: Collection[Process]) -> set[Process]:
    """Living members of the groups, those of `known` that live, whom they started or trace."""
    table = _processes()
    found = {
        pid for pid, (_, pgrp, born) in table.items() if pgrp in groups or (pid, born) in known
    }
    tracers = {pid: _tracer(pid) for pid in table} if found else {}
    size = -1
    while size != len(found):
        size = len(found)
        found |= {pid for pid, (parent, _, _) in table.items() if parent in found}
        found |= {pid for pid, tracer in tracers.items() if tracer in found}
    return {(pid, table[pid][2]) for pid in found}


def _processes() -> dict[int, tuple[int, int, int]]:
    """Parent, group and birth of each process that is no zombie; empty without /proc."""
    table = {}
    names = os.listdir(_PROC) if _LINUX else []  # noqa: PTH208 - pathlib takes twice the time
    for pid in map(int, filter(str.isdigit, names)):
        fields = _stat(pid)
        if fields and fields[0] not in (b"Z", b"X"):
            table[pid] = (int(fields[1]), int(fields[2]), int(fields[19]))
    return table


def _stat(pid: int) -> list[bytes]:
    """State, parent, group and so on, from proc(5); empty for a process that is gone."""
    try:
        with open(f"{_PROC}/{pid}/stat", "rb") as file:  # noqa: PTH123 - the same
            # The name, in parentheses, may itself hold spaces and parentheses.
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def _tracer(pid: int) -> int:
    """Who traces a process, from proc(5); 0 for nobody."""
    try:
        with open(f"{_PROC}/{pid}/status", "rb") as file:  # noqa: PTH123 - the same
            return int(file.read().partition(b"\nTracerPid:")[2].split(None, 1)[0])
    except (OSError, IndexError):  # it is gone
        return 0


def _answer(groups: Collection[int]) -> bool:
    """Without /proc (macOS) the system must be asked; it counts zombies as alive."""
    return not _LINUX and any(_signal_group(group, 0) for group in groups)


def _signal_all(groups: Collection[int], known: Collection[Process], number: int) -> None:
    pids = {pid for pid, _ in known}
    spared = pids & {_tracer(pid) for pid in pids} if number == signal.SIGKILL else set()
    if not spared:
        for group in groups:
            _signal_group(group, number)
    for pid in pids - spared:
        _signal(pid, number)


def _signal_group(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _watch() -> None:
    roots: set[Process] = set()
    for line in sys.stdin:
        sign, pid, born = line.split()
        if sign == "+":
            roots.add((int(pid), int(born)))
        else:
            roots.discard((int(pid), int(born)))
    end(roots)


if __name__ == "__main__":
    # Whoever stops the kernel by the keyboard must not stop the one who cleans up after it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _watch()
