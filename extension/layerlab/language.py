"""Which language the reader wants."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "LAYERLAB_LANG"
"""The environment variable that names a locale, such as `de` or `de_DE`."""
_SETTING = "lab/user-settings/@jupyterlab/translation-extension/plugin.jupyterlab-settings"


def preferred(environ: Mapping[str, str]) -> str:
    """The locale that the variable names, else the one that is set in JupyterLab, else ""."""
    if named := environ.get(VARIABLE):
        return named
    config = Path(environ.get("JUPYTER_CONFIG_DIR") or Path(environ.get("HOME", "")) / ".jupyter")
    try:
        text = (config / _SETTING).read_text(encoding="utf-8")
        lines = (line for line in text.splitlines() if not line.lstrip().startswith("//"))
        locale = json.loads("\n".join(lines)).get("locale", "")
    except (OSError, ValueError, AttributeError):
        return ""
    return locale if isinstance(locale, str) and locale != "default" else ""
