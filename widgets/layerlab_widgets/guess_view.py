"""Boxes to mark the steps that a learner expects to run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anywidget
import traitlets

from layerlab.model.wire_guess import WireEnd, WireQuestion

_STATIC = Path(__file__).parent / "static"


class GuessView(anywidget.AnyWidget):
    """Asks which steps will run; `marked` is the answer so far.

    Args:
        steps: to ask about.
        file: the Dockerfile as the learner knows it.
        language: of the texts; "" for that of the page.
    """

    _esm = _STATIC / "guess_view.js"
    _css = _STATIC / "guess_view.css"

    # Each Layout is a model of its own, with a message of its own; we style nothing by it.
    layout = traitlets.Any(None, allow_none=True).tag(sync=True)
    steps = traitlets.List(traitlets.Dict()).tag(sync=True)
    file = traitlets.Unicode().tag(sync=True)
    language = traitlets.Unicode().tag(sync=True)
    # None where no box is marked: that nothing will run has a box of its own.
    marked = traitlets.List(traitlets.Int(), default_value=None, allow_none=True).tag(sync=True)
    end = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)

    def __init__(self, steps: Sequence[WireQuestion], file: str, language: str = "") -> None:
        super().__init__(steps=list(steps), file=file, language=language)

    def show_end(self, end: WireEnd | None) -> None:
        """Close the boxes, as they stood then whatever the page sends later; None opens them."""
        self.set_trait("end", end)

    def __repr__(self) -> str:
        # Without the address that ipywidgets would put here: nbval compares it.
        return f"GuessView({self.file})"
