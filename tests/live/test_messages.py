"""What a kernel sends while a build runs: Jupyter drops messages under a flood, so few."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from layerlab.engines.base import Engine
from tests.kernels import kernel

SECOND = timedelta(seconds=1)


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
    with kernel(engine.name, tmp_path) as cells:
        _, messages = cells.run("%build --no-cache .")
    assert messages[-1]["content"]["status"] == "ok", messages[-1]["content"]
    at: list[datetime] = sorted(message["header"]["date"] for message in messages)
    busiest = max(sum(first <= other < first + SECOND for other in at) for first in at)
    kinds = [message["msg_type"] for message in messages]
    assert busiest <= 10, kinds
    assert kinds.count("comm_open") <= 1  # the view; it has no Layout
    if seconds == "3":
        assert kinds.count("comm_msg") > 3
        assert "comm_open" in kinds
