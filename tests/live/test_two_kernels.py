"""Two kernels of one workspace build at once: both are told the truth, the ledger is whole."""

from __future__ import annotations

import os
import queue
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from layerlab.cache.key import LINEAR
from layerlab.engines import argv
from layerlab.session import Session
from tests.live.conftest import Kept

ROUNDS = 4
PATIENCE = 240
"""Seconds for a cell, on a busy machine."""


@pytest.fixture
def kernels(
    session: Session, tmp_path: Path
) -> Iterator[list[tuple[KernelManager, BlockingKernelClient]]]:
    """Two, with the session's workspace and engine."""
    environ = {
        **os.environ,
        "LAYERLAB_HOME": str(tmp_path / "home"),
        "LAYERLAB_ENGINE": session.engine.name,
        "LAYERLAB_VIEW": "text",
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    started = [
        start_new_kernel(kernel_name="python3", cwd=str(tmp_path), env=environ) for _ in range(2)
    ]
    yield started
    for manager, client in started:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def finish(client: BlockingKernelClient, asked: str) -> list[str]:
    """Wait for a cell's end: what it printed, and its traceback where it had one."""
    said: list[str] = []
    while True:
        try:
            message = client.get_iopub_msg(timeout=PATIENCE)
        except queue.Empty:
            pytest.fail(f"the cell did not end; it printed {said}")
        if message["parent_header"].get("msg_id") != asked:
            continue
        content = message["content"]
        if message["msg_type"] == "status" and content["execution_state"] == "idle":
            return said
        said += [content["text"]] if "text" in content else content.get("traceback", [])


@pytest.mark.timeout(900)
def test_both_are_told_the_truth(
    kernels: list[tuple[KernelManager, BlockingKernelClient]], session: Session, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text(
        f"FROM busybox:1.37.0-glibc\nWORKDIR {tmp_path}\nARG who=nobody\n"
        "COPY shared shared\nRUN echo $who > who\n"
    )
    (tmp_path / "shared").write_text("0")
    for _, client in kernels:
        finish(client, client.execute("import layerlab\n%load_ext layerlab"))
    for number in range(ROUNDS):
        (tmp_path / "shared").write_text(str(number))
        cells = [
            f"%build --build-arg who={who}{number} -t layerlab-two-{os.getpid()}-{who} .\n%explain"
            for who in ("ada", "grace")
        ]
        asked = [client.execute(cell) for (_, client), cell in zip(kernels, cells, strict=True)]
        for (_, client), message in zip(kernels, asked, strict=True):
            said = "".join(finish(client, message))
            assert "Traceback" not in said
            assert "Error" not in said
    for who in ("ada", "grace"):
        tag = f"layerlab-two-{os.getpid()}-{who}"
        args = ["--build-arg", f"who={who}{ROUNDS - 1}", "-t", tag, "."]
        request = argv.parse(args, tmp_path)
        # podman and buildah have two results of what both have built at once.
        may_be = {"hit", "unknown"} if session.engine.name in LINEAR else {"hit"}
        assert {step.fate for step in session.predict(request).steps} <= may_be
        session.build(request, Kept())
        assert all(step.agrees is not False for step in session.explained())
        assert {step.fate for step in session.predict(request).steps} == {"hit"}
        session.engine.remove_image(f"{tag}:latest")
