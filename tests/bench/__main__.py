"""`python -m tests.bench --engine ENGINE`: what Layerlab costs, as ratios within one run.

Each figure is the median of several pairs: a build in a notebook's cell, widget and all, and the
very same command alone. What the design promises stands beside it; the exit status is 1 when one
promise is broken.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import nbformat

from layerlab.engines import argv, detect
from layerlab.engines.base import ENGINES
from tests.kernels import Kernel, kernel

BASE = "docker.io/library/busybox:1.37.0-glibc"
TEN_STEPS = f"FROM {BASE}\n" + "".join(
    f"RUN sleep 0.1; echo {number} > /{number}\n" for number in range(10)
)
LINES = 200_000
FLOOD = f"FROM {BASE}\nRUN seq {LINES}\n"
MOST_RATIO, MOST_SECONDS, MOST_LOADING, MOST_MESSAGES = 1.03, 0.05, 0.1, 10
SECOND = timedelta(seconds=1)


class Pairs(NamedTuple):
    """Seconds of a cell and of its command alone, pair by pair."""

    ours: list[float]
    bare: list[float]

    @property
    def ratio(self) -> float:
        """Of the medians."""
        return statistics.median(self.ours) / statistics.median(self.bare)

    @property
    def more(self) -> float:
        """The median of what each cell took longer, in seconds."""
        return statistics.median(o - b for o, b in zip(self.ours, self.bare, strict=True))

    def __str__(self) -> str:
        bare = statistics.median(self.bare)
        return f"alone {bare:.3f} s, ratio {self.ratio:.3f}, {1000 * self.more:+.0f} ms"


def main() -> int:
    """Measure, print a table, and say whether the promises hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--engine", required=True, choices=sorted(ENGINES))
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    rounds: int = options.rounds
    kept = [_loading(rounds)]
    with tempfile.TemporaryDirectory(prefix="layerlab-bench-") as name:
        folder = Path(name) / "context"
        folder.mkdir()
        with kernel(options.engine, folder) as cells:
            kept.append(_ten_steps(cells, options.engine, folder, rounds))
            kept.append(_flood(cells, options.engine, folder, 3))
    return 0 if all(kept) else 1


def _said(name: str, figures: str, promise: str, *, kept: bool) -> bool:
    print(f"{name:20} {figures}   (promised: {promise}){'' if kept else '   BROKEN'}", flush=True)
    return kept


def _loading(rounds: int) -> bool:
    program = (
        "import time, ipywidgets\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell()\n"
        "begun = time.perf_counter()\n"
        "shell.run_line_magic('load_ext', 'layerlab')\n"
        "print(time.perf_counter() - begun)\n"
    )
    took = statistics.median(
        float(
            subprocess.run(
                [sys.executable, "-c", program], check=True, capture_output=True, text=True
            ).stdout.splitlines()[-1]
        )
        for _ in range(rounds)
    )
    kept = took <= MOST_LOADING
    return _said("%load_ext", f"{1000 * took:.0f} ms", f"{1000 * MOST_LOADING:.0f} ms", kept=kept)


def _ten_steps(cells: Kernel, engine: str, folder: Path, rounds: int) -> bool:
    (folder / "Dockerfile").write_text(TEN_STEPS, encoding="utf-8")
    cells.run("%build -t layerlab-bench .")
    cached = _pairs(cells, engine, folder, "-t layerlab-bench .", rounds)
    promise = f"ratio {MOST_RATIO} or {1000 * MOST_SECONDS:.0f} ms"
    kept = cached.ratio <= MOST_RATIO or cached.more <= MOST_SECONDS
    kept = _said("ten steps, cached", str(cached), promise, kept=kept)
    cold = _pairs(cells, engine, folder, "--no-cache -t layerlab-bench .", max(3, rounds // 2))
    return (
        _said("ten steps, cold", str(cold), f"ratio {MOST_RATIO}", kept=cold.ratio <= 1.03) & kept
    )


def _flood(cells: Kernel, engine: str, folder: Path, rounds: int) -> bool:
    (folder / "Dockerfile").write_text(FLOOD, encoding="utf-8")
    pairs = _pairs(cells, engine, folder, "--no-cache -t layerlab-bench .", rounds)
    _, messages = cells.run("%build --no-cache -t layerlab-bench .")
    at: list[datetime] = sorted(message["header"]["date"] for message in messages)
    busiest = max(sum(first <= other < first + SECOND for other in at) for first in at)
    outputs = [
        nbformat.v4.output_from_msg(message)
        for message in messages
        if message["msg_type"] in ("stream", "execute_result")
    ]
    size = len(json.dumps(outputs))
    figures = f"{pairs}, {busiest} messages in the busiest second, {size / 1024:.0f} KiB kept"
    return _said(
        f"{LINES} lines", figures, f"{MOST_MESSAGES} messages", kept=busiest <= MOST_MESSAGES
    )


def _pairs(cells: Kernel, engine: str, folder: Path, arguments: str, rounds: int) -> Pairs:
    request = argv.parse(arguments.split(), folder)
    command = detect.make(next(n for n in ENGINES if n == engine), os.environ).build_command(
        request
    )

    def alone() -> float:
        begun = time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        return time.perf_counter() - begun

    def ours() -> float:
        took, messages = cells.run(f"%build {arguments}")
        assert messages[-1]["content"]["status"] == "ok", messages[-1]["content"]
        return took

    pairs = Pairs([], [])
    for number in range(rounds):
        both: list[tuple[Callable[[], float], list[float]]] = [
            (ours, pairs.ours),
            (alone, pairs.bare),
        ]
        for measure, seconds in both if number % 2 else both[::-1]:
            seconds.append(measure())
    return pairs


if __name__ == "__main__":
    sys.exit(main())
