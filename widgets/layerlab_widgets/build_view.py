"""The live view of one build."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

from layerlab.model.wire import WireBuild

_STATIC = Path(__file__).parent / "static"


class BuildView(anywidget.AnyWidget):
    """Shows a build while it runs: steps, progress, output, what was reused.

    Args:
        build: the first snapshot.
        language: of the texts; "" for that of the page.
    """

    _esm = _STATIC / "build_view.js"
    _css = _STATIC / "build_view.css"

    # Each Layout is a model of its own, with a message of its own; we style nothing by it.
    layout = traitlets.Any(None, allow_none=True).tag(sync=True)
    build = traitlets.Dict().tag(sync=True)
    language = traitlets.Unicode().tag(sync=True)

    def __init__(self, build: WireBuild, language: str = "") -> None:
        super().__init__(build=build, language=language)

    def show(self, build: WireBuild) -> None:
        """A newer snapshot. Jupyter may drop it under load; the next one has everything again."""
        self.build = dict(build)

    def __repr__(self) -> str:
        # Without the address that ipywidgets would put here: nbval compares it.
        return f"BuildView({', '.join(self.build['tags'])})"
