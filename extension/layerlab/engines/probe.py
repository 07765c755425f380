"""Looking whether an engine works, by letting it build one line."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from layerlab.engines import process, symptoms
from layerlab.engines.base import EngineName, EngineReport
from layerlab.engines.host import Host
from layerlab.errors import CommandNotFoundError, LayerlabError
from layerlab.progress.failures import LAYER_LOST

DOCKERFILE = "FROM scratch\nLABEL org.layerlab.probe={}\n"
"""Named after the CLI: podman and buildah share their images, and may be looked at at once."""
PATIENCE = 15.0
"""Seconds for the build. A daemon that hangs must not hang the learner."""
_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?[\w.+~-]*")


def report(
    engine: EngineName,
    *,
    host: Host,
    head: Callable[[], Sequence[str]],
    builder: Callable[[], str],
    start: Callable[[str], str],
    clean: Callable[[str], None],
) -> EngineReport:
    """Look whether an engine is there and works. Never raises.

    Args:
        engine: its name, and that of its CLI.
        host: facts that decide what the advice is.
        head: the words of a build command that leaves no name behind; the context is appended.
        builder: names what builds.
        start: is given what the build printed, and starts a container of it; what the CLI said
            when that failed, else nothing.
        clean: is given what the build printed, and takes away what it left.
    """
    try:
        version = process.run((engine, "--version"), timeout=PATIENCE)
    except CommandNotFoundError:
        advice = symptoms.missing(engine, host)
        return EngineReport(engine, False, False, reason=advice.reason, fix=advice.fix)
    except LayerlabError as error:
        reason, fix = error.message, error.hint
        return EngineReport(engine, found=True, works=False, reason=reason, fix=fix)
    words = version.output.decode(errors="replace")
    found = _VERSION.search(words)
    number = found[0] if found else ""
    try:
        failed = words if version.exit_code != 0 else build_one_line(head(), start, clean)
        if not failed:
            return EngineReport(engine, True, True, version=number, builder=builder())
    except LayerlabError as error:
        failed = f"{error.message}\n{error.output}"
    advice = symptoms.broken(engine, failed, host)
    return EngineReport(engine, True, False, number, reason=advice.reason, fix=advice.fix)


def build_one_line(
    head: Sequence[str],
    start: Callable[[str], str] = lambda _printed: "",
    clean: Callable[[str], None] = lambda _printed: None,
) -> str:
    """Build one line. What the CLI printed when it failed, else nothing.

    `start` and `clean` are given what the build printed; see `report`.
    """
    with tempfile.TemporaryDirectory(prefix="layerlab-probe-") as folder:
        (Path(folder) / "Dockerfile").write_text(DOCKERFILE.format(head[0]), encoding="utf-8")
        done = process.run((*head, folder), timeout=PATIENCE)
        if LAYER_LOST.search(done.output.decode(errors="replace")):
            # Images were removed at the same moment, by somebody else: that says nothing of it.
            done = process.run((*head, folder), timeout=PATIENCE)
    text = done.output.decode(errors="replace")
    if done.exit_code != 0:
        return text or f"exit code {done.exit_code}"
    printed = done.stdout.decode(errors="replace")
    failed = start(printed)
    clean(printed)
    return failed
