"""Does the model agree with the engines? Random projects, random edits, real builds.

    python -m tests.cache.agreement --engine docker --sequences 50 --seed 1

Each sequence is one project that is built, edited and built again up to three times; before each
build the model predicts, after it every step is compared. Exit status 1 where they disagree.
With `--beside docker` each sequence is built by that engine as well, and what became of each step
on the two is compared; the images that it leaves are removed at the end.
Interrupted, it tells of what it has done. podman and buildah get stores of their own: they look
at all images for each step, so that a full store makes them slow.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from layerlab.cache.explain import Explanation
from layerlab.cache.key import LINEAR
from layerlab.engines import detect
from layerlab.engines.base import BuildRequest, Engine, Option
from layerlab.foresight import Foresight
from layerlab.model.build import Build, reduce
from layerlab.session import read_plan
from tests.cache.random_projects import BASE, Project
from tests.cache.random_projects import sequences as random_sequences
from tests.engines.daemons import remove_store

DOCKERFILE = "Dockerfile"
SETTINGS = "CONTAINERS_STORAGE_CONF"
FRESH = 25
"""Sequences that share a store."""


LABEL = f"layerlab.agreement={os.getpid()}"
"""On what docker builds: without a name it leaves images, and these are ours to remove."""
Fates = list[dict[str, str | None]]
"""What became of each step, by its id, one build after another."""


@dataclass
class Tally:
    """What was counted in a run."""

    sequences: int = 0
    builds: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    steps: Counter[tuple[str, str]] = field(default_factory=Counter)
    disagreements: list[str] = field(default_factory=list)
    beside: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    apart: list[str] = field(default_factory=list)
    incomparable: int = 0

    def report(self) -> str:
        """The whole run in a few lines."""
        compared = sum(self.steps.values())
        known = sum(n for (fate, _), n in self.steps.items() if fate != "unknown")
        agreed = sum(n for (fate, real), n in self.steps.items() if fate == real)
        builds = f"{self.builds} builds ({self.failures.total()} failed)"
        share = 100 * (compared - known) / max(1, compared)
        lines = [
            f"{self.sequences} edit sequences, {builds}, {compared} steps compared",
            f"agreed {agreed} of {known}; unknown {compared - known} ({share:.1f} %)",
            *(f"  {fate} → {real}: {n}" for (fate, real), n in sorted(self.steps.items())),
        ]
        lines += [f"  failed {n} times: {message}" for message, n in self.failures.items()]
        lines += [f"{len(self.disagreements)} sequences in disagreement", *self.disagreements]
        if self.beside:
            told = {fates: n for fates, n in self.beside.items() if None not in fates}
            same = sum(n for (here, there), n in told.items() if here == there)
            untold = self.beside.total() - sum(told.values())
            lines.append(
                f"the same fate on both engines: {same} of {sum(told.values())} steps "
                f"({untold} told by one engine only, or by none)"
            )
            lines.append(f"{self.incomparable} builds left out: since one failed or was stale")
            lines += [f"  {here} / {there}: {n}" for (here, there), n in self.beside.items()]
            lines += [f"{len(self.apart)} sequences with another fate", *self.apart]
        return "\n".join(lines)


class Laboratory:
    """One engine with its ledger, in one scratch folder."""

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self.engine: Engine | None = None
        self._settings = os.environ.get(SETTINGS)
        self.root = root
        self.foresight = Foresight(root)
        self.tally = Tally()
        self.fates: Fates = []
        self._salts = itertools.count(random.SystemRandom().randrange(10**9))
        self._ids = itertools.count(1)

    def run(self, versions: list[Project]) -> str | None:
        """Build each version after the one before; the first disagreement, if any."""
        if self.engine is None or self.tally.sequences % FRESH == 0:
            self.close()
            if self.name in LINEAR:
                # Its children are started with the environment of this process.
                os.environ[SETTINGS] = str(own_store(self.root))
            self.engine = detect.choose(self.name, os.environ)
            list(self.engine.ctr(["pull", BASE]))
        self.tally.sequences += 1
        if self.tally.sequences % 10 == 0:
            print(f"{self.tally.sequences} sequences", file=sys.stderr, flush=True)
        salt = f"p{next(self._salts)}"
        context = self.root / salt
        said: list[str] = []
        self.fates = []
        for project in versions:
            project.write(context, salt)
            mark = [Option("--label", LABEL)] if self.name == "docker" else []
            options = (*project.options(), *mark)
            request = BuildRequest(context=salt, options=options, cwd=self.root)
            said.append(project.describe(salt))
            wrong = self._once(self.engine, request)
            if wrong:
                return "\n".join([*said, *wrong])
        return None

    def close(self) -> None:
        """Nothing of podman's and buildah's is left behind, and their own store is in use again."""
        os.environ.pop(SETTINGS, None)
        if self._settings is not None:
            os.environ[SETTINGS] = self._settings
        remove_store(self.root / "store")

    def _once(self, engine: Engine, request: BuildRequest) -> list[str]:
        plan = read_plan(request)
        foreseen = self.foresight.foresee(engine, request, plan)
        build = Build(
            id=f"{next(self._ids):06}", engine=engine.name, plan=plan, started=time.time()
        )
        for event in engine.build(request, plan, time.time):
            build = reduce(build, event)
        return self._compare(self.foresight.explain(foreseen, build), build)

    def _compare(self, told: tuple[Explanation, ...], build: Build) -> list[str]:
        self.tally.builds += 1
        # What was cached when a build failed is told by each engine in its own way.
        built = build.outcome == "built"
        comparable = built and not any(step.stale for step in told)
        self.fates.append({step.id: _fate(step) for step in told if comparable})
        if not built:
            message = build.failure.message if build.failure else ""
            self.tally.failures[message[:200]] += 1
        wrong = False
        for step in told:
            if step.actual in ("hit", "rebuild"):
                self.tally.steps[step.fate, _fate(step) or ""] += 1
                wrong |= step.agrees is False
        if not wrong:
            return []
        return [
            f"  {'!!' if step.agrees is False else '  '} {step.fate:8} {step.actual!s:12} "
            f"{step.instruction}  [{step.cause.kind if step.cause else ''}]"
            for step in told
        ]


def _fate(step: Explanation) -> str | None:
    """What became of a step; None where that is not told.

    What two stages share is done once, and told of both, or of one, as it comes.
    """
    if step.actual not in ("hit", "rebuild"):
        return None
    return step.fate if step.agrees and step.fate != step.actual else step.actual


def own_store(root: Path) -> Path:
    """The settings with which podman and buildah keep their images under `root`, and alone."""
    store = root / "store"
    store.mkdir()
    conf = store / "storage.conf"
    conf.write_text(
        f'[storage]\ndriver = "overlay"\nrunroot = "{store / "run"}"\n'
        f'graphroot = "{store / "graph"}"\n'
    )
    return conf


def remove_images() -> None:
    """Remove what this process has left in docker, by id."""
    listing = ("docker", "images", "--quiet", "--no-trunc", "--filter", f"label={LABEL}")
    left = subprocess.run(listing, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    if left:
        subprocess.run(
            ("docker", "rmi", "--force", *set(left)), stdout=subprocess.DEVNULL, check=False
        )


def put_beside(tally: Tally, here: Laboratory, there: Laboratory, versions: list[Project]) -> None:
    """Let another engine build the same, and compare what became of each step.

    Up to the first build that one of the two has failed (how far its other stages had come by
    then, and what the next build finds of them, is by chance), or for which one has reused a stale
    step, which the other may have no reason to (from there on they build on other images). A step
    that two stages share has one fate, and an engine may tell it of one of them only: of the other
    it tells nothing, which is counted apart.
    """
    there.run(versions)
    both = list(itertools.takewhile(all, zip(here.fates, there.fates, strict=False)))
    tally.incomparable += len(versions) - len(both)
    pairs = [
        (build, step, fate, other.get(step))
        for build, (own, other) in enumerate(both, 1)
        for step, fate in own.items()
    ]
    tally.beside.update((fate, other) for _, _, fate, other in pairs)
    wrong = [
        f"  build {n}, {step}: {one} / {two}"
        for n, step, one, two in pairs
        if one != two and None not in (one, two)
    ]
    if wrong:
        tally.apart.append("\n".join([*(p.describe("SALT") for p in versions), *wrong]))


def agree(
    name: str, *, sequences: int, first: int, shrink: bool = False, beside: str | None = None
) -> Tally:
    """Let the model and an engine do so many sequences.

    Args:
        name: of the engine.
        sequences: how many.
        first: the seed; the same gives the same projects.
        shrink: stop at the first disagreement, made small.
        beside: another engine that builds the same.
    """
    phases = [Phase.generate, *([Phase.shrink] if shrink else [])]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as second:
        laboratory = Laboratory(name, Path(folder))
        other = Laboratory(beside, Path(second)) if beside else None

        @seed(first)
        @settings(
            max_examples=sequences,
            deadline=None,
            database=None,
            derandomize=False,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        )
        @given(random_sequences(engine=name))
        def once(versions: list[Project]) -> None:
            wrong = laboratory.run(versions)
            if other:
                put_beside(laboratory.tally, laboratory, other, versions)
            if wrong and shrink:
                raise AssertionError(wrong)
            if wrong:
                laboratory.tally.disagreements.append(wrong)

        try:
            once()
        except AssertionError as error:
            laboratory.tally.disagreements = [str(error)]
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
        finally:
            for used in filter(None, (laboratory, other)):
                used.close()
                used.foresight.close()
            if "docker" in (name, beside):
                remove_images()
        return laboratory.tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--engine", required=True)
    parser.add_argument("--sequences", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shrink", action="store_true", help="stop at the first, made small")
    parser.add_argument("--beside", help="an engine that builds the same, to compare with")
    options = parser.parse_args()
    tally = agree(
        options.engine,
        sequences=options.sequences,
        first=options.seed,
        shrink=options.shrink,
        beside=options.beside,
    )
    print(tally.report())
    return 1 if tally.disagreements or tally.apart else 0


if __name__ == "__main__":
    sys.exit(main())
