"""Real engines, one after the other, each with a workspace of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from layerlab.bases import catalogue, provide
from layerlab.engines import detect
from layerlab.engines.base import ENGINES, Engine, EngineName
from layerlab.labs import Course, lay_out
from layerlab.model.build import Build
from layerlab.model.events import Event
from layerlab.render import Quiet
from layerlab.session import Session

COURSE = Course(Path(__file__).parents[2] / "course")
BUSYBOX = "docker.io/library/busybox:1.37.0-glibc"


class Kept(Quiet):
    """A sink that keeps the events."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.notes: Sequence[str] = ()

    def start(self, build: Build, notes: Sequence[str]) -> None:  # noqa: ARG002 - a sink's signature
        self.notes = notes

    def event(self, event: Event, build: Build) -> None:  # noqa: ARG002 - a sink's signature
        self.events.append(event)

    def finish(self, build: Build) -> None:
        self.last = build


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.engine(name), pytest.mark.live]) for name in ENGINES
    ]
)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine that works."""
    name: EngineName = request.param
    return detect.make(name, os.environ)


@pytest.fixture
def session(engine: Engine, tmp_path: Path) -> Session:
    """A session on that engine, with no memory."""
    return Session(
        {**os.environ, "LAYERLAB_HOME": str(tmp_path / "home"), "LAYERLAB_ENGINE": engine.name}
    )


@pytest.fixture
def bases(engine: Engine) -> None:
    """All base images of the course."""
    provide.ensure(engine, catalogue.load(COURSE.bases), say=print)


@pytest.fixture
def tag(engine: Engine) -> Iterator[str]:
    """A name for an image, which is removed afterwards."""
    name = f"layerlab-live-{os.getpid()}:latest"
    yield name
    if name in {image.name for image in engine.images()}:
        engine.remove_image(name)


def laid_out(lab: str, folder: Path) -> Path:
    """A fresh copy of a lab's files, which no engine has seen before."""
    return lay_out(COURSE.lab(lab), folder / "work", datetime.now(UTC))
