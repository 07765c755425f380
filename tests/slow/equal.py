"""`python -m tests.slow.equal`: the course's own Dockerfiles, by docker and by the embedded engine.

Compares every path and every setting of the images, as `tests/live/test_embedded_equals_docker.py`
does for Dockerfiles of its own. What their programs write down of a time or of their own run
differs from build to build on one engine, too: docker builds each twice, and what differs between
these two is left out, and told; so is a file with a time in its name. The exit status is 1 when
anything else differs.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, cast

from layerlab.engines import argv
from layerlab.engines.embedded.engine import EmbeddedEngine
from layerlab.labs import Course, lay_out
from layerlab.render import Quiet
from layerlab.session import Session
from tests.live import equality

COURSE = Course(Path(__file__).parents[2] / "course")
NAMED_BY_TIME = re.compile(
    r"/\.npm/_logs/[\dTZ_-]+-debug-\d+\.log$|/\.cache/go-build/[\da-f]{2}/[\da-f]{64}-[ad]$"
)
"""npm's logs; what Go has built, which goes by the times of the files that it was built from."""


class Case(NamedTuple):
    """A build of the course: its lab, and the arguments."""

    lab: str
    words: tuple[str, ...]


CASES = (
    Case("01", ("nodejs",)),
    Case("02", ("-f", "hello/Dockerfile.single", "hello")),
    Case("02", ("hello",)),
    Case("03", ("where",)),
    Case("03", ("--platform", "linux/arm64", "where")),
    Case("03", ("-f", "where/Dockerfile.cross", "--platform", "linux/arm64", "where")),
    Case("04", ("page",)),
)


def main() -> int:
    """Build, compare, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.slow.equal", description=__doc__)
    parser.add_argument("--engine", required=True, choices=["embedded"])
    parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="equal-") as name:
        same = [_same(case, Path(name)) for case in CASES]
    return 0 if all(same) else 1


def _same(case: Case, folder: Path) -> bool:
    project = lay_out(COURSE.lab(case.lab), folder / "work", datetime.now(UTC))
    contents = [
        _built(engine, case, project, folder, options)
        for engine, options in (("docker", ()), ("docker", ("--no-cache",)), ("embedded", ()))
    ]
    chance = sorted(equality.differences(contents[0], contents[1]))
    found = {
        what: both
        for what, both in equality.differences(contents[0], contents[2]).items()
        if what not in chance and not NAMED_BY_TIME.search(what)
    }
    paths = len(contents[0].nodes)
    print(f"lab {case.lab}, {' '.join(case.words)}: {paths} paths, {len(found)} differ")
    print(f"  differ between two builds of docker, too: {len(chance)} {' '.join(chance[:8])}")
    for what, (ours, theirs) in list(found.items())[:20]:
        print(f"  {what}\n    docker   {ours}\n    embedded {theirs}", flush=True)
    return not found


def _built(
    engine: str, case: Case, project: Path, folder: Path, options: tuple[str, ...]
) -> equality.Content:
    session = Session(equality.environment(folder, engine))
    tag = f"layerlab-equal-{os.getpid()}:{engine}"
    words = [*options, "-t", tag, *case.words]
    done = session.build(argv.parse(words, project), Quiet())
    if done.outcome != "built":
        sys.exit(f"{engine} could not build {' '.join(words)}: {done.failure}")
    if engine == "embedded":
        return equality.of_embedded(cast("EmbeddedEngine", session.engine), tag)
    try:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            return equality.of_docker(tag, Path(scratch))
    finally:
        equality.docker("rmi", "--force", tag)


if __name__ == "__main__":
    sys.exit(main())
