"""A build as HTML that is complete without JavaScript: it survives saving, GitHub and printing.

Meaning is in elements and words; the style sheet `build.css` only makes it pleasant,
and sanitizers may take it away. The widget makes the same elements in
`widgets/js/views/build.js`, for the same style sheet; `tests/widgets` compares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from layerlab.model.wire import WireBuild, WireGuess, WireItem, WireStep, WireWarning
from layerlab.views import parts, waterfall, words
from layerlab.views.markup import Child, Markup, element, join
from layerlab.views.texts import say

LONG = 240
"""Characters of an instruction that a row has room for; longer ones are told in full below it."""
COLUMNS = ("", "column.step", "column.line", "column.instruction", "column.time", "")


def build_html(wire: WireBuild) -> str:
    """The whole build."""
    own = [step for step in wire["steps"] if _is_own(step)]
    planned = [step for step in wire["steps"] if not _is_own(step)]
    failure = wire["failure"]
    placed = failure is not None and any(step["id"] == failure["step"] for step in wire["steps"])
    return element(
        "section",
        parts.style(),
        _header(wire),
        element("p", element("code", "$ ", wire["command"]), cls="ll-command"),
        _guess(wire["guess"]) if wire["guess"] else None,
        parts.failure(failure, wire["dockerfile"]) if failure and not placed else None,
        waterfall.timeline(wire),
        _table(wire, planned) if planned else None,
        _own(wire, own) if own else None,
        _warnings(wire["engine"], wire["warnings"]) if wire["warnings"] else None,
        cls="layerlab ll-build",
    )


def head(names: Sequence[str]) -> Markup:
    """Column headings by their keys in the catalogue; "" for none."""
    # An empty heading would be read aloud as one.
    cells = (element("th", say(name), scope="col") if name else element("td") for name in names)
    return element("thead", element("tr", cells))


def _is_own(step: WireStep) -> bool:
    return step["kind"] in ("internal", "export")


def _header(wire: WireBuild) -> Markup:
    fate, told = words.OUTCOMES[wire["outcome"]], words.outcome(wire["outcome"], wire["elapsed"])
    return element(
        "header",
        element("p", parts.told(fate, told, "strong"), cls="ll-outcome"),
        element(
            "p",
            element("strong", ", ".join(wire["tags"]) or say("no-name")),
            f" {say('build.with', engine=wire['engine'])}",
            cls="ll-name",
        ),
        element(
            "p",
            element("span", words.ratio(wire["hits"], wire["countable"])),
            " ",
            parts.strip(wire["strip"]),
            cls="ll-ratio",
        ),
        element("p", note, cls="ll-note") if (note := _note(wire)) else None,
        cls="ll-header",
    )


def _guess(guess: WireGuess) -> Markup:
    """How the learner's guess went, before the steps that say the same."""
    misses = [element("li", miss) for miss in guess["misses"]]
    return element(
        "div",
        element("p", element("strong", words.guessed(guess["right"], guess["of"]))),
        element("ul", misses, cls="ll-items") if misses else None,
        cls="ll-guess",
    )


def _note(wire: WireBuild) -> list[Child]:
    """Where to look: the line that failed, or the step that runs and how to stop it."""
    failure = wire["failure"]
    if failure and failure["lines"]:
        lines = words.at_lines(failure["lines"])
        return [say("build.at", lines=lines, file=wire["dockerfile"] or "Dockerfile")]
    if wire["outcome"] is not None:
        return []
    running = [step for step in wire["steps"] if parts.fate_of(step) == "running"]
    now: list[Child] = []
    if running:
        now = [f"{say('build.now')} ", element("code", running[-1]["instruction"]), " · "]
    return [*now, say("build.stop")]


def _table(wire: WireBuild, steps: Sequence[WireStep]) -> Markup:
    bodies = [
        element("tbody", stage_row(stage, COLUMNS) if stage else None, _rows(wire, list(group)))
        for stage, group in groupby(steps, key=lambda step: step["stage"])
    ]
    return element(
        "table",
        element("caption", say("build.steps", file=wire["dockerfile"] or say("dockerfile"))),
        head(COLUMNS),
        bodies,
        cls="ll-steps",
    )


def stage_row(name: str, columns: Sequence[str]) -> Markup:
    """The row above the steps of a stage, across a table of these columns."""
    heading = element(
        "th",
        f"{say('build.stage')} ",
        element("strong", name),
        colspan=f"{len(columns)}",
        scope="rowgroup",
    )
    return element("tr", heading, cls="ll-stage")


def _rows(wire: WireBuild, steps: Sequence[WireStep]) -> Markup:
    rows: list[Child] = []
    for kind, group in waterfall.chunks(steps):
        if group[0]["skipped"]:
            told = element("td", waterfall.gap(group[0]), colspan=f"{len(COLUMNS)}")
            rows.append(element("tr", told, cls="ll-gap"))
        if kind == "free":
            rows.append(_free_row(group))
        elif kind == "fold":
            rows.append(_fold_row(wire, group))
        else:
            rows += [_row(wire, group[0]), _more_row(wire, group[0])]
    return join(rows)


def _fold_row(wire: WireBuild, steps: Sequence[WireStep]) -> Markup:
    """Very many steps with one fate, behind a disclosure."""
    rows = (part for step in steps for part in (_row(wire, step), _more_row(wire, step)))
    inner = element("table", element("tbody", rows), cls="ll-steps")
    folded = element("details", waterfall.fold_summary(steps), inner)
    fate = parts.fate_of(steps[0])
    return element("tr", element("td", folded, colspan=f"{len(COLUMNS)}"), cls=f"ll-fold ll-{fate}")


def _row(wire: WireBuild, step: WireStep) -> Markup:
    fate = parts.fate_of(step)
    timed = parts.is_timed(step)
    platform = step["platform"]
    return _cells(
        fate,
        f"{step['n']}/{step['m']}" if step["n"] else "",
        words.span(step["lines"]) if step["lines"] else "",
        [
            # Spaces: where style sheets are taken away, nothing else keeps words apart.
            join([element("span", platform, cls="ll-platform"), " "]) if platform else None,
            parts.instruction(step["instruction"]),
            join([" ", why]) if (why := parts.why(step)) else None,
            parts.progress(step["items"]) if fate == "running" else None,
        ],
        words.duration(step["seconds"] or 0.0) if timed else "",
        parts.time_bar(step, wire["elapsed"]) if timed else None,
    )


def _cells(
    fate: words.Fate, number: str, lines: str, what: Child | list[Child], time: str, bar: Child
) -> Markup:
    return element(
        "tr",
        element("td", parts.told(fate), cls="ll-fate"),
        element("td", number, cls="ll-number"),
        element("td", lines, cls="ll-line", data_label=say("column.line")),
        element("td", what, cls="ll-instruction"),
        element("td", time, cls="ll-time"),
        element("td", bar, cls="ll-bars"),
        cls=f"ll-step ll-{fate}",
    )


def _free_row(steps: Sequence[WireStep]) -> Markup:
    """Metadata in one quiet line, whatever there is of it."""
    numbers = [line for step in steps for line in step["lines"] or ()]
    lines = words.span([min(numbers), max(numbers)]) if numbers else ""
    if len(steps) == 1:
        what = parts.instruction(steps[0]["instruction"])
    else:
        summary = parts.keywords(step["instruction"] for step in steps)
        what = element(
            "details",
            element("summary", element("code", summary)),
            element("ul", (_free_item(step) for step in steps), cls="ll-items"),
        )
    return _cells("free", "", lines, what, "", None)


def _free_item(step: WireStep) -> Markup:
    where = f"{words.at_lines(step['lines'])}: " if step["lines"] else None
    return element("li", where, parts.instruction(step["instruction"]))


def _more_row(wire: WireBuild, step: WireStep) -> Markup | None:
    """What else there is to know of a step, behind a disclosure; open where it failed."""
    failure = wire["failure"]
    failed = failure is not None and failure["step"] == step["id"]
    log, items = step["log"], _told_items(step)
    has_log = bool(log["head"] or log["tail"])
    is_long = len(step["instruction"]) > LONG
    error = step["error"] if step["state"] == "failed" and not failed else None
    if not (failed or error or has_log or items or is_long):
        return None
    opened = {"open": ""} if failed or error else {}
    body = [
        parts.failure(failure, wire["dockerfile"]) if failure and failed else None,
        element("p", error, cls="ll-message") if error else None,
        element("pre", step["instruction"], cls="ll-whole") if is_long else None,
        parts.parts(items) if items else None,
        parts.output(log, wire["log_file"]) if has_log else None,
    ]
    more = element("details", element("summary", _summary(step)), body, **opened)
    half = f"{len(COLUMNS) // 2}"
    return element(
        "tr",
        element("td", colspan=half),
        element("td", more, colspan=half),
        cls=f"ll-more ll-{parts.fate_of(step)}",
    )


def _told_items(step: WireStep) -> Sequence[WireItem]:
    """Parts worth telling of: that a base was looked up and moved nothing is not."""
    items = step["items"]
    moved, total = parts.moved(items)
    return items if moved or total or any(not item["done"] for item in items) else ()


def _summary(step: WireStep) -> list[Child]:
    log, items = step["log"], _told_items(step)
    told = []
    if step["state"] == "failed":
        told.append(say("build.wrong"))
    if lines := max(log["lines"], len(log["head"]) + len(log["tail"])):
        told.append(say("build.output", lines=words.counted(lines, "line")))
    if items:
        moved, _ = parts.moved(items)
        count = words.counted(len(items), "part")
        told.append(f"{count}, {words.size(moved)}" if moved else count)
    summary: list[Child] = [" · ".join(told) or say("build.whole")]
    latest = parts.latest(log)
    if latest and parts.fate_of(step) == "running":
        summary += [" ", element("code", latest, cls="ll-latest")]
    return summary


def _own(wire: WireBuild, steps: Sequence[WireStep]) -> Markup:
    """What the engine does of its own: quiet, unless that is where it failed."""
    opened = {"open": ""} if any(step["state"] == "failed" for step in steps) else {}
    return element(
        "details",
        element("summary", say("build.own", steps=words.counted(len(steps), "step"))),
        element("table", element("tbody", _rows(wire, steps)), cls="ll-steps"),
        cls="ll-own",
        **opened,
    )


def _warnings(engine: str, warnings: Sequence[WireWarning]) -> Markup:
    return element(
        "details",
        element(
            "summary",
            say("build.remarks", len(warnings), count=words.whole(len(warnings)), engine=engine),
        ),
        element(
            "ul",
            (
                element(
                    "li",
                    f"{words.at_lines(warning['lines'])}: " if warning["lines"] else None,
                    warning["message"],
                    (" ", element("code", warning["url"])) if warning["url"] else None,
                )
                for warning in warnings
            ),
            cls="ll-items",
        ),
        cls="ll-warnings",
    )
