"""Mount points: found as in a chroot, made for a while, gone without a trace."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerlab.engines.embedded.runners.job import Bind, MountPoint
from layerlab.engines.embedded.runners.mounts import devices, network_files, placed, points, resolve
from layerlab.errors import LayerlabError

FILE = MountPoint("etc/hosts", folder=False)
FOLDER = MountPoint("var/cache/app", folder=True)

names = st.sampled_from(["a", "b", "c", ".", "..", ""])
paths = st.lists(names, max_size=5).map("/".join)
targets = st.tuples(st.sampled_from(["", "/"]), paths).map("".join).filter(bool)


def snapshot(root: Path) -> dict[str, tuple[int, ...]]:
    """What a walk notes of each path."""
    found: dict[str, tuple[int, ...]] = {}
    for path in [root, *sorted(root.rglob("*"))]:
        s = path.lstat()
        found[str(path)] = (s.st_ino, s.st_mode, s.st_mtime_ns, s.st_size)
    return found


class TestResolve:
    def test_an_absolute_link_stays_in_the_root(self, tmp_path: Path) -> None:
        (tmp_path / "run").mkdir()
        (tmp_path / "var").mkdir()
        (tmp_path / "var/run").symlink_to("/run")
        assert resolve(tmp_path, "/var/run/app/socket") == "run/app/socket"

    def test_a_relative_link_cannot_climb_out(self, tmp_path: Path) -> None:
        (tmp_path / "a").symlink_to("../../../../etc")
        assert resolve(tmp_path, "/a/hosts") == "etc/hosts"

    def test_links_in_a_circle(self, tmp_path: Path) -> None:
        (tmp_path / "a").symlink_to("b")
        (tmp_path / "b").symlink_to("a")
        with pytest.raises(LayerlabError) as raised:
            resolve(tmp_path, "/a/x")
        assert raised.value.code == "too-many-links"

    @given(st.dictionaries(st.sampled_from(["a", "b", "a/c", "b/c"]), targets), paths)
    def test_the_answer_holds_no_link_and_stays_inside(
        self, tmp_path_factory: pytest.TempPathFactory, links: dict[str, str], path: str
    ) -> None:
        root = tmp_path_factory.mktemp("root")
        for name, target in links.items():
            place = root / name
            if not place.is_symlink() and place.parent.is_dir() and not place.parent.is_symlink():
                place.symlink_to(target)
            elif name in ("a", "b"):
                place.mkdir(exist_ok=True)
        try:
            found = resolve(root, path)
        except LayerlabError as error:
            assert error.code == "too-many-links"  # noqa: PT017 - either may come
            return
        assert ".." not in found.split("/")
        assert Path(os.path.realpath(root / found)) == root.resolve() / found
        assert resolve(root, found) == found


class TestPlaced:
    def test_what_is_missing_is_there_for_a_while(self, tmp_path: Path) -> None:
        (tmp_path / "etc").mkdir()
        os.utime(tmp_path / "etc", ns=(1, 1))
        os.utime(tmp_path, ns=(2, 2))
        before = snapshot(tmp_path)
        with placed(tmp_path, [FILE, FOLDER]) as made:
            assert made == ("etc/hosts", "var", "var/cache", "var/cache/app")
            assert (tmp_path / "etc/hosts").is_file()
            assert stat.S_IMODE((tmp_path / "var/cache/app").stat().st_mode) == 0o755
            assert (tmp_path / "etc").stat().st_mtime_ns == 1
        assert snapshot(tmp_path) == before

    def test_what_is_there_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc/hosts").write_text("mine")
        (tmp_path / "var/cache/app").mkdir(parents=True)
        before = snapshot(tmp_path)
        with placed(tmp_path, [FILE, FOLDER]) as made:
            assert made == ()
        assert snapshot(tmp_path) == before

    def test_a_folder_that_was_filled_stays(self, tmp_path: Path) -> None:
        with placed(tmp_path, [FILE]):
            (tmp_path / "etc/passwd").write_text("root")
        assert [path.name for path in (tmp_path / "etc").iterdir()] == ["passwd"]

    def test_what_a_run_has_taken_away_is_not_missed(self, tmp_path: Path) -> None:
        with placed(tmp_path, [FILE]):
            (tmp_path / "etc/hosts").unlink()
            (tmp_path / "etc").rmdir()
        assert list(tmp_path.iterdir()) == []

    def test_also_when_the_run_fails(self, tmp_path: Path) -> None:
        with pytest.raises(KeyboardInterrupt), placed(tmp_path, [FILE, FOLDER]):
            raise KeyboardInterrupt
        assert list(tmp_path.iterdir()) == []

    def test_something_else_in_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "var").write_text("no folder")
        with pytest.raises(LayerlabError) as raised, placed(tmp_path, [FILE, FOLDER]):
            raise AssertionError
        assert raised.value.code == "no-mount-point"
        assert [path.name for path in tmp_path.iterdir()] == ["var"]


def test_points_follow_links_and_come_once(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var/run").symlink_to("/run")
    source = tmp_path / "file"
    source.touch()
    binds = (Bind(tmp_path, "/var/run/app"), Bind(source, "/etc/hosts"), Bind(tmp_path, "/proc"))
    assert points(tmp_path, binds, ["/proc"]) == (
        MountPoint("proc", folder=True),
        MountPoint("run/app", folder=True),
        MountPoint("etc/hosts", folder=False),
    )


def test_devices_are_real_or_not_there(tmp_path: Path) -> None:
    bind = devices(tmp_path)
    if bind is None:
        assert list(tmp_path.iterdir()) == []
    else:
        assert bind == Bind(tmp_path / "dev", "/dev")
        ours, theirs = (bind.host / "null").stat(), Path("/dev/null").stat()
        assert (ours.st_rdev, stat.S_IMODE(ours.st_mode)) == (theirs.st_rdev, 0o666)
        (bind.host / "null").write_bytes(b"nothing")
        with (bind.host / "zero").open("rb") as zero:
            assert zero.read(3) == bytes(3)


def test_network_files_are_copies(tmp_path: Path) -> None:
    binds = network_files(tmp_path)
    assert [bind.guest for bind in binds if bind.guest == "/etc/hosts"] == ["/etc/hosts"]
    for bind in binds:
        assert bind.host.parent == tmp_path
        assert bind.host.read_bytes() == Path(bind.guest).read_bytes()
