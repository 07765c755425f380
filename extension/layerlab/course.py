"""Running labs without a browser: executed notebooks and one page that shows them all."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from layerlab.labs import Lab
from layerlab.views.tables import html_table

CELL_TIMEOUT = 900
"""Seconds; a cold build over a slow line takes minutes."""

HEADER = ("lab", "result", "cells run", "time")


class LabResult(msgspec.Struct, frozen=True):
    """How one lab went. `error` is empty when every cell ran."""

    lab: Lab
    notebook: NotebookNode
    cells: int
    seconds: float
    error: str = ""

    @property
    def row(self) -> tuple[str, str, str, str]:
        """The result as a row below `HEADER`."""
        outcome = "stopped by an error" if self.error else "done"
        return (
            f"{self.lab.id} {self.lab.title}",
            outcome,
            str(self.cells),
            f"{self.seconds:.1f} s",
        )


def run_labs(labs: Sequence[Lab], engine: str, out: Path) -> bool:
    """Execute labs on an engine, in order; a lab that fails does not keep the others from running.

    Writes `out/ENGINE/NN-name.ipynb` for each and `out/ENGINE/index.html` for all.

    Returns whether every cell of every lab ran without an error.
    """
    console = Console()
    folder = out / engine
    folder.mkdir(parents=True, exist_ok=True)
    results = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        for lab in labs:
            result = run_lab(lab, engine, progress)
            nbformat.write(result.notebook, folder / lab.notebook.name)
            results.append(result)
    page = folder / "index.html"
    page.write_text(report(results, engine), encoding="utf-8")
    for result in results:
        console.print("  ".join(result.row), highlight=False)
        if result.error:
            console.print(result.error, highlight=False, markup=False)
    console.print(f"The report: {page}", highlight=False, soft_wrap=True)
    return not any(result.error for result in results)


def run_lab(lab: Lab, engine: str, progress: Progress) -> LabResult:
    """Execute one notebook in a kernel of its own, in the course's folder."""
    notebook = nbformat.read(lab.notebook, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    task = progress.add_task(f"lab {lab.id} on {engine}", total=len(code))
    done = 0

    def advance(**_: object) -> None:
        nonlocal done
        done += 1
        progress.advance(task)

    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(lab.notebook.parent)}},
        store_widget_state=False,
        on_cell_executed=advance,
    )
    started, error = time.monotonic(), ""
    try:
        client.execute(env={**os.environ, "LAYERLAB_ENGINE": engine, "LAYERLAB_VIEW": "text"})
    except (CellExecutionError, DeadKernelError, TimeoutError) as failure:
        error = str(failure)
    return LabResult(lab, notebook, done, time.monotonic() - started, error)


def report(results: Sequence[LabResult], engine: str) -> str:
    """One HTML page: a summary, then every lab with its outputs. It loads nothing."""
    summary = html_table(f"The course on {engine}", HEADER, [result.row for result in results])
    pages = nbformat.v4.new_notebook(metadata=results[0].notebook.metadata)
    pages.cells = [nbformat.v4.new_markdown_cell(summary)]
    pages.cells += [cell for result in results for cell in result.notebook.cells]
    exporter = HTMLExporter(
        embed_images=True, mathjax_url="", jquery_url="", require_js_url="", widget_renderer_url=""
    )
    page, _ = exporter.from_notebook_node(
        pages, resources={"metadata": {"name": f"Layerlab on {engine}"}}
    )
    return str(page)
