"""The live view in a real browser: the static picture's twin, and calm under a flood."""

from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from playwright.sync_api import Browser, Page

from layerlab.model.build import Build, reduce
from layerlab.model.events import Log
from layerlab.model.text import printable
from layerlab.model.wire import WireBuild, to_wire
from layerlab.views.html import build_html
from layerlab_widgets import BuildView
from tests.views import samples
from tests.views.script import START, Script
from tests.views.strategies import wires
from tests.widgets.conftest import (
    axe_violations,
    mount,
    outline,
    quiet_page,
    static_outline,
    update,
)

pytestmark = pytest.mark.browser


def wire(build: Build) -> WireBuild:
    return to_wire(build, build.finished or START + 6.3)


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_widget_and_static_picture_are_the_same(page: Page, name: str) -> None:
    build = wire(samples.SAMPLES[name]())
    mount(page, build)
    assert outline(page, "window.el") == static_outline(page, build_html(build))


@pytest.mark.parametrize("prediction", ["hit", "rebuild", "unknown", None])
def test_both_say_why_and_what_was_expected(page: Page, prediction: str | None) -> None:
    """In words, and a reason with markup and a bidi control in it stays text."""
    reason = printable("<img src=x onerror=alert(1)> \u202e changed.")  # As the wire cleans all.
    for sample in (samples.failing, samples.running, samples.warm):
        build = wire(sample())
        for step in build["steps"]:
            cast("dict[str, object]", step).update(fate=prediction, reason=reason)
        if page.evaluate("() => !window.model"):
            mount(page, build)
        else:
            update(page, build)
        assert outline(page, "window.el") == static_outline(page, build_html(build))
        assert page.locator(".ll-why").count() > 0
        assert page.locator(".ll-why").first.text_content() in {
            *(reason, f"expected: reused · {reason}", f"expected: ran · {reason}"),
        }
        assert page.locator("img").count() == 0


def test_any_snapshot_after_any_other_looks_as_if_it_were_the_first(page: Page) -> None:
    mount(page, wire(samples.cold()))
    for name in [*samples.SAMPLES, *reversed(samples.SAMPLES)]:
        build = wire(samples.SAMPLES[name]())
        update(page, build)
        seen = outline(page, "window.el")
        page.evaluate("() => { window.cleanup(); window.el.remove(); }")
        mount(page, build)
        assert seen == outline(page, "window.el"), name


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(wires)
def test_nothing_in_a_snapshot_becomes_an_element(page: Page, made_up: WireBuild) -> None:
    if page.evaluate("() => !window.model"):
        mount(page, made_up)
    else:
        update(page, made_up)
    found = page.evaluate(
        """() => [...window.el.querySelectorAll('*')].flatMap((element) => [
          element.localName, ...[...element.attributes].map(({name}) => `@${name}`)])"""
    )
    assert set(found) <= {
        *("b", "button", "caption", "code", "details", "div", "em", "header", "li", "mark", "p"),
        *("pre", "progress", "section", "span", "strong", "summary", "table", "tbody", "td"),
        *("th", "thead", "tr", "ul", "@class", "@style", "@colspan", "@scope", "@aria-hidden"),
        *("@aria-label", "@data-label", "@tabindex", "@value", "@max", "@open", "@role", "@type"),
    }


def test_a_failing_step_opens_by_itself_and_only_once(page: Page) -> None:
    mount(page, wire(samples.running()))
    assert page.locator("details[open]").count() == 0
    failing = wire(samples.failing())
    update(page, failing)
    assert page.locator(".ll-more.ll-failed details").evaluate("(d) => d.open")
    assert page.locator(".ll-frame mark").count() == 4
    page.locator(".ll-more.ll-failed summary").click()
    update(page, {**failing, "elapsed": 99.0})
    assert not page.locator(".ll-more.ll-failed details").evaluate("(d) => d.open")


def test_what_the_reader_has_done_stays(page: Page) -> None:
    """Open disclosures, focus and scroll positions outlive hundreds of updates."""
    script = Script(samples.NODE, "colors:first")
    script.announce()
    run = script.step(7, 1.0)
    script.log(run, "".join(f"line {number}\n" for number in range(100)))
    build = script.now()
    mount(page, to_wire(build, START + 2))
    summary = page.locator(".ll-more summary")
    summary.click()
    summary.focus()
    output = page.locator(".ll-output")
    output.evaluate("(pre) => { pre.scrollTop = 40; pre.dataset.mine = 'yes'; }")
    for number in range(100):
        build = reduce(build, Log(at=START, step=run, text=f"more {number}\n"))
        update(page, to_wire(build, START + 2 + number / 10))
    assert page.evaluate("() => document.activeElement.localName") == "summary"
    assert output.evaluate("(pre) => [pre.scrollTop, pre.dataset.mine]") == [40, "yes"]
    assert "200 lines of output" in summary.inner_text()
    assert "more 99" in output.inner_text()
    assert "line 49" in output.inner_text()


def test_output_that_is_read_at_its_end_stays_at_its_end(page: Page) -> None:
    script = Script(samples.NODE, "colors:first")
    run = script.step(7, 1.0)
    script.log(run, "".join(f"line {number}\n" for number in range(100)))
    build = script.now()
    mount(page, to_wire(build, START + 2))
    page.locator(".ll-more summary").click()
    output = page.locator(".ll-output")
    output.evaluate("(pre) => { pre.scrollTop = pre.scrollHeight; }")
    build = reduce(build, Log(at=START, step=run, text="the last\n" * 40))
    update(page, to_wire(build, START + 3))
    rest = "(pre) => pre.scrollHeight - pre.scrollTop - pre.clientHeight"
    assert output.evaluate(rest) <= 1


def test_a_silent_step_goes_on_and_a_lost_kernel_stops_its_clock(page: Page) -> None:
    mount(page, wire(samples.running()))
    assert "Building for 6.3 s" in page.inner_text(".ll-outcome")
    page.evaluate("() => { performance.now = () => 4000; }")
    page.wait_for_function("document.querySelector('.ll-outcome').innerText.includes('10.3 s')")
    assert page.locator(".ll-step.ll-running .ll-time").inner_text() == "9.3 s"
    page.evaluate(
        "() => { window.model.listeners.comm_live_update(); performance.now = () => 9000; }"
    )
    page.wait_for_timeout(600)
    assert "10.3 s" in page.inner_text(".ll-outcome")


def test_a_screen_reader_hears_of_steps_and_of_the_end(page: Page) -> None:
    news = page.get_by_role("status")
    mount(page, wire(samples.running()))
    first = news.text_content()
    assert first
    assert "running" in first
    update(page, wire(samples.failing()))
    last = "Failed after 3.2 s at lines 8–11. 1 of 5 steps reused."
    assert news.text_content() == last
    # The view goes when the build is over; what it said must outlive it.
    page.evaluate("() => { window.cleanup(); window.el.remove(); }")
    assert news.text_content() == last
    news.wait_for(state="detached", timeout=10_000)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_of_the_output_can_be_read(chromium: Browser, theme: str) -> None:
    """Each piece has at least 4.5 : 1 (WCAG AA) against what is behind it, and none is hidden."""
    with quiet_page(chromium, theme=theme) as page:
        mount(page, wire(samples.colourful()))
        found = page.evaluate(CONTRASTS)
    assert len(found) > 15
    assert {name: ratio for name, ratio in found.items() if ratio < 4.5} == {}
    looks = {word for name in found for word in name.split()}
    assert looks == {
        *(f"ll-as-{ground}{colour}" for ground in ("", "on-") for colour in COLOURS),
        *("ll-as-bold", "ll-as-italic", "ll-as-underline"),
    }


COLOURS = ("red", "green", "yellow", "blue", "magenta", "cyan", "grey")
# A canvas makes any colour of CSS, color(srgb …) of color-mix() too, into bytes.
CONTRASTS = """() => {
  const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
  const context = canvas.getContext('2d', {willReadFrequently: true});
  const luminance = (colours) => {
    for (const colour of colours) {
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
    }
    const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3)
      .map((byte) => byte / 255)
      .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = {};
  for (const span of document.querySelectorAll('.ll-output span')) {
    const above = [];
    for (let node = span; node; node = node.parentElement) {
      above.unshift(getComputedStyle(node).backgroundColor);
    }
    const [low, high] = [luminance(above), luminance([...above, getComputedStyle(span).color])]
      .sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    found[span.className] = Math.min(found[span.className] ?? 99, ratio);
  }
  return found;
}"""


def test_news_are_no_log_lines(page: Page) -> None:
    script = Script(samples.NODE, "colors:first")
    run = script.step(7, 1.0)
    build = script.now()
    mount(page, to_wire(build, START + 2))
    before = page.get_by_role("status").text_content()
    build = reduce(build, Log(at=START, step=run, text="chatter\n" * 40))
    update(page, to_wire(build, START + 3))
    assert page.get_by_role("status").text_content() == before


def test_everything_is_reached_and_opened_with_the_keyboard(page: Page) -> None:
    mount(page, wire(samples.failing()))
    reached: list[str] = []
    while True:
        page.keyboard.press("Tab")
        focus = page.evaluate(
            "() => document.activeElement.className || document.activeElement.localName"
        )
        if focus == "body" or len(reached) > 30:
            break
        reached.append(focus)
    closed = page.locator("details:not([open])").count()
    assert reached.count("summary") == page.locator("summary:visible").count()
    assert {"button", "ll-frame", "ll-output"} <= set(reached)
    page.locator(".ll-own > summary").focus()
    outline = "(s) => getComputedStyle(s).outlineStyle"
    assert page.locator(".ll-own > summary").evaluate(outline) == "solid"
    page.keyboard.press("Enter")
    assert page.locator("details:not([open])").count() == closed - 1


def test_what_can_be_moved_to_has_a_role_and_a_name(page: Page) -> None:
    mount(page, wire(samples.failing()))
    assert page.get_by_role("region", name="Build of colors:broken").count() == 1
    assert page.get_by_role("group", name="the Dockerfile").count() == 1
    assert page.get_by_role("group", name="output of the step").count() == 1
    assert page.get_by_role("table", name="Steps of nodejs/Dockerfile").count() == 1
    update(page, wire(samples.pulling()))
    assert page.get_by_role("progressbar", name="bytes moved").count() == 1


def test_nothing_moves_for_those_who_asked_for_that(chromium: Browser) -> None:
    moving = "() => document.getAnimations().length"
    with quiet_page(chromium) as page:
        mount(page, wire(samples.running()))
        assert page.evaluate(moving) > 0
    with quiet_page(chromium, motion=False) as page:
        mount(page, wire(samples.running()))
        assert page.evaluate(moving) == 0


def test_output_of_a_step_that_failed_or_runs_is_shown_from_its_end(page: Page) -> None:
    script = Script(samples.NODE, "colors:first")
    run = script.step(7, 1.0)
    script.log(run, "".join(f"line {number}\n" for number in range(100)))
    mount(page, to_wire(script.now(), START + 2))
    page.locator(".ll-more summary").click()
    page.wait_for_function("document.querySelector('.ll-output').scrollTop > 0")


def test_the_command_is_copied_or_at_least_selected(page: Page) -> None:
    mount(page, wire(samples.cold()))
    command = "docker buildx build --progress rawjson -t colors:first nodejs"
    page.evaluate(
        """() => Object.defineProperty(navigator, 'clipboard', {configurable: true, value: {
          writeText: async (text) => { window.copied = text; }}})"""
    )
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("() => window.copied") == command
    page.get_by_role("button", name="Copy", exact=True).wait_for()
    page.evaluate("() => Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.get_by_role("button", name="Copy").click()
    assert page.evaluate("() => getSelection().toString()") == f"$ {command}"


@pytest.mark.parametrize("name", samples.SAMPLES)
def test_axe_finds_no_violation(chromium: Browser, name: str) -> None:
    for theme in ("light", "dark"):
        with quiet_page(chromium, theme=theme) as page:
            mount(page, wire(samples.SAMPLES[name]()))
            assert axe_violations(page) == []


def test_300_steps_ten_times_a_second(page: Page) -> None:
    """An update of a very long build takes a fraction of the 100 ms until the next one."""
    mount(page, wire(samples.long(done=0)))
    snapshots = [wire(samples.long(done=number)) for number in range(100, 160, 5)]
    page.evaluate("() => { performance.now = Performance.prototype.now.bind(performance); }")
    times = page.evaluate(
        """(snapshots) => snapshots.map((build) => {
          const start = performance.now();
          window.model.set(build);
          document.body.offsetHeight;
          return performance.now() - start;
        })""",
        snapshots,
    )
    print(f"300 steps: {sorted(times)[len(times) // 2]:.0f} ms an update")
    assert sorted(times)[len(times) // 2] < 100
    # What is folded is drawn when it is opened.
    assert page.locator(".ll-step").count() < 20
    page.locator(".ll-fold summary").first.click()
    page.locator(".ll-fold .ll-step").first.wait_for()
    assert page.locator(".ll-step").count() > 50
    update(page, wire(samples.long(done=170)))
    assert page.locator(".ll-fold[class*=reused] .ll-step").count() == 56


def test_closing_the_view_leaves_nothing_behind(page: Page) -> None:
    mount(page, wire(samples.running()))
    page.evaluate("() => window.cleanup()")
    assert page.evaluate("() => Object.keys(window.model.listeners)") == []


def test_python_side_has_a_stable_text() -> None:
    build = wire(samples.cold())
    view = BuildView(build=build)
    assert repr(view) == "BuildView(colors:first)"
    bundle = view._repr_mimebundle_()
    assert bundle
    data, _ = bundle
    assert data["text/plain"] == "BuildView(colors:first)"
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == view.model_id
    view.show(wire(samples.warm()))
    assert view.get_state("build")["build"]["tags"] == ["colors:second"]
    view.close()
