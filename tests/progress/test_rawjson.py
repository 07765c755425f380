"""BuildKit's events where no recording has them."""

from __future__ import annotations

import json

from layerlab.cache.dockerfile import plan
from layerlab.model.build import Build, reduce_all
from layerlab.progress.rawjson import RawJsonParser

PLAN = plan("FROM busybox\nRUN make\n", "Dockerfile", platforms=[])


def vertex(**fields: object) -> bytes:
    known = {"digest": "sha256:aa", "name": "[2/2] RUN make", "inputs": ["sha256:bb"]}
    return json.dumps({"vertexes": [{**known, **fields}]}).encode() + b"\n"


def at(second: int) -> str:
    return f"2026-01-01T00:00:{second:02}Z"


def states(*lines: bytes) -> list[str]:
    parser = RawJsonParser(PLAN)
    events = [event for n, line in enumerate(lines) for event in parser.feed(line, "stderr", n)]
    events += parser.close(0, len(lines), cancelled=False)
    return [row.state for row in reduce_all(Build(plan=PLAN), events).instructions]


def test_fetching_the_result_of_a_cached_step_is_no_run() -> None:
    """Seen with BuildKit 0.18 and `--cache-from type=registry`."""
    assert states(
        vertex(),
        vertex(started=at(1), cached=True),
        vertex(started=at(1), completed=at(2), cached=True),
        vertex(started=at(3)),
        vertex(started=at(3), completed=at(4)),
    )[1:] == ["cached"]


def test_a_step_that_runs_is_no_cached_one() -> None:
    done = vertex(started=at(1), completed=at(2))
    assert states(vertex(), vertex(started=at(1)), done)[1:] == ["executed"]


def test_a_step_that_cannot_begin_says_nothing_of_those_before_it() -> None:
    """Seen with nerdctl: a bind mount of what is not there fails before anything has run."""
    assert failed("not found") == ["not reached", "failed"]


def test_what_a_step_that_cannot_begin_would_need_is_not_cached() -> None:
    """BuildKit tells so, in one batch, when it computes the key of a step; seen with nerdctl."""
    needed: dict[str, object] = {"digest": "sha256:bb", "name": "[2/3] WORKDIR /w"}
    presumed = needed | {"started": at(1), "completed": at(1), "cached": True}
    missing = 'failed to calculate checksum of ref x::y: "/d": not found'
    assert failed(missing, presumed) == ["not reached", "failed"]
    # One that ran, and failed, has needed it.
    assert failed("exit code: 1", presumed) == ["cached", "failed"]


def failed(error: str, *others: dict[str, object]) -> list[str]:
    intended = plan("FROM busybox\nWORKDIR /w\nRUN make\n", "Dockerfile", platforms=[])
    parser = RawJsonParser(intended)
    lost: dict[str, object] = {"digest": "sha256:aa", "name": "[3/3] RUN make"}
    lost |= {"inputs": ["sha256:bb"], "started": at(1), "completed": at(1), "error": error}
    line = json.dumps({"vertexes": [*others, lost]}).encode() + b"\n"
    events = [*parser.feed(line, "stderr", 1), *parser.close(1, 2, cancelled=False)]
    rows = reduce_all(Build(plan=intended), events).instructions
    return [f"{row.state}" for row in rows][1:]
