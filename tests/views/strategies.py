"""Builds made up by hypothesis: any strings, any mixture of states."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import strategies as st

from layerlab.model.build import Fate, Outcome, StepState
from layerlab.model.plan import StepKind
from layerlab.model.wire import (
    WireBuild,
    WireFailure,
    WireGuess,
    WireItem,
    WireLine,
    WireLog,
    WireStep,
    WireWarning,
)
from tests.views.samples import NASTY

strings = st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
seconds = st.floats(0, 1e5, allow_nan=False)
numbers = st.integers(0, 10**13)
line_pairs = st.tuples(st.integers(1, 999), st.integers(0, 9)).map(lambda p: [p[0], p[0] + p[1]])
maybe_lines = st.none() | line_pairs


def typed(kind: type, /, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A TypedDict of these fields, all of them."""
    assert set(fields) == set(kind.__annotations__)
    return st.fixed_dictionaries(fields)


items = typed(
    WireItem, name=strings, current=numbers, total=st.none() | numbers, done=st.booleans()
)
styles = st.sampled_from(["", "red", "bold on-blue"])
lines = strings | st.lists(st.tuples(strings, styles).map(list), max_size=3)
logs = typed(
    WireLog,
    head=st.lists(lines, max_size=3),
    tail=st.lists(lines, max_size=3),
    dropped=numbers,
    lines=numbers,
)
steps = typed(
    WireStep,
    id=strings,
    kind=st.sampled_from(get_args(StepKind)),
    stage=st.just("") | strings,
    platform=st.none() | strings,
    n=st.none() | st.integers(1, 99),
    m=st.none() | st.integers(1, 99),
    instruction=strings,
    lines=maybe_lines,
    state=st.sampled_from(get_args(StepState)),
    counted=st.booleans(),
    offset=st.none() | seconds,
    seconds=st.none() | seconds,
    error=st.none() | strings,
    items=st.lists(items, max_size=2),
    log=logs,
    skipped=st.dictionaries(st.sampled_from(get_args(StepState)), st.integers(1, 9), max_size=2),
    fate=st.none() | st.sampled_from(get_args(Fate)),
    reason=st.just("") | strings,
)
source_lines = typed(WireLine, number=st.integers(1, 999), text=strings, marked=st.booleans())
failures = typed(
    WireFailure,
    code=strings,
    message=strings,
    hint=strings,
    step=st.none() | strings,
    lines=maybe_lines,
    source=st.lists(source_lines, max_size=3),
)
warnings = typed(WireWarning, message=strings, lines=maybe_lines, url=st.none() | strings)
guesses = typed(
    WireGuess, right=st.integers(0, 9), of=st.integers(0, 9), misses=st.lists(strings, max_size=2)
)
wires = typed(
    WireBuild,
    id=strings,
    engine=strings,
    command=strings,
    tags=st.lists(strings, max_size=2),
    dockerfile=strings,
    outcome=st.none() | st.sampled_from(get_args(Outcome)),
    elapsed=seconds,
    hits=st.integers(0, 99),
    executed=st.integers(0, 99),
    countable=st.integers(0, 99),
    strip=st.lists(st.sampled_from(get_args(StepState)), max_size=40),
    image=st.none() | strings,
    log_file=st.none() | strings,
    steps=st.lists(steps, max_size=5, unique_by=lambda step: step["id"]),
    warnings=st.lists(warnings, max_size=2),
    failure=st.none() | failures,
    guess=st.none() | guesses,
)
