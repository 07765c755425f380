"""Every recorded build through its parser and the reducer."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerlab.model.build import Build, Step
from layerlab.model.events import Finished, Progress
from layerlab.model.text import plain
from tests.golden.catalogue import CASES, TOOLS
from tests.golden.recording import Recording, recordings, table
from tests.progress import raw
from tests.progress.cutting import cut, other_cuts, runs

ALL = recordings()
CASE_NAMES = sorted({recording.folder.name for recording in ALL})


def named(recording: Recording) -> str:
    return recording.name


each = pytest.mark.parametrize("recording", ALL, ids=named)


def of(case: str) -> list[Recording]:
    return [recording for recording in ALL if recording.folder.name == case]


def tool_of(recording: Recording) -> str:
    return recording.folder.parent.name.rpartition("-")[0]


def test_every_tool_has_every_case() -> None:
    """What is missing or too much: record it, or delete it."""
    recorded: dict[str, set[str]] = defaultdict(set)
    for recording in ALL:
        recorded[tool_of(recording)].add(recording.folder.name)
    assert recorded == {
        tool.name: {case.name for case in CASES if case.only in (None, tool.format)}
        for tool in TOOLS
    }


@each
def test_end_state_is_the_reviewed_one(recording: Recording) -> None:
    assert table(recording.build()) == (recording.folder / "expected.txt").read_text()


@each
def test_one_finished_and_it_is_the_last(recording: Recording) -> None:
    events = list(recording.events())
    assert [event for event in events if isinstance(event, Finished)] == events[-1:]


# What each case is made to show, in the order of the Dockerfile. A letter is a state; `*` is what
# the engine may have kept from other builds, FROM above all: neither `failed` nor `not reached`.
STATES = {
    "cold": "*xxxx",
    "warm": "*cccc",
    "partly-warm": "*cccx",
    # BuildKit does not re-run WORKDIR with --no-cache.
    "no-cache": "**xxx",
    "label": "*xxxx",
    "failing-run": "**f--",
    "missing-file": "**f-",
    "no-image": "f-",
    "no-tag": "f-",
    "cancelled": "*!-",
    "daemon-killed": "*!-",
    "output": "*xx",
    "warning": "*x",
    "onbuild": "*xx",
    "pull": "xx",
    "parallel": "*x**x***",
    "nested": "*xx*x***",
    "nested-warm": "*cc*c*cc",
    "platforms": "**xx***",
    "manifest-clash": "**xx***",
    "unknown-flag": "-----",
    "unknown-target": "-----",
    "bad-reference": "-----",
    "syntax-error": "",
}
LETTERS = {
    "x": {"executed"},
    "c": {"cached"},
    "f": {"failed"},
    "!": {"cancelled"},
    "-": {"not reached"},
    "*": {"cached", "executed"},
}
NOT_BUILT = {"docker-old": {"platforms"}}
"""Cases that a tool cannot do at all; its recording shows how it says so."""


@each
def test_states_are_what_the_case_was_made_for(recording: Recording) -> None:
    counted = [row for row in recording.build().instructions if row.kind != "metadata"]
    wanted = STATES[recording.folder.name]
    if recording.folder.name in NOT_BUILT.get(tool_of(recording), ()):
        wanted = "-" * len(wanted)
    assert len(counted) == len(wanted)
    for row, letter in zip(counted, wanted, strict=True):
        assert row.state in LETTERS[letter], row


@each
def test_states_are_what_the_raw_output_says(recording: Recording) -> None:
    """Against a second, much simpler reading of the bytes."""
    build, mentions = recording.build(), raw.mentions(recording)
    for step in build.steps.values():
        if step.in_dockerfile and step.kind != "metadata":
            said = {mention.state for mention in mentions if mention.is_about(step)}
            assert build.state(step) in (said or _unsaid(build, step)), step
            assert len(said) <= 1, step


def _unsaid(build: Build, step: Step) -> set[str]:
    """What may be claimed of a step that the tool did not mention."""
    if step.kind == "from" and step.n is None:
        return {"executed", "not reached"}  # FROM scratch: nothing to do, nothing to reuse
    if build.failure and build.failure.code == "daemon-gone":
        return {"not reached"} if step.started is None else {"cancelled"}
    if build.failure and build.failure.step == step.id:
        return {"failed"}  # its base image was not even found
    # Another step with the same content stood for it.
    return {"cached"} if build.outcome == "built" else {"not reached"}


@pytest.mark.parametrize("case", CASE_NAMES)
def test_every_tool_calls_the_steps_alike(case: str) -> None:
    """Ids, numbers, kinds and lines; but for ONBUILD's steps and what buildah adds at the end."""
    told: dict[str, set[tuple[Any, ...]]] = {}
    for recording in of(case):
        nonce = re.compile(r"\b[0-9a-f]{8}\b")  # new in each recording
        told[recording.name] = {
            (
                step.id.rpartition(":")[2],
                step.stage,
                step.n,
                step.m,
                step.kind,
                step.lines,
                nonce.sub("nonce", step.instruction),
            )
            for step in recording.build().steps.values()
            if step.in_dockerfile and "/added-" not in step.id
        }
    assert len({frozenset(rows) for rows in told.values()}) == 1, told


@pytest.mark.parametrize("recording", of("cold") + of("parallel") + of("onbuild"), ids=named)
def test_output_stands_at_the_step_that_printed_it(recording: Recording) -> None:
    """A word that only one RUN echoes is in that step's log and in no other."""
    for step in recording.build().steps.values():
        words = set(re.findall(r"left|right|own|installing", " ".join(map(plain, step.log.head))))
        if step.in_dockerfile:
            assert words <= set(re.findall(r"\w+", step.instruction))


@pytest.mark.parametrize("recording", of("output"), ids=named)
def test_all_output_comes_out_whole(recording: Recording) -> None:
    by_line = {step.lines: step.log for step in recording.build().steps.values() if step.log.lines}
    many, shown = by_line[10, 10], "\n".join(map(plain, by_line[2, 9].head + by_line[2, 9].last))
    assert many.lines == 300
    assert [*many.head, *many.last] == [str(n) for n in (*range(1, 51), *range(151, 301))]
    whole = [
        *(r"Grüße, 世界 🌍 [0-9a-f]{8}\n", "progress 3/3\n", "red\n", "STEP 9/9: not a step\n"),
        *("#1 DONE 0.0s\n", r'\{"vertexes":\[\]\}\n', "to stderr$", "no newline at the end"),
    ]
    assert (("red", "red"),) in by_line[2, 9].head
    for line in whole:
        assert re.search(line, shown, re.MULTILINE), line
    if tool_of(recording) != "docker-plain":  # BuildKit itself cut the character in two there
        assert "half of é a character\n" in shown


def test_pulls_tell_bytes_where_the_tool_does() -> None:
    """BuildKit's formats give bytes; podman and buildah name the layers, without a number."""
    for recording in of("pull"):
        (base,) = (step for step in recording.build().steps.values() if step.kind == "from")
        layers = [item for item in base.items if item.name.startswith("sha256:")]
        assert len(layers) >= 2
        if recording.facts["format"] == "buildah":
            assert {(item.current, item.total, item.done) for item in layers} == {(0, None, True)}
        else:
            assert all(item.total and item.total > 1e6 for item in layers[:2])
            moved = [event for event in recording.events() if isinstance(event, Progress)]
            amounts = [event.current for event in moved if event.item == layers[0].name]
            assert amounts == sorted(amounts)
            assert len(set(amounts)) > 2


@each
def test_cutting_after_every_byte_changes_nothing(recording: Recording) -> None:
    chunks = [piece for chunk in runs(recording) for piece in cut(chunk, range(len(chunk.data)))]
    assert table(recording.build(chunks)) == table(recording.build(runs(recording)))


@each
def test_as_few_chunks_as_possible_change_nothing(recording: Recording) -> None:
    assert table(recording.build(runs(recording))) == table(recording.build())


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_cutting_elsewhere_changes_nothing(data: st.DataObject) -> None:
    recording = data.draw(st.sampled_from(ALL))
    chunks = data.draw(other_cuts(recording))
    assert b"".join(c.data for c in chunks) == b"".join(c.data for c in recording.chunks)
    assert table(recording.build(chunks)) == table(recording.build())
