"""A real Chromium, and the widget in it as anywidget would load it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from layerlab.model.wire import WireBuild

ROOT = Path(__file__).parents[2]
WIDGETS = ROOT / "widgets"
STATIC = WIDGETS / "layerlab_widgets" / "static"

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

# anywidget, too, imports the module from a blob; `model` is the part of its model that we use.
MOUNT = """async ([source, sheet, build]) => {
  document.head.append(Object.assign(document.createElement('style'), {textContent: sheet}));
  const url = URL.createObjectURL(new Blob([source], {type: 'text/javascript'}));
  const widget = (await import(url)).default;
  const listeners = {};
  window.model = {
    build,
    get: (name) => window.model[name],
    set: (build) => { window.model.build = build; listeners['change:build'](); },
    on: (name, listener) => { listeners[name] = listener; },
    off: (name) => { delete listeners[name]; },
    listeners,
  };
  window.el = document.body.appendChild(document.createElement('div'));
  window.cleanup = widget.render({model: window.model, el: window.el});
}"""


def need(*programs: str) -> str:
    """The first of these programs that is installed.

    Without any, the test is skipped on a newcomer's machine and fails where all engines must be
    there: see `tests/engines/layout.py`.
    """
    found = next(filter(None, map(shutil.which, programs)), None)
    if found is None and os.environ.get("LAYERLAB_REQUIRE_ENGINES"):
        pytest.fail(f"{programs[0]} must be installed here")
    if found is None:
        pytest.skip(f"{programs[0]} is not installed")
    return found


def run(*command: str) -> str:
    """What a command in `widgets/` prints; its failure is the test's."""
    done = subprocess.run(
        command,
        cwd=WIDGETS,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def node_modules() -> Path:
    """Where npm's packages are, installed as the lock file says."""
    packages = WIDGETS / "node_modules"
    installed = packages / ".package-lock.json"
    lock = WIDGETS / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        run(need("npm"), "ci")
    return packages


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless browser that asks no server."""
    path = need("chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def quiet_page(
    chromium: Browser, *, width: int = 1000, theme: str = "light", motion: bool = True
) -> Iterator[Page]:
    """An empty page with a theme of JupyterLab, whose clock stands still.

    Requests, dialogs, script errors and what else the console calls one are failures.
    """
    context = chromium.new_context(
        viewport={"width": width, "height": 800},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="no-preference" if motion else "reduce",
        device_scale_factor=2 if width < 500 else 1,
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("request", lambda request: wrong.append(request.url))
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    light = str(theme == "light").lower()
    page.set_content(
        f"<!doctype html><meta charset=utf-8><style>{_variables(theme)}"
        "body{margin:8px;background:var(--jp-layout-color0)}</style>"
        f"<body data-jp-theme-light={light}></body>"
    )
    page.evaluate("() => { performance.now = () => 0; }")
    yield page
    context.close()
    assert not [what for what in wrong if not what.startswith(("blob:", "data:"))]


@cache
def _variables(theme: str) -> str:
    """The variables of one of JupyterLab's own themes, as a rule for `:root`."""
    path = f"share/jupyter/lab/themes/@jupyterlab/theme-{theme}-extension/index.css"
    found = re.search(
        r":root\{[^}]*--jp-layout-color0[^}]*\}", (Path(sys.prefix) / path).read_text()
    )
    assert found
    return found[0]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """See `quiet_page`."""
    with quiet_page(chromium) as page:
        yield page


def mount(page: Page, build: WireBuild) -> None:
    """Show the widget; `window.model` and `window.el` are there for the test."""
    source = (STATIC / "build_view.js").read_text()
    sheet = (STATIC / "build_view.css").read_text()
    page.evaluate(MOUNT, [source, sheet, build])


MOUNT_VIEW = """async ([source, sheet, traits]) => {
  document.head.querySelectorAll('.mounted').forEach((style) => style.remove());
  document.head.append(Object.assign(document.createElement('style'),
    {textContent: sheet, className: 'mounted'}));
  const url = URL.createObjectURL(new Blob([source], {type: 'text/javascript'}));
  const widget = (await import(url)).default;
  const listeners = {};
  window.model = {
    ...traits,
    saved: 0,
    get: (name) => window.model[name],
    set: (name, value) => { window.model[name] = value; listeners[`change:${name}`]?.(); },
    save_changes: () => { window.model.saved += 1; },
    on: (name, listener) => { listeners[name] = listener; },
    off: (name) => { delete listeners[name]; },
    listeners,
  };
  window.el = document.body.appendChild(document.createElement('div'));
  window.cleanup = widget.render({model: window.model, el: window.el});
}"""


def mount_view(page: Page, bundle: str, **traits: Any) -> None:
    """Show a view, with these traits."""
    source = (STATIC / f"{bundle}.js").read_text()
    sheet = (STATIC / f"{bundle}.css").read_text()
    page.evaluate(MOUNT_VIEW, [source, sheet, {"language": "", **traits}])


# What is on the page, but for what only one of the two has: a style sheet, buttons and fields, and
# the names of what a reader can move to.
OUTLINE = """async (live) => {
  for (const fold of live.querySelectorAll('[data-fold]')) fold.open = true;
  await new Promise((done) => setTimeout(done, live.querySelector('[data-fold]') ? 50 : 0));
  const only = 'style, button, .ll-controls, [role=status]';
  const root = live.cloneNode(true);
  root.normalize();
  const outline = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    const named = node.matches('section, pre, .ll-trouble') ? ['aria-label', 'role']
      : node.matches('[data-fold]') ? ['data-fold', 'open'] : [];
    const attributes = [...node.attributes].filter(({name}) => !named.includes(name))
      .map(({name, value}) => `${name}=${value}`).sort();
    const children = [...node.childNodes].filter((child) => !child.matches?.(only));
    return [node.localName, attributes, children.map(outline)];
  };
  return outline(root.querySelector('section'));
}"""


def outline(page: Page, root: str) -> Any:
    """What is shown below `root`, an expression."""
    return page.evaluate(f"({OUTLINE})({root})")


def static_outline(page: Page, html: str) -> Any:
    """What a static picture shows."""
    page.evaluate(
        """(html) => {
          window.still = new DOMParser().parseFromString(html, 'text/html').body;
        }""",
        html,
    )
    return outline(page, "window.still")


def axe_violations(page: Page) -> list[Any]:
    """All rules of axe-core but those about a whole page, in which ours is one of many parts."""
    page.evaluate((node_modules() / "axe-core" / "axe.min.js").read_text())
    passes, violations = page.evaluate(
        """async () => {
          const off = {enabled: false};
          const rules = Object.fromEntries(['document-title', 'html-has-lang', 'region',
            'landmark-one-main', 'page-has-heading-one'].map((rule) => [rule, off]));
          const {passes, violations} = await axe.run(document, {rules});
          return [passes.length, violations.map(({id, nodes}) =>
            [id, nodes.slice(0, 3).map(({html}) => html.slice(0, 200))])];
        }"""
    )
    assert passes > 5
    found: list[Any] = violations
    return found


def update(page: Page, build: WireBuild) -> Any:
    """Give the mounted widget another snapshot."""
    return page.evaluate("(build) => window.model.set(build)", build)
