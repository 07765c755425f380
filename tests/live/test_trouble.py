"""Interrupts, refusals and what cannot be reached, on each real engine."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from layerlab.engines import argv
from layerlab.engines.containers_storage import ContainersStorageEngine, working_containers
from layerlab.errors import BuildInterrupted
from layerlab.model.build import Build
from layerlab.model.events import Event, Log
from layerlab.session import Session
from tests.live.conftest import BUSYBOX, Kept

PROMISE = 3.0
"""Seconds within which an interrupted build has ended."""


class Interrupting(Kept):
    """Interrupts as a learner does, once the RUN has begun to talk."""

    pressed = 0.0

    def event(self, event: Event, build: Build) -> None:
        super().event(event, build)
        if isinstance(event, Log) and "here it sleeps" in event.text and not self.pressed:
            self.pressed = time.monotonic()
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.usefixtures("bases")
def test_an_interrupt_ends_everything_in_time(session: Session, tag: str, tmp_path: Path) -> None:
    # Built by the shell, so that the words are not in the instruction that is echoed.
    source = f"FROM {BUSYBOX}\nRUN W=here; echo $W it sleeps {tmp_path}; sleep 613\n"
    (tmp_path / "Dockerfile").write_text(source, encoding="utf-8")
    sink, begun = Interrupting(), time.time()
    with pytest.raises(BuildInterrupted):
        session.build(argv.parse(["-t", tag, "--no-cache", "."], tmp_path), sink)
    took = time.monotonic() - sink.pressed
    assert sink.pressed
    assert took < PROMISE
    assert not [words for words in commands() if str(tmp_path).encode() in words]
    if isinstance(session.engine, ContainersStorageEngine):
        assert not working_containers(session.engine.graph_root, begun)
    assert tag not in {image.name for image in session.engine.images()}
    (remembered,) = session.workspace.builds()
    assert remembered.outcome == "cancelled"


def commands() -> list[bytes]:
    """The command lines of all processes of this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes())
        except OSError:  # it has ended meanwhile
            continue
    return found


@pytest.mark.parametrize(
    ("source", "arguments", "code"),
    [
        ("FROM scratch\nCOPY Dockerfile /\n", ["--no-such-flag"], "unknown-flag"),
        (
            "FROM registry.invalid/nothing:1\nCOPY Dockerfile /\n",
            [],
            "registry-unreachable",
        ),
        (
            "FROM busybox:1.37.0-glibc\nRUN true\n",
            ["--platform", "linux/nothing"],
            "platform-not-found",
        ),
    ],
)
def test_a_refusal_is_explained(
    source: str, arguments: list[str], code: str, session: Session, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text(source, encoding="utf-8")
    done = session.build(argv.parse([*arguments, "."], tmp_path), Kept())
    assert done.outcome == "failed"
    assert done.failure is not None
    assert done.failure.code == code, done.failure
    assert done.failure.message
    assert done.failure.hint
    assert done.exit_code not in (0, None)
    assert session.engine.name in done.command
