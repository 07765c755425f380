"""Who belongs to whom: processes that are traced, as by PRoot, wherever they have gone."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerlab.engines import guard
from tests.engines_unit.families import living, until

# A stray has left its parent and its session, and is deaf. The tracer seizes it (ptrace(2)),
# also what it starts, and says so.
STRAY = """
import ctypes, os, signal, sys, time
if os.fork():
    os._exit(0)
os.setsid()
ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)  # PR_SET_PTRACER, anybody
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1] + ".part", "w").write(str(os.getpid()))
os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(60)
"""
TRACER = """
import ctypes, os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
if libc.ptrace(0x4206, int(sys.argv[1]), None, 0x0E):  # PTRACE_SEIZE; trace what it starts
    sys.exit(os.strerror(ctypes.get_errno()))
print("traces", flush=True)
time.sleep(60)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has PRoot")


@pytest.fixture
def stray(tmp_path: Path) -> Iterator[int]:
    """A process that nobody would find by its parents or its group."""
    note = tmp_path / "stray"
    subprocess.run([sys.executable, "-c", STRAY, str(note)], check=True)
    until(note.exists)
    pid = int(note.read_text())
    yield pid
    if living(pid):
        os.kill(pid, signal.SIGKILL)


def test_whom_a_process_traces_ends_with_it(stray: int) -> None:
    argv = [sys.executable, "-c", TRACER, str(stray)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as tracer:
        assert tracer.stdout is not None
        assert tracer.stdout.readline() == b"traces\n"
        guard.end([(tracer.pid, guard.birth(tracer.pid))], grace=0.1)
        assert not living(stray)
        assert not living(tracer.pid)


def test_whom_nobody_traces_is_spared(stray: int) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        guard.end([(other.pid, guard.birth(other.pid))], grace=0.1)
    assert living(stray)
