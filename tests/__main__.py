"""`python -m tests check|test|all`: all parts of the tests, the seconds of each, one verdict.

`check` needs no engine and no network. `test` is `check`, then the real engines, Jupyter and
Chromium. `all` runs the slow suites, or the one that is named, on each engine or on one. As root on
Debian it installs and starts CI's own engines, and stops them at the end; elsewhere it uses those
that are there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from tests.engines import layout

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
PYTEST = (sys.executable, "-m", "pytest", "-q")
LANES = (*PYTEST, "-n", "3", "--dist", "loadscope", "--no-loadscope-reorder")
"""Three tests at a time, but for those that may not meet: see `tests/conftest.py`."""
CHECKS = {
    "ruff": (str(BIN / "ruff"), "check"),
    "format": (str(BIN / "ruff"), "format", "--check"),
    "mypy": (str(BIN / "mypy"),),
    "unit tests": (*PYTEST, "-n", "2", "-m", "not live and not browser and not network"),
}
ENGINES = (sys.executable, "-m", "tests.engines")
SUITES: dict[str, tuple[str, ...]] = {
    "agreement": ("tests.cache.agreement", "--sequences", "50"),
    "bench": ("tests.bench",),
    "context": ("tests.bench.context",),
    "equal": ("tests.slow.equal",),
    "interrupts": ("tests.slow.interrupts",),
    "kills": ("tests.slow.kills",),
}
"""The slow suites: a module and its arguments, to which the engine is added."""
EMBEDDED_ONLY = frozenset({"equal", "kills"})
"""Those that are about the engine that has no daemon."""
BINDER = "binder"
"""One more suite: the course in a container as Binder gives one, which takes Docker alone."""
GENERATIONS = "generations"
"""One more suite: the live tests with older and with newer engines, and what these differ in."""
FILL = (str(BIN / "layerlab"), "bases", "ensure", "--registry", layout.REGISTRY)


class Parts:
    """Runs one part after the other and remembers how each went."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, bool]] = []

    def run(self, name: str, argv: tuple[str, ...], environ: Mapping[str, str]) -> bool:
        """Run a part; whether it succeeded."""
        print(f"\n=== {name}", flush=True)
        begun = time.monotonic()
        done = subprocess.run(argv, cwd=ROOT, env=environ, check=False)
        self.rows.append((name, time.monotonic() - begun, done.returncode == 0))
        return done.returncode == 0

    def verdict(self) -> int:
        """Print the table; the exit status."""
        print("\nseconds  part")
        for name, seconds, well in self.rows:
            print(f"{seconds:7.1f}  {name}{'' if well else '   FAILED'}")
        print(f"{sum(seconds for _, seconds, _ in self.rows):7.1f}  in all", flush=True)
        return 0 if all(well for _, _, well in self.rows) else 1


def main() -> int:
    """Run what the argument names."""
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__)
    parser.add_argument("tier", choices=("check", "test", "live", "all"))
    parser.add_argument(
        "--suite", choices=(*SUITES, BINDER, GENERATIONS), help="of `all`: this one alone"
    )
    parser.add_argument("--engine", choices=layout.ENGINES, help="of `all`: this one alone")
    parser.add_argument("--sequences", help="of the agreement suite: how many on each engine")
    chosen = parser.parse_args()
    parts = Parts()
    if chosen.tier == "all":
        if chosen.sequences:
            SUITES["agreement"] = (*SUITES["agreement"][:-1], chosen.sequences)
        _slow(parts, chosen.suite, chosen.engine)
        return parts.verdict()
    if chosen.tier == "live":
        with _engines(parts) as environ:
            parts.run("live tests", (*LANES, "-m", "live", "tests/live"), environ)
        return parts.verdict()
    for name, argv in CHECKS.items():
        parts.run(name, argv, os.environ)
    if chosen.tier == "test":
        with _engines(parts) as environ:
            parts.run("JavaScript", (*PYTEST, "-m", "network"), environ)
            parts.run("engines, labs, Chromium", (*LANES, "-m", "live or browser"), environ)
    return parts.verdict()


def _slow(parts: Parts, suite: str | None, engine: str | None) -> None:
    suites = [suite] if suite in SUITES else [] if suite else list(SUITES)
    binder = suite in (None, BINDER)
    if suites or binder:
        with _engines(parts) as environ:
            for name, one in product(suites, [engine] if engine else layout.ENGINES):
                if name in EMBEDDED_ONLY and one != "embedded":
                    continue
                argv = (sys.executable, "-m", *SUITES[name], "--engine", one)
                parts.run(f"{name} on {one}", argv, environ)
            if binder:
                argv = (sys.executable, "-m", "tests.slow.binder")
                parts.run("the course as in Binder", argv, environ)
    if suite in (None, GENERATIONS):
        for generation in ("old", "new"):
            environ = {**os.environ, "LAYERLAB_ENGINES_GENERATION": generation}
            argv = (sys.executable, "-m", "tests", "live")
            parts.run(f"live tests, {generation} engines", argv, environ)
        argv = (sys.executable, "-m", "tests.golden.differences")
        parts.run("what the generations differ in", argv, os.environ)


@contextmanager
def _engines(parts: Parts) -> Iterator[Mapping[str, str]]:
    """The environment of running engines: CI's own as root on Debian, else those of the machine."""
    environ = dict(os.environ)
    own = os.geteuid() == 0 and shutil.which("apt-get") is not None
    if own:
        environ |= layout.environment()
    try:
        if own and not (
            parts.run("engines up", (*ENGINES, "up"), environ)
            and parts.run("stand-in base images", FILL, environ)
        ):
            sys.exit(parts.verdict())
        yield environ
    finally:
        if own:
            parts.run("engines down", (*ENGINES, "down"), environ)


if __name__ == "__main__":
    sys.exit(main())
