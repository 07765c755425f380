"""Asks the real Go matchers: `main.go`, built with the module versions of `go.mod`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Matchers:
    """A running `main.go`."""

    process: subprocess.Popen[str]

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert not str(answer["error"]).startswith("request: "), answer
        return answer


@contextmanager
def running(folder: Path) -> Iterator[Matchers]:
    """Builds into `folder` (Go's own cache makes the second time quick) and starts it.

    Without a Go toolchain the test is skipped; where engines are required, it fails.
    """
    go = shutil.which("go")
    if go is None:
        words = "no Go toolchain on the PATH, so there is no real matcher to compare with"
        if os.environ.get("LAYERLAB_REQUIRE_ENGINES"):
            pytest.fail(words)
        pytest.skip(words)
    program = folder / "matchers"
    subprocess.run([go, "build", "-o", str(program), "."], cwd=HERE, check=True)
    with subprocess.Popen(
        [str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        yield Matchers(process)
        assert process.stdin is not None
        process.stdin.close()
