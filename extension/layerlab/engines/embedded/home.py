"""Where the embedded engine keeps what it needs; in a module that loads nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def home(environ: Mapping[str, str]) -> Path:
    """The folder that it keeps images in; those of every workspace, as other engines do."""
    top = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(top) / "layerlab"
