"""What a kernel sends while a build runs: Jupyter drops messages under a flood, so few."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

from layerlab.engines.base import Engine

PATIENCE = 240
"""Seconds for a cell, on a busy machine."""
SECOND = timedelta(seconds=1)


def sent(engine: Engine, folder: Path, code: str) -> list[dict[str, Any]]:
    """All messages of a kernel for one cell that follows `%load_ext layerlab`."""
    environ = {
        **{key: value for key, value in os.environ.items() if key != "LAYERLAB_VIEW"},
        "LAYERLAB_HOME": str(folder / "home"),
        "LAYERLAB_ENGINE": engine.name,
        "IPYTHONDIR": str(folder / "ipython"),
    }
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder), env=environ)
    messages: list[dict[str, Any]] = []
    try:
        for cell in ("%load_ext layerlab\n%engine", code):
            messages.clear()
            reply = client.execute_interactive(
                cell, output_hook=messages.append, timeout=PATIENCE, allow_stdin=False
            )
            assert reply["content"]["status"] == "ok", reply["content"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return [*messages, reply]


@pytest.mark.parametrize("seconds", ["0.7", "3"])
def test_a_kernel_sends_ten_messages_a_second_at_most(
    engine: Engine, tmp_path: Path, seconds: str
) -> None:
    """By the clock of the kernel, all of them: status and reply, too.

    The lines come faster than pictures, and slower than BuildKit's limit of 2 MiB a step, after
    which there would be nothing to show.
    """
    loop = f"(sleep {seconds}; touch /over) & while [ ! -e /over ]; do echo line; usleep 5000; done"
    (tmp_path / "Dockerfile").write_text(f"FROM busybox:1.37.0-glibc\nRUN {loop}\n")
    messages = sent(engine, tmp_path, "%build --no-cache .")
    at: list[datetime] = sorted(message["header"]["date"] for message in messages)
    busiest = max(sum(first <= other < first + SECOND for other in at) for first in at)
    kinds = [message["msg_type"] for message in messages]
    assert busiest <= 10, kinds
    assert kinds.count("comm_open") <= 1  # the view; it has no Layout
    if seconds == "3":
        assert kinds.count("comm_msg") > 3
        assert "comm_open" in kinds
