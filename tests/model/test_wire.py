"""What widgets receive: plain JSON of one shape, bounded, and true to the build."""

from __future__ import annotations

import json
from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from layerlab.cache.dockerfile import plan
from layerlab.model.build import Build, Outlook, reduce_all
from layerlab.model.events import Event, Failure, Finished, Log, StepUpdate, from_json, to_json
from layerlab.model.text import MAX_LINE
from layerlab.model.wire import FRAME, MAX_NAME, WireBuild, to_wire
from tests.golden.recording import recordings
from tests.model.made import events
from tests.views import samples
from tests.views.script import START

SOURCE = "".join(f"RUN {number}\n" for number in range(2, 31))
PLAN = plan(f"FROM busybox\n{SOURCE}", "Dockerfile", platforms=[])


@given(events)
def test_events_survive_the_trip(event: Event) -> None:
    line = to_json(event)
    assert b"\n" not in line
    assert from_json(line) == event


@given(st.lists(events, max_size=15), st.floats(0, 1e10))
def test_snapshots_survive_the_trip(said: list[Event], now: float) -> None:
    wire = to_wire(reduce_all(Build(plan=PLAN, started=5.0), said), now)
    line = json.dumps(wire, allow_nan=False)
    assert json.loads(line) == wire
    assert msgspec.json.decode(line, type=WireBuild, strict=True) == wire


@given(st.lists(events, max_size=15))
def test_numbers_agree_with_the_build(said: list[Event]) -> None:
    build = reduce_all(Build(plan=PLAN), said)
    wire = to_wire(build, 1.0)
    assert (wire["hits"], wire["executed"]) == (build.hits, build.executed)
    assert wire["countable"] == len(wire["strip"]) == 29
    told = Counter(step["state"] for step in wire["steps"])
    assert told == Counter(build.state(step) for step in build.steps.values())


def test_recorded_builds_have_the_shape_too() -> None:
    for recording in recordings():
        wire = to_wire(recording.build(), 0.0)
        assert msgspec.convert(wire, WireBuild, strict=True) == wire


def test_a_snapshot_is_bounded_whatever_a_build_prints() -> None:
    flood: list[Event] = [
        StepUpdate(at=0.0, step="stage-0/1", instruction="x" * 10**6, error="y" * 10**6),
        *[Log(at=0.0, step="stage-0/1", text=f"{'z' * 10**5}\n")] * 300,
    ]
    size = len(json.dumps(to_wire(reduce_all(Build(plan=PLAN), flood), 1.0)))
    assert size < MAX_NAME + 202 * (MAX_LINE + 50) + 5_000


def test_frame_around_a_failing_line() -> None:
    for line, first, last in ((1, 1, 1 + FRAME), (10, 7, 13), (30, 30 - FRAME, 30)):
        failed = Failure(at=1.0, code="run-failed", message="no", lines=(line, line))
        wire = to_wire(reduce_all(Build(plan=PLAN), [failed]), 2.0)
        assert wire["failure"]
        source = wire["failure"]["source"]
        assert [row["number"] for row in source] == list(range(first, last + 1))
        assert [row["number"] for row in source if row["marked"]] == [line]
        assert all(row["text"] == f"RUN {row['number']}" for row in source if row["number"] > 1)


def test_times_count_from_the_start_and_stop_at_the_end() -> None:
    said = [
        StepUpdate(at=12.0, step="stage-0/1", started=12.0),
        StepUpdate(at=9.0, step="stage-0/2", started=9.0, completed=9.5),
    ]
    running = to_wire(reduce_all(Build(started=10.0), said), 15.0)
    assert [(step["offset"], step["seconds"]) for step in running["steps"]] == [
        (2.0, 3.0),
        (0.0, 0.5),
    ]
    assert running["elapsed"] == 5.0
    end = Finished(at=13.0, outcome="cancelled")
    ended = to_wire(reduce_all(Build(started=10.0), [*said, end]), 99.0)
    assert (ended["elapsed"], ended["steps"][0]["seconds"]) == (3.0, 1.0)


def test_a_step_has_what_was_foreseen_of_it() -> None:
    build = reduce_all(
        Build(plan=PLAN, outlooks={"a": Outlook("rebuild", "app.js \x1b[31mchanged.")}),
        [StepUpdate(at=1.0, step="a"), StepUpdate(at=1.0, step="b")],
    )
    steps = {step["id"]: step for step in to_wire(build, 1.0)["steps"]}
    assert steps["a"]["fate"] == "rebuild"
    assert "\x1b" not in steps["a"]["reason"]
    assert (steps["b"]["fate"], steps["b"]["reason"]) == (None, "")


def test_of_very_many_steps_a_view_is_given_some_and_counts_of_the_rest() -> None:
    wire = to_wire(samples.long(2000, 900), START + 95)
    assert len(wire["steps"]) <= 401
    left = Counter[str]()
    for step in wire["steps"]:
        left.update(step["skipped"])
    assert len(wire["steps"]) + sum(left.values()) == 2000
    shown = [step["instruction"][-3:] for step in wire["steps"]]
    # The first, the latest, what runs, and the last.
    assert {"000", "098", "897", "898", "899"} <= set(shown)
    assert [step["state"] for step in wire["steps"]].count("running") == 1
    assert set(left) == {"cached", "executed", "waiting"}
    assert len(json.dumps(wire)) < 400_000


def test_up_to_400_steps_none_is_left_out() -> None:
    wire = to_wire(samples.long(400, None), START)
    assert len(wire["steps"]) == 400
    assert not any(step["skipped"] for step in wire["steps"])
