"""A Jupyter kernel with Layerlab in it, as tests and measurements drive one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

PATIENCE = 600
"""Seconds that a cell may take."""


class Kernel:
    """A running kernel. Made by `kernel`."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client

    def run(self, code: str) -> tuple[float, list[dict[str, Any]]]:
        """Run a cell; the seconds that it took, and all its messages, the reply last."""
        messages: list[dict[str, Any]] = []
        begun = time.perf_counter()
        reply = self.client.execute_interactive(
            code, output_hook=messages.append, timeout=PATIENCE, allow_stdin=False
        )
        return time.perf_counter() - begun, [*messages, reply]


@contextmanager
def kernel(engine: str, folder: Path, *, view: str = "") -> Iterator[Kernel]:
    """A kernel in a folder, with Layerlab loaded, an engine chosen and nothing remembered.

    Args:
        engine: its name.
        folder: where the kernel works; what it remembers is beside it.
        view: `text` for a kernel without widgets.
    """
    environ = {key: value for key, value in os.environ.items() if key != "LAYERLAB_VIEW"}
    environ |= {"LAYERLAB_VIEW": view} if view else {}
    environ |= {
        "LAYERLAB_HOME": f"{folder}-home",
        "LAYERLAB_ENGINE": engine,
        "IPYTHONDIR": f"{folder}-ipython",
    }
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(folder), env=environ)
    try:
        made = Kernel(manager, client)
        made.run("%load_ext layerlab\n%engine")
        yield made
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
