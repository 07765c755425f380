"""Builds side by side: how long each took, what it reused, which step changed its fate and why."""

from __future__ import annotations

from collections.abc import Sequence

from layerlab.model.build import Build
from layerlab.model.wire_compare import WireCell, WireColumn, WireCompare, WireRow
from layerlab.views import parts, words
from layerlab.views.markup import Markup, element, join
from layerlab.views.text import names, seconds, table
from layerlab.views.texts import say

CHANGED = "≠"
"""Stands before what became of a step when it was something else in the build before."""


def compare_text(builds: Sequence[Build]) -> str:
    """Some builds, one a line: what each reused and ran, and how long it took."""
    rows = []
    for build in builds:
        ended = [] if build.outcome == "built" else [words.word(words.OUTCOMES[build.outcome])]
        told = [words.ratio(build.hits, len(build.counted)), say("ran", count=f"{build.executed}")]
        rows.append((names(build), ", ".join([*told, *ended]), seconds(build.seconds())))
    return "\n".join(table(rows))


def compare_html(wire: WireCompare) -> str:
    """The whole comparison."""
    longest = max((build["seconds"] for build in wire["builds"]), default=0.0)
    head = element(
        "tr",
        element("td"),
        (_column(build, longest) for build in wire["builds"]),
    )
    return element(
        "section",
        parts.style("more"),
        element(
            "table",
            element("caption", say("compare.label")),
            element("thead", head),
            element("tbody", (_row(row) for row in wire["rows"])),
            cls="ll-matrix",
        ),
        element("p", f"… {words.counted(wire['omitted'], 'step')}", cls="ll-rest")
        if wire["omitted"]
        else None,
        _story(wire) if len(wire["builds"]) > 1 else None,
        cls="layerlab ll-compare",
    )


def _column(build: WireColumn, longest: float) -> Markup:
    fate = words.OUTCOMES[build["outcome"]]
    width = parts.percent(build["seconds"], longest)
    return element(
        "th",
        element("strong", build["name"] or say("no-name"), cls="ll-who"),
        " ",
        parts.told(fate, words.outcome(build["outcome"], build["seconds"])),
        element(
            "span",
            element("span", cls="ll-length", style=f"width:{width}"),
            cls=f"ll-track ll-{fate}",
        ),
        " ",
        element("span", words.ratio(build["hits"], build["countable"]), cls="ll-hits"),
        parts.strip(build["strip"]),
        scope="col",
    )


def _row(row: WireRow) -> Markup:
    stage = element("span", row["stage"], cls="ll-stagename") if row["stage"] else None
    return element(
        "tr",
        element("th", parts.instruction(row["instruction"]), " ", stage, scope="row"),
        (_cell(cell) for cell in row["cells"]),
    )


def _cell(cell: WireCell | None) -> Markup:
    if cell is None:
        absent = element("span", say("compare.absent"), cls="ll-live")
        return element("td", element("span", "–", aria_hidden="true"), " ", absent, cls="ll-absent")
    fate = words.fate(cell["kind"], cell["state"])
    took = cell["seconds"]
    timed = fate in words.TIMED and fate != "base" and took is not None
    mark = None
    if cell["changed"]:
        mark = (
            " ",
            element("span", CHANGED, cls="ll-changed", aria_hidden="true"),
            " ",
            element("span", say("compare.changed"), cls="ll-live"),
        )
    return element(
        "td",
        parts.told(fate),
        (" ", element("span", words.duration(took or 0.0), cls="ll-took")) if timed else None,
        mark,
        cls=f"ll-cell ll-{fate}",
    )


def _story(wire: WireCompare) -> Markup:
    return element(
        "div",
        element("p", element("strong", say("compare.story"))),
        element(
            "dl",
            (
                join(
                    [
                        element("dt", build["name"] or say("no-name")),
                        *(element("dd", what) for what in _changes(wire["rows"], number)),
                    ]
                )
                for number, build in enumerate(wire["builds"])
                if number
            ),
        ),
        cls="ll-story",
    )


def _changes(rows: Sequence[WireRow], number: int) -> list[list[Markup | str]]:
    """What to tell of one build: steps with the same story are told together."""
    found: dict[str, list[str]] = {}
    for row in rows:
        cell = row["cells"][number]
        if cell is not None and (tale := _tale(cell)):
            found.setdefault(tale, []).append(row["instruction"])
    if not found:
        return [[say("compare.none")]]
    return [
        [parts.instruction(steps[0]) if len(steps) == 1 else element("code", parts.keywords(steps)),
         f": {tale}"]
        for tale, steps in found.items()
    ]  # fmt: skip


def _tale(cell: WireCell) -> str:
    """What became of a step and why, where that is worth telling; else nothing."""
    after = words.word(words.fate(cell["kind"], cell["state"]))
    if not cell["changed"]:
        return f"{after} · {cell['reason']}" if cell["reason"] else ""
    if cell["before"] is None:
        told = say("compare.new", after=after)
    else:
        before = words.word(words.fate(cell["kind"], cell["before"]))
        told = say("compare.went", before=before, after=after)
    return f"{told} · {cell['reason']}" if cell["reason"] else told
