"""The boxes of a guess in a real browser: by mouse, by keyboard, by ear, in the dark, on phones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from layerlab.model.text import printable
from tests.widgets.conftest import axe_violations, mount_view, quiet_page
from tests.widgets.hostile import HOSTILE
from tests.widgets.test_golden import FAINT, OUTSIDE

pytestmark = pytest.mark.browser

INSTRUCTIONS = {
    6: ([7, 7], "WORKDIR ${APPDIR}"),
    7: ([8, 8], "COPY package.json package-lock.json ./"),
    8: ([9, 12], "RUN apt-get update && apt-get install --yes curl && npm ci --no-audit"),
    9: ([13, 13], "COPY app.js app.js"),
    10: ([14, 14], "COPY index.html index.html"),
}
STEPS = [
    {"n": n, "stage": "", "lines": lines, "instruction": instruction}
    for n, (lines, instruction) in INSTRUCTIONS.items()
]
STAGED = [{**step, "stage": "build" if step["n"] != 10 else "a-long-name-" * 40} for step in STEPS]
UNMARKED = "Nothing is marked, so there is no guess yet."
BUILT = {"why": "built", "marked": [9]}


def ask(page: Page, **traits: Any) -> None:
    asked = {"steps": STEPS, "file": "nodejs/Dockerfile", "marked": None, "end": None}
    mount_view(page, "guess_view", **{**asked, **traits})


def box(page: Page, name: str) -> Locator:
    return page.get_by_role("checkbox", name=name)


def sent(page: Page) -> Any:
    """What the kernel was told last, and how often it was told something."""
    return page.evaluate("() => [window.model.marked, window.model.saved]")


def status(page: Page) -> Locator:
    return page.get_by_role("status")


def test_by_mouse(page: Page) -> None:
    ask(page)
    assert sent(page) == [None, 0]
    box(page, "COPY index.html").click()
    page.get_by_text("COPY app.js").click()  # anywhere in its row
    expect(status(page)).to_have_text("You expect 2 of 5 steps to run: 9, 10.")
    assert sent(page) == [[9, 10], 2]
    expect(box(page, "step 9")).to_be_checked()
    expect(page.locator(".ll-outlook").nth(0)).to_have_text("✓ will be reused")
    expect(page.locator(".ll-outlook").nth(3)).to_have_text("● will run")
    box(page, "step 10").click()
    box(page, "step 9").click()
    expect(status(page)).to_have_text(UNMARKED)
    assert sent(page) == [None, 4]


def test_that_nothing_will_run_and_that_something_will_exclude_each_other(page: Page) -> None:
    ask(page)
    box(page, "step 7").click()
    box(page, "Nothing will run").click()
    expect(status(page)).to_have_text("You expect no step to run.")
    expect(box(page, "step 7")).not_to_be_checked()
    assert sent(page) == [[], 2]
    box(page, "step 8").click()
    expect(box(page, "Nothing will run")).not_to_be_checked()
    assert sent(page) == [[8], 3]


def test_by_keyboard(page: Page) -> None:
    """Tab from box to box, Space to mark; the focus is seen and stays where it is."""
    ask(page)
    reached = []
    for _ in range(7):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("() => document.activeElement.closest('li')?.innerText ?? ''"))
    assert [text.split()[:2] for text in reached[:5]] == [["step", f"{n}"] for n in INSTRUCTIONS]
    assert reached[5:] == ["Nothing will run", ""]
    box(page, "step 9").focus()
    page.keyboard.press("Space")
    assert sent(page) == [[9], 1]
    expect(box(page, "step 9")).to_be_focused()
    row = page.locator("label", has_text="COPY app.js")
    assert row.evaluate("(it) => getComputedStyle(it).outlineStyle") == "solid"
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    assert sent(page) == [[10], 3]


def test_by_ear(page: Page) -> None:
    """A group with a name, a box with a name each, and news of what is marked."""
    ask(page, steps=STAGED, marked=[9])
    group = page.get_by_role("group", name="Which steps of nodejs/Dockerfile will run?")
    assert group.get_by_role("checkbox").count() == 6
    assert group.get_by_role("listitem").count() == 6
    whole = "step 8 stage build lines 9–12 RUN apt-get update"
    assert box(page, whole).count() == 1
    # What is expected is said by the box alone.
    expect(page.get_by_role("checkbox", name="will be reused")).to_have_count(0)
    expect(box(page, "COPY app.js")).to_be_checked()
    live = status(page).element_handle()
    box(page, "step 6").click()
    expect(status(page)).to_have_text("You expect 2 of 5 steps to run: 6, 9.")
    assert status(page).evaluate("(now, before) => now === before", live)


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (BUILT, "You expect 1 of 5 steps to run: 9. The build says how well you guessed."),
        ({"why": "built", "marked": None}, "It was built without a guess."),
        ({"why": "replaced", "marked": [9]}, "A later guess has taken the place of this one."),
    ],
)
def test_at_its_end_it_is_closed_and_says_why(page: Page, end: Any, told: str) -> None:
    ask(page, marked=[7, 8])
    page.evaluate("(end) => window.model.set('end', end)", end)
    expect(status(page)).to_contain_text(told)
    for checkbox in page.get_by_role("checkbox").all():
        expect(checkbox).to_be_disabled()
    checked = page.locator(":checked").evaluate_all("(all) => all.length")
    assert checked == len(end["marked"] or [])  # what the kernel had, whatever was marked since
    page.get_by_text("COPY app.js").click(force=True)
    assert sent(page) == [[7, 8], 0]


def test_it_opens_again_when_the_build_was_stopped(page: Page) -> None:
    ask(page, marked=[9], end=BUILT)
    page.evaluate("() => window.model.set('end', null)")
    box(page, "step 10").click()
    assert sent(page) == [[9, 10], 1]


def test_when_python_has_gone_it_says_so(page: Page) -> None:
    ask(page, marked=[9])
    page.evaluate("() => window.model.listeners.comm_live_update()")
    expect(status(page)).to_contain_text("Run this cell again.")
    expect(box(page, "step 9")).to_be_disabled()


def test_two_views_of_one_guess_agree(page: Page) -> None:
    """The kernel, or the same view elsewhere on the page, has changed what is marked."""
    ask(page)
    page.evaluate("() => window.model.set('marked', [6])")
    expect(box(page, "step 6")).to_be_checked()
    box(page, "step 6").click()
    expect(status(page)).to_have_text(UNMARKED)


@pytest.mark.parametrize("theme", ["light", "dark", "dark-high-contrast"])
@pytest.mark.parametrize("width", [360, 1400])
def test_it_fits_and_can_be_read(chromium: Browser, tmp_path: Path, width: int, theme: str) -> None:
    """From a phone to a projector. Pictures: see `tmp_path` in pytest's output."""
    print(f"pictures: {tmp_path}")
    moments: dict[str, dict[str, Any]] = {
        "unmarked": {},
        "marked": {"marked": [9, 10], "language": "de"},
        "staged": {"steps": STAGED, "marked": []},
        "built": {"steps": STAGED, "end": BUILT},
    }
    for name, traits in moments.items():
        with quiet_page(chromium, width=width, theme=theme) as page:
            ask(page, **traits)
            page.screenshot(path=tmp_path / f"{name}-{theme}-{width}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            assert page.evaluate(OUTSIDE) == [], name
            assert page.evaluate(FAINT) == [], name
            assert axe_violations(page) == [], name
            heights = page.locator("label").evaluate_all(
                "(all) => all.map((label) => label.getBoundingClientRect().height)"
            )
            assert min(heights) >= 24


def test_it_speaks_german_and_says_so(page: Page) -> None:
    ask(page, marked=[9], language="de")
    assert page.locator("section").get_attribute("lang") == "de"
    expect(status(page)).to_have_text(
        "Ausgeführt wird deiner Vermutung nach: 9 (1 von 5 Schritten)."
    )
    assert box(page, "Nichts wird ausgeführt").count() == 1


def test_hostile_instructions_are_text(page: Page) -> None:
    texts = [printable(text) for text in HOSTILE]
    steps = [
        {"n": n, "stage": text, "lines": [n, n], "instruction": text}
        for n, text in enumerate(texts, 1)
    ]
    ask(page, steps=steps, file=texts[0], marked=[1])
    shown = page.locator(".ll-instruction").all_text_contents()
    assert shown == texts == list(HOSTILE.values())
    found = page.evaluate(
        """() => [...window.el.querySelectorAll('*')].flatMap((element) => [
          element.localName, ...[...element.attributes].map(({name}) => `@${name}`)])"""
    )
    assert set(found) <= {
        *("section", "fieldset", "legend", "ul", "li", "label", "input", "span", "strong", "code"),
        *("b", "p", "@class", "@lang", "@type", "@checked", "@role", "@aria-hidden"),
    }
    assert page.title() == ""


def test_closing_the_view_leaves_nothing_behind(page: Page) -> None:
    ask(page)
    page.evaluate("() => window.cleanup()")
    assert page.evaluate("() => Object.keys(window.model.listeners)") == []
