"""What colour sequences (SGR) ask for, as words of a closed set. rich reads the sequences."""

from __future__ import annotations

import re
from functools import lru_cache

from rich.color import Color, ColorSystem
from rich.style import Style
from rich.text import Text

NONE = Style.null()
"""How a line begins."""

_RESET = re.compile(r"\x1b\[0*[;m]")
_EXACT = re.compile(r"(?<=[34]8;2;)\d+;\d+;\d+")
_NAMES = ("", "red", "green", "yellow", "blue", "magenta", "cyan", "")
_BRIGHT_BLACK = 8


def after(style: Style, code: str) -> Style:
    """The style once a sequence has been read."""
    # A gradient has a colour for every letter, more than can be remembered; we show seven.
    code = _EXACT.sub(lambda match: _rough(match[0]), code)
    return (NONE if _RESET.match(code) else style) + _asked(code)


@lru_cache(maxsize=4096)
def words(style: Style) -> str:
    """A style in our words, such as `bold red` or `on-blue`.

    Nothing may hide text: there is no black, no white, no concealing, and a background has the
    page's own colour upon it.
    """
    colour, behind = _name(style.color), _name(style.bgcolor)
    if style.reverse:
        colour, behind = behind, colour
    if style.dim:
        colour = colour or "grey"
    weights = [word for word in ("bold", "italic", "underline") if getattr(style, word)]
    return " ".join([*weights, *filter(None, [f"on-{behind}" if behind else colour])])


@lru_cache(maxsize=4096)
def _asked(code: str) -> Style:
    spans = Text.from_ansi(f"{code}x").spans
    found = spans[0].style if spans else NONE
    return found if isinstance(found, Style) else NONE


@lru_cache(maxsize=4096)
def _rough(numbers: str) -> str:
    # Of digits alone, a number that is too large is 255 for rich, too.
    values = (min(255, int(number[:4])) for number in numbers.split(";"))
    return ";".join(f"{value // 51 * 51}" for value in values)


def _name(colour: Color | None) -> str:
    """The nearest of the colours that have a name here; "" for that of the text itself."""
    if colour is None or colour.is_default:
        return ""
    number = colour.downgrade(ColorSystem.STANDARD).number or 0
    return "grey" if number == _BRIGHT_BLACK else _NAMES[number % 8]
