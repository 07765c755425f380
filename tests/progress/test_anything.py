"""No bytes make a parser raise, and every build ends once: a CLI can print anything."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerlab.cache.dockerfile import plan
from layerlab.model.build import Build, reduce_all
from layerlab.model.events import Event, Finished, from_json, to_json
from layerlab.model.plan import Plan
from layerlab.model.wire import to_wire
from layerlab.progress.base import Stream
from tests.golden.recording import PARSERS, Chunk, Recording, recordings

ALL = recordings()
MANY = settings(max_examples=150, deadline=None)
BOTH = ("linux/amd64", "linux/arm64")
DOCKERFILE = """FROM busybox AS one
RUN make $A $B
FROM busybox
COPY --from=one /a /b
CMD a
"""
PLANS = (plan(DOCKERFILE, "Dockerfile", platforms=[]), Plan("Dockerfile", (), "not one"))

formats = st.sampled_from(sorted(PARSERS))
streams: st.SearchStrategy[Stream] = st.sampled_from(["stdout", "stderr"])
small = st.integers(-1, 12).map(str)
digests = st.sampled_from(["sha256:" + "0a" * 32, "0b" * 32, "0c" * 6, "sha256:0d"])
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["FROM busybox", "RUN make $A $B", "COPY --from=one /a /b", "CMD a", "RUN", "ONBUILD RUN x"]
)
names = st.builds(
    "[{}{}{}/{}] {}".format,
    st.sampled_from(["", "linux/amd64 ", "linux/amd64->arm64 ", "internal] ", "->/ "]),
    st.sampled_from(["", "one ", "stage-1 ", "two "]),
    small,
    small,
    words,
)
bodies = st.one_of(
    *(words, names, digests, small),
    st.sampled_from(
        ["DONE 0.1s", "CACHED", "CANCELED", "ERROR: context canceled", "...", "WARN: a"]
    ),
    st.builds("{}.{} {}".format, small, small, words),
    st.builds("{} {}MB / {}.0kB 0.1s done".format, digests, small, small),
)
vertices = st.fixed_dictionaries(
    {"digest": digests},
    optional={
        "name": names | words,
        "inputs": st.none() | st.lists(digests, max_size=2),
        "started": st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
        "completed": st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
        "cached": st.booleans(),
        "error": words,
        "progressGroup": st.fixed_dictionaries(
            {}, optional={"id": words, "name": names, "weak": st.booleans()}
        ),
    },
)
statuses = st.fixed_dictionaries(
    {"id": words | digests},
    optional={
        "vertex": digests,
        "current": st.integers(),
        "total": st.integers(-1, 10**10),
        "completed": words,
    },
)
logs = st.fixed_dictionaries(
    {}, optional={"data": st.sampled_from(["aGk=", "w6k=", "/w==", "?"]), "vertex": digests}
)
advice = st.fixed_dictionaries(
    {},
    optional={
        "short": st.sampled_from(["aGk=", "/w=="]),
        "range": st.lists(st.just({"start": {"line": 3}, "end": {"line": -1}}), max_size=2),
    },
)
documents = st.fixed_dictionaries(
    {},
    optional={
        "vertexes": st.lists(vertices, max_size=3),
        "statuses": st.lists(statuses, max_size=2),
        "logs": st.lists(logs, max_size=2),
        "warnings": st.lists(advice, max_size=2),
    },
)
lines = st.one_of(
    words,
    documents.map(json.dumps),
    documents.map(lambda document: json.dumps(document, indent=1)),
    st.builds("#{} {}".format, small, bodies),
    st.builds(
        "{}{}STEP {}/{}: {}".format,
        st.sampled_from(["", "[linux/arm64] ", "[linux/mips] ", "[x] "]),
        st.sampled_from(["", "[0/2] ", "[1/2] ", "[2/2] ", "[9/2] "]),
        *(small, small, words),
    ),
    st.builds("{}--> {}{}".format, words, st.sampled_from(["", "Using cache "]), digests),
    st.builds("Copying blob {}".format, digests),
    st.builds('time="now" level={} msg={}'.format, words, words),
    st.builds("{} | >>> {}".format, small, words),
    st.builds("args were not consumed: [{}]".format, words),
    st.sampled_from(
        [
            *("COMMIT", "COMMIT a", "------", "-" * 20, "Error: a", "ERROR: a", "{", "}", ""),
            *("Writing manifest to image destination", "\twhat goes on", " - R: a (line 1)"),
        ]
    ),
)
likely = st.tuples(streams, st.builds("{}{}".format, lines, st.sampled_from(["\n", "\r\n", ""])))
chunks = st.lists(
    likely.map(lambda pair: Chunk(0.0, pair[0], pair[1].encode()))
    | st.builds(Chunk, st.just(0.0), streams, st.binary(max_size=60)),
    max_size=40,
)


def run(
    format_: str,
    pieces: Sequence[Chunk],
    *,
    of: Plan = PLANS[0],
    platforms: Sequence[str] = (),
    exit_code: int | None = 1,
    cancelled: bool = False,
) -> Build:
    """Feed them all, check what holds of any build, and give its end state."""
    parser, events = PARSERS[format_](of, platforms), list[Event]()
    for piece in pieces:
        events += parser.feed(piece.data, piece.stream, 1e9 + piece.at)
        assert not any(isinstance(event, Finished) for event in events)
    events += parser.close(exit_code, 2e9, cancelled=cancelled)
    assert [event for event in events if isinstance(event, Finished)] == events[-1:]
    assert [from_json(to_json(event)) for event in events] == events
    build = reduce_all(Build(plan=of, started=1e9), events)
    json.dumps(to_wire(build, 2e9), allow_nan=False)
    assert not {build.state(step) for step in build.steps.values()} & {"waiting", "running"}
    return build


@given(
    format_=formats,
    pieces=chunks,
    of=st.sampled_from(PLANS),
    platforms=st.sampled_from([(), BOTH[:1], BOTH]),
    exit_code=st.sampled_from([0, 1, 137, -2, None]),
    cancelled=st.booleans(),
)
@settings(MANY, max_examples=1500)
def test_anything_at_all(
    format_: str,
    pieces: list[Chunk],
    of: Plan,
    platforms: Sequence[str],
    exit_code: int | None,
    cancelled: bool,
) -> None:
    build = run(
        format_, pieces, of=of, platforms=platforms, exit_code=exit_code, cancelled=cancelled
    )
    assert build.exit_code == exit_code
    expected = "cancelled" if cancelled else "built" if exit_code == 0 else "failed"
    assert build.outcome == expected
    assert (build.failure is not None) == (expected == "failed")


@MANY
@given(format_=formats, recording=st.sampled_from(ALL))
def test_the_output_of_another_tool(format_: str, recording: Recording) -> None:
    run(format_, recording.chunks, of=recording.plan, platforms=recording.facts["platforms"])


Change = Callable[[list[Chunk], int, int], list[Chunk]]
CHANGES: dict[str, Change] = {
    "dropped": lambda rows, i, _: [*rows[:i], *rows[i + 1 :]],
    "doubled": lambda rows, i, _: [*rows[: i + 1], *rows[i:]],
    "swapped": lambda rows, i, j: [
        rows[{i: j, j: i}.get(number, number)] for number in range(len(rows))
    ],
    "cut off": lambda rows, i, _: rows[:i],
    "blown up": lambda rows, i, j: [*rows[:i], *rows[j : j + 1] * 50, *rows[i:]],
}


def by_line(recording: Recording) -> list[Chunk]:
    return [
        Chunk(chunk.at, chunk.stream, line)
        for chunk in recording.chunks
        for line in re.split(rb"(?<=\n)", chunk.data)
    ]


@given(data=st.data())
@settings(MANY, max_examples=600)
def test_mutated_recordings(data: st.DataObject) -> None:
    recording = data.draw(st.sampled_from(ALL))
    rows = by_line(recording)
    for change in data.draw(st.lists(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=6)):
        if rows:
            places = st.integers(0, len(rows) - 1)
            rows = CHANGES[change](rows, data.draw(places), data.draw(places))
    run(
        recording.facts["format"],
        rows,
        of=recording.plan,
        platforms=recording.facts["platforms"],
        exit_code=recording.facts["exit_code"],
        cancelled=recording.facts["cancelled"],
    )


@given(data=st.data())
@settings(MANY)
def test_recordings_with_broken_bytes(data: st.DataObject) -> None:
    recording = data.draw(st.sampled_from(ALL))
    rows = by_line(recording)
    for place in data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8)):
        rows[place] = Chunk(0.0, rows[place].stream, data.draw(st.binary(max_size=30)))
    run(recording.facts["format"], rows, of=recording.plan)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'{"unknown":' + b"[" * 200_000, id="nested deeper than any stack"),
        pytest.param(
            b'{"statuses":[{"id":"a","current":' + b"9" * 5000 + b"}]}", id="a huge number"
        ),
        pytest.param(b'{"vertexes":[{"digest":"\\ud800"}]}', id="half a surrogate pair"),
        pytest.param(b"STEP 1/1: " + b"a" * 200_000, id="a line longer than is held"),
        pytest.param(b"#" + b"1" * 5000 + b" a", id="a number longer than int() takes"),
        pytest.param("STEP ١/٢: FROM busybox".encode(), id="digits that are not ASCII"),
        pytest.param("#1 ٣.٣ a\n#1 DONE ٣.٣s".encode(), id="seconds that are not ASCII"),
        pytest.param(b"args were not consumed: [" + b"BUILD" * 60 + b"!", id="many ways to match"),
    ],
)
@pytest.mark.parametrize("format_", sorted(PARSERS))
@pytest.mark.timeout(20)
def test_lines_made_to_break_it(format_: str, line: bytes) -> None:
    for stream in ("stdout", "stderr"):
        pieces = [Chunk(0.0, stream, line), Chunk(0.0, stream, b"\n")]
        run(format_, pieces)
        run(format_, pieces, of=PLANS[1], platforms=BOTH)
