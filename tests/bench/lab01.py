"""`python -m tests.bench.lab01 [--engines embedded PRoot podman docker]`: lab 01, side by side.

Each round lays the lab out anew, so that its first build is cold, and takes the engines one after
the other: cold, nothing changed, `app.js` changed, as in a notebook (in one process, with all that
Layerlab does around a build). The embedded engine is there once by itself, and once for each kind
of PRoot. Prints medians in seconds, and their ratios to those of the others.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from layerlab.engines import argv
from layerlab.engines.embedded.home import home
from layerlab.engines.embedded.runners import gate, tools
from layerlab.engines.embedded.runners.tools import Toolbox
from layerlab.labs import Course, edit, lay_out
from layerlab.render import Quiet
from layerlab.session import Session

COURSE = Course(Path(__file__).parents[2] / "course")
TAG = "bench-lab01"
BUILDS = ("cold", "nothing changed", "app.js changed")
MOST_COLD = {"embedded": 1.0, "PRoot": 1.0, "PRoot without seccomp": 1.2}
"""Goals for the embedded engine, with its best runner or with the one that is named: of podman's
time."""
MOST_WARM = 0.1
"""The goal for its other builds: of docker's time."""
ENGINES = (*MOST_COLD, "podman", "docker")


def main() -> int:
    """Measure, print, and say whether the goals are met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.lab01", description=__doc__)
    parser.add_argument("--engines", nargs="+", default=ENGINES, choices=ENGINES)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    times: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="layerlab-lab01-") as name:
        for engine in options.engines:
            _warm_up(engine, Path(name))
        for number in range(options.rounds):
            for engine in options.engines:
                folder = Path(name) / f"{number}-{engine}".replace(" ", "-")
                for build, took in _round(engine, folder).items():
                    times.setdefault((engine, build), []).append(took)
    medians = {key: statistics.median(values) for key, values in times.items()}
    for engine in options.engines:
        shown = ", ".join(f"{build} {medians[engine, build]:.3f} s" for build in BUILDS)
        print(f"{engine}: {shown}", flush=True)
    return 0 if _good(medians) else 1


def _good(medians: Mapping[tuple[str, str], float]) -> bool:
    good = True
    for engine, most_cold in MOST_COLD.items():
        for build in BUILDS:
            other, most = ("podman", most_cold) if build == "cold" else ("docker", MOST_WARM)
            if (engine, build) in medians and (other, build) in medians:
                ratio = medians[engine, build] / medians[other, build]
                print(f"{build}: {engine} takes {ratio:.3f} of {other}'s time (goal {most})")
                good &= ratio <= most
    return good


def _session(engine: str, folder: Path) -> Session:
    own = {"LAYERLAB_HOME": str(folder / "home")}
    if engine not in MOST_COLD:
        return Session({**os.environ, **own, "LAYERLAB_ENGINE": engine})
    session = Session({**os.environ, **own, "LAYERLAB_ENGINE": "embedded"})
    if engine != "embedded":
        vars(session.engine)["toolbox"] = _narrowed(engine)
    return session


def _narrowed(runner: str) -> Toolbox:
    """What is there, with one runner only."""
    cache = home(os.environ)
    found = tools.find(os.environ, cache)
    for one in tools.candidates(os.environ, cache, root=os.geteuid() == 0):
        if one.name == runner and not gate.check(one, cache):
            return Toolbox(found.skopeo, (one,), environ=os.environ)
    sys.exit(f"There is no {runner} here.")


def _warm_up(engine: str, folder: Path) -> None:
    """The base image is there, and unpacked where the engine unpacks it."""
    (folder / "Dockerfile").write_text(
        (COURSE.lab("01").contexts[0] / "Dockerfile").read_text().splitlines()[0] + "\nRUN true\n"
    )
    session = _session(engine, folder)
    session.build(argv.parse(["-t", TAG, "."], folder), Quiet())
    session.engine.remove_image(TAG)


def _round(engine: str, folder: Path) -> dict[str, float]:
    project = lay_out(COURSE.lab("01"), folder, datetime.now(UTC))
    session = _session(engine, folder)
    took = {}
    for build in BUILDS:
        if build == "app.js changed":
            edit(project / "nodejs" / "app.js", "APP_VERSION", "1.1")
        begun = time.perf_counter()
        done = session.build(argv.parse(["-t", TAG, "nodejs"], project), Quiet())
        took[build] = time.perf_counter() - begun
        if done.outcome != "built":
            sys.exit(f"{engine} could not build lab 01: {done.failure}")
    session.engine.remove_image(TAG)
    return took


if __name__ == "__main__":
    sys.exit(main())
