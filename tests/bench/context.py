"""`python -m tests.bench.context --engine ENGINE`: a prediction on a context of 50,000 files.

The yardstick is what the engine itself needs for the same tree in the same run: BuildKit's
"load build context", Buildah's COPY. Each round has a new tree, which neither has seen before.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from layerlab.engines import argv, detect
from layerlab.engines.base import ENGINES, Engine
from layerlab.render import Quiet
from layerlab.session import Session
from tests.cache.random_projects import BASE

FILES, FOLDERS, SIZE = 50_000, 500, 1024
LARGE = 2 * 1024**3
MOST_FIRST, MOST_SECOND, MOST_MEMORY = 1.5, 0.5, 300
PREDICT = """
import json, resource, sys, time
from pathlib import Path
from layerlab.engines import argv
from layerlab.session import Session
session = Session()
session.use(sys.argv[1])
request = argv.parse(["."], Path.cwd())
begun = time.perf_counter()
session.predict(request)
took = time.perf_counter() - begun
print(json.dumps([took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def main() -> int:
    """Measure, print, and say whether the goals are met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.context", description=__doc__)
    parser.add_argument("--engine", required=True, choices=sorted(ENGINES))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    kept = [_many(options.engine, options.rounds), _large(options.engine)]
    return 0 if all(kept) else 1


def _many(engine: str, rounds: int) -> bool:
    firsts, seconds, afters, own, memory = [], [], [], [], []
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="layerlab-context-") as name:
            folder = Path(name) / "tree"
            plant(folder, str(number))
            environ = {**os.environ, "LAYERLAB_HOME": f"{name}/home"}
            first, most = predict(engine, folder, environ)
            second, _ = predict(engine, folder, environ)
            own.append(build(detect.choose(engine, os.environ), folder, environ))
            after, _ = predict(engine, folder, environ)
            firsts.append(first)
            seconds.append(second)
            afters.append(after)
            memory.append(most)
    median = statistics.median
    ratio = median(firsts) / median(own)
    figures = (
        f"{FILES} files: first {median(firsts):.2f} s, second {median(seconds):.2f} s, "
        f"after a build {median(afters):.2f} s; the engine's own {median(own):.2f} s, "
        f"ratio {ratio:.2f}; at most {max(memory):.0f} MiB"
    )
    kept = ratio <= MOST_FIRST and max(median(seconds), median(afters)) <= MOST_SECOND
    print(
        f"{figures}   (goal: ratio {MOST_FIRST}, then {MOST_SECOND} s){'' if kept else '   MISSED'}"
    )
    return kept


def _large(engine: str) -> bool:
    with tempfile.TemporaryDirectory(prefix="layerlab-context-") as name:
        folder = Path(name) / "tree"
        plant(folder, "large", count=10)
        with (folder / "large.bin").open("wb") as file:
            for _ in range(LARGE // 2**20):
                file.write(os.urandom(2**20))
        took, most = predict(engine, folder, {**os.environ, "LAYERLAB_HOME": f"{name}/home"})
    kept = most <= MOST_MEMORY
    print(f"one file of 2 GiB: {took:.2f} s, {most:.0f} MiB{'' if kept else '   MISSED'}")
    return kept


def plant(folder: Path, salt: str, count: int = FILES) -> None:
    """A tree of small files, each with bytes of its own."""
    for number in range(min(FOLDERS, count)):
        (folder / f"folder-{number}").mkdir(parents=True)
    for number in range(count):
        text = f"{salt} {number} ".encode()
        path = folder / f"folder-{number % FOLDERS}" / f"file-{number}"
        path.write_bytes(text * (SIZE // len(text)))
    (folder / "Dockerfile").write_text(f"FROM {BASE}\nCOPY . /tree\nRUN echo done\n")


def predict(engine: str, folder: Path, environ: dict[str, str]) -> tuple[float, float]:
    """Seconds of a prediction in a process of its own, and the most memory of that, in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, engine],
        cwd=folder,
        env=environ,
        check=True,
        capture_output=True,
    )
    took, most = json.loads(done.stdout)
    return took, most


def build(engine: Engine, folder: Path, environ: dict[str, str]) -> float:
    """Seconds in which the engine itself read the tree."""
    session = Session(environ)
    session.use(engine.name)
    done = session.build(argv.parse(["."], folder), Quiet())
    assert done.outcome == "built", done.failure
    step = done.steps.get("internal:load build context") or done.steps["stage-0/2"]
    return step.seconds() or 0.0


if __name__ == "__main__":
    sys.exit(main())
