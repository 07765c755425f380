"""Run the notebooks of the course and put their outputs into them.

    python -m tests.course.refresh [--engine docker] [NN …]

What is written must then pass nbval on every engine: see `test_nbval`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from rich.progress import Progress

from layerlab.course import run_lab
from layerlab.labs import Course

COURSE = Path(__file__).parents[2] / "course"

NOT_COMMITTED = "nbval-ignore-output"
"""Tag of cells that run everywhere and print something else everywhere."""

METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}
"""Of every notebook: nothing in it tells who ran it last."""


def tidy(notebook: Any) -> None:
    """Drop what differs from run to run and says nothing about the lab."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code" and NOT_COMMITTED in tags:
            cell.outputs = []


def main() -> int:
    """Refresh the labs that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default="docker")
    parser.add_argument("labs", nargs="*", metavar="NN")
    options = parser.parse_args()
    course = Course(COURSE)
    failed = False
    with tempfile.TemporaryDirectory() as work, Progress() as progress:
        os.environ["LAYERLAB_WORK"] = work
        # Nobody else's builds are remembered.
        os.environ["LAYERLAB_HOME"] = f"{work}/home"
        for lab in [course.lab(id_) for id_ in options.labs] or course.labs:
            result = run_lab(lab, options.engine, progress)
            if result.error:
                progress.console.print(result.error, markup=False)
                failed = True
                continue
            tidy(result.notebook)
            nbformat.write(result.notebook, lab.notebook)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
