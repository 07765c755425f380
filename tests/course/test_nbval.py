"""The same notebooks, with the same committed outputs, on every engine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest

from layerlab.engines.base import ENGINES, EngineName
from layerlab.labs import Course

COURSE = Course(Path(__file__).parents[2] / "course")
CELL_TIMEOUT = 300
"""Seconds; a cold build on a busy machine takes a minute."""


class Ran(NamedTuple):
    """How nbval ended on one engine, and the file that counts its cells."""

    done: subprocess.CompletedProcess[str]
    report: Path


def run_labs(engine: EngineName, folder: Path, labs: Sequence[str] = ()) -> Ran:
    """nbval over labs, all unless some are named; all that they write is below `folder`."""
    chosen = [COURSE.lab(lab) for lab in labs] or COURSE.labs
    report = folder / "report.xml"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest"),
            # This project's own pytest settings are not meant for cells.
            # Twice verbose: what differs is printed whole.
            *("-vv", "-c", os.devnull, "--rootdir", str(COURSE.folder), "-p", "no:cacheprovider"),
            *("--nbval", "--nbval-current-env", "--nbval-cell-timeout", str(CELL_TIMEOUT)),
            *("--nbval-sanitize-with", "sanitize.cfg", "--color", "no"),
            *("--durations", "5", "--junitxml", str(report)),
            *(lab.notebook.name for lab in chosen),
        ],
        cwd=COURSE.folder,
        env={
            **os.environ,
            "LAYERLAB_ENGINE": engine,
            "LAYERLAB_VIEW": "text",
            "LAYERLAB_WORK": str(folder / "work"),
            "LAYERLAB_HOME": str(folder / "home"),
            "IPYTHONDIR": str(folder / "ipython"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Ran(done, report)


@pytest.mark.live
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "engine", [pytest.param(name, marks=pytest.mark.engine(name)) for name in ENGINES]
)
def test_every_cell_gives_its_committed_output(
    engine: EngineName, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    done, report = run_labs(engine, tmp_path)
    assert report.exists(), done.stdout
    suite = ET.parse(report).getroot().find("testsuite")
    assert suite is not None
    count = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    record_property(
        "say",
        f"nbval on {engine}: cells run {count['tests']}, "
        f"failed {count['failures'] + count['errors']}, skipped {count['skipped']}, "
        f"{float(suite.attrib['time']):.0f} s",
    )
    assert done.returncode == 0, done.stdout
    assert count["tests"] > 0
    assert count["skipped"] == 0
