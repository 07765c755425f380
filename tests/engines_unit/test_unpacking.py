"""A lost layer at the end of a build. The loss is a race inside containerd: here it is put in."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator
from typing import Any

import pytest

from layerlab.engines import unpacking
from layerlab.model.build import Build, reduce_all
from layerlab.model.events import Event, Failure, Finished
from layerlab.model.events import Warning as Advice
from tests.golden.recording import Recording, recordings

(COLD,) = (found for found in recordings() if found.name == "docker-26.1.5/cold")
(WARM,) = (found for found in recordings() if found.name == "docker-26.1.5/warm")
LOSS = (
    'failed to prepare extraction snapshot "extract-1-n2vC sha256:8c5f": parent snapshot '
    "sha256:b0a7 does not exist: not found"
)


def spoiled(recording: Recording, loss: str, of: str) -> Iterator[Event]:
    """The recording's events, had the vertex that is called `of` ended with this error."""
    data = b"".join(chunk.data for chunk in recording.chunks if chunk.stream == "stderr")
    statuses = list(_documents(data.decode()))
    vertexes = [v for status in statuses for v in status.get("vertexes", ()) if of in v["name"]]
    assert vertexes
    vertexes[-1]["error"] = loss
    parser, begun = recording.parser(), recording.facts["begun"]
    yield from parser.feed(b"", "stdout", begun)
    for status in statuses:
        yield from parser.feed(json.dumps(status).encode() + b"\n", "stderr", begun)
    yield from parser.feed(f"ERROR: failed to solve: {loss}\n".encode(), "stderr", begun)
    yield from parser.close(1, begun, cancelled=False)


def _documents(text: str) -> Iterator[dict[str, Any]]:
    """BuildKit's JSON documents, one after another, each over many lines."""
    decoder, position = json.JSONDecoder(), 0
    while text.startswith("{", position):
        found, position = decoder.raw_decode(text, position)
        yield found
        position += len(text[position:]) - len(text[position:].lstrip())


def generated(events: Iterator[Event]) -> Generator[Event, None, None]:
    yield from events


def folded(events: Iterable[Event]) -> Build:
    return reduce_all(Build(plan=COLD.plan, started=COLD.facts["begun"]), events)


def never() -> Generator[Event, None, None]:
    pytest.fail("there was no reason to build again")


def test_a_lost_layer_costs_a_second_try_and_no_step() -> None:
    first = generated(spoiled(COLD, LOSS, "exporting to image"))
    events = list(unpacking.finished(first, lambda: generated(WARM.events())))
    build, whole = folded(events), COLD.build()
    assert (build.outcome, build.failure) == ("built", None)
    assert [w.url for w in events if isinstance(w, Advice)][-1:] == [unpacking.KNOWN_FAULT]
    steps = [name for name in whole.steps if not name.startswith(("internal:", "export:"))]
    assert [build.steps[name] for name in steps] == [whole.steps[name] for name in steps]
    assert not any(step.error for step in build.steps.values())


def test_lost_again_it_fails_and_says_so() -> None:
    def lose() -> Generator[Event, None, None]:
        return generated(spoiled(COLD, LOSS, "exporting to image"))

    build = folded(unpacking.finished(lose(), lose))
    assert build.outcome == "failed"
    assert build.failure is not None
    assert build.failure.code == "layer-lost"


@pytest.mark.parametrize(
    ("loss", "of"),
    [("process exited with 1", "exporting to image"), (LOSS, "RUN")],
    ids=["another error", "in a step"],
)
def test_anything_else_is_told_as_it_came(loss: str, of: str) -> None:
    events = list(spoiled(COLD, loss, of))
    assert any(isinstance(event, Failure) for event in events)
    assert list(unpacking.finished(generated(iter(events)), never)) == events


@pytest.mark.parametrize("recording", recordings(), ids=lambda found: found.name)
def test_recorded_builds_are_left_alone(recording: Recording) -> None:
    events = list(recording.events())
    assert list(unpacking.finished(generated(iter(events)), never)) == events


def test_closing_closes_the_build() -> None:
    closed = []

    def endless() -> Generator[Event, None, None]:
        try:
            while True:
                yield Advice(at=0.0, message="again")
        finally:
            closed.append(True)

    events = unpacking.finished(endless(), never)
    next(events)
    events.close()
    assert closed == [True]


def test_the_second_try_is_stopped_too() -> None:
    def cut() -> Generator[Event, None, None]:
        yield Finished(at=1.0, outcome="cancelled")

    first = generated(spoiled(COLD, LOSS, "exporting to image"))
    assert folded(unpacking.finished(first, cut)).outcome == "cancelled"
