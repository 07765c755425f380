"""Layerlab: learn container image building inside Jupyter, with real builds."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from layerlab.api import (
        build,
        builds,
        compare,
        containers,
        doctor,
        explain,
        guess,
        image,
        images,
        logs,
        platforms,
        predict,
        remove_containers,
        remove_images,
        run,
        serve,
    )
    from layerlab.engines.base import Container, Image
    from layerlab.errors import LayerlabError
    from layerlab.model.build import Build

__all__ = [
    "Build",
    "Container",
    "Image",
    "LayerlabError",
    "build",
    "builds",
    "compare",
    "containers",
    "doctor",
    "explain",
    "guess",
    "image",
    "images",
    "load_ipython_extension",
    "logs",
    "platforms",
    "predict",
    "remove_containers",
    "remove_images",
    "run",
    "serve",
]

_ELSEWHERE = {
    "Build": "layerlab.model.build",
    "Container": "layerlab.engines.base",
    "Image": "layerlab.engines.base",
    "LayerlabError": "layerlab.errors",
}


def __getattr__(name: str) -> object:
    # Loaded on first use: importing a part of the package must not cost the whole of it.
    if name not in __all__:
        raise AttributeError(f"module 'layerlab' has no attribute {name!r}")
    return getattr(import_module(_ELSEWHERE.get(name, "layerlab.api")), name)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """What `%load_ext layerlab` calls: register the magics and the way builds are drawn."""
    from layerlab.magics import load

    load(shell)
