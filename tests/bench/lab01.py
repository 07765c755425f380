"""`python -m tests.bench.lab01 [--engines embedded podman docker]`: lab 01's builds, side by side.

Each round lays the lab out anew, so that its first build is cold, and takes the engines one after
the other: cold, nothing changed, `app.js` changed, as in a notebook (in one process, with all that
Layerlab does around a build). Prints medians in seconds, and their ratios to those of the others.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from layerlab.engines import argv
from layerlab.engines.base import ENGINES
from layerlab.labs import Course, edit, lay_out
from layerlab.render import Quiet
from layerlab.session import Session

COURSE = Course(Path(__file__).parents[2] / "course")
BUILDS = ("cold", "nothing changed", "app.js changed")
MOST_COLD, MOST_WARM = 1.2, 0.1
"""Goals: cold, of podman's time; else, of docker's."""


def main() -> int:
    """Measure, print, and say whether the goals are met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.lab01", description=__doc__)
    parser.add_argument("--engines", nargs="+", default=["embedded", "podman", "docker"])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    unknown = set(options.engines) - set(ENGINES)
    if unknown:
        parser.error(f"no such engine: {', '.join(unknown)}")
    times: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="layerlab-lab01-") as name:
        for engine in options.engines:
            _warm_up(engine, Path(name))
        for number in range(options.rounds):
            for engine in options.engines:
                for build, took in _round(engine, Path(name) / f"{number}-{engine}").items():
                    times.setdefault((engine, build), []).append(took)
    medians = {key: statistics.median(values) for key, values in times.items()}
    for engine in options.engines:
        shown = ", ".join(f"{build} {medians[engine, build]:.3f} s" for build in BUILDS)
        print(f"{engine}: {shown}", flush=True)
    return 0 if _good(medians) else 1


def _good(medians: dict[tuple[str, str], float]) -> bool:
    goals = (
        ("cold", "podman", MOST_COLD),
        ("nothing changed", "docker", MOST_WARM),
        ("app.js changed", "docker", MOST_WARM),
    )
    good = True
    for build, other, most in goals:
        if ("embedded", build) in medians and (other, build) in medians:
            ratio = medians["embedded", build] / medians[other, build]
            print(f"{build}: embedded takes {ratio:.3f} of {other}'s time (goal {most})")
            good &= ratio <= most
    return good


def _session(engine: str, folder: Path) -> Session:
    return Session({**os.environ, "LAYERLAB_HOME": str(folder / "home"), "LAYERLAB_ENGINE": engine})


def _warm_up(engine: str, folder: Path) -> None:
    """The base image is there, and unpacked where the engine unpacks it."""
    (folder / "Dockerfile").write_text(
        (COURSE.lab("01").contexts[0] / "Dockerfile").read_text().splitlines()[0] + "\nRUN true\n"
    )
    session = _session(engine, folder)
    session.build(argv.parse(["-t", f"bench-{engine}", "."], folder), Quiet())
    session.engine.remove_image(f"bench-{engine}")


def _round(engine: str, folder: Path) -> dict[str, float]:
    project = lay_out(COURSE.lab("01"), folder, datetime.now(UTC))
    session = _session(engine, folder)
    took = {}
    for build in BUILDS:
        if build == "app.js changed":
            edit(project / "nodejs" / "app.js", "APP_VERSION", "1.1")
        begun = time.perf_counter()
        done = session.build(argv.parse(["-t", f"bench-{engine}", "nodejs"], project), Quiet())
        took[build] = time.perf_counter() - begun
        if done.outcome != "built":
            sys.exit(f"{engine} could not build lab 01: {done.failure}")
    session.engine.remove_image(f"bench-{engine}")
    return took


if __name__ == "__main__":
    sys.exit(main())
