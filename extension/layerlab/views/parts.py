"""The pieces that the pictures are made of: signs, strips, bars, instructions, output."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import cast

from layerlab.model.build import StepState
from layerlab.model.wire import WireFailure, WireItem, WireLine, WireLog, WireStep, WireText
from layerlab.views import words
from layerlab.views.markup import Child, Markup, element
from layerlab.views.texts import say

BLOCKS = 30
"""Steps that a strip shows one by one; of more, neighbours with one fate are joined."""

_KEYWORD = re.compile(r"\s*([A-Za-z]+)(?=\s|$)")


@cache
def style(*more: str) -> Markup:
    """The style sheet, and others by name, as an element. It is ours, so it is not escaped; it
    holds no `<`.
    """
    folder = files("layerlab.views")
    sheets = (folder / f"{name}.css" for name in ("build", *more))
    text = "".join(sheet.read_text(encoding="utf-8") for sheet in sheets)
    text = re.sub(r"/\*.*?\*/|\s+", " ", text, flags=re.DOTALL)
    return Markup(f"<style>{text.strip()}</style>")


def fate_of(step: WireStep) -> words.Fate:
    """What became of a step, as the views say it."""
    return words.fate(step["kind"], step["state"])


def why(step: WireStep) -> Markup | None:
    """What is said beneath a step: a prediction that does not stand, and why the step's fate.

    `fate` ("hit", "rebuild", "unknown") and `reason` (a sentence) are there where the cache was
    asked; other snapshots have neither.
    """
    told = cast("Mapping[str, object]", step)
    expected = words.expected(told.get("fate"), fate_of(step))
    text = " · ".join(str(part) for part in (expected, told.get("reason")) if part)
    return element("span", text, cls="ll-why") if text else None


def is_timed(step: WireStep) -> bool:
    """Whether a duration says something of this step. A base that was there took none."""
    seconds = step["seconds"]
    fate = fate_of(step)
    return seconds is not None and fate in words.TIMED and (fate != "base" or seconds >= 0.05)


def told(fate: words.Fate, text: str = "", name: str = "span") -> Markup:
    """A fate as sign and word, or as sign and `text`. The sign is for eyes only."""
    return element(
        name,
        element("span", words.SIGNS[fate], cls="ll-sign", aria_hidden="true"),
        f" {text or words.word(fate)}",
        cls=f"ll-told ll-{fate}",
    )


def strip(states: Sequence[StepState]) -> Markup:
    """One block an instruction, in the order of the Dockerfile: it shows where reuse ended."""
    fates = [words.FATES[state] for state in states]
    runs = [(fate, len(list(group))) for fate, group in groupby(fates)]
    if len(fates) <= BLOCKS:
        runs = [(fate, 1) for fate in fates]
    blocks = (
        element("span", cls=f"ll-{fate}", style=f"width:{percent(count, len(fates))}")
        for fate, count in runs
    )
    return element("span", blocks, cls="ll-strip", aria_hidden="true")


def percent(part: float, whole: float) -> str:
    """A share as CSS has it, kept between 0 and 100 %."""
    share = 100 * part / whole if whole > 0 else 0.0
    return f"{words.fixed(min(100.0, max(0.0, share)), 2)}%"


def time_bar(step: WireStep, elapsed: float) -> Markup:
    """When a step worked, on a track as long as the build."""
    left = percent(step["offset"] or 0.0, elapsed)
    width = percent(min(step["seconds"] or 0.0, elapsed - (step["offset"] or 0.0)), elapsed)
    return element("span", cls="ll-length", style=f"margin-left:{left};width:{width}")


def instruction(text: str) -> Markup:
    """An instruction with its keyword emphasised."""
    match = _KEYWORD.match(text)
    if match is None:
        return element("code", text)
    return element("code", element("b", match[1]), text[match.end() :])


def keywords(texts: Iterable[str]) -> str:
    """`LABEL ×3, ENV`: what several instructions are."""
    found = Counter(match[1].upper() if (match := _KEYWORD.match(text)) else text for text in texts)
    return ", ".join(name if count == 1 else f"{name} ×{count}" for name, count in found.items())


def moved(items: Iterable[WireItem]) -> tuple[int, int | None]:
    """Bytes moved and bytes to move by all parts together; None while one is unknown.

    What was done without moving any (BuildKit's «resolve») is no such unknown.
    """
    current = total = 0
    known = True
    for item in items:
        current += item["current"]
        known = known and (item["total"] is not None or (item["done"] and not item["current"]))
        total += item["total"] or 0
    return current, total if known and total else None


def progress(items: Sequence[WireItem]) -> Markup | None:
    """A bar and a number for bytes under way; None where there are none."""
    current, total = moved(items)
    if not current and not total:
        return None
    bar = None
    if total:
        bar = element("progress", value=f"{current}", max=f"{total}", aria_label=say("build.moved"))
    return element("span", bar, " ", words.size(current, total), cls="ll-progress")


def parts(items: Sequence[WireItem]) -> Markup:
    """The layers of a pull, say, one a line."""
    return element(
        "ul",
        (
            element(
                "li",
                element("code", words.short(item["name"])),
                f" {_bytes(item)}" if item["current"] or item["total"] else None,
            )
            for item in items
        ),
        cls="ll-items",
    )


def _bytes(item: WireItem) -> str:
    if item["done"] or item["total"] is None:
        return words.size(max(item["current"], item["total"] or 0 if item["done"] else 0))
    return words.size(item["current"], item["total"])


def output(log: WireLog, file: str | None) -> Markup:
    """Beginning and end of a step's output, and where all of it is."""
    gap = None
    if log["dropped"]:
        lines = words.counted(log["dropped"], "line")
        told = (
            say("build.gap.file", lines=lines, file=file) if file else say("build.gap", lines=lines)
        )
        gap = element("em", f"{told}\n")
    return element(
        "pre",
        [part for line in log["head"] for part in _line(line)],
        gap,
        [part for line in log["tail"] for part in _line(line)],
        cls="ll-output",
        tabindex="0",
    )


def _line(line: WireText) -> list[Child]:
    if isinstance(line, str):
        return [f"{line}\n"]
    return [*(element("span", text, cls=look(style)) if style else text for text, style in line),
            "\n"]  # fmt: skip


def look(style: str) -> str:
    """The classes of a `text.Piece`."""
    return " ".join(f"ll-as-{word}" for word in style.split())


def latest(log: WireLog) -> str:
    """The last line of a step's output, without colours; "" where there is none."""
    line = next(reversed([*log["head"], *log["tail"]]), "")
    return line if isinstance(line, str) else "".join(text for text, _ in line)


def failure(why: WireFailure, dockerfile: str) -> Markup:
    """What went wrong, the Dockerfile around it, and what to try."""
    where = None
    if why["lines"]:
        place = f"{dockerfile or 'Dockerfile'}, {words.at_lines(why['lines'])}:"
        where = (element("strong", place), " ")
    return element(
        "div",
        element("p", where, why["message"], cls="ll-message"),
        _frame(why["source"]) if why["source"] else None,
        element("p", element("strong", say("build.try")), f" {why['hint']}", cls="ll-hint")
        if why["hint"]
        else None,
        cls="ll-failure",
    )


def _frame(source: Iterable[WireLine]) -> Markup:
    lines: list[Markup | str] = []
    for line in source:
        text = f"{'▶' if line['marked'] else ' '} {line['number']:>3} │ {line['text']}"
        lines += [element("mark" if line["marked"] else "span", text), "\n"]
    return element("pre", lines, cls="ll-frame", tabindex="0")
