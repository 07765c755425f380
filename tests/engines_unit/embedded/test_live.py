"""Real commands in real runners: what they see, what they leave, how they end."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import pytest

from layerlab.engines import process
from layerlab.engines.embedded.runners import gate, mounts
from layerlab.engines.embedded.runners.job import Bind, User
from layerlab.engines.embedded.runners.ladder import GRACE, Bubblewrap, PRoot
from layerlab.engines.embedded.runners.ownership import saved_owners
from layerlab.errors import LayerlabError
from tests.engines_unit.embedded.conftest import NOBODY, Rig
from tests.engines_unit.families import living, until

pytestmark = pytest.mark.live

# Each says `up` when it runs; all ignore SIGTERM, each child in its own way out of reach.
STUBBORN = {
    "deaf": "trap '' TERM INT; echo up; sleep 60; sleep 60",
    "in a session of its own": "trap '' TERM; setsid sleep 60 & echo up; sleep 60",
    "left": "trap '' TERM; (setsid sleep 60 &); echo up; sleep 60",
    "always another": "trap '' TERM; echo up; while :; do (setsid sleep 60 &); sleep 0.05; done",
}


def guests(rig: Rig) -> list[int]:
    """The runner and all that was started in it, by their environment or their words."""
    mark = str(rig.scratch).encode()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it is gone, or is not ours
            if mark in (path / "environ").read_bytes() or mark in (path / "cmdline").read_bytes():
                found.append(int(path.name))
    return [pid for pid in found if living(pid)]


def test_passes_the_gate(rig: Rig) -> None:
    if rig.as_root or os.geteuid():
        assert gate.trial(rig.runner, rig.scratch / "trial") == ""


class TestSees:
    def test_its_root_and_nothing_else(self, rig: Rig) -> None:
        code, said = rig.run(f"ls {rig.root}; echo here >/tmp/written; cat /proc/self/comm")
        assert "No such file" in said
        assert said.endswith("cat\n")
        assert code == 0
        assert (rig.root / "tmp/written").read_text() == "here\n"

    def test_its_own_environment_and_folder(self, rig: Rig) -> None:
        job = msgspec.structs.replace(rig.job("env; echo in $(pwd)"), cwd="/tmp")
        lines = set(rig.run(job)[1].splitlines())
        wanted = {"PATH=/usr/bin", f"NAME=of {rig.scratch}", "in /tmp"}
        shells_own = {"PWD=/tmp", "OLDPWD=/tmp", "SHLVL=0", "SHLVL=1", "_=/usr/bin/env"}
        strange = isinstance(rig.runner, PRoot) and not (rig.runner.own or rig.runner.seccomp)
        ours = {"PROOT_NO_SECCOMP=1"} if strange else set()
        assert lines - shells_own - ours == wanted

    def test_what_its_loader_is_told_which_the_runner_does_not_heed(self, rig: Rig) -> None:
        if isinstance(rig.runner, PRoot) and not rig.runner.own:
            pytest.skip("only Layerlab's own PRoot can do that")
        folder = rig.scratch / "broken"
        folder.mkdir()
        for library in ("libtalloc.so.2", "libcap.so.2", "libc.so.6"):
            (folder / library).touch()
        job = rig.job("echo $LD_LIBRARY_PATH")
        job = msgspec.structs.replace(job, env={**job.env, "LD_LIBRARY_PATH": str(folder)})
        assert rig.run(job) == (0, f"{folder}\n")

    def test_its_user(self, rig: Rig) -> None:
        assert rig.run("id -u; id -g")[1] == "0\n0\n"
        job = msgspec.structs.replace(rig.job("id -u; id -g; touch /tmp/x"), user=User(7, 8))
        if rig.as_root:
            (rig.root / "tmp").chmod(0o777)
        assert rig.run(job) == (0, "7\n8\n")

    def test_what_is_bound_also_as_a_user_that_it_becomes(self, rig: Rig) -> None:
        """As apt-get does; nobody else may enter our folders."""
        if isinstance(rig.runner, Bubblewrap) and not rig.as_root:
            pytest.skip("there is one user only")
        source = rig.scratch / "source"
        source.write_text("bound\n")
        job = rig.job("setpriv --reuid 7 cat /bound")
        job = msgspec.structs.replace(job, binds=(Bind(source, "/bound"),))
        assert rig.run(job) == (0, "bound\n")

    def test_what_is_bound_also_behind_a_link(self, rig: Rig) -> None:
        (rig.root / "var").mkdir()
        (rig.root / "var/run").symlink_to("/run")
        source = rig.scratch / "source"
        source.write_text("bound\n")
        before = {path: path.lstat() for path in sorted(rig.root.rglob("*"))}
        binds = (Bind(source, "/var/run/deep/file"), Bind(rig.scratch / "root/tmp", "/cache"))
        script = "cat /run/deep/file; echo x >/cache/y"
        job = msgspec.structs.replace(rig.job(script), binds=binds)
        assert rig.run(job) == (0, "bound\n")
        (rig.root / "tmp/y").unlink()
        after = {path: path.lstat() for path in sorted(rig.root.rglob("*"))}
        assert list(before) == list(after)
        assert {path for path in before if before[path].st_mtime_ns != after[path].st_mtime_ns} <= {
            rig.root / "tmp"
        }

    def test_no_network(self, rig: Rig) -> None:
        job = msgspec.structs.replace(rig.job("cat /proc/net/dev"), network=False)
        if isinstance(rig.runner, PRoot):
            with pytest.raises(LayerlabError, match="network"):
                rig.run(job)
        else:
            names = [line.split(":")[0].strip() for line in rig.run(job)[1].splitlines()[2:]]
            assert names == ["lo"]


class TestEnds:
    @pytest.mark.parametrize(
        ("script", "code"),
        [
            ("exit 7", 7),
            ("exec nowhere", 127),
            ("(setsid sleep 60 &); exit 3", 3),
            ("sh -c 'kill -9 $$'; exit $?", 137),
        ],
    )
    def test_its_exit_code(self, rig: Rig, script: str, code: int) -> None:
        assert rig.run(script)[0] == code
        until(lambda: guests(rig) == [])

    def test_by_a_signal(self, rig: Rig) -> None:
        # By a child: the first process of a namespace is spared, as in any container.
        assert rig.run("sh -c 'kill -9 $$'; exit $?")[0] == 137
        assert rig.run("sh -c 'kill -SEGV $$'; exit $?")[0] == 139

    def test_a_program_that_is_not_there(self, rig: Rig) -> None:
        code, said = rig.run(msgspec.structs.replace(rig.job(""), argv=("nowhere",)))
        assert code != 0
        assert "nowhere" in said

    @pytest.mark.parametrize("script", STUBBORN.values(), ids=STUBBORN)
    def test_with_all_it_has_started_when_it_is_left(self, rig: Rig, script: str) -> None:
        job = rig.job(script)
        command = rig.command(job)
        with (
            mounts.placed(rig.root, rig.runner.mount_points(job)),
            process.stream(command.argv, env=command.env, grace=GRACE) as output,
        ):
            assert next(iter(output)).data == b"up\n"
            assert len(guests(rig)) > 1
        until(lambda: guests(rig) == [])

    def test_with_the_daemon_that_saves_owners(self, rig: Rig) -> None:
        job = msgspec.structs.replace(rig.job(STUBBORN["deaf"]), owners=rig.scratch / "owners")
        if not rig.runner.keeps_owners:
            with pytest.raises(LayerlabError, match="keep who owns"):
                rig.command(job)
            return
        command = rig.command(job)
        with (
            mounts.placed(rig.root, rig.runner.mount_points(job)),
            process.stream(command.argv, env=command.env, grace=GRACE) as output,
        ):
            assert next(iter(output)).data == b"up\n"
        until(lambda: guests(rig) == [])

    @pytest.mark.parametrize("script", [STUBBORN[name] for name in ("left", "always another")])
    def test_with_the_process_that_has_started_it(self, rig: Rig, script: str) -> None:
        job = rig.job(script)
        command = rig.command(job)
        code = f"""
            from layerlab.engines import process
            for chunk in process.stream({command.argv!r}, env={command.env!r}):
                print(chunk.data.decode(), end="", flush=True)
        """
        with mounts.placed(rig.root, rig.runner.mount_points(job)):
            argv = [sys.executable, "-c", textwrap.dedent(code)]
            with subprocess.Popen(argv, stdout=subprocess.PIPE) as parent:
                assert parent.stdout is not None
                assert parent.stdout.readline() == b"up\n"
                parent.send_signal(signal.SIGKILL)
            until(lambda: guests(rig) == [])

    def test_with_the_runner(self, rig: Rig) -> None:
        """Killed by somebody, or by the system when memory is short."""
        job = rig.job(STUBBORN["left"])
        command = rig.command(job)
        with (
            mounts.placed(rig.root, rig.runner.mount_points(job)),
            process.stream(command.argv, env=command.env, grace=60) as output,
        ):
            assert next(iter(output)).data == b"up\n"
            for pid in guests(rig):
                with contextlib.suppress(OSError):  # one may end with another
                    if Path(f"/proc/{pid}/exe").readlink() == rig.runner.program:
                        os.kill(pid, signal.SIGKILL)
            until(lambda: guests(rig) == [])


class TestOwners:
    def test_are_kept_where_the_runner_says_so(self, rig: Rig) -> None:
        job = rig.job("touch /tmp/given && chown 33:44 /tmp/given && stat -c %u:%g /tmp/given")
        if rig.runner.keeps_owners:
            job = msgspec.structs.replace(job, owners=rig.scratch / "owners")
        code, said = rig.run(job)
        stat = (rig.root / "tmp/given").stat()
        match rig.command(job).owning:
            case "disk":
                assert (code, said, stat.st_uid, stat.st_gid) == (0, "33:44\n", 33, 44)
            case "saved":
                owner = saved_owners(rig.scratch / "owners")[stat.st_dev, stat.st_ino]
                assert (code, said, owner.uid, owner.gid) == (0, "33:44\n", 33, 44)
                assert owner.mode == stat.st_mode
                assert stat.st_uid == (os.geteuid() or NOBODY)
            case "user":
                assert isinstance(rig.runner, Bubblewrap)
                assert "chown" in said
                assert code != 0

    def test_those_of_a_user_of_the_image(self, rig: Rig) -> None:
        (rig.root / "tmp").chmod(0o777)
        job = msgspec.structs.replace(rig.job("touch /tmp/mine"), user=User(7, 8))
        assert rig.run(job)[0] == 0
        stat = (rig.root / "tmp/mine").stat()
        disk = rig.command(job).owning == "disk"
        ours = 0 if rig.as_root else os.geteuid() or NOBODY
        assert stat.st_uid == (7 if disk else ours)

    def test_many_that_ask_for_them_at_once(self, rig: Rig) -> None:
        """Whoever asks holds a semaphore, and PRoot may have stopped them: it must not wait."""
        one = "for n in 0 1 2 3 4 5 6 7 8 9; do chown 33:44 /tmp/$0; stat /tmp/$0; done >/dev/null"
        script = f"for n in a b c d; do touch /tmp/$n; sh -c '{one}' $n & done; wait"
        job = msgspec.structs.replace(rig.job(script), owners=rig.scratch / "owners")
        if not rig.runner.keeps_owners:
            pytest.skip(f"{rig.runner.name} keeps no owners here")
        assert rig.run(job) == (0, "")


def test_a_session_of_its_own_may_run_on_every_processor(rig: Rig) -> None:
    """Else Linux may let it starve: PRoot and who began it keep the one that they share."""
    if not (isinstance(rig.runner, PRoot) and rig.runner.pinned):
        pytest.skip("nothing is kept on one processor")
    here, there = (
        next(line for line in rig.run(script)[1].splitlines() if line.startswith("Cpus_allowed:"))
        for script in ("cat /proc/self/status", "setsid -w cat /proc/self/status")
    )
    assert int(here.split()[1].replace(",", ""), 16).bit_count() == 1
    every = int(there.split()[1].replace(",", ""), 16)
    assert every.bit_count() == len(os.sched_getaffinity(0))


def test_threads_have_one_heap(rig: Rig) -> None:
    """Without our change to PRoot this dies nearly always."""
    job = rig.job("threads")
    env = {**job.env, "GLIBC_TUNABLES": "glibc.malloc.arena_max=1"}
    for _ in range(3):
        assert rig.run(msgspec.structs.replace(job, env=env)) == (0, "fine\n")
