"""Stages of the embedded engine that need not wait for each other."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from layerlab.engines import argv
from layerlab.errors import BuildInterrupted
from layerlab.model.build import Build
from layerlab.session import Session
from tests.live.conftest import BUSYBOX, Kept
from tests.live.test_trouble import PROMISE, Interrupting, commands

DEBIAN = "docker.io/library/debian:trixie-slim"
TAG = f"layerlab-stages-{os.getpid()}"
pytestmark = [pytest.mark.live, pytest.mark.engine("embedded"), pytest.mark.timeout(300)]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    home = str(tmp_path / "home")
    return Session({**os.environ, "LAYERLAB_HOME": home, "LAYERLAB_ENGINE": "embedded"})


def build(session: Session, folder: Path, text: str, sink: Kept | None = None) -> Build:
    (folder / "Dockerfile").write_text(text, encoding="utf-8")
    request = argv.parse(["--no-cache", "-t", TAG, "."], folder)
    return session.build(request, sink or Kept())


def two(first: str, second: str) -> str:
    """Two stages that know nothing of each other, and one that needs both."""
    return (
        f"FROM {BUSYBOX} AS a\nRUN {first}\nFROM {DEBIAN} AS b\nRUN {second}\n"
        "FROM scratch\nCOPY --from=a /a /\nCOPY --from=b /b /\n"
    )


def test_two_that_wait_for_each_other_run_at_once(session: Session, tmp_path: Path) -> None:
    """Each goes on when the other one is there: one after the other, neither would ever end."""

    def meet(own: str, other: str) -> str:
        wait = f"while [ ! -e /c/{other} ]; do sleep 0.05; done"
        return f"--mount=type=cache,id={TAG},target=/c touch /c/{own}; {wait}; touch /{own}"

    done = build(session, tmp_path, two(meet("a", "b"), meet("b", "a")))
    assert done.outcome == "built", done.failure
    session.engine.remove_image(TAG)


def test_one_that_fails_ends_the_others(session: Session, tmp_path: Path) -> None:
    done = build(session, tmp_path, two("false", f"sleep 613; : {tmp_path}"))
    assert done.outcome == "failed"
    assert done.failure is not None
    assert (done.failure.step, done.failure.lines) == ("a/2", (2, 2))
    assert not [words for words in commands() if str(tmp_path).encode() in words]


def test_an_interrupt_ends_all_of_them(session: Session, tmp_path: Path) -> None:
    sleep = f"W=here; echo $W it sleeps {tmp_path}; sleep 613"
    sink = Interrupting()
    with pytest.raises(BuildInterrupted):
        build(session, tmp_path, two(sleep, sleep), sink)
    assert time.monotonic() - sink.pressed < PROMISE
    assert not [words for words in commands() if str(tmp_path).encode() in words]


def test_what_stages_share_is_done_once(session: Session, tmp_path: Path) -> None:
    shared = f"FROM {BUSYBOX} AS {{}}\nRUN od -An -N8 -tx1 /dev/urandom > /once\n"
    last = f"FROM {BUSYBOX}\nCOPY --from=a /once /a\nCOPY --from=b /once /b\n"
    done = build(session, tmp_path, shared.format("a") + shared.format("b") + last)
    assert done.outcome == "built", done.failure
    assert session.engine.run(TAG, ["cmp", "/a", "/b"]) == ""
    session.engine.remove_image(TAG)
