"""Processes for real: what comes out, what is left behind, what it costs."""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from layerlab.engines import guard, process
from layerlab.errors import CommandNotFoundError, LayerlabError

# A family of three: the command, a child, and a grandchild in a session of its own. Each notes
# its process id; those that a placeholder names ignore SIGTERM.
FAMILY = """
import os, signal, subprocess, sys, time
depth, folder, deaf = int(sys.argv[1]), sys.argv[2], sys.argv[3]
if str(depth) in deaf:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(f"{folder}/{depth}.part", "w").write(str(os.getpid()))
os.rename(f"{folder}/{depth}.part", f"{folder}/{depth}")
if depth < 3:
    subprocess.Popen([sys.executable, __file__, str(depth + 1), folder, deaf],
                     start_new_session=depth == 2)
print("here", depth, flush=True)
if depth > 1 or "leave" not in deaf:
    time.sleep(60)
"""


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def living(pid: int) -> bool:
    """False for processes that are gone, and for zombies, which are."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


class Family:
    """The processes of FAMILY."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = folder / "family.py"
        self.script.write_text(FAMILY)

    def argv(self, deaf: str = "-") -> list[str]:
        return [sys.executable, str(self.script), "1", str(self.folder), deaf]

    def complete(self) -> bool:
        return all((self.folder / str(n)).exists() for n in (1, 2, 3))

    @property
    def pids(self) -> list[int]:
        return [int((self.folder / str(n)).read_text()) for n in (1, 2, 3)]

    def alive(self) -> list[int]:
        return [pid for pid in self.pids if living(pid)]


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    family = Family(tmp_path)
    yield family
    for pid in family.alive() if family.complete() else []:
        os.kill(pid, signal.SIGKILL)


def fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def zombies() -> set[str]:
    """Children of ours that nobody has waited for; empty where the system does not list them."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    pids = children.read_text().split() if children.exists() else []
    return {pid for pid in pids if not living(int(pid))}


class TestRun:
    def test_gives_both_streams_and_the_exit_code(self) -> None:
        done = process.run(["sh", "-c", "echo out; sleep 0.1; echo err >&2; exit 3"])
        assert (done.exit_code, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
        assert done.output == b"out\nerr\n"

    def test_counts_a_signal_as_a_shell_does(self) -> None:
        assert process.run(["sh", "-c", "kill -9 $$"]).exit_code == 128 + 9

    def test_bytes_in_no_encoding_come_out_as_they_are(self) -> None:
        data = bytes(range(256)) * 300
        assert process.run(["cat"], input=data).stdout == data

    def test_input_larger_than_a_pipe(self) -> None:
        data = b"x" * 3_000_000
        assert process.run(["cat"], input=data).stdout == data

    def test_standard_input_is_empty_by_default(self) -> None:
        assert process.run(["cat"], timeout=10).stdout == b""

    def test_works_in_a_folder_and_an_environment(self, tmp_path: Path) -> None:
        env = {"PATH": os.environ["PATH"], "NAME": "value", "LANG": "de_DE.UTF-8"}
        done = process.run(["sh", "-c", "pwd; echo $NAME $LANG $LC_ALL"], cwd=tmp_path, env=env)
        assert done.stdout.decode() == f"{tmp_path}\nvalue C.UTF-8 C.UTF-8\n"

    def test_arguments_reach_no_shell(self) -> None:
        nasty = "$(touch /tmp/x) `id` ; * ~ ' \" \\ ü"
        assert process.run(["printf", "%s", nasty]).stdout.decode() == nasty

    def test_a_missing_program_is_named(self) -> None:
        with pytest.raises(CommandNotFoundError, match="no-such-program") as raised:
            process.run(["no-such-program"])
        assert raised.value.code == "command-not-found"

    def test_programs_are_looked_for_in_the_path_that_is_given(self, tmp_path: Path) -> None:
        program = tmp_path / "hello"
        program.write_text("#!/bin/sh\necho hello\n")
        program.chmod(0o755)
        assert process.run(["hello"], env={"PATH": str(tmp_path)}).stdout == b"hello\n"
        with pytest.raises(CommandNotFoundError):
            process.run(["ls"], env={"PATH": str(tmp_path)})

    def test_a_file_that_is_no_program(self, tmp_path: Path) -> None:
        program = tmp_path / "garbage"
        program.write_bytes(b"\x00\x01\x02")
        program.chmod(0o755)
        with pytest.raises(LayerlabError) as raised:
            process.run([str(program)])
        assert raised.value.code == "command-not-started"
        assert "Exec format error" in raised.value.output

    def test_a_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(LayerlabError) as raised:
            process.run(["true"], cwd=tmp_path / "nowhere")
        assert raised.value.code == "no-folder"

    def test_takes_too_long(self, family: Family) -> None:
        start = time.monotonic()
        with pytest.raises(LayerlabError) as raised:
            process.run(family.argv(), timeout=1.5)
        assert raised.value.code == "command-timeout"
        assert "here 1" in raised.value.output
        assert family.alive() == []
        assert time.monotonic() - start < 5

    def test_silent_but_too_long(self) -> None:
        with pytest.raises(LayerlabError) as raised:
            process.run(["sh", "-c", "exec >&- 2>&-; sleep 60"], timeout=0.3)
        assert raised.value.code == "command-timeout"

    def test_what_goes_on_in_the_background_is_neither_awaited_nor_ended(
        self, family: Family
    ) -> None:
        start = time.monotonic()
        assert process.run(family.argv("leave"), timeout=10).exit_code == 0
        assert time.monotonic() - start < 5
        until(family.complete)
        assert len(family.alive()) == 2

    def test_leaves_no_file_descriptor_and_no_zombie_behind(self) -> None:
        process.run(["true"])
        gc.collect()  # what earlier tests left open may be closed at any time
        before = fds(), zombies()
        for _ in range(200):
            process.run(["true"])
        assert (fds(), zombies()) == before

    def test_many_threads_at_once(self) -> None:
        results: list[bytes] = []
        threads = [
            threading.Thread(
                target=lambda n=n: results.append(process.run(["echo", str(n)]).stdout)
            )
            for n in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == sorted(f"{n}\n".encode() for n in range(16))


class TestStream:
    def test_chunks_come_as_they_are_printed(self) -> None:
        ticks = iter(range(100))
        script = "echo one; sleep 0.3; echo two >&2; sleep 0.3; printf three"
        with process.stream(["sh", "-c", script], clock=lambda: next(ticks)) as output:
            chunks = list(output)
            assert output.wait() == 0
        assert chunks == [
            ("stdout", b"one\n", 0),
            ("stderr", b"two\n", 1),
            ("stdout", b"three", 2),
        ]

    @pytest.mark.parametrize("deaf", ["-", "1", "123"], ids=["polite", "deaf", "all deaf"])
    def test_leaving_ends_children_and_grandchildren(self, family: Family, deaf: str) -> None:
        with process.stream(family.argv(deaf)) as output:
            until(family.complete)
            assert len(family.alive()) == 3
            start = time.monotonic()
            output.close()
            assert family.alive() == []
            assert time.monotonic() - start < 10  # 2.5 s of patience; the machine may be loaded

    def test_a_normal_end_leaves_nobody_behind(self, family: Family) -> None:
        with process.stream(family.argv("leave")) as output:
            assert b"here 1" in b"".join(chunk.data for chunk in output)
            assert output.wait() == 0
            until(family.complete)
        assert family.alive() == []

    def test_an_interrupt_ends_it(self, family: Family) -> None:
        def interrupt() -> None:
            until(family.complete)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)  # an impatient second one must not stop the end

        thread = threading.Thread(target=interrupt)
        interrupted = False
        try:
            with process.stream(family.argv("13")) as output:
                thread.start()
                for _ in output:
                    pass
        except KeyboardInterrupt:
            interrupted = True
        thread.join()
        assert interrupted
        assert family.alive() == []

    def test_leaks_nothing(self) -> None:
        with process.stream(["true"]):
            pass
        before = fds()
        for _ in range(50):
            with process.stream(["sh", "-c", "echo; sleep 5"]) as output:
                next(iter(output))
        assert fds() == before


class TestSpawn:
    def test_goes_on_until_it_is_ended(self, family: Family, tmp_path: Path) -> None:
        log = tmp_path / "log"
        child = process.spawn(family.argv(), log=log)
        until(family.complete)
        assert child.alive
        child.end()
        assert child.wait(time.monotonic()) is not None
        assert family.alive() == []
        assert b"here 1" in log.read_bytes()

    def test_ending_what_has_ended(self, tmp_path: Path) -> None:
        child = process.spawn(["true"], log=tmp_path / "log")
        until(lambda: not child.alive)
        child.end()
        child.end()

    def test_a_group_that_only_got_the_same_number_is_spared(self, family: Family) -> None:
        other = subprocess.Popen(family.argv(), start_new_session=True)
        until(family.complete)
        guard.end([(other.pid, guard.birth(other.pid) - 1)])
        assert len(family.alive()) == 3
        guard.end([(other.pid, guard.birth(other.pid))])
        other.wait()
        assert family.alive() == []


class TestWhenWeAreKilled:
    """The parent dies in ways that let it clean up nothing."""

    def start(self, code: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])

    def stream(self, family: Family, deaf: str) -> subprocess.Popen[bytes]:
        return self.start(
            f"""
            from layerlab.engines import process
            for _ in process.stream({family.argv(deaf)!r}):
                pass
            """
        )

    @pytest.mark.parametrize("deaf", ["-", "123"], ids=["polite", "deaf"])
    def test_by_sigkill(self, family: Family, deaf: str) -> None:
        parent = self.stream(family, deaf)
        until(family.complete)
        parent.kill()
        parent.wait()
        until(lambda: family.alive() == [])

    def test_right_after_the_start(self, family: Family) -> None:
        parent = self.start(
            f"""
            import os, signal
            from pathlib import Path
            from layerlab.engines import process, watchman
            def add(self, child):
                Path({str(family.folder)!r}, "started").write_text(str(child.pid))
                os.kill(os.getpid(), signal.SIGKILL)
            watchman.Watchman.add = add
            process.run(["sleep", "60"])
            """
        )
        assert parent.wait(20) == -signal.SIGKILL
        pid = int((family.folder / "started").read_text())
        until(lambda: not living(pid))

    def test_in_the_middle_of_ending(self, family: Family) -> None:
        """As an interrupt and then a restart of the kernel do: the first two have gone by then."""
        parent = self.start(
            f"""
            import os, signal
            from pathlib import Path
            from layerlab.engines import guard, process
            child = process.spawn({family.argv("3")!r}, log=Path({str(family.folder)!r}) / "log")
            while not Path({str(family.folder)!r}, "3").exists():
                pass
            first = guard._family
            def second(groups, known):
                if not {{pid for pid, _ in first(groups, known)}} & {{child.pid}}:
                    os.kill(os.getpid(), signal.SIGKILL)
                return first(groups, known)
            guard._family = second
            child.end()
            """
        )
        assert parent.wait(20) == -signal.SIGKILL
        until(lambda: family.alive() == [])

    def test_also_when_the_guard_was_replaced(self, family: Family) -> None:
        parent = self.start(
            f"""
            import os, signal
            from layerlab.engines import process
            process.run(["true"])
            for pid in filter(str.isdigit, os.listdir("/proc")):
                words = open(f"/proc/{{pid}}/cmdline").read()
                parent = open(f"/proc/{{pid}}/stat").read().rpartition(")")[2].split()[1]
                if "guard.py" in words and int(parent) == os.getpid():
                    os.kill(int(pid), signal.SIGKILL)
                    os.waitpid(int(pid), 0)
            for _ in process.stream({family.argv()!r}):
                pass
            """
        )
        until(family.complete)
        parent.kill()
        parent.wait()
        until(lambda: family.alive() == [])

    def test_a_normal_exit_ends_what_was_forgotten(self, family: Family) -> None:
        parent = self.start(
            f"""
            import time
            from pathlib import Path
            from layerlab.engines import process
            child = process.spawn({family.argv()!r}, log=Path({str(family.folder)!r}) / "log")
            while not Path({str(family.folder)!r}, "3").exists():
                time.sleep(0.01)
            """
        )
        assert parent.wait(20) == 0
        assert family.alive() == []


@pytest.fixture
def kernel() -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    """A real Jupyter kernel."""
    manager = KernelManager()
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


class TestInAKernel:
    def begin(self, client: BlockingKernelClient, family: Family) -> str:
        request: str = client.execute(
            "from layerlab.engines import process\n"
            f"with process.stream({family.argv('3')!r}) as output:\n"
            "    for chunk in output: pass\n",
            # Otherwise a cell that comes right after the interrupt may be aborted with it.
            stop_on_error=False,
        )
        until(family.complete, 30)
        return request

    def test_interrupting_the_cell_ends_everything(
        self, family: Family, kernel: tuple[KernelManager, BlockingKernelClient]
    ) -> None:
        manager, client = kernel
        request = self.begin(client, family)
        manager.interrupt_kernel()
        until(lambda: family.alive() == [], 10)
        reply = client.get_shell_msg(timeout=10)
        while reply["parent_header"]["msg_id"] != request:  # of what was asked before
            reply = client.get_shell_msg(timeout=10)
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        client.execute("1 + 1")
        assert client.get_shell_msg(timeout=10)["content"]["status"] == "ok"

    def test_killing_the_kernel_leaves_no_orphan(
        self, family: Family, kernel: tuple[KernelManager, BlockingKernelClient]
    ) -> None:
        manager, client = kernel
        self.begin(client, family)
        manager.shutdown_kernel(now=True)  # SIGKILL
        until(lambda: family.alive() == [])


def test_native_windows_is_told_about_wsl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(LayerlabError) as raised:
        process.run(["true"])
    assert raised.value.code == "native-windows"
    assert "WSL" in raised.value.hint
