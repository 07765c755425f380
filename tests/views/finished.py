"""Finished things to look at and to test with, as their views receive them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from layerlab.cache.causes import Cause, FileChange, LineChange
from layerlab.cache.explain import Explanation
from layerlab.cache.sentences import file_sentence, verdict
from layerlab.foresight import reason
from layerlab.model.build import Build, Outlook
from layerlab.model.text import printable
from layerlab.model.wire_compare import to_compare
from layerlab.model.wire_explain import to_explain
from layerlab.views.compare import compare_html
from layerlab.views.explain import explain_html
from tests.views import samples
from tests.views.samples import NODE
from tests.views.script import Script

TOGETHER = NODE.replace("COPY package.json package-lock.json ./", "COPY . .").replace(
    "COPY app.js app.js\nCOPY index.html index.html\n", ""
)
APP = "The file app.js has changed: line 16."
CASCADE = "A step before it ran, and this one lies on top of it."


class View(NamedTuple):
    """The snapshot that a picture is made of, and what makes it."""

    data: Any
    html: Callable[[Any], str]


def lab01() -> list[Build]:
    """The four builds of lab 01, with the reasons of the cache model."""
    second = samples.warm()
    return [
        samples.cold(),
        _because(second, {8: APP, 9: CASCADE}),
        _together("colors:third", {6: "There was no such step.", 7: CASCADE}),
        _together("colors:fourth", {6: APP, 7: CASCADE}),
    ]


def _together(tag: str, reasons: Mapping[int, str]) -> Build:
    script = Script(TOGETHER, tag)
    script.announce()
    for number in (0, 5):
        script.step(number, 0.5, 0.5, cached=True)
    script.step(6, 0.5, 0.6)
    script.step(7, 0.6, 9.9)
    return _because(script.end(10.4), reasons)


def _because(build: Build, reasons: Mapping[int, str]) -> Build:
    assert build.plan
    steps = build.plan.steps
    outlooks = {steps[number].id: Outlook("rebuild", text) for number, text in reasons.items()}
    return msgspec.structs.replace(build, outlooks=outlooks)


BOTH = ("linux/amd64", "linux/arm64")


def _compare(data: Any) -> View:
    return View(data, compare_html)


def explained() -> list[Explanation]:
    """Lab 01's second build, as the cache model tells it, and what else can become of a step."""
    steps = samples.cold().plan
    assert steps
    line = LineChange(16, 'var APP_VERSION="1.0";', 'var APP_VERSION="1.1";')
    gone = LineChange(20, "// the end", None)
    files = (
        FileChange("app.js", "content", lines=(line, gone)),
        FileChange("run.sh", "mode", "0644", "0755"),
    )
    told: dict[int, dict[str, Any]] = {
        5: {"actual": "hit"},
        6: {"fate": "rebuild", "actual": "hit", "agrees": False, "cause": Cause("already-there")},
        7: {"fate": "unknown", "actual": "failed", "cause": Cause("remote", "a.example/b")},
        8: {"fate": "rebuild", "actual": "rebuild", "cause": Cause("file", files=files, more=3)},
        9: {"fate": "rebuild", "actual": "cancelled", "cause": Cause("step"), "because_of": 9},
        10: {"fate": "rebuild"},
        11: {"fate": "rebuild", "actual": "not reached"},
    }
    return [
        Explanation(
            n=n + 1,
            id=step.id,
            stage=step.stage,
            instruction=step.instruction,
            lines=step.lines,
            kind=step.kind,
            platform="linux/amd64",
            **{"fate": "hit", **told.get(n, {})},
        )
        for n, step in enumerate(steps.steps)
    ]


def _staged() -> list[Explanation]:
    """The same in two stages and on two platforms."""
    return [
        msgspec.structs.replace(step, stage=stage, platform=platform)
        for stage in ("builder", "final")
        for platform in BOTH
        for step in explained()
    ]


def _explain(steps: list[Explanation], reasons: list[str]) -> View:
    data = to_explain(steps, reasons, lambda file: file_sentence(file).partition(":")[0])
    return View(data, explain_html)


def reasons(steps: list[Explanation]) -> list[str]:
    """A sentence each, as `%explain` shows it."""
    return [f"{verdict(step)} {reason(step, steps)}".strip() for step in steps]


SAMPLES: dict[str, View] = {
    "explain": _explain(explained(), reasons(explained())),
    "explain-stages": _explain(_staged(), reasons(_staged())),
    "explain-many": _explain(explained() * 24, reasons(explained()) * 24),
    "compare-lab01": _compare(to_compare(lab01())),
    "compare-failing": _compare(to_compare([samples.cold(), samples.failing(), samples.stopped()])),
    "compare-stages": _compare(to_compare([samples.platforms(), samples.platforms()])),
    "compare-long": _compare(to_compare([samples.long(400, None), samples.long(400, None)])),
    "compare-one": _compare(to_compare([samples.cold()])),
    "compare-none": _compare(to_compare([])),
}
"""By name; those that are called after a view alone show it at its best."""


def hostile(*texts: str) -> dict[str, View]:
    """Every view, with these texts wherever a text can be."""
    plan = "\n".join(["FROM scratch AS a", *(f"RUN echo {n}" for n, _ in enumerate(texts))])
    script = Script(plan, texts[0])
    build = script.end(1.0)
    build = msgspec.structs.replace(build, tags=texts)
    assert build.plan
    steps = build.plan.steps
    reasons = {step.id: Outlook("rebuild", text) for step, text in zip(steps, texts, strict=False)}
    compared = to_compare([build, msgspec.structs.replace(build, outlooks=reasons)])
    for row, text in zip(compared["rows"], texts, strict=False):
        row["instruction"] = row["stage"] = printable(text)
    lines = (LineChange(1, texts[0], texts[1]),)
    files = tuple(FileChange(text, "content", lines=lines) for text in texts)
    shown = [
        msgspec.structs.replace(
            step, instruction=text, stage=text, cause=Cause("file", files=files)
        )
        for step, text in zip(explained() * 2, texts, strict=False)
    ]
    return {
        "explain": _explain(shown, list(texts)),
        "compare": _compare(compared),
    }
