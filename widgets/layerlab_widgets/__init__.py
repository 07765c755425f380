"""Views for Jupyter. They show what they are given and know no engine."""

from layerlab_widgets.build_view import BuildView
from layerlab_widgets.guess_view import GuessView

__all__ = ["BuildView", "GuessView"]
