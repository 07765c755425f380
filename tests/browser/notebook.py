"""A notebook as a person sees it: open it in Chromium, run cells, look at their outputs."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.error import HTTPError
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Locator, Page, Request, expect, sync_playwright

from tests.browser.server import Server

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",  # CI is root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
READY = 60_000
"""Milliseconds for a page to be there and its kernel idle."""


@dataclass
class Notebook:
    """An open notebook. `strangers`: requests that left this machine; `errors`: of the console."""

    page: Page
    strangers: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def cells(self) -> Locator:
        """All code cells, in order."""
        return self.page.locator(".jp-Notebook .jp-CodeCell")

    def cell(self, text: str) -> Locator:
        """The first code cell that contains `text`."""
        return self.cells.filter(has=self.page.locator(".cm-content", has_text=text)).first

    def start(self, cell: Locator) -> None:
        """Run a cell and do not wait for its end."""
        prompt = cell.locator(".jp-InputPrompt")
        # JupyterLab writes a no-break space into the prompt of a cell that has not run.
        before = (prompt.text_content() or "").replace("\xa0", " ").strip()
        for _ in range(10):
            cell.locator(".cm-content").click()
            self.page.keyboard.press("Control+Enter")
            # A page that is still settling may swallow the key.
            with suppress(AssertionError):
                expect(prompt).not_to_have_text(before, timeout=2_000)
                return
        raise AssertionError("The cell did not start.")

    def run(self, cell: Locator, seconds: float = 120) -> str:
        """Run a cell to its end; the text of its output."""
        self.start(cell)
        self.wait(cell, seconds)
        return cell.locator(".jp-OutputArea").inner_text()

    def wait(self, cell: Locator, seconds: float = 120) -> None:
        """Until a started cell has a number: `[3]:`."""
        prompt = cell.locator(".jp-InputPrompt")
        expect(prompt).to_have_text(re.compile(r"\[\d+\]"), timeout=seconds * 1000)


@contextmanager
def browser_page(*, width: int = 1280, height: int = 900, dark: bool = False) -> Iterator[Page]:
    """A fresh page in a fresh Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
        )
        try:
            yield page
        finally:
            browser.close()


def open_notebook(page: Page, server: Server, path: str) -> Notebook:
    """Open a notebook in JupyterLab (`lab/tree/…`) or Notebook 7 (`notebooks/…`), kernel idle."""
    notebook = Notebook(page)

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error":
            notebook.errors.append(message.text)

    def asked(request: Request) -> None:
        if urlsplit(request.url).hostname not in ("127.0.0.1", None):
            notebook.strangers.append(request.url)

    page.on("console", heard)
    page.on("request", asked)
    page.goto(server.page(path), timeout=READY)
    notebook.cells.first.wait_for(timeout=READY)
    _wait_for_kernel(server, path)
    page.wait_for_selector("[data-status=idle]", timeout=READY, state="attached")
    return notebook


def _wait_for_kernel(server: Server, path: str) -> None:
    """The page shows «idle» before its notebook has a kernel; the server knows."""
    deadline = time.monotonic() + READY / 1000
    while time.monotonic() < deadline:
        try:
            sessions = server.ask("api/sessions")
        except HTTPError as error:
            # jupyter_server answers 500 to this in the moment in which a kernel starts.
            error.close()
            sessions = []
        kernels = [each["kernel"] for each in sessions if path.endswith(each["path"])]
        if kernels and all(k["execution_state"] == "idle" and k["connections"] for k in kernels):
            return
        time.sleep(0.2)
    raise AssertionError("No kernel became idle.")
