"""The reducer: what a build is after its events."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerlab.cache.dockerfile import plan
from layerlab.model.build import Build, Step, StepState, reduce, reduce_all
from layerlab.model.events import Event, Finished, Log, Progress, StepUpdate
from layerlab.model.plan import StepKind
from tests.model.made import events, logs, moves, updates, upserts

DOCKERFILE = """FROM busybox
ENV A=1
WORKDIR /a
COPY a b
RUN make
"""
PLAN = plan(DOCKERFILE, "Dockerfile", platforms=[])
PLANNED = reduce_all(
    Build(plan=PLAN), [StepUpdate(at=0.0, step=step.id, kind=step.kind) for step in PLAN.steps]
)
"""As a parser begins: every step announced."""


def ran(step: str, *, cached: bool = False, kind: StepKind | None = None) -> StepUpdate:
    return StepUpdate(at=2.0, step=step, kind=kind, started=1.0, completed=2.0, cached=cached)


def states(build: Build) -> list[StepState]:
    return [row.state for row in build.instructions]


@given(st.lists(upserts, max_size=15))
def test_saying_it_again_changes_nothing(said: list[Event]) -> None:
    once = reduce_all(PLANNED, said)
    for event in said:
        twice = reduce(reduce(PLANNED, event), event)
        assert twice == reduce(PLANNED, event)
    assert reduce_all(PLANNED, [event for event in said for _ in range(2)]) == once


@given(st.lists(updates, max_size=15))
def test_none_is_no_news(said: list[StepUpdate]) -> None:
    """An update that says nothing changes nothing, whatever was said before."""
    build = reduce_all(PLANNED, said)
    for step in build.steps:
        assert reduce(build, StepUpdate(at=0.0, step=step)) == build


@given(st.lists(updates | moves | logs, max_size=15), st.randoms(use_true_random=False))
def test_steps_do_not_mind_each_other(said: list[Event], random: Random) -> None:
    """Only the order within a step matters: stages run at once, and their news is mixed."""
    by_step: dict[str, list[Event]] = {}
    for event in said:
        assert isinstance(event, StepUpdate | Progress | Log)
        by_step.setdefault(event.step, []).append(event)
    mixed = []
    while by_step:
        step = random.choice(sorted(by_step))
        mixed.append(by_step[step].pop(0))
        if not by_step[step]:
            del by_step[step]
    assert reduce_all(PLANNED, mixed) == reduce_all(PLANNED, said)


def test_news_of_one_step_may_come_in_any_order() -> None:
    started = StepUpdate(at=1.0, step="stage-0/5", started=1.0)
    completed = StepUpdate(at=2.0, step="stage-0/5", completed=2.0, cached=False)
    told = StepUpdate(at=0.0, step="stage-0/5", kind="run", n=4, m=4, lines=(5, 5))
    forward = reduce_all(PLANNED, [told, started, completed])
    assert reduce_all(PLANNED, [completed, told, started]) == forward
    assert forward.steps["stage-0/5"].seconds() == 1.0


@given(st.lists(events, max_size=15))
def test_the_state_before_is_left_alone(said: Sequence[Event]) -> None:
    before = reduce_all(PLANNED, said[:-1])
    copy = msgspec.json.decode(msgspec.json.encode(before), type=Build)
    reduce_all(before, said)
    assert msgspec.json.encode(before) == msgspec.json.encode(copy)


@given(st.lists(events, max_size=15))
def test_a_build_survives_being_written_down(said: list[Event]) -> None:
    build = reduce_all(PLANNED, said)
    assert msgspec.json.decode(msgspec.json.encode(build), type=Build) == build


def test_states_while_it_runs_and_after() -> None:
    running = reduce_all(
        PLANNED,
        [
            ran("stage-0/1", cached=True),
            ran("stage-0/3"),
            StepUpdate(at=3.0, step="stage-0/4", started=3.0),
        ],
    )
    assert states(running) == ["cached", "free", "executed", "running", "waiting"]
    ends: list[tuple[Finished, list[StepState]]] = [
        (Finished(at=4.0, outcome="failed"), ["cancelled", "not reached"]),
        (Finished(at=4.0, outcome="cancelled"), ["cancelled", "not reached"]),
    ]
    for end, last in ends:
        assert states(reduce(running, end))[-2:] == last


@given(st.lists(events, max_size=20), st.sampled_from(["failed", "cancelled", "built"]))
def test_no_step_is_cached_that_never_ended(said: list[Event], outcome: str) -> None:
    build = reduce_all(PLANNED, said)
    build = reduce(
        build, msgspec.convert({"event": "finished", "at": 1, "outcome": outcome}, Event)
    )
    for step in build.steps.values():
        state = build.state(step)
        assert state not in ("waiting", "running")
        if step.completed is None:
            assert state not in ("cached", "executed")
        if step.cancelled:
            assert state == "cancelled"
        if state == "failed":
            assert step.error is not None
            assert not step.cancelled
        if state == "not reached":
            assert step.started is None


def test_a_step_that_no_engine_mentioned_is_not_reached() -> None:
    failed = reduce(PLANNED, Finished(at=1.0, outcome="failed", exit_code=1))
    assert states(failed) == ["not reached", "free", *["not reached"] * 3]
    assert (failed.hits, failed.executed) == (0, 0)


def test_a_cancelled_step_with_an_error_is_not_failed() -> None:
    words = "context canceled"
    stopped = StepUpdate(at=2.0, step="stage-0/5", started=1.0, cancelled=True, error=words)
    build = reduce_all(PLANNED, [stopped, Finished(at=3.0, outcome="cancelled")])
    assert states(build)[-1] == "cancelled"


def test_the_hit_ratio_is_about_what_the_dockerfile_does_to_files() -> None:
    build = reduce_all(
        PLANNED,
        [
            ran("stage-0/1", cached=True),  # FROM
            ran("stage-0/2", cached=True),  # ENV
            ran("stage-0/3", cached=True),
            ran("stage-0/4", cached=True),
            ran("stage-0/5"),
            ran("internal:load build context", kind="internal", cached=True),
            ran("export:exporting to image", kind="export"),
        ],
    )
    assert [row.kind for row in build.counted] == ["workdir", "copy", "run"]
    assert (build.hits, build.executed) == (2, 1)


def test_an_instruction_is_reused_only_when_it_ran_on_no_platform() -> None:
    both = [ran("linux/amd64:stage-0/5", cached=True, kind="run")]
    for cached, state in ((True, "cached"), (False, "executed")):
        other = ran("linux/arm64:stage-0/5", cached=cached, kind="run")
        build = reduce_all(Build(plan=PLAN), [*both, other])
        assert states(build)[-1] == state
        assert len(build.instructions) == 5
        assert build.instructions[-1].seconds == 2.0


def test_without_a_plan_there_is_what_was_reported() -> None:
    build = reduce_all(
        Build(),
        [
            ran("stage-0/2", kind="run"),
            ran("linux/arm64:stage-0/2", kind="run", cached=True),
            ran("internal:load build context", kind="internal"),
        ],
    )
    assert states(build) == ["executed"]


def test_steps_stand_in_the_order_of_the_dockerfile() -> None:
    told = [
        StepUpdate(at=0.0, step="internal:first", kind="internal"),
        StepUpdate(at=0.0, step="b/1", kind="from", lines=(3, 3)),
        StepUpdate(at=0.0, step="export:second", kind="export"),
        StepUpdate(at=0.0, step="linux/b:a/1", kind="from", platform="linux/b", lines=(1, 1)),
        StepUpdate(at=0.0, step="linux/a:a/1", kind="from", platform="linux/a", lines=(1, 1)),
    ]
    ordered = [step.id for step in reduce_all(Build(), told).ordered]
    assert ordered == ["linux/a:a/1", "linux/b:a/1", "b/1", "internal:first", "export:second"]


def test_a_part_of_a_step_is_replaced_where_it_stands() -> None:
    build = reduce_all(
        Build(),
        [
            Progress(at=0.0, step="a/1", item="one", current=1, total=9),
            Progress(at=0.0, step="a/1", item="two", current=5),
            Progress(at=1.0, step="a/1", item="one", current=9, total=9, done=True),
        ],
    )
    items = [(item.name, item.current, item.done) for item in build.steps["a/1"].items]
    assert items == [("one", 9, True), ("two", 5, False)]


@pytest.mark.parametrize(
    ("step", "now", "seconds"),
    [
        (Step(id="a"), 9.0, None),
        (Step(id="a", started=1.0), None, None),
        (Step(id="a", started=1.0), 9.0, 8.0),
        (Step(id="a", started=1.0, completed=4.0), 9.0, 3.0),
        (Step(id="a", started=1.0, completed=4.0, duration=0.5), 9.0, 0.5),
        (Step(id="a", started=4.0, completed=1.0), 9.0, 0.0),
    ],
)
def test_seconds(step: Step, now: float | None, seconds: float | None) -> None:
    assert step.seconds(now) == seconds
