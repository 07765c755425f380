"""How a build ends: one `Failure` if it failed, `Finished` last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from layerlab.model.events import Event, Failure, Finished, StepUpdate
from layerlab.progress.console import Console
from layerlab.progress.failures import find_cause
from layerlab.progress.output import Output
from layerlab.progress.steps import Steps

_METADATA = "load metadata for "


def end(
    steps: Steps,
    console: Console,
    output: Output,
    *,
    exit_code: int | None,
    at: float,
    cancelled: bool,
    image: str | None,
) -> Iterator[Event]:
    """Everything that is certain once the process has ended."""
    outcome: Literal["built", "failed", "cancelled"] = (
        "cancelled" if cancelled else "built" if exit_code == 0 else "failed"
    )
    yield from steps.announce_all(at)
    for step in steps.open:
        stopped = None if outcome == "built" else True
        yield from steps.say(StepUpdate(at=at, step=step, completed=at, cancelled=stopped))
    if outcome == "failed":
        yield from _failure(steps, console, output, at)
    yield Finished(
        at=at, outcome=outcome, exit_code=exit_code, image=image if outcome == "built" else None
    )


def _failure(steps: Steps, console: Console, output: Output, at: float) -> Iterator[Event]:
    failed = steps.failed
    errors = [*console.errors, *([failed.error] if failed and failed.error else [])]
    cause = find_cause(errors, console.lines, output.last(failed.step if failed else None))
    if failed is None or failed.lines is None:
        # The engine failed before it came to the step, as when a base image cannot be found.
        meant = _meant(steps, console, failed)
        if meant is not None:
            failed = meant
            yield from steps.say(StepUpdate(at=at, step=failed.step, error=cause.message))
    yield Failure(
        at=at,
        code=cause.code,
        message=cause.message,
        step=failed.step if failed else None,
        lines=console.marked or (failed.lines if failed else None),
        hint=cause.hint,
    )


def _meant(steps: Steps, console: Console, failed: StepUpdate | None) -> StepUpdate | None:
    """The step of the Dockerfile that could not even begin."""
    if console.marked:
        return steps.at_lines(console.marked)
    name = failed.instruction if failed and failed.instruction else ""
    return steps.on_image(name.removeprefix(_METADATA)) if name.startswith(_METADATA) else None
