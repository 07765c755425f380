"""HTML that cannot be anything but what we wrote: every string that comes in is text.

Build output is data, and it may say `<script>`. Here is the only place where
tags are put together, so here is the only place that has to escape.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from layerlab.model.text import printable


class Markup(str):
    """A string of finished HTML, made by `element`. Any other `str` is text."""

    __slots__ = ()


Child = Markup | str | None


def element(
    name: str, *children: Child | Iterable[Child], cls: str = "", **attributes: str
) -> Markup:
    """`<name class=cls …>children</name>`.

    Args:
        name: of the tag.
        children: text is cleaned and escaped, `Markup` goes in as it is, None is left out.
        cls: the class attribute; left out when empty.
        attributes: values are escaped, too; `_` in a name stands for `-`. Names and classes are
            never data: they are written in this package.
    """
    given = {"class": cls, **attributes} if cls else attributes
    words = "".join(
        f' {key.replace("_", "-")}="{escape(value)}"' if value else f" {key}"
        for key, value in given.items()
    )
    # A parser drops a line break right after <pre>, so that one of the data's is not the first.
    start = f"<{name}{words}>" + ("\n" if name == "pre" else "")
    return Markup(f"{start}{join(children)}</{name}>")


def join(children: Iterable[Child | Iterable[Child]]) -> Markup:
    """Children one after the other, without an element around them."""
    return Markup("".join(_flat(child) for child in children))


def clean(text: str) -> str:
    """Text as it may be shown: see `printable`; lines stay lines, tabs stay tabs."""
    return "\n".join(printable(line, limit=None) for line in text.split("\n"))


def _flat(child: Child | Iterable[Child]) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return escape(clean(child))
    return join(child)
