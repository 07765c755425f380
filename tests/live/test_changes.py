"""Trying changes of lab 04 on each real engine; the lab itself, under nbval, tries all twelve."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from layerlab.bases import catalogue, provide
from layerlab.changes import LAB, find
from layerlab.engines.base import Engine
from layerlab.labs import lay_out
from layerlab.session import Session
from layerlab.trial import REPOSITORY, Copy, attempt
from tests.live.conftest import COURSE, Kept


@pytest.fixture
def copy(engine: Engine, tmp_path: Path) -> Iterator[Copy]:
    """A copy that no engine has seen; what is built of it is removed afterwards."""
    lab, now = COURSE.lab(LAB), datetime.now(UTC)
    wanted = [base for base in catalogue.load(COURSE.bases) if base.image in lab.bases]
    provide.ensure(engine, wanted, say=print)
    yield Copy(lab, lay_out(lab, tmp_path / "work", now), now)
    for image in engine.images():
        if image.name.rpartition(":")[0] == REPOSITORY:
            engine.remove_image(image.name)


@pytest.mark.timeout(300)
def test_a_change_that_is_tried_again_is_known(session: Session, copy: Copy) -> None:
    for _ in range(2):
        tried = attempt(session, copy, find("edit"), Kept(), report=print)
    assert tried.otherwise
    assert tried.known


@pytest.mark.timeout(300)
def test_the_image_shows_what_was_changed(session: Session, engine: Engine, copy: Copy) -> None:
    pages = {}
    for name in ("edit", "ignore"):
        attempt(session, copy, find(name), Kept(), report=print)
        pages[name] = engine.run(f"{REPOSITORY}:{name}", ())
    assert "This time it waved." in pages["edit"]
    assert "DRAFT" in pages["edit"]
    assert "DRAFT" not in pages["ignore"]
    assert "It looked down on all of us." in pages["ignore"]
    assert "Good morning! This is our morning edition." in pages["ignore"]
