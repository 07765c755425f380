"""What views say, in the reader's language: one catalogue a language, for Python and JavaScript.

A catalogue is a JSON file of keys and texts with `{placeholders}`; a text that depends on a
number is `{"one": …, "other": …}`. `widgets/js/texts.js` reads the same files. To translate,
copy `en.json`; `tests/views/test_texts.py` says what is missing.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import cast

LANGUAGES = ("en", "de")
"""The first is what texts are in unless another is chosen."""

Catalogue = dict[str, str | dict[str, str]]

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_chosen = [LANGUAGES[0]]


@cache
def catalogue(language: str) -> Catalogue:
    """All texts of a language."""
    data = (files("layerlab.views.texts") / f"{language}.json").read_bytes()
    return cast("Catalogue", json.loads(data))


def choose(locale: str) -> None:
    """Speak the language of a locale such as `de_DE`, or English where it has no catalogue."""
    language = locale.replace("-", "_").partition("_")[0].lower()
    _chosen[0] = language if language in LANGUAGES else LANGUAGES[0]


def language() -> str:
    """The language that is spoken."""
    return _chosen[0]


def say(key: str, number: int = 2, /, **values: str) -> str:
    """A text with its placeholders filled in; `number` chooses between one and other."""
    text = catalogue(_chosen[0])[key]
    if isinstance(text, dict):
        text = text["one" if number == 1 else "other"]
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)
