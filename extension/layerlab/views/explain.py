"""What became of each step of a build, and why: the lines of the files that were the cause, too.

`widgets/js/explain.js` and `widgets/js/views/explain.js` make the same elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from layerlab.model.wire_explain import WireExplain, WireFile, WireLineChange, WireTold
from layerlab.views import forecasts, parts, words
from layerlab.views.html import head, stage_row
from layerlab.views.markup import Child, Markup, element, join
from layerlab.views.texts import say

COLUMNS = ("", "column.step", "column.line", "column.instruction", "forecast.expected")


def explain_html(wire: WireExplain) -> str:
    """The whole explanation."""
    return element(
        "section",
        parts.style("more"),
        element(
            "table",
            element("caption", say("forecast.after.caption")),
            head(COLUMNS),
            (_stage(stage, list(group)) for stage, group in groupby(wire["steps"], _stage_of)),
            cls="ll-steps",
        ),
        element("p", f"… {words.counted(wire['omitted'], 'step')}", cls="ll-rest")
        if wire["omitted"]
        else None,
        cls="layerlab ll-explain",
    )


def _stage_of(step: WireTold) -> str:
    return step["stage"]


def _stage(name: str, steps: Sequence[WireTold]) -> Markup:
    return element(
        "tbody",
        stage_row(name, COLUMNS) if name else None,
        (_row(step) for step in steps),
    )


def _row(step: WireTold) -> Markup:
    fate, text = forecasts.did(step["kind"], step["actual"])
    expected = forecasts.expected(step["kind"], step["fate"])
    platform = step["platform"]
    return element(
        "tr",
        element("td", parts.told(fate, text), cls="ll-fate"),
        element("td", f"{step['n']}", cls="ll-number"),
        element("td", words.span(step["lines"]), cls="ll-line", data_label=say("column.line")),
        element(
            "td",
            (element("span", platform, cls="ll-platform"), " ") if platform else None,
            parts.instruction(step["instruction"]),
            (" ", element("span", step["reason"], cls="ll-why")) if step["reason"] else None,
            _files(step) if any(file["lines"] for file in step["files"]) else None,
            cls="ll-instruction",
        ),
        element(
            "td",
            parts.told(*expected) if expected else None,
            cls="ll-time",
            data_label=say("forecast.expected"),
        ),
        cls=f"ll-step ll-{fate}",
    )


def _files(step: WireTold) -> Markup:
    """Behind a disclosure: each file, and its lines before and after."""
    more = step["more"]
    files = words.counted(len(step["files"]) + more, "file")
    lines = words.counted(sum(len(file["lines"]) for file in step["files"]), "line")
    items: list[Child] = [part for file in step["files"] for part in _file(file)]
    if more:
        items.append(element("li", f"… {words.counted(more, 'file')}"))
    return element(
        "details",
        element("summary", f"{say('explain.changed')} {files} · {lines}"),
        element("ul", items, cls="ll-items ll-changes"),
    )


def _file(file: WireFile) -> list[Markup]:
    return [element("li", file["told"]), *(join(_line(change)) for change in file["lines"])]


def _line(change: WireLineChange) -> list[Markup]:
    where = words.at_lines([change["line"]] * 2)
    both = (("−", "deleted", change["before"]), ("+", "added", change["after"]))
    return [
        element(
            "li",
            element("span", sign, cls="ll-sign", aria_hidden="true"),
            f" {where} {say('explain.' + kind)}: ",
            element("code", text),
            cls=f"ll-{kind}",
        )
        for sign, kind, text in both
        if text is not None
    ]
