"""A guess by boxes in a real JupyterLab, from the mark to the score, with a double of podman."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, expect

from tests.browser.notebook import Notebook, browser_page, open_notebook
from tests.browser.server import jupyter

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

DOUBLE = """#!/bin/sh
[ "$1" = --version ] && { echo "podman version 4.3.1"; exit 0; }
case "$*" in *layerlab-probe-*) echo 0123456789ab; exit 0;; esac
if [ "$1" = info ]; then
    echo '{"host": {"buildahVersion": "1.28"}, "store": {"graphRoot": "/nowhere"}}'
    exit 0
fi
[ "$1" = build ] || exit 0
echo 'STEP 1/3: FROM scratch'
echo 'STEP 2/3: WORKDIR /x'
echo '--> Using cache b01de2c1e24bcd056b11a672ecda2ad09970816dff0d3fb3ab8db4997e89538f'
echo '--> b01de2c1e24'
echo 'STEP 3/3: COPY a /x'
echo 'COMMIT x:y'
echo '--> 7eb98a2b6d2'
echo 7eb98a2b6d2964a156e2aaba2bc2bc995640491b37c5af433143c098c836cc1a
"""
SETUP = """\
%load_ext layerlab
import layerlab
from pathlib import Path
Path("app").mkdir()
Path("app/a").touch()
Path("app/Dockerfile").write_text("FROM scratch\\nWORKDIR /x\\nCOPY a /x\\n")"""
CELLS = (SETUP, 'layerlab.guess("-t", "x:y", "app")', "build = %build -t x:y app\nbuild")
SET_UP, GUESS, BUILD = range(len(CELLS))


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Notebook]:
    double = tmp_path / "bin" / "podman"
    double.parent.mkdir()
    double.write_text(DOUBLE)
    double.chmod(0o755)
    environ = {"LAYERLAB_ENGINE": "podman", "PATH": f"{double.parent}:/usr/bin:/bin"}
    with jupyter("jupyterlab", tmp_path, environ) as server, browser_page() as page:
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
        made = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(made, server.folder / "try.ipynb")
        opened = open_notebook(page, server, "lab/tree/try.ipynb")
        opened.run(opened.cells.nth(SET_UP))
        yield opened


def box(cell: Locator, name: str) -> Locator:
    return cell.get_by_role("checkbox", name=name)


def test_marked_built_and_scored(notebook: Notebook) -> None:
    asked, built = notebook.cells.nth(GUESS), notebook.cells.nth(BUILD)
    notebook.run(asked)
    box(asked, "WORKDIR").click()
    box(asked, "WORKDIR").press("Space")
    box(asked, "COPY a").press("Space")
    expect(asked.get_by_role("status")).to_have_text("You expect 1 of 2 steps to run: 3.")
    notebook.run(built)
    expect(built.locator(".ll-build")).to_contain_text("You guessed 2 of 2 steps rightly")
    expect(asked.get_by_role("status")).to_contain_text("The build says how well you guessed.")
    expect(box(asked, "COPY a")).to_be_checked()
    expect(box(asked, "COPY a")).to_be_disabled()
    # Of the next build nothing has been said.
    notebook.run(built)
    expect(built.locator(".ll-build")).not_to_contain_text("You guessed")
    notebook.run(asked)
    expect(box(asked, "COPY a")).to_be_enabled()
    expect(asked.locator(":checked")).to_have_count(0)
    assert notebook.strangers == []
