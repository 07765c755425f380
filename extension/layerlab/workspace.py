"""What outlives a kernel: earlier builds and their logs, in one folder of the learner's.

builds/<id>/build.json   the build as it was last known
builds/<id>/log.txt      all output, each line after the name of its step
builds/<id>/steps.json   what became of each step, and why
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import msgspec

from layerlab.cache.explain import Explanation
from layerlab.model.build import Build, Step
from layerlab.model.events import Event, Log
from layerlab.model.text import printable

KEEP = 50
"""Builds that are remembered; older ones make room."""


def home(environ: Mapping[str, str]) -> Path:
    """The folder that Layerlab keeps its things in: `LAYERLAB_HOME`, else the XDG data folder."""
    if named := environ.get("LAYERLAB_HOME"):
        return Path(named)
    data = environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "layerlab"


class Workspace:
    """Earlier builds on disk. Losing them costs memories, never a build."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def new_id(self, started: float) -> str:
        """An id for a build that starts at `started` (seconds since the epoch); sorts by time."""
        moment = datetime.fromtimestamp(started, UTC)
        return f"{moment:%Y%m%d-%H%M%S-%f}-{os.getpid()}"

    def folder(self, build_id: str) -> Path:
        """Where one build's files are."""
        return self.root / "builds" / build_id

    def save(self, build: Build) -> None:
        """Write a build's present state, whole or not at all. Raises OSError."""
        self._write(self.folder(build.id) / "build.json", msgspec.json.encode(build))

    def save_explained(self, build_id: str, told: Sequence[Explanation]) -> None:
        """Keep the explanation of a build; a full disk only loses it."""
        with contextlib.suppress(OSError):
            self._write(self.folder(build_id) / "steps.json", msgspec.json.encode(told))

    def explained(self) -> tuple[Explanation, ...]:
        """The explanation of the last build that has one; empty where there is none."""
        for path in sorted(self.root.glob("builds/*/steps.json"), reverse=True):
            with contextlib.suppress(OSError, msgspec.MsgspecError):
                return msgspec.json.decode(path.read_bytes(), type=tuple[Explanation, ...])
        return ()

    def builds(self) -> list[Build]:
        """All builds that can still be read, oldest first; damaged ones are passed over."""
        found = []
        for path in sorted(self.root.glob("builds/*/build.json")):
            with contextlib.suppress(OSError, msgspec.MsgspecError):
                found.append(msgspec.json.decode(path.read_bytes(), type=Build))
        return found

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(data)
        Path(file.name).replace(path)

    def make_room(self) -> None:
        """Forget the oldest builds beyond `KEEP`."""
        for folder in sorted(self.root.glob("builds/*"))[:-KEEP]:
            shutil.rmtree(folder, ignore_errors=True)


class Recorder:
    """The sink that keeps a build: its state when it starts and ends, its output as it comes.

    A full disk ends the recording, not the build; the build then has no log file.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._log: IO[str] | None = None
        self._labels: dict[str, str] = {}
        self._at_line_start = True

    def start(self, build: Build) -> Build:
        """Begin; returns the build with its log file named, if there can be one."""
        try:
            self._workspace.make_room()
            path = self._workspace.folder(build.id) / "log.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            build = msgspec.structs.replace(build, log_file=str(path))
            self._workspace.save(build)
            self._log = path.open("w", encoding="utf-8", errors="replace")
        except OSError:
            return msgspec.structs.replace(build, log_file=None)
        return build

    def event(self, event: Event, build: Build) -> None:
        """Write the output in `event`, if any; `build` is the state after it."""
        if self._log is None or not isinstance(event, Log):
            return
        label = self._labels.get(event.step) or self._label(build.steps[event.step])
        try:
            for line in event.text.splitlines(keepends=True):
                self._log.write(f"{label} {line}" if self._at_line_start else line)
                self._at_line_start = line.endswith("\n")
        except OSError:
            self._log = None

    def finish(self, build: Build) -> None:
        """End; the state is on disk afterwards, unless the disk is full."""
        with contextlib.suppress(OSError):
            if self._log is not None:
                self._log.close()
            self._workspace.save(build)

    def _label(self, step: Step) -> str:
        where = f"{step.stage} {step.n}/{step.m}".strip() if step.n else step.kind
        label = printable(f"[{where}]" if not step.platform else f"[{step.platform} {where}]")
        self._labels[step.id] = label
        return label
