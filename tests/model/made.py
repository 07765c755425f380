"""Events made up by hypothesis: anything that the vocabulary allows."""

from __future__ import annotations

from typing import get_args

from hypothesis import strategies as st

from layerlab.model.events import (
    Event,
    Failure,
    Finished,
    Log,
    Progress,
    StepUpdate,
    Warning,  # noqa: A004 - the engine's word for advice
)
from layerlab.model.plan import StepKind

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
times = st.floats(0, 1e10, allow_nan=False)
counts = st.integers(0, 10**13)
line_pairs = st.tuples(st.integers(1, 9), st.integers(0, 3)).map(lambda p: (p[0], p[0] + p[1]))
ids = st.sampled_from(
    ["stage-0/1", "stage-0/2", "linux/arm64:stage-0/2", "internal:load build context", "export:a"]
)
maybe = st.none()

updates = st.builds(
    StepUpdate,
    at=times,
    step=ids,
    kind=maybe | st.sampled_from(get_args(StepKind)),
    stage=maybe | texts,
    platform=maybe | texts,
    n=maybe | st.integers(1, 9),
    m=maybe | st.integers(1, 9),
    instruction=maybe | texts,
    lines=maybe | line_pairs,
    started=maybe | times,
    completed=maybe | times,
    duration=maybe | times,
    cached=maybe | st.booleans(),
    cancelled=maybe | st.booleans(),
    error=maybe | texts,
)
moves = st.builds(
    Progress,
    at=times,
    step=ids,
    item=st.sampled_from(["a", "b"]),
    current=counts,
    total=maybe | counts,
    done=st.booleans(),
)
logs = st.builds(Log, at=times, step=ids, text=texts, stream=st.sampled_from(["stdout", "stderr"]))
warnings = st.builds(Warning, at=times, message=texts, lines=maybe | line_pairs, url=maybe | texts)
failures = st.builds(
    Failure,
    at=times,
    code=texts,
    message=texts,
    step=maybe | ids,
    lines=maybe | line_pairs,
    hint=texts,
)
ends = st.builds(
    Finished,
    at=times,
    outcome=st.sampled_from(["built", "failed", "cancelled"]),
    exit_code=maybe | st.integers(-9, 255),
    image=maybe | texts,
)
upserts: st.SearchStrategy[Event] = st.one_of(updates, moves, warnings, failures, ends)
"""All that is idempotent: everything but output."""
events: st.SearchStrategy[Event] = upserts | logs
