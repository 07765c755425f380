"""The gate: no runner is used before it has shown, in a tiny root, that it keeps to that root.

There are builds of PRoot that start a command on this machine's own files and say nothing (Debian
unstable's 5.4.0-3 without `PROOT_NO_SECCOMP`), and such as miss system calls of today (5.1.0).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from layerlab.engines import process
from layerlab.engines.embedded.runners import mounts
from layerlab.engines.embedded.runners.job import Job, Runner
from layerlab.engines.embedded.store import scratch
from layerlab.errors import LayerlabError

_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_PATIENCE: Final = 20.0
"""Seconds; it takes some hundredths on an idle machine."""
# Each line that comes back is one question answered with yes.
_SCRIPT: Final = """
echo started
stat "$1/inside" >/dev/null && echo stat-inside
cat "$1/inside"
stat "$1/outside" >/dev/null 2>&1 && echo stat-outside
cat "$1/outside" 2>/dev/null
echo "$2" >"$1/landed"
exit 0
"""
_LIBRARY = re.compile(r"(?:=>\s*|^\s*)(/\S+)", re.MULTILINE)
_STATUS = re.compile(r"^(?:NoNewPrivs|Seccomp|CapEff):.*$", re.MULTILINE)


def check(runner: Runner, memory: Path) -> str:
    """Why a runner must not be used, in a learner's words; empty when it may.

    Args:
        runner: is started once, unless it has passed before.
        memory: a folder that remembers who has passed: which program, on which kernel. A refusal
            is not remembered, as it may be mended.
    """
    seals = memory / "gate"
    seal = seals / f"{_key(runner)}.json"
    if seal.exists():
        return ""
    trials = seals / "trials"
    trials.mkdir(parents=True, exist_ok=True)
    scratch.clear(trials)
    with scratch.folder(trials) as folder:
        reason = trial(runner, folder)
    if not reason:
        seal.write_text(json.dumps({"runner": runner.name, "program": str(runner.program)}))
    return reason


def trial(runner: Runner, folder: Path) -> str:
    """Start it in a tiny root in an empty folder of ours, and look. The answer is that of `check`.

    The paths it works on are the same inside and outside, and outside they are in this folder:
    what a bad runner reads or writes there does no harm.
    """
    top = folder.resolve()
    root = top / "root"
    inner = root / top.relative_to("/")
    inner.mkdir(parents=True)
    words = [secrets.token_hex(8) for _ in range(3)]
    (inner / "inside").write_text(f"{words[0]}\n")
    (top / "outside").write_text(f"{words[1]}\n")
    try:
        fill(root, ("sh", "stat", "cat"))
        argv = ("sh", "-c", _SCRIPT, "sh", str(top), words[2])
        said, code = _run(runner, Job(root, argv, {"PATH": _PATH}))
    except (LayerlabError, OSError) as error:
        return f"{runner.name} could not be tried: {error}"
    if (top / "landed").exists() or words[1] in said or "stat-outside" in said:
        return (
            f"{runner.name} runs commands on this computer's own files instead of the "
            "image's. Builds of PRoot without seccomp do that."
        )
    if "started" not in said:
        return f"{runner.name} cannot start a command ({code}): {_first(said)}"
    if "stat-inside" not in said or words[0] not in said:
        return f"{runner.name} is too old: it hides files of the image from the programs in it."
    landed = inner / "landed"
    if not landed.exists() or landed.read_text().strip() != words[2]:
        return f"{runner.name} loses what a command writes."
    return ""


def _run(runner: Runner, job: Job) -> tuple[str, int]:
    command = runner.command(job)
    with mounts.placed(job.root, runner.mount_points(job)):
        done = process.run(command.argv, env=command.env, timeout=_PATIENCE)
    return done.output.decode(errors="replace"), done.exit_code


def fill(root: Path, programs: Sequence[str]) -> None:
    """Copy programs, and the libraries that they need, from this machine into a root.

    Raises:
        LayerlabError: code `no-trial`: one of them is missing.
    """
    for program in programs:
        found = shutil.which(program, path=_PATH)
        if found is None:
            raise LayerlabError(f"There is no {program} here.", code="no-trial")
        _copy(Path(found), root / "usr/bin" / program)
        listed = process.run(["ldd", found], timeout=_PATIENCE).stdout.decode()
        for library in _LIBRARY.findall(listed):
            _copy(Path(library), root / library.lstrip("/"))


def _copy(source: Path, target: Path) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def _first(said: str) -> str:
    """The first line that it printed, which names the cause."""
    return (said.strip().splitlines() or ["it printed nothing"])[0]


def _key(runner: Runner) -> str:
    """A name for this program on this kernel, with what we are allowed to do."""
    stat = runner.program.stat()
    system = os.uname()
    allowed = _STATUS.findall(Path("/proc/self/status").read_text(encoding="ascii"))
    parts = (
        runner.name, runner.program, stat.st_size, stat.st_mtime_ns, system, os.geteuid(), allowed
    )  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
