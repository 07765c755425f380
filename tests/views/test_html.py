"""The static picture: complete, and made of nothing but our own elements."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerlab.model.build import Build
from layerlab.model.wire import WireBuild, to_wire
from layerlab.views.html import build_html
from layerlab.views.markup import Markup, element, join
from tests.views import finished, samples
from tests.views.pages import Page
from tests.views.script import START
from tests.views.strategies import strings, wires

TAGS = {
    *("b", "caption", "code", "details", "div", "em", "header", "li", "mark", "p", "pre"),
    *("progress", "section", "span", "strong", "style", "summary", "table", "tbody", "td", "th"),
    *("dd", "dl", "dt", "thead", "tr", "ul"),
}
ATTRIBUTES = {
    "class": r"(layerlab|ll-[a-z-]+)( ll-[a-z-]+)*",
    "style": r"((margin-)?left:[\d.]+%;)?width:[\d.]+%",
    "colspan": r"\d",
    "scope": r"col|row|rowgroup",
    "aria-hidden": "true",
    "aria-label": "bytes moved",
    "data-label": "line|expected|wasted",
    "tabindex": "0",
    "value": r"\d+",
    "max": r"\d+",
    "open": "",
}


def assert_only_ours(html: str) -> Page:
    """Every element and attribute is one that the views write themselves."""
    page = Page(html)
    for tag, attributes in page.elements:
        assert tag in TAGS
        for name, value in attributes.items():
            assert re.fullmatch(ATTRIBUTES[name], value or ""), (name, value)
    assert [tag for tag, _ in page.elements].count("style") == 1
    return page


def wire(build: Build) -> WireBuild:
    return to_wire(build, build.finished or START + 6.3)


@settings(deadline=None)  # a machine may be busy
@given(wires)
def test_no_element_or_attribute_comes_from_the_data(made_up: WireBuild) -> None:
    assert_only_ours(build_html(made_up))


@settings(deadline=None)
@given(st.lists(strings.filter(bool), min_size=4, max_size=6))
def test_whatever_finished_things_are_called_is_only_text(texts: list[str]) -> None:
    for view in finished.hostile(*texts).values():
        assert_only_ours(view.html(view.data))


@pytest.mark.parametrize("name", finished.SAMPLES)
def test_finished_things_are_only_ours(name: str) -> None:
    view = finished.SAMPLES[name]
    assert_only_ours(view.html(view.data))


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_samples_are_only_ours(name: str) -> None:
    build = samples.SAMPLES[name]()
    assert_only_ours(build_html(wire(build)))


def test_hostile_text_is_shown_as_it_is() -> None:
    text = Page(build_html(wire(samples.hostile()))).text
    for nasty in samples.NASTY[:7]:
        assert nasty in text
    assert "\u202e" not in text
    assert "a⟨U+202E⟩gnp.exe" in text


@given(strings)
def test_markup_gives_back_what_it_was_given(text: str) -> None:
    page = Page(element("pre", text, title=text))
    shown = join([text])
    assert "<" not in shown
    assert page.text.lstrip("\n") == Page(f"<p>{shown}</p>").text.lstrip("\n")
    assert (page.elements[0][1]["title"] or "") == text
    assert isinstance(shown, Markup)


def test_a_finished_build_is_told_completely() -> None:
    text = Page(build_html(wire(samples.warm()))).text
    for told in (
        "✓ Built in 1.3 s",
        "colors:second with docker",
        "3 of 5 steps reused",
        "$ docker buildx build --progress rawjson -t colors:second nodejs",
        "✓ reused3/67COPY package.json package-lock.json ./",
        "● ran5/612COPY app.js app.js0.3 s",
        "◆ base1/61FROM docker.io/library/node:24.19.0-trixie-slim",
        "○ costs nothing2–5LABEL ×3, ENV",
        "the engine’s own work: 5 steps",
    ):
        assert told in text


def details(html: str) -> dict[str, bool]:
    """What each disclosure is called, and whether it is open."""
    found = re.findall(r"<details([^>]*)><summary>(.*?)</summary>", html)
    return {re.sub("<.*?>", "", name): "open" in words for words, name in found}


def test_only_what_failed_is_open() -> None:
    html = build_html(wire(samples.failing()))
    assert details(html) == {
        "LABEL ×3, ENV": False,
        "what went wrong · 13 lines of output": True,
        "CMD, EXPOSE, USER": False,
        "1 part, 6.4 kB": False,
        "the engine’s own work: 4 steps": False,
    }
    assert "<mark>▶   8 │ RUN apt-get update \\</mark>" in html
    assert "<mark>▶  11 │     &amp;&amp; npm ci</mark>" in html
    assert "<span>   12 │ COPY app.js app.js</span>" in html
    text = Page(html).text
    assert "at lines 8–11 of nodejs/Dockerfile" in text
    assert text.index("exit code: 1") < text.index("What to try:") < text.index("npm error code")


def test_a_failure_without_a_step_stands_above_the_steps() -> None:
    html = build_html(wire(samples.unplaced()))
    assert "no such host" in html
    assert html.index("no such host") < html.index("own work")


def test_a_flood_has_a_beginning_an_end_and_a_file() -> None:
    html = build_html(wire(samples.flood()))
    assert "1,000,000 lines of output" in html
    assert (
        "line 50\n<em>… 999,800 lines not shown; the whole log is in logs/colors-first.log" in html
    )
    assert "line 999851\n" in html
    assert len(html) < 40_000


def test_bytes_under_way() -> None:
    html = build_html(wire(samples.pulling()))
    assert '<progress value="40662752" max="83126293" aria-label="bytes moved"></progress>' in html
    assert "40.7 of 83.1 MB" in html
    assert "sha256:c02e8d5b7a90</code> 9.1 of 49.9 MB" in html


def test_a_running_build_says_how_to_stop_it() -> None:
    assert "to stop, press ■ or I, I" in build_html(wire(samples.running()))
    assert "to stop" not in build_html(wire(samples.cold()))


def test_many_steps_are_joined_in_the_strip() -> None:
    html = build_html(wire(samples.long(done=None)))
    strip = re.search(r'<span class="ll-strip".*?</span></span>', html)
    assert strip
    assert strip[0].count("<span") == 3
    assert html.count('<tr class="ll-step') == 300
    folds = re.findall(r'class="ll-fold.*?</summary>', html)
    assert ["56 steps reused" in folds[0], "237 steps ran" in folds[1]] == [True, True]
    assert len(folds) == 2


def test_bars_are_as_long_as_what_they_show() -> None:
    view = finished.SAMPLES["compare-lab01"]
    times = view.html(view.data)
    found = re.findall(r'll-length" style="width:([\d.]+%)', times)
    assert found == ["100.00%", "10.32%", "82.54%", "82.54%"]
    assert "3 of 5 steps reused" in times


def test_a_comparison_tells_what_changed_and_why() -> None:
    view = finished.SAMPLES["compare-lab01"]
    text = re.sub(r"\s+", " ", Page(view.html(view.data)).text)
    assert "WORKDIR, COPY, RUN: ran before, reused now" in text
    assert "COPY app.js app.js: ran · The file app.js has changed: line 16." in text
    assert "COPY . .: a new step: ran · There was no such step." in text
    assert f"reused before, ran now · {finished.CASCADE}" in text


def test_the_style_sheet_cannot_end_its_element() -> None:
    style = re.search(r"<style>(.*?)</style>", build_html(wire(samples.cold())))
    assert style
    assert "<" not in style[1]
    assert len(style[1]) > 5000
    rules = re.sub(r"@(container|media|keyframes)[^{]*\{", "", style[1])
    for selector in re.findall(r"(?:^|[{};])\s*([^{};@]+)\{", rules):
        if not re.fullmatch(r"\s*(\d+%|from|to)\s*", selector):
            assert ".layerlab" in selector, selector
