"""The cache model against the real engines: a small agreement run, and a guess."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerlab.engines import argv
from layerlab.engines.base import Engine
from layerlab.session import Session
from tests.cache.agreement import agree
from tests.live.conftest import Kept

SEQUENCES = 3


@pytest.mark.timeout(600)
def test_model_and_engine_agree(engine: Engine) -> None:
    tally = agree(engine.name, sequences=SEQUENCES, first=2026)
    assert not tally.disagreements, tally.report()
    assert tally.sequences == SEQUENCES
    assert tally.steps


def test_a_guess_is_scored(session: Session, tag: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(
        f"FROM busybox:1.37.0-glibc\nWORKDIR {tmp_path}\nCOPY a a\nRUN echo > b\n"
    )
    request = argv.parse(["-t", tag, "."], tmp_path)
    assert session.build(request, Kept()).guess is None
    (tmp_path / "a").write_text("2")
    session.predict(request, [3])
    guess = session.build(request, Kept()).guess
    assert guess is not None
    assert (guess.marked, guess.right, guess.of) == ((3,), 2, 3)
    assert guess.misses == (
        "Step 4, RUN echo > b, ran. An earlier step is rebuilt (line 3: COPY a a).",
    )
    assert session.build(request, Kept()).guess is None
    fates = [(step.fate, step.actual) for step in session.explained()]
    assert fates == [("hit", None), ("hit", "hit"), ("hit", "hit"), ("hit", "hit")]
