"""BuildKit's plain text, where recordings leave something open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerlab.cache.dockerfile import plan
from layerlab.model.build import Build, Item, reduce_all
from layerlab.model.text import plain, printable
from layerlab.progress.plain import PlainParser

PLAN = plan("FROM busybox\nRUN make\nCOPY a b\n", "Dockerfile", platforms=[])
HEADER = "#1 [2/3] RUN make\n"


def build(text: str, exit_code: int = 0) -> Build:
    parser = PlainParser(PLAN)
    events = parser.feed(text.encode(), "stderr", 100.0)
    return reduce_all(Build(plan=PLAN), events + parser.close(exit_code, 101.0, cancelled=False))


def log(text: str) -> tuple[str, ...]:
    return tuple(map(plain, build(text).steps["stage-0/2"].log.head))


def test_duration_is_the_printed_one() -> None:
    assert build(f"{HEADER}#1 DONE 12.5s\n").steps["stage-0/2"].seconds() == 12.5


@pytest.mark.parametrize(
    ("line", "item"),
    [
        (
            "sha256:{} 1.05MB / 2.10MB 0.2s",
            Item("sha256:0a0a0a0a0a0a", 1_050_000, 2_100_000, False),
        ),
        (
            "sha256:{} 2.10MB / 2.10MB 0.4s done",
            Item("sha256:0a0a0a0a0a0a", 2_100_000, 2_100_000, True),
        ),
        ("extracting sha256:{} 0.1s done", Item("extracting sha256:0a0a0a0a0a0a", 0, None, True)),
        ("transferring context: 2B done", Item("transferring context", 2, None, True)),
        (
            "transferring context: 1.2GB 9.9s",
            Item("transferring context", 1_200_000_000, None, False),
        ),
    ],
)
def test_parts(line: str, item: Item) -> None:
    text = f"{HEADER}#1 {line.format('0a' * 32)}\n#1 DONE 1.0s\n"
    assert build(text).steps["stage-0/2"].items == (item,)


def test_output_of_two_steps_that_take_turns() -> None:
    text = f"{HEADER}#1 0.1 one\n#2 [3/3] COPY a b\n#2 0.1 other\n\n{HEADER}#1 0.2 two\n#1 ...\n"
    done = build(f"{text}#1 DONE 0.3s\n#2 DONE 0.1s\n")
    assert done.steps["stage-0/2"].log.head == ("one", "two")
    assert done.steps["stage-0/3"].log.head == ("other",)


@pytest.mark.parametrize("line", ["DONE 0.1s", "CACHED", "ERROR: no", "sha256:{}", "..."])
def test_what_a_command_prints_is_output(line: str) -> None:
    assert log(f"{HEADER}#1 0.1 {line}\n#1 DONE 0.2s\n") == (line,)


def test_steps_after_a_failed_one_are_not_reached() -> None:
    error = 'process "/bin/sh -c make" did not complete successfully: exit code: 2'
    done = build(f"{HEADER}#1 0.1 no\n#1 ERROR: {error}\n", exit_code=1)
    # Nothing was said of FROM; but RUN ran on it, so it was there.
    assert [row.state for row in done.instructions] == ["cached", "failed", "not reached"]


@given(output=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30))
def test_any_output_belongs_to_its_step(output: str) -> None:
    assert log(f"{HEADER}#1 0.123 {output}\n#1 DONE 0.2s\n") == (printable(output),)
