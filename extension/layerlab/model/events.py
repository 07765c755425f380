"""The whole vocabulary of a build, after BuildKit's `client/graph.go`.

Events are flat, timestamped and idempotent: sending a `StepUpdate` twice changes
nothing, and a field that is None means "no news", never "unset". Times are
seconds since the Unix epoch; sizes are bytes.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from layerlab.model.plan import StepKind


class _Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event"):
    at: float


class StepUpdate(_Event, frozen=True, kw_only=True, tag="step"):
    """News of one step.

    A planned step carries its plan id (`PlannedStep.id`); several platforms in one build put
    the platform in front: `linux/arm64:builder/3`. What is in no Dockerfile (loading the
    context, exporting) has an id made of its kind and name: `internal:load build context`.

    Attributes:
        step: the id.
        started, completed: when; a step with neither is waiting.
        cached: its result was taken from the cache. Never true of a step that did not run
            because an earlier one failed.
        error: the engine's own words. `cancelled` says that it was stopped, not that it failed.
        duration: seconds really worked, when the engine says; else completed - started.
    """

    step: str
    kind: StepKind | None = None
    stage: str | None = None
    platform: str | None = None
    n: int | None = None
    m: int | None = None
    instruction: str | None = None
    lines: tuple[int, int] | None = None
    started: float | None = None
    completed: float | None = None
    duration: float | None = None
    cached: bool | None = None
    cancelled: bool | None = None
    error: str | None = None


class Progress(_Event, frozen=True, kw_only=True, tag="progress"):
    """How far a part of a step is: a layer being pulled, the context being sent.

    `current` and `total` are bytes; `total` is None where the engine does not know it.
    """

    step: str
    item: str
    current: int
    total: int | None = None
    done: bool = False


class Log(_Event, frozen=True, kw_only=True, tag="log"):
    """Output of a step: one or more whole lines, each ended by a newline.

    The last line of a step may lack the newline, as it may in the engine's output.
    """

    step: str
    text: str
    stream: Literal["stdout", "stderr"] = "stdout"


class Warning(_Event, frozen=True, kw_only=True, tag="warning"):  # noqa: A001 - the field's word
    """Advice from the engine (a linter's finding, an unused build argument).

    `lines` are Dockerfile lines.
    """

    message: str
    lines: tuple[int, int] | None = None
    url: str | None = None


class Failure(_Event, frozen=True, kw_only=True, tag="failure"):
    """Why the build as a whole failed.

    Attributes:
        code: stable and kebab-case; see `progress/failures.py`.
        message: the engine's own last words.
        step: the step that failed, where one did.
        lines: Dockerfile lines, where they are known.
    """

    code: str
    message: str
    step: str | None = None
    lines: tuple[int, int] | None = None
    hint: str = ""


class Finished(_Event, frozen=True, kw_only=True, tag="finished"):
    """The last event of every build.

    Attributes:
        outcome: `cancelled` when it was interrupted; then nothing is said of the steps left.
        exit_code: the CLI's own; None where there was no process.
        image: digest or id of what was built, None where the engine did not say.
    """

    outcome: Literal["built", "failed", "cancelled"]
    exit_code: int | None = None
    image: str | None = None


Event = StepUpdate | Progress | Log | Warning | Failure | Finished

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def to_json(event: Event) -> bytes:
    """One line of JSON without the newline."""
    return _encoder.encode(event)


def from_json(line: bytes | str) -> Event:
    """The inverse of `to_json`. Raises `msgspec.DecodeError` on anything else."""
    return _decoder.decode(line)
