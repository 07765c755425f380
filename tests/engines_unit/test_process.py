"""Processes for real: what comes out, what is left behind, what it costs."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from layerlab.engines import child, guard, process
from layerlab.errors import CommandNotFoundError, LayerlabError
from tests.engines_unit.families import Family, living, until

Note = Callable[[Collection[guard.Process]], None]


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

    def test_one_that_comes_while_it_starts_grants_no_more_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        granted, end, started = [], guard.end, signal.getsignal(signal.SIGINT)

        def noted(roots: Collection[guard.Process], grace: float, **rest: Note) -> None:
            granted.append(grace)
            end(roots, grace, **rest)

        prepare = child._watchman.prepare

        def interrupted() -> None:
            prepare()
            signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(guard, "end", noted)
        monkeypatch.setattr(child._watchman, "prepare", interrupted)
        with pytest.raises(KeyboardInterrupt):
            process.stream(["sleep", "600"], grace=0.2)
        assert granted == [0.2]
        assert signal.getsignal(signal.SIGINT) is started

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


def test_native_windows_is_told_about_wsl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(LayerlabError) as raised:
        process.run(["true"])
    assert raised.value.code == "native-windows"
    assert "WSL" in raised.value.hint
