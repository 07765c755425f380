"""Builds that real tools did, in a real browser: every snapshot that the widget might be sent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from layerlab.model.build import reduce_all
from layerlab.model.events import (
    Failure,
    Log,
    Progress,
    StepUpdate,
    Warning,  # noqa: A004 - the engine's word for advice
)
from layerlab.model.wire import WireBuild, to_wire
from layerlab.views.html import build_html
from tests.golden.recording import recordings
from tests.views import samples
from tests.views.script import START, Script
from tests.widgets.conftest import mount, outline, quiet_page, static_outline, update
from tests.widgets.hostile import HOSTILE as HOSTILE_TEXTS
from tests.widgets.replays import recording, snapshots

pytestmark = pytest.mark.browser

# One of each kind, on several engines.
SHOWN = (
    *("docker-26.1.5/cold", "docker-26.1.5/parallel", "docker-26.1.5/pull"),
    *("docker-26.1.5/platforms", "docker-26.1.5/failing-run", "docker-26.1.5/output"),
    *("podman-4.3.1/partly-warm", "podman-4.3.1/missing-file", "podman-4.3.1/cancelled"),
)

# Elements that stand out of the page, or out of a view that does not scroll.
OUTSIDE = """() => [...window.el.querySelectorAll('*')].filter((element) => {
  if (element.closest('caption, .ll-output, .ll-latest, .ll-note code, details:not([open])'))
    return false;
  const {right, left, width} = element.getBoundingClientRect();
  return width && (right > innerWidth || left < 0);
}).map((element) => `${element.localName}.${element.className}`)"""

# Text on the colour that is behind it, by WCAG 2: everything that has a text of its own.
FAINT = """() => {
  const context = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  const luminance = (colours) => {
    context.clearRect(0, 0, 1, 1);
    for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
    const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map(
      (c) => c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return [...window.el.querySelectorAll('*')].filter((element) => {
    if (![...element.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim()))
      return false;
    if (!element.checkVisibility() || element.matches('caption')) return false;
    const behind = [];
    for (let e = element; e; e = e.parentElement)
      behind.unshift(getComputedStyle(e).backgroundColor);
    const back = luminance(['white', ...behind]);
    const front = luminance(['white', ...behind, getComputedStyle(element).color]);
    return (Math.max(back, front) + 0.05) / (Math.min(back, front) + 0.05) < 4.5;
  }).map((element) => `${element.localName}.${element.className}: ${element.textContent}`);
}"""


def halfway(shown: Sequence[WireBuild]) -> WireBuild:
    return shown[len(shown) // 2]


@pytest.mark.parametrize("theme", ["light", "dark", "dark-high-contrast"])
@pytest.mark.parametrize("width", [360, 1400])
def test_real_builds_fit_and_can_be_read(
    chromium: Browser, tmp_path: Path, width: int, theme: str
) -> None:
    """In each theme, from a phone to a projector. Pictures: see `tmp_path` in pytest's output."""
    print(f"pictures: {tmp_path}")
    for name in SHOWN:
        with quiet_page(chromium, width=width, theme=theme) as page:
            every = list(snapshots(recording(name)))
            mount(page, every[0])
            for moment, build in (("middle", halfway(every)), ("end", every[-1])):
                update(page, build)
                picture = f"{name.replace('/', '-')}-{moment}-{theme}-{width}.png"
                page.screenshot(path=tmp_path / picture, full_page=True)
                assert page.evaluate("document.documentElement.scrollWidth") <= width, picture
                assert page.evaluate(OUTSIDE) == [], picture
                assert page.evaluate(FAINT) == [], picture


def test_every_recording_plays_to_the_static_picture(page: Page) -> None:
    """All snapshots of all recordings, one after the other, through one widget."""
    every = recordings()
    assert len(every) > 80
    mount(page, next(snapshots(every[0])))
    for recorded in every:
        builds = list(snapshots(recorded))
        # At once: to ask the browser for each of thousands takes longer than to draw them.
        page.evaluate("(builds) => builds.forEach((build) => window.model.set(build))", builds)
        static = static_outline(page, build_html(builds[-1]))
        assert outline(page, "window.el") == static, recorded.name


def test_a_recorded_pull_shows_its_bytes(page: Page) -> None:
    """What podman says of a pull has no sizes; BuildKit's has."""
    every = list(snapshots(recording("docker-26.1.5/pull")))
    mount(page, every[0])
    seen = set()
    for build in every:
        update(page, build)
        seen |= set(page.locator(".ll-more .ll-items").all_text_contents())
    assert any("3.1 of 48.0 MB" in text for text in seen)
    assert any("48.0 MB" in text for text in seen)


HOSTILE = {
    "<img src=x onerror=alert(1)>": "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>": "<script>alert(1)</script>",
    "\x1b[31mred\x1b[0m and \x1b[1mbold\x1b[0m": "red and bold",
    "\x1b]8;;https://evil.invalid\x1b\\click\x1b]8;;\x1b\\": "click",
    "\x1b]0;title\x07after": "after",
    "\x1b]52;c;aGk=\x07clip": "clip",
    "user\u202etxt.exe": "user⟨U+202E⟩txt.exe",
    "a\u2066b\u2069c": "a⟨U+2066⟩b⟨U+2069⟩c",
    "nul\x00byte": "nul⟨U+0000⟩byte",
    "10 %\r55 %\r100 %": "100 %",
    "&lt;b&gt; &amp;": "&lt;b&gt; &amp;",
}


def test_hostile_strings_through_the_build_view(page: Page) -> None:
    """In each text that a build can have: nothing runs, nothing is asked for."""
    texts = list(HOSTILE_TEXTS)
    for text in texts:
        script = Script(samples.NODE, text)
        script.announce()
        run = script.step(7, 0.2, 1.0, error=text)
        script.log(run, f"{text}\n")
        script.events.append(Progress(at=START, step=run, item=text, current=1, total=2))
        script.events.append(Warning(at=START, message=text, url=text))
        made = StepUpdate(at=0, step="x/1", kind="run", instruction=text, stage=text, platform=text)
        script.events.append(made)
        script.events.append(
            Failure(at=1, code="x", message=text, step=run, lines=(8, 11), hint=text)
        )
        build = to_wire(script.end(1.1, "failed"), START)
        if page.evaluate("() => !window.model"):
            mount(page, build)
        else:
            update(page, build)
        assert page.locator(".ll-output").first.text_content() == f"{HOSTILE_TEXTS[text]}\n"
        told = page.evaluate("() => window.el.outerHTML")
        assert not {"\x1b", "\x07", "\x00", "\r", "\u202e", "\u2066"} & set(told)
        assert page.locator("a, img, script, iframe, svg, h1, .layerlab style").count() == 0
        assert page.locator("[onmouseover], [onerror], [href], [src]").count() == 0
        styled = page.locator(".ll-output [style], .ll-output span:not([class^=ll-as-])")
        assert styled.count() == 0
        assert page.title() == ""


def test_hostile_output_is_text(page: Page) -> None:
    """Nothing runs, nothing is asked for, nothing is drawn as what it is not."""
    script = Script(samples.NODE, "colors:first")
    run = script.step(7, 1.0)
    build = reduce_all(
        script.now(), [Log(at=START, step=run, text=f"{line}\n") for line in HOSTILE]
    )
    mount(page, to_wire(build, START + 2))
    page.locator(".ll-more summary").click()
    output = page.locator(".ll-output")
    assert (output.text_content() or "").splitlines() == list(HOSTILE.values())
    assert output.evaluate("(pre) => [...pre.children].map((it) => it.outerHTML)") == [
        '<span class="ll-as-red">red</span>',
        '<span class="ll-as-bold">bold</span>',
    ]
    assert page.locator("a, img, script, iframe, svg").count() == 0
    assert page.title() == ""
