"""A build whose image could not be unpacked at its end, finished at a second try.

containerd may collect a layer while an image that needs it is being unpacked: the unpacker looks
whether the layer is there, but does not hold it (containerd issue 10835, buildkit issue 6521).
Docker's containerd image store and nerdctl both meet this, most often when a tag is built anew.
Every step is in the cache then, so the same command ends in a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing

from layerlab.model.events import Event, Failure, Finished, StepUpdate
from layerlab.model.events import Warning as Advice
from layerlab.progress.failures import LAYER_LOST

KNOWN_FAULT = "https://github.com/containerd/containerd/issues/10835"
_OUTSIDE = ("internal:", "export:")
"""How the ids of what is in no Dockerfile begin (`progress/names.py`)."""


def finished(
    first: Generator[Event, None, None], again: Callable[[], Generator[Event, None, None]]
) -> Generator[Event, None, None]:
    """The events of a build; where only its unpacking failed, the end of `again` in their place.

    The steps stay as they were told the first time: that is when they ran. Closing this closes
    whichever of the two runs.
    """
    held: list[Event] = []
    with closing(first):
        for event in first:
            if held or _is_loss(event):
                held.append(event)
            else:
                yield event
    if not any(_ends_the_build(event) for event in held):
        yield from held
        return
    yield from (event for event in held if not _is_bad(event))
    yield Advice(
        at=held[-1].at,
        message="The engine lost a layer while it unpacked the image, a known fault; "
        "the image was finished at a second try.",
        url=KNOWN_FAULT,
    )
    with closing(again()) as second:
        for event in second:
            if _is_about_the_end(event):
                yield event


def _is_loss(event: Event) -> bool:
    if isinstance(event, StepUpdate):
        lost = event.error is not None and LAYER_LOST.search(event.error)
        return bool(lost) and event.step.startswith(_OUTSIDE)
    return _ends_the_build(event)


def _ends_the_build(event: Event) -> bool:
    """Whether it says that the build failed for this, outside the Dockerfile's steps."""
    return (
        isinstance(event, Failure)
        and event.code == "layer-lost"
        and (event.step is None or event.step.startswith(_OUTSIDE))
    )


def _is_bad(event: Event) -> bool:
    failed = isinstance(event, StepUpdate) and event.error is not None
    return failed or isinstance(event, (Failure, Finished))


def _is_about_the_end(event: Event) -> bool:
    step = getattr(event, "step", None)
    return not isinstance(event, Advice) and (step is None or step.startswith(_OUTSIDE))
