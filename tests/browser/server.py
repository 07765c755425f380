"""A real Jupyter server on a copy of the course, for the length of a `with` block."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds that Jupyter may take to answer."""


@dataclass(frozen=True)
class Server:
    """A running server: where it is, and the folder that it serves."""

    url: str
    token: str
    folder: Path
    process: subprocess.Popen[bytes]

    def page(self, path: str) -> str:
        """The address of a page, with the token that opens it."""
        return f"{self.url}{path}?token={self.token}"

    def ask(self, path: str) -> Any:
        """What the server's API says at `path`."""
        with urllib.request.urlopen(self.page(path), timeout=5) as answer:
            return json.load(answer)


@contextlib.contextmanager
def jupyter(app: str, home: Path, environ: Mapping[str, str], *options: str) -> Iterator[Server]:
    """Start `jupyterlab` or `notebook` with everything it writes below `home`."""
    course = home / "course"
    shutil.copytree(ROOT / "course", course, ignore=shutil.ignore_patterns("work", "report"))
    port, token = _free_port(), secrets.token_hex(8)
    command = [sys.executable, "-m", app, "--no-browser", "--allow-root", f"--port={port}"]
    command += [f"--ServerApp.root_dir={course}", f"--IdentityProvider.token={token}", *options]
    own = {
        **environ,
        "HOME": str(home),
        "LAYERLAB_HOME": str(home / "layerlab"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    with (home / "jupyter.log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **own}, stdout=log, stderr=log, start_new_session=True
        )
        server = Server(f"http://127.0.0.1:{port}/", token, course, process)
        try:
            _wait(server, home / "jupyter.log")
            yield server
        finally:
            # Twice: Jupyter asks back after the first one.
            for _ in range(2):
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(server: Server, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            server.ask("api/status")
            return
        except OSError:
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(log.read_text(errors="replace")[-3000:]) from None
            time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
