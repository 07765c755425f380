"""The words that each rung of the ladder starts with, and what it refuses."""

import os
import shutil
from pathlib import Path

import msgspec
import pytest

from layerlab.engines import process
from layerlab.engines.embedded.runners.job import Bind, Job, User
from layerlab.engines.embedded.runners.ladder import Bubblewrap, Faked, PRoot, is_crash
from layerlab.errors import LayerlabError

BWRAP, PROOT = Path("/opt/bwrap"), Path("/opt/proot")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "var").mkdir()
    (tmp_path / "var/run").symlink_to("/run")
    return tmp_path


@pytest.fixture
def job(root: Path) -> Job:
    return Job(
        root,
        ("sh", "-c", "make"),
        {"PATH": "/bin", "A": "b c"},
        cwd="/app",
        binds=(Bind(Path("/opt/cache"), "/var/run/x"), Bind(Path("/opt/r"), "/r", read_only=True)),
    )


def pairs(argv: tuple[str, ...], option: str) -> list[str]:
    """What follows an option, wherever it is given."""
    return [argv[i + 1] for i, word in enumerate(argv[:-1]) if word == option]


class TestBubblewrap:
    def test_without_root_there_is_one_user(self, job: Job, root: Path) -> None:
        command = Bubblewrap(BWRAP, False, Path("/python")).command(job)
        argv = command.argv
        assert argv[0] == str(BWRAP)
        assert {"--die-with-parent", "--unshare-user", "--unshare-pid", "--clearenv"} <= {*argv}
        assert pairs(argv, "--uid") == ["0"]
        assert argv[argv.index("--bind") :][:3] == ("--bind", str(root), "/")
        # bubblewrap would follow the link on this machine
        assert ("--bind", "/opt/cache", "/run/x") in zip(argv, argv[1:], argv[2:], strict=False)
        assert ("--ro-bind", "/opt/r", "/r") in zip(argv, argv[1:], argv[2:], strict=False)
        assert ("--setenv", "A", "b c") in zip(argv, argv[1:], argv[2:], strict=False)
        assert argv[-6:] == ("--chdir", "/app", "--", "sh", "-c", "make")
        assert "--unshare-net" not in argv
        assert command.owning == "user"

    def test_a_user_of_the_image_has_no_capabilities(self, job: Job) -> None:
        job = msgspec.structs.replace(job, user=User(1000, 100))
        argv = Bubblewrap(BWRAP, False, Path("/python")).command(job).argv
        assert pairs(argv, "--uid") == ["1000"]
        assert pairs(argv, "--gid") == ["100"]
        assert "--cap-add" not in argv

    def test_real_root_can_become_anybody(self, job: Job, root: Path) -> None:
        job = msgspec.structs.replace(job, user=User(1000, 100, (4, 5)))
        command = Bubblewrap(BWRAP, True, Path("/python")).command(job)
        argv = command.argv
        assert "--unshare-user" not in argv
        assert ("--bind", "/opt/cache", f"{root}/run/x") in zip(
            argv, argv[1:], argv[2:], strict=False
        )
        assert pairs(argv, "--proc") == [f"{root}/proc"]
        assert argv[-9:] == (
            *(str(root), "/app", "1000:100:4,5", "PATH=/bin", "A=b c"),
            *("--", "sh", "-c", "make"),
        )
        assert command.owning == "disk"

    def test_network_and_name(self, job: Job) -> None:
        job = msgspec.structs.replace(job, network=False, hostname="build")
        argv = Bubblewrap(BWRAP, False, Path("/python")).command(job).argv
        assert "--unshare-net" in argv
        assert pairs(argv, "--hostname") == ["build"]

    def test_mount_points_follow_links(self, job: Job) -> None:
        points = Bubblewrap(BWRAP, False, Path("/python")).mount_points(job)
        assert {point.path for point in points} == {"dev", "proc", "sys", "run/x", "r"}

    def test_owners_cannot_be_kept_without_root(self, job: Job, tmp_path: Path) -> None:
        job = msgspec.structs.replace(job, owners=tmp_path / "owners")
        with pytest.raises(LayerlabError, match="without being root") as raised:
            Bubblewrap(BWRAP, False, Path("/python")).command(job)
        assert raised.value.code == "runner-cannot"
        assert Bubblewrap(BWRAP, True, Path("/python")).command(job).owning == "disk"


class TestPRoot:
    def test_without_root_it_is_faked(self, job: Job, root: Path) -> None:
        command = PRoot(PROOT, False).command(job)
        argv = command.argv
        at = argv.index(str(PROOT))
        assert argv[at - 4 : at] == ("env", "-i", "PATH=/bin", "A=b c")
        assert pairs(argv, "-r") == [str(root)]
        assert pairs(argv, "-w") == ["/app"]
        assert {"--kill-on-exit", "-0"} <= {*argv}
        assert pairs(argv, "-b") == [
            *("/dev:/dev", "/proc:/proc", "/sys:/sys", "/opt/cache:/var/run/x", "/opt/r:/r"),
        ]
        assert argv[-3:] == job.argv
        assert command.owning == "user"

    def test_it_is_kept_on_one_processor_that_is_ours(self, job: Job) -> None:
        argv = PRoot(PROOT, False).command(job).argv
        assert argv[:2] == ("taskset", "--cpu-list")
        assert int(argv[2]) in os.sched_getaffinity(0)
        assert PRoot(PROOT, False, pinned=False).command(job).argv[0] == "env"

    def test_what_the_loader_is_told_our_own_build_does_not_heed(self, job: Job) -> None:
        job = msgspec.structs.replace(job, env={"LD_LIBRARY_PATH": "/its", "OLD_LD_X": "x"})
        assert {"PROOT_LD_LIBRARY_PATH=/its", "OLD_LD_X=x"} <= {
            *PRoot(PROOT, False).command(job).argv
        }
        assert "LD_LIBRARY_PATH=/its" in PRoot(PROOT, False, own=False).command(job).argv

    def test_without_seccomp(self, job: Job) -> None:
        slow, fast = PRoot(PROOT, False, seccomp=False), PRoot(PROOT, False)
        assert "PROOT_NO_SECCOMP=1" in slow.command(job).argv
        assert "PROOT_NO_SECCOMP=1" not in fast.command(job).argv
        assert slow.name != fast.name

    def test_a_user_of_the_image(self, job: Job) -> None:
        job = msgspec.structs.replace(job, user=User(1000, 100))
        for root in (False, True):
            command = PRoot(PROOT, root).command(job)
            argv = command.argv[command.argv.index(str(PROOT)) :]
            assert pairs(argv, "-i") == ["1000:100"]
            assert "-0" not in argv
            assert command.owning == "user"

    def test_real_root_owns_for_real(self, job: Job) -> None:
        command = PRoot(PROOT, True).command(job)
        assert {"-0", "-i"} & {*command.argv[command.argv.index(str(PROOT)) :]} == {"-0"}
        assert command.owning == "disk"

    def test_owners_are_saved_by_fakeroot(self, job: Job, tmp_path: Path) -> None:
        faked = Faked(Path("/opt/bin/faked"), Path("/opt/lib/faked.so"))
        job = msgspec.structs.replace(job, owners=tmp_path / "owners")
        command = PRoot(PROOT, False, faked=faked).command(job)
        at = command.argv.index("/opt/bin/faked")
        assert command.argv[at + 1 : at + 3] == (str(tmp_path / "owners"), "/opt/lib/faked.so")
        assert "-0" not in command.argv
        assert "/opt/lib:/opt/lib" in pairs(command.argv, "-b")
        assert command.owning == "saved"
        assert "PROOT_LD_PRELOAD=/opt/lib/faked.so" in command.argv
        preloaded = msgspec.structs.replace(job, env={"LD_PRELOAD": "/lib/its.so"})
        argv = PRoot(PROOT, False, faked=faked).command(preloaded).argv
        assert "PROOT_LD_PRELOAD=/opt/lib/faked.so:/lib/its.so" in argv
        points = PRoot(PROOT, False, faked=faked).mount_points(job)
        assert "opt/lib" in [point.path for point in points]

    def test_a_daemon_that_does_not_start_is_not_awaited(self, job: Job, tmp_path: Path) -> None:
        job = msgspec.structs.replace(job, owners=tmp_path / "owners")
        false = Path(shutil.which("false") or "")
        runner = PRoot(PROOT, False, faked=Faked(false, Path("/opt/lib.so")))
        command = runner.command(job)
        assert process.run(command.argv, env=command.env, timeout=60).exit_code == 125

    def test_a_user_of_the_image_gives_nothing_away(self, job: Job, tmp_path: Path) -> None:
        job = msgspec.structs.replace(job, owners=tmp_path / "owners", user=User(1, 1))
        faked = Faked(Path("/opt/bin/faked"), Path("/opt/lib/faked.so"))
        command = PRoot(PROOT, False, faked=faked).command(job)
        assert "/opt/bin/faked" not in command.argv
        assert command.owning == "user"

    def test_a_device_folder_of_ones_own(self, job: Job) -> None:
        job = msgspec.structs.replace(job, binds=(Bind(Path("/opt/dev"), "/dev"),))
        argv = PRoot(PROOT, True).command(job).argv
        assert pairs(argv, "-b") == ["/proc:/proc", "/sys:/sys", "/opt/dev:/dev"]

    def test_foreign_programs(self, job: Job) -> None:
        job = msgspec.structs.replace(job, emulator=Path("/opt/qemu"))
        assert pairs(PRoot(PROOT, False).command(job).argv, "-q") == ["/opt/qemu"]

    def test_what_it_cannot(self, job: Job, tmp_path: Path) -> None:
        with pytest.raises(LayerlabError, match="cut a command off from the network"):
            PRoot(PROOT, False).command(msgspec.structs.replace(job, network=False))
        with pytest.raises(LayerlabError, match="fakeroot is missing"):
            PRoot(PROOT, False).command(msgspec.structs.replace(job, owners=tmp_path / "owners"))


def test_crashes() -> None:
    assert is_crash(134)
    assert is_crash(139)
    assert not any(map(is_crash, (0, 1, 127, 130, 137, 143)))
