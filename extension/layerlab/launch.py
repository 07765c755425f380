"""`layerlab lab`: an engine, the base images, then JupyterLab on the course."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from layerlab import install
from layerlab.bases import catalogue, provide
from layerlab.engines import detect
from layerlab.engines.base import Engine
from layerlab.engines.embedded.home import home
from layerlab.errors import EngineUnavailableError, LayerlabError
from layerlab.labs import Course
from layerlab.views import tables


def say(text: str) -> None:
    """A line for the person at the terminal."""
    print(text, flush=True)


def open_lab(start: Path, *, browser: bool) -> int:
    """Open JupyterLab on the course around `start`; returns when it is shut down."""
    course = Course.around(start)
    try:
        engine = _engine()
    except LayerlabError as error:
        # The course can be read, and `%engine list` says the same again in the notebook.
        say(error.explain())
        say(tables.text_table(tables.ENGINES, tables.engine_rows(detect.probe_all(os.environ))))
    else:
        say(f"Engine: {engine.name}")
        ensure_bases(engine, catalogue.find(course.folder))
    return _jupyter(course, browser=browser and _can_show_a_browser())


def _engine() -> Engine:
    """The engine to use; where none works, what the embedded one stands on is got first."""
    try:
        return detect.choose(None, os.environ)
    except EngineUnavailableError as error:
        if error.code != "no-engine" or sys.platform != "linux":
            raise
        say("No container engine works here, so Layerlab builds by itself.")
        install.embedded(say, home(os.environ))
        return detect.choose(None, os.environ)


def set_up() -> None:
    """Get what the embedded engine stands on, and say what there is.

    Raises:
        LayerlabError: what is missing, and the line to type; or why it cannot work here.
    """
    if sys.platform == "linux":
        install.embedded(say, home(os.environ))
    for _, text in detect.choose("embedded", os.environ).ctr(["info"]):
        say(text.rstrip())


def ensure_bases(engine: Engine, catalogue_path: Path) -> None:
    """Make sure that `engine` has, or can pull, the base images of a catalogue."""
    for report in provide.ensure(engine, catalogue.load(catalogue_path), say=say):
        say(f"  {report.name}: {report.source}{f'. {report.note}' if report.note else ''}")


def fill_registry(address: str, catalogue_path: Path) -> None:
    """Put stand-ins for all base images into a registry on loopback (`127.0.0.1:PORT`)."""
    for report in provide.fill(address, catalogue.load(catalogue_path), say=say):
        say(f"  {report.name}: {', '.join(report.platforms)}")


def _can_show_a_browser() -> bool:
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _jupyter(course: Course, *, browser: bool) -> int:
    from jupyterlab.labapp import main

    first = course.labs[0].notebook.name
    arguments = [
        f"--ServerApp.root_dir={course.folder}",
        f"--LabApp.default_url=/lab/tree/{first}",
    ]
    if not browser:
        arguments.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # In a container one is often root; Jupyter wants to be told that this is meant.
        arguments.append("--allow-root")
    main(arguments)
    return 0
