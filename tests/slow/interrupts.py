"""`python -m tests.slow.interrupts --engine ENGINE [--times 50]`: interrupts at random moments.

A learner presses the square button whenever they like. Each time the build must end, with all that
it started, and the kernel must live on. Prints one line; the exit status is 1 when anything was
left behind.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from layerlab.engines import detect
from layerlab.engines.base import ENGINES, Engine
from layerlab.engines.embedded.engine import EmbeddedEngine
from tests.kernels import kernel

DOCKERFILE = """\
FROM docker.io/library/busybox:1.37.0-glibc
WORKDIR {mark}
COPY file .
RUN sleep 0.5; echo {mark}; sleep 0.5
RUN sleep 613 & sleep 613; echo {mark}
"""
GUESTS = """\
FROM docker.io/library/busybox:1.37.0-glibc
COPY file .
RUN sleep 0.3; echo {mark}
RUN trap '' TERM INT; setsid sh -c 'trap "" TERM; while :; do sleep 613; done' {mark} & \
    (while :; do sh -c 'sleep 613' {mark} & sleep 0.05; done) & \
    while :; do sleep 0.1; done; echo {mark}
"""
"""Of the embedded engine, which keeps no guest in by a daemon: they ignore what is polite, leave
their session, and multiply."""
LONGEST = 2.5
"""Seconds after which the interrupt comes at the latest; the last step is reached before."""
SETTLING = 5.0
"""Seconds within which everything must be gone: an engine may tidy up behind its CLI."""
AT_ONCE = 1.0
"""The same, where there is no daemon."""
TEMPORARY = ("layerlab-*", "buildah*", "podman*", "storage*")


def main() -> int:
    """Interrupt, look, and count what was left."""
    parser = argparse.ArgumentParser(prog="python -m tests.slow.interrupts", description=__doc__)
    parser.add_argument("--engine", required=True, choices=sorted(ENGINES))
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    engine = detect.make(options.engine, os.environ)
    left: Counter[str] = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory(prefix="interrupts-") as name:
        folder = Path(name) / "context"
        folder.mkdir()
        (folder / "file").write_text("file", encoding="utf-8")
        text = GUESTS if options.engine == "embedded" else DOCKERFILE
        (folder / "Dockerfile").write_text(text.format(mark=folder), encoding="utf-8")
        containers, files = len(engine.containers()), _files(engine)
        settling = AT_ONCE if options.engine == "embedded" else SETTLING
        with kernel(options.engine, folder, view="text") as cells:
            for _ in range(options.times):
                wait = dice.uniform(0, LONGEST)
                timer = threading.Timer(wait, cells.manager.interrupt_kernel)
                timer.start()
                took, messages = cells.run("%build --no-cache -t layerlab-interrupted .")
                timer.join()
                slowest = max(slowest, took - wait)
                left["cells that were not interrupted"] += (
                    messages[-1]["content"]["status"] != "error"
                )
                left["processes"] += not _gone(lambda: bool(processes(str(folder))), settling)
                left["containers"] += not _gone(
                    lambda: len(engine.containers()) > containers, settling
                )
                alive = cells.run("1 + 1")[1][-1]["content"]["status"] == "ok"
                left["dead kernels"] += not alive
        left["temporary files"] = len(_files(engine) - files)
    print(
        f"{options.engine}: {options.times} interrupts, slowest end after {slowest:.1f} s; left: "
        + ", ".join(f"{number} {what}" for what, number in left.items()),
        flush=True,
    )
    return 1 if sum(left.values()) else 0


def _gone(there: Callable[[], bool], within: float) -> bool:
    deadline = time.monotonic() + within
    while there():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def processes(mark: str) -> list[bytes]:
    """The command lines that name the build's folder, but for the kernel's own."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        if mark.encode() in words and b"ipykernel" not in words:
            found.append(words)
    return found


def _files(engine: Engine) -> set[Path]:
    own = (engine.store.root / "part").iterdir() if isinstance(engine, EmbeddedEngine) else ()
    return {*own, *_temporary()}


def _temporary() -> set[Path]:
    folder = Path(tempfile.gettempdir())
    return {
        path
        for pattern in TEMPORARY
        for path in (*folder.glob(pattern), *Path("/var/tmp").glob(pattern))
    }


if __name__ == "__main__":
    sys.exit(main())
