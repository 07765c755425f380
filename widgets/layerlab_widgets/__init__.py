"""Views for Jupyter. They show what they are given and know no engine."""

from layerlab_widgets.build_view import BuildView

__all__ = ["BuildView"]
