"""What lab 01 teaches is true on each real engine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from layerlab.engines import argv
from layerlab.engines.base import Engine
from layerlab.labs import edit
from layerlab.model.build import Build
from layerlab.session import Session
from tests.live.conftest import Kept, laid_out

STEPS = ["WORKDIR", "COPY", "RUN", "COPY", "COPY"]
"""The instructions that count, in the order of the Dockerfile."""


def fates(build: Build) -> list[tuple[str, str]]:
    return [(one.text.split()[0], one.state) for one in build.counted]


def in_a_moment(dockerfile: Path) -> None:
    """Let the lab's RUN install nothing: what it really does, the notebooks run on each engine."""
    text = dockerfile.read_text(encoding="utf-8")
    quick = re.sub(r"^RUN (?:.*\\\n)*.*$", "RUN ls > installed", text, flags=re.MULTILINE)
    assert quick != text
    dockerfile.write_text(quick, encoding="utf-8")


@pytest.mark.usefixtures("bases")
@pytest.mark.timeout(900)
def test_lab_01_builds_four_times(session: Session, tag: str, tmp_path: Path) -> None:
    folder = laid_out("01", tmp_path)
    app, dockerfile = folder / "nodejs" / "app.js", folder / "nodejs" / "Dockerfile"
    in_a_moment(dockerfile)

    def build() -> list[tuple[str, str]]:
        done = session.build(argv.parse(["-t", tag, "nodejs"], folder), Kept())
        assert done.outcome == "built", done.failure
        return fates(done)

    assert build() == [(name, "executed") for name in STEPS]

    edit(app, "APP_VERSION", "1.1")
    assert build() == [
        ("WORKDIR", "cached"),
        ("COPY", "cached"),
        ("RUN", "cached"),
        ("COPY", "executed"),
        ("COPY", "executed"),
    ]

    lines = dockerfile.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("COPY")]
    run = next(number for number, line in enumerate(kept) if line.startswith("RUN"))
    dockerfile.write_text("".join([*kept[:run], "COPY . .\n", *kept[run:]]), encoding="utf-8")
    third = [("WORKDIR", "cached"), ("COPY", "executed"), ("RUN", "executed")]
    assert build() == third

    edit(app, "APP_VERSION", "1.2")
    assert build() == third


@pytest.mark.usefixtures("bases")
@pytest.mark.timeout(600)
def test_the_command_line_tells_the_same_steps_on_every_engine(
    engine: Engine, tag: str, tmp_path: Path
) -> None:
    folder = laid_out("01", tmp_path)
    in_a_moment(folder / "nodejs" / "Dockerfile")
    done = command_line(engine, folder, tag, "nodejs")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert events[-1]["event"] == "finished"
    assert events[-1]["exit_code"] == 0
    plan: dict[str, dict[str, Any]] = {}
    for event in events:
        if event["event"] == "step" and event.get("n"):
            plan.setdefault(event["step"].rpartition(":")[2], {}).update(event)
    told = sorted(plan.values(), key=lambda step: step["lines"])
    names = [step["instruction"].split()[0] for step in told]
    assert [name for name in names if name in ("WORKDIR", "COPY", "RUN")] == STEPS
    source = (folder / "nodejs" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    for step in told:
        # Numbered within its stage, and at the line of the Dockerfile where it is written.
        assert 1 <= step["n"] <= step["m"]
        assert source[step["lines"][0] - 1].split()[0].upper() == step["instruction"].split()[0]


def test_the_command_line_ends_as_the_cli_does(engine: Engine, tag: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY nothing /\n", encoding="utf-8")
    done = command_line(engine, tmp_path, tag, ".")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode != 0
    assert done.returncode == events[-1]["exit_code"]
    (failure,) = (event for event in events if event["event"] == "failure")
    assert failure["code"] == "file-not-found"
    assert failure["lines"] == [2, 2]
    assert failure["hint"]


def command_line(
    engine: Engine, folder: Path, tag: str, context: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(str(Path(sys.executable).with_name("layerlab")), "build", "--engine", engine.name),
            *("--progress", "jsonl", "-t", tag, context),
        ],
        cwd=folder,
        env={**os.environ, "LAYERLAB_HOME": f"{folder}-home"},
        capture_output=True,
        text=True,
        check=False,
    )
