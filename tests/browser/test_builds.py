"""Real builds in a real JupyterLab, as a learner does them: by clicking, by keyboard, reloading."""

from __future__ import annotations

import re
from collections.abc import Iterator

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.notebook import READY, Notebook, browser_page, open_notebook
from tests.browser.server import Server, jupyter

pytestmark = [
    pytest.mark.browser,
    pytest.mark.live,
    pytest.mark.engine("docker"),
    pytest.mark.timeout(600),
]

BUSYBOX = "docker.io/library/busybox:1.37.0-glibc"
LONG = 15
"""Seconds of a build that is looked at while it runs."""
PATIENCE = 180_000
"""Milliseconds for a build on a busy machine."""
SETUP = f"""\
%load_ext layerlab
import layerlab
from pathlib import Path
for name, seconds in (("slow", {LONG}), ("endless", 600), ("quick", 0)):
    Path(name).mkdir()
    Path(name, "a.txt").write_text("1")
    Path(name, "Dockerfile").write_text(
        "FROM {BUSYBOX}\\nWORKDIR /views\\nCOPY a.txt /\\n"
        f"RUN for n in $(seq {{seconds}}); do echo line $n; sleep 1; done; echo over\\n")"""
# What the last build copies is new to every engine, also when this test has run before.
CELLS = (
    SETUP,
    "slow = %build --no-cache -t views-browser:slow slow\nslow",
    "endless = %build --no-cache -t views-browser:endless endless\nendless",
    (
        "before = %build -t views-browser:quick quick\n"
        "import uuid\nPath('quick/a.txt').write_text(uuid.uuid4().hex)"
    ),
    "%predict --guess 3,4 -t views-browser:quick quick",
    "quick = %build -t views-browser:quick quick\nquick",
    'layerlab.remove_images("views-browser:slow", "views-browser:quick")',
)
SET_UP, SLOW, ENDLESS, BEFORE, GUESS, QUICK, CLEAN = range(len(CELLS))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("builds")
    with jupyter("jupyterlab", home, {"LAYERLAB_ENGINE": "docker"}) as running:
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
        made = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(made, running.folder / "try.ipynb")
        # Under names of its own: somebody may be doing the lab on this machine.
        lab = running.folder / "01-build-cache.ipynb"
        lab.write_text(lab.read_text().replace("colors:", "views-lab01:"))
        yield running


@pytest.fixture(scope="module")
def notebook(server: Server) -> Iterator[Notebook]:
    with browser_page() as page:
        opened = open_notebook(page, server, "lab/tree/try.ipynb")
        opened.run(opened.cells.nth(SET_UP))
        yield opened
        opened.run(opened.cells.nth(CLEAN))


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile(name)).locator("visible=true").first.click()


def row(cell: Locator, instruction: str) -> Locator:
    """The row of a step; reasons of other steps may name it, too."""
    page = cell.page
    return cell.locator(".ll-step").filter(
        has=page.locator(".ll-instruction > code", has_text=instruction)
    )


def test_a_build_is_there_again_after_reloading_in_its_middle(notebook: Notebook) -> None:
    page = notebook.page
    cell = notebook.cells.nth(SLOW)
    notebook.start(cell)
    expect(cell.locator(".ll-running").first).to_be_visible(timeout=READY)
    page.keyboard.press("Control+s")
    page.wait_for_function("() => !document.title.startsWith('*')")
    page.wait_for_timeout(1000)  # the server writes the file
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload(timeout=READY)
    cell = notebook.cells.nth(SLOW)
    view = cell.locator(".ll-build")
    expect(view).to_be_visible(timeout=READY)
    expect(view.locator(".ll-outcome")).to_contain_text(re.compile("Building|Built"))
    # And it goes on to its end, with all that it printed.
    expect(view.locator(".ll-outcome")).to_contain_text("Built in", timeout=PATIENCE)
    view.locator(".ll-more summary", has_text="lines of output").click()
    output = view.locator(".ll-output")
    expect(output).to_contain_text("line 1\n")
    expect(output).to_contain_text("over")
    assert notebook.strangers == []


def test_a_notebook_that_is_open_twice_shows_a_build_in_both(
    notebook: Notebook, server: Server
) -> None:
    """A second tab, opened while it runs, has the whole build.

    It has it when the build is over: a new page asks the kernel for its widgets, and the kernel
    answers when the cell has ended.
    """
    first = notebook.cells.nth(SLOW)
    notebook.start(first)
    expect(first.locator(".ll-running").first).to_be_visible(timeout=READY)
    notebook.page.keyboard.press("Control+s")
    browser = notebook.page.context.browser
    assert browser is not None
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    try:
        # Not `open_notebook`: that waits for an idle kernel.
        other = Notebook(page)
        page.goto(server.page("lab/workspaces/twice/tree/try.ipynb"), timeout=READY)
        second = other.cells.nth(SLOW)
        expect(first.locator(".ll-build .ll-outcome")).to_contain_text("Building for")
        expect(row(first, "RUN for n in")).to_have_class(re.compile("ll-running"))
        for cell in (first, second):
            outcome = cell.locator(".ll-build .ll-outcome")
            expect(outcome).to_contain_text("Built in", timeout=PATIENCE)
            cell.locator(".ll-more summary", has_text="lines of output").click()
            for text in ("line 1\n", f"line {LONG}\n", "over"):
                expect(cell.locator(".ll-output")).to_contain_text(text)
        notebook.wait(first)
        assert page.locator(".jp-OutputArea-output", has_text="Error displaying").count() == 0
    finally:
        page.close()


def test_the_stop_button_stops_a_build(notebook: Notebook) -> None:
    page = notebook.page
    cell = notebook.cells.nth(ENDLESS)
    notebook.start(cell)
    expect(cell.locator(".ll-step.ll-running", has_text="RUN")).to_be_visible(timeout=READY)
    press(page, "Interrupt the kernel")
    expect(cell.locator(".jp-OutputArea")).to_contain_text("The build was stopped", timeout=READY)
    expect(cell.locator(".ll-build")).to_have_count(0)
    notebook.wait(cell)


def test_a_guess_is_scored_in_the_view(notebook: Notebook) -> None:
    notebook.run(notebook.cells.nth(BEFORE))
    asked = notebook.cells.nth(GUESS)
    notebook.run(asked)
    expect(asked.locator(".ll-forecast")).to_contain_text("will be reused")
    last = notebook.cells.nth(QUICK)
    notebook.run(last)
    expect(last.locator(".ll-build")).to_contain_text("You guessed 3 of 3 steps rightly")
    expect(row(last, "COPY a.txt")).to_contain_text("a.txt changed")
    assert notebook.strangers == []


def test_lab_01_is_run_by_clicking(notebook: Notebook, server: Server) -> None:
    browser = notebook.page.context.browser  # Playwright has one at a time
    assert browser is not None
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    try:
        lab = open_notebook(page, server, "lab/workspaces/lab01/tree/01-build-cache.ipynb")
        page.locator(".jp-Notebook .jp-Cell").first.click()
        count = lab.cells.count()
        for number in range(count):
            cell = lab.cells.nth(number)
            cell.locator(".jp-InputArea-prompt").click()
            press(page, "Run this cell and advance")
            lab.wait(cell, PATIENCE / 1000)
            expect(cell.locator("[data-mime-type='application/vnd.jupyter.stderr']")).to_have_count(
                0
            )
        second = lab.cell("second = %build")
        expect(second.locator(".ll-ratio")).to_contain_text("3 of 5 steps reused")
        expect(row(second, "COPY app.js")).to_contain_text("app.js changed")
        compared = lab.cell("layerlab.compare(")
        expect(compared.locator(".ll-matrix")).to_contain_text("views-lab01:fourth")
        expect(compared.locator(".ll-story")).to_contain_text("ran before, reused now")
        assert lab.strangers == []
    finally:
        page.close()
