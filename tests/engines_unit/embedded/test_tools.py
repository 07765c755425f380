"""What is found on a machine, which runner is taken, and what is said where none is."""

from pathlib import Path

import msgspec
import pytest

from layerlab.engines import emulation
from layerlab.engines.embedded.runners import gate, tools
from layerlab.engines.embedded.runners.job import Runner
from layerlab.engines.embedded.runners.ladder import Bubblewrap, Faked, PRoot
from layerlab.engines.embedded.runners.tools import Refusal, Toolbox
from layerlab.errors import EngineUnavailableError

SKOPEO = Path("/opt/skopeo")
BUBBLEWRAP = Bubblewrap(Path("/opt/bwrap"), False, Path("/opt/python"))
PLAIN = PRoot(Path("/opt/proot"), False)
KEEPING = PRoot(Path("/opt/proot"), False, faked=Faked(Path("/opt/faked"), Path("/opt/lib.so")))


def program(folder: Path, name: str, script: str = "exit 1") -> Path:
    """A program in the PATH that is `folder`."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A PATH with nothing in it."""
    return {"PATH": str(tmp_path / "bin")}


class TestFind:
    def test_a_machine_without_anything(self, environ: dict[str, str], tmp_path: Path) -> None:
        box = tools.find(environ, tmp_path)
        assert box == Toolbox(None, (), environ=environ)
        assert box.missing == "skopeo is missing: it fetches base images."

    def test_who_does_not_pass_is_told_with_the_reason(
        self, environ: dict[str, str], tmp_path: Path
    ) -> None:
        program(tmp_path / "bin", "proot", "echo 'proot error: unknown option' >&2; exit 1")
        program(tmp_path / "bin", "skopeo")
        box = tools.find(environ, tmp_path)
        assert box.runners == ()
        assert [refusal.runner for refusal in box.refusals] == ["PRoot", "PRoot without seccomp"]
        assert "unknown option" in box.missing
        with pytest.raises(EngineUnavailableError) as raised:
            box.runner()
        assert raised.value.code == "no-runner"
        assert "unknown option" in raised.value.hint
        assert "A Dockerfile without RUN" in raised.value.hint

    def test_the_best_comes_first_and_proot_once(
        self, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("proot", "bwrap", "taskset"):
            program(tmp_path / "bin", name)
        own = program(tools.own_proot(tmp_path).parent, "proot")
        monkeypatch.setattr(gate, "check", lambda *_: "")
        box = tools.find(environ, tmp_path)
        assert [runner.name for runner in box.runners] == ["bubblewrap", "PRoot"]
        assert box.runners[1].program == own

    def test_only_our_own_proot_is_kept_on_one_processor_and_keeps_owners(
        self, environ: dict[str, str], tmp_path: Path
    ) -> None:
        for name in ("proot", "taskset"):
            program(tmp_path / "bin", name)
        daemon = program(tmp_path / "bin", "faked-sysv")
        library = tmp_path / "lib/machine/libfakeroot/libfakeroot-sysv.so"
        own = program(tools.own_proot(tmp_path).parent, "proot")

        def found(own: Path) -> list[tuple[bool, bool, bool, Faked | None]]:
            return [
                (runner.program == own, runner.own, runner.pinned, runner.faked)
                for runner in tools.candidates(environ, tmp_path, root=False)
                if isinstance(runner, PRoot)
            ]

        others = 2 * [(False, False, False, None)]
        assert found(own) == [*2 * [(True, True, True, None)], *others]
        library.parent.mkdir(parents=True)
        library.touch()  # fakeroot counts with its library only
        assert found(own) == [*2 * [(True, True, True, Faked(daemon, library))], *others]

    def test_without_seccomp_only_where_it_must_be(
        self, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        program(tmp_path / "bin", "proot")

        def check(runner: Runner, _memory: Path) -> str:
            return "it leaves the root" if runner.name == "PRoot" else ""

        monkeypatch.setattr(gate, "check", check)
        box = tools.find(environ, tmp_path)
        assert [runner.name for runner in box.runners] == ["PRoot without seccomp"]
        assert box.refusals == (Refusal("PRoot", "it leaves the root"),)


@pytest.fixture
def box(environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toolbox:
    """With two emulators, one of which the kernel knows, too."""
    for name in ("s390x", "riscv64"):
        program(tmp_path / "bin", f"qemu-{name}-static")
    monkeypatch.setattr(emulation, "emulated", lambda: ("linux/riscv64",))
    return Toolbox(SKOPEO, (BUBBLEWRAP,), environ=environ)


class TestRunner:
    @pytest.mark.parametrize(
        ("runners", "owners", "platform", "taken"),
        [
            ((BUBBLEWRAP, KEEPING), False, emulation.native(), BUBBLEWRAP),
            ((BUBBLEWRAP, KEEPING), True, emulation.native(), KEEPING),
            ((BUBBLEWRAP, PLAIN), True, emulation.native(), BUBBLEWRAP),
            ((BUBBLEWRAP, PLAIN), False, "linux/s390x", PLAIN),
            ((BUBBLEWRAP, PLAIN), False, "linux/riscv64", BUBBLEWRAP),
            ((PLAIN,), True, "linux/s390x", PLAIN),
        ],
    )
    def test_is_the_first_that_can(
        self, runners: tuple[Runner, ...], owners: bool, platform: str, taken: Runner, box: Toolbox
    ) -> None:
        box = msgspec.structs.replace(box, runners=runners)
        assert box.runner(platform, owners=owners) is taken

    def test_bubblewrap_alone_runs_nothing_foreign(self, box: Toolbox) -> None:
        with pytest.raises(EngineUnavailableError):
            box.runner("linux/s390x")

    def test_nothing_is_missing(self) -> None:
        assert Toolbox(SKOPEO, (PLAIN,)).missing == ""


def test_emulators(environ: dict[str, str], tmp_path: Path) -> None:
    box = Toolbox(SKOPEO, (), environ=environ)
    assert box.emulator(emulation.native()) is None
    assert box.emulator("linux/s390x") is None
    found = program(tmp_path / "bin", "qemu-s390x-static")
    assert box.emulator("linux/s390x") == found
    arm = program(tmp_path / "bin", "qemu-arm-static")
    assert box.emulator("linux/arm/v7") == arm
