"""Real runners, as root and as somebody else, and a root file system of this machine's programs."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from layerlab.engines import process
from layerlab.engines.embedded.home import home
from layerlab.engines.embedded.runners import gate, mounts, tools
from layerlab.engines.embedded.runners.job import Command, Job, Runner
from layerlab.engines.embedded.runners.ladder import GRACE, Bubblewrap, PRoot
from tests.conftest import REQUIRED

NOBODY = 65534
"""The user that tests are when they are not root; he needs no account."""
PROGRAMS = (
    *("sh", "stat", "cat", "ls", "id", "env", "chown", "mkdir", "sleep", "setsid", "rm", "touch"),
    "setpriv",
)
RUNNERS = ("bubblewrap", "PRoot", "PRoot without seccomp")


@cache
def candidates() -> tuple[Runner, ...]:
    """All that this machine has, seen as somebody who is not root."""
    return tuple(tools.candidates(os.environ, home(os.environ), root=False))


class Rig(NamedTuple):
    """A runner, somebody who starts it, and the root file system that he owns."""

    runner: Runner
    as_root: bool
    scratch: Path

    @property
    def root(self) -> Path:
        return self.scratch / "root"

    def job(self, script: str) -> Job:
        env = {"PATH": "/usr/bin", "NAME": f"of {self.scratch}"}
        return Job(self.root, ("sh", "-c", script, "sh"), env)

    def command(self, job: Job) -> Command:
        """What to start; where tests are root and the rig is not, by way of setpriv."""
        command = self.runner.command(job)
        if self.as_root or os.geteuid():
            return command
        ids = (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs")
        return msgspec.structs.replace(command, argv=("setpriv", *ids, *command.argv))

    def run(self, job: Job | str) -> tuple[int, str]:
        """The exit code, and what it printed."""
        job = self.job(job) if isinstance(job, str) else job
        command = self.command(job)
        with (
            mounts.placed(self.root, self.runner.mount_points(job)),
            process.stream(command.argv, env=command.env, grace=GRACE) as output,
        ):
            said = b"".join(chunk.data for chunk in output)
            return output.wait(), said.decode()


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root file system to copy."""
    root = tmp_path_factory.mktemp("stock")
    root.chmod(0o755)  # all users of the image go through it
    gate.fill(root, PROGRAMS)
    (root / "tmp").mkdir()
    threads = Path(__file__).with_name("threads.c")
    program = str(root / "usr/bin/threads")
    process.run(["gcc", "-O1", "-static", "-pthread", "-o", program, str(threads)])
    return root


@pytest.fixture(
    params=[
        pytest.param((name, as_root), id=f"{name}, {'root' if as_root else 'not root'}")
        for name in RUNNERS
        for as_root in (True, False)
        # As root nobody takes it: bubblewrap works there, or PRoot does.
        if not (as_root and name == "PRoot without seccomp")
    ]
)
def rig(request: pytest.FixtureRequest, stock: Path) -> Iterator[Rig]:
    """Each runner that works here, as root where tests are root, and as somebody else."""
    name, as_root = request.param
    if as_root and os.geteuid():
        pytest.skip("tests are not root")
    found = next((runner for runner in candidates() if runner.name == name), None)
    if found is None:
        missing = f"{name} is not here: `layerlab.install.embedded` gets it"
        pytest.fail(missing) if REQUIRED else pytest.skip(missing)
    assert isinstance(found, Bubblewrap | PRoot)
    # pytest's own folder can be entered by its owner only.
    with tempfile.TemporaryDirectory(prefix="layerlab-rig-") as top:
        scratch = Path(top)
        shutil.copy(found.program, scratch / "program")  # the cache of root's is closed to others
        runner = dataclasses.replace(found, program=scratch / "program", root=as_root)
        rig = Rig(runner, as_root, scratch)
        shutil.copytree(stock, rig.root, symlinks=True)
        if not (as_root or os.geteuid()):
            process.run(["chown", "-R", f"{NOBODY}:{NOBODY}", top])
        yield rig
