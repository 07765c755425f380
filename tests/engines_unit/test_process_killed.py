"""What is left when the process that started others dies, by itself or in a Jupyter kernel."""

import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.engines_unit.families import Family, living, until


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
            children = open(f"/proc/self/task/{{os.getpid()}}/children").read().split()
            (guard,) = [c for c in children if "guard.py" in open(f"/proc/{{c}}/cmdline").read()]
            os.kill(int(guard), signal.SIGKILL)
            os.waitpid(int(guard), 0)
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
