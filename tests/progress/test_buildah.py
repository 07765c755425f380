"""What podman's and buildah's text can be mistaken for: commands print what they like."""

from __future__ import annotations

import pytest

from layerlab.cache.dockerfile import plan
from layerlab.model.build import Build, reduce_all
from layerlab.model.text import plain
from layerlab.progress.base import Stream
from layerlab.progress.buildah import BuildahParser

PLAN = plan("FROM busybox\nRUN make\nRUN test\nCMD a\n", "Dockerfile", platforms=[])
IMAGE = "0123456789ab" + "c" * 52


def build(
    *pieces: tuple[Stream, str], exit_code: int = 0, at_once: bool = False, cancelled: bool = False
) -> Build:
    """The end state; `at_once`: all of stdout in one chunk, as a fast build arrives."""
    parser = BuildahParser(PLAN)
    if at_once:
        pieces = (("stdout", "".join(text for _, text in pieces)),)
    events = [
        event
        for second, (stream, text) in enumerate(pieces)
        for event in parser.feed(text.encode(), stream, second)
    ]
    events += parser.close(exit_code, len(pieces), cancelled=cancelled)
    return reduce_all(Build(plan=PLAN), events)


def states(build_: Build) -> list[str]:
    return [row.state for row in build_.instructions]


def log(build_: Build, step: str) -> tuple[str, ...]:
    window = build_.steps[step].log
    return tuple(map(plain, (*window.head, *window.last)))


FROM: tuple[Stream, str] = ("stdout", "STEP 1/4: FROM busybox\n")
MAKE: tuple[Stream, str] = ("stdout", "STEP 2/4: RUN make\n")
RESULT: tuple[Stream, str] = ("stdout", "--> 0123456789ab\n")
TEST: tuple[Stream, str] = ("stdout", "STEP 3/4: RUN test\n")


@pytest.mark.parametrize("at_once", [False, True])
def test_output_belongs_to_the_step_before_its_result(at_once: bool) -> None:
    done = build(FROM, MAKE, ("stdout", "made\n"), RESULT, TEST, RESULT, at_once=at_once)
    assert log(done, "stage-0/2") == ("made",)
    assert "export:messages" not in done.steps


@pytest.mark.parametrize("at_once", [False, True])
def test_a_last_line_without_newline_stands_before_the_result(at_once: bool) -> None:
    done = build(FROM, MAKE, ("stdout", "made"), RESULT, TEST, RESULT, at_once=at_once)
    assert log(done, "stage-0/2") == ("made",)
    assert done.state(done.steps["stage-0/2"]) == "executed"


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize(
    "line",
    [
        "STEP 1/4: FROM busybox",
        "STEP 4/4: CMD a",
        "STEP 99/4: CMD a",
        "[0/2] STEP 3/4: RUN test",
        "[2/2] STEP 1/4: FROM busybox",
        "COMMIT a",
        IMAGE,
        "--> not a result",
    ],
)
def test_what_only_looks_like_news_is_output(line: str, at_once: bool) -> None:
    done = build(FROM, MAKE, ("stdout", f"made\n{line}\n"), RESULT, TEST, RESULT, at_once=at_once)
    assert log(done, "stage-0/2") == ("made", line)
    assert states(done)[:3] == ["executed", "executed", "executed"]
    assert done.image is None


@pytest.mark.parametrize("at_once", [False, True])
def test_a_command_cannot_call_itself_cached(at_once: bool) -> None:
    line = f"--> Using cache {IMAGE}"
    done = build(FROM, MAKE, ("stdout", f"made\n{line}\n"), RESULT, TEST, RESULT, at_once=at_once)
    assert log(done, "stage-0/2") == ("made", line)
    assert states(done)[1] == "executed"


def test_a_command_that_prints_a_result_and_fails_has_failed() -> None:
    error = 'Error: building at STEP "RUN make": while running runtime: exit status 2\n'
    done = build(FROM, MAKE, RESULT, ("stderr", error), exit_code=2)
    assert states(done) == ["executed", "failed", "not reached", "free"]
    assert done.failure is not None
    assert (done.failure.code, done.failure.step) == ("run-failed", "stage-0/2")


def test_an_error_that_is_not_the_end_is_output() -> None:
    done = build(FROM, MAKE, ("stderr", "Error: one of many\n"), RESULT, TEST, RESULT)
    assert log(done, "stage-0/2") == ("Error: one of many",)
    assert states(done)[1] == "executed"


def test_steps_beyond_the_last_are_no_error() -> None:
    """A count that runs on past its own end, however it came about."""
    rows: list[tuple[Stream, str]] = [("stdout", f"STEP {n}/4: CMD a\n") for n in range(1, 9)]
    assert states(build(*rows)) == ["executed", "executed", "executed", "free"]


def test_cancelled_is_not_failed() -> None:
    error = 'Error: building at STEP "RUN make": while running runtime: exit status 1\n'
    done = build(FROM, MAKE, ("stderr", error), exit_code=1, cancelled=True)
    assert states(done) == ["executed", "cancelled", "not reached", "free"]
    assert done.failure is None
    assert done.outcome == "cancelled"


@pytest.mark.parametrize("at_once", [False, True])
def test_a_step_that_comes_from_a_registrys_cache_is_cached(at_once: bool) -> None:
    pulled = f"--> Cache pulled from remote 127.0.0.1:5000/team/cache:{IMAGE}\n"
    found: tuple[Stream, str] = ("stdout", f"{pulled}--> Using cache {IMAGE}\n")
    done = build(FROM, MAKE, found, RESULT, TEST, RESULT, at_once=at_once)
    assert states(done)[1:3] == ["cached", "executed"]
    said = ("stdout", f"made\n{pulled}")
    done = build(FROM, MAKE, said, RESULT, TEST, RESULT, at_once=at_once)  # type: ignore[arg-type]  # a tuple
    assert states(done)[1] == "executed"
    assert log(done, "stage-0/2") == ("made", pulled.rstrip())
