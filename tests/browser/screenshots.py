"""Pictures of lab 01 as a learner sees it, with real builds: `make screenshots`.

Writes `docs/images/lab01-{jupyterlab,notebook7}-{light,dark}.png`, the build while it runs
(`…-running.png`), and `readme.png`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Locator

from tests.browser.notebook import Notebook, browser_page, open_notebook
from tests.browser.server import jupyter

IMAGES = Path(__file__).parents[2] / "docs" / "images"
NOTEBOOK = "01-build-cache.ipynb"
SETTINGS = Path("config/lab/user-settings/@jupyterlab/apputils-extension")
PAGES = {"jupyterlab": f"lab/tree/{NOTEBOOK}", "notebook7": f"notebooks/{NOTEBOOK}"}
APPS = {"jupyterlab": "jupyterlab", "notebook7": "notebook"}
MARGIN = 16
"""Pixels left free above what a picture is about."""


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--engine", default="docker")
    engine = parser.parse_args().engine
    IMAGES.mkdir(parents=True, exist_ok=True)
    for app in APPS:
        for theme in ("light", "dark"):
            _take(app, theme, engine)
    shutil.copy(IMAGES / "lab01-jupyterlab-light.png", IMAGES / "readme.png")


def _take(app: str, theme: str, engine: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        _set(home, "themes", theme=f"JupyterLab {theme.title()}")
        _set(home, "notification", fetchNews="false")
        with (
            jupyter(APPS[app], home, {"LAYERLAB_ENGINE": engine}) as server,
            browser_page(width=1280, height=860, dark=theme == "dark") as page,
        ):
            notebook = open_notebook(page, server, PAGES[app])
            _photograph(notebook, f"lab01-{app}-{theme}")


def _set(home: Path, name: str, **values: str) -> None:
    path = home / SETTINGS / f"{name}.jupyterlab-settings"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


def _photograph(notebook: Notebook, name: str) -> None:
    """The first build while it runs, and the second when it is over."""
    for text in ("%load_ext layerlab", "read_text().splitlines()"):
        notebook.run(notebook.cell(text))
    first = notebook.cell("first = %build")
    notebook.start(first)
    first.locator(".ll-running").first.wait_for()
    _shoot(notebook, first, f"{name}-running")
    notebook.wait(first)
    notebook.run(notebook.cell("%edit nodejs/app.js APP_VERSION=1.1"))
    second = notebook.cell("second = %build")
    notebook.run(second)
    _shoot(notebook, second, name)


def _shoot(notebook: Notebook, cell: Locator, name: str) -> None:
    """The page with a cell at its top."""
    cell.evaluate(
        """(cell, margin) => {
          const box = cell.closest('.jp-WindowedPanel-outer, .jp-Notebook');
          box.scrollTop += cell.getBoundingClientRect().top - box.getBoundingClientRect().top;
          box.scrollTop -= margin;
        }""",
        MARGIN,
    )
    notebook.page.mouse.move(1, 1)
    notebook.page.wait_for_timeout(400)  # the page draws what has come into sight
    notebook.page.screenshot(path=IMAGES / f"{name}.png")


if __name__ == "__main__":
    main()
