"""Which files of a real folder a COPY selects, and what of them counts."""

import os
from pathlib import Path

import pytest

from layerlab.cache import owners
from layerlab.cache.context import FileRecord, MissingSourceError, select
from layerlab.cache.digests import Digests
from layerlab.cache.ignore import Dialect, load
from layerlab.cache.key import file_ingredient
from layerlab.cache.owners import Owner
from layerlab.cache.selection import Files


def chosen(
    root: Path, *sources: str, dialect: Dialect = "buildkit", exclude: tuple[str, ...] = ()
) -> tuple[FileRecord, ...]:
    return select(
        root,
        sources,
        ignore=load(root, root / "Dockerfile", dialect),
        dialect=dialect,
        digests=Digests(None),
        exclude=exclude,
    )


def names(records: tuple[FileRecord, ...]) -> list[str]:
    return [record.source for record in records]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a.txt", "b.txt", "d/c.txt", "d/sub/f.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize("dialect", ["buildkit", "buildah"])
def test_a_folder_is_all_in_it(root: Path, dialect: Dialect) -> None:
    records = chosen(root, "d", dialect=dialect)
    assert names(records) == ["d", "d/c.txt", "d/sub", "d/sub/f.txt"]
    assert [r.path for r in records] == ["", "c.txt", "sub", "sub/f.txt"]
    assert [r.type for r in records] == ["dir", "file", "dir", "file"]


@pytest.mark.parametrize("dialect", ["buildkit", "buildah"])
def test_times_do_not_count_and_modes_do(root: Path, dialect: Dialect) -> None:
    (before,) = chosen(root, "a.txt", dialect=dialect)
    os.utime(root / "a.txt", (1, 1))
    (after,) = chosen(root, "a.txt", dialect=dialect)
    assert after.mtime == 1_000_000_000 != before.mtime
    assert file_ingredient(after) == file_ingredient(before)
    (root / "a.txt").chmod(0o4755)
    assert chosen(root, "a.txt", dialect=dialect)[0].mode == 0o4755


def test_the_mode_of_a_copied_folder_itself_counts_for_buildkit_only(root: Path) -> None:
    def modes(dialect: Dialect, *, whole: bool = False) -> list[int]:
        files = Files.of(root, root / "Dockerfile", dialect, Digests(None), (1, 28))
        return [record.mode for record in files(["d"], whole=whole) if record.type == "dir"]

    (root / "d").chmod(0o700)
    assert modes("buildkit") == [0o700, 0o755]
    assert modes("buildah") == [0, 0o755]
    assert modes("buildah", whole=True) == [0o700, 0o755]


def test_an_owner_counts_for_some(root: Path) -> None:
    info = (root / "a.txt").stat()

    def told(uid: int, gid: int, owner: Owner) -> str:
        return owner(os.stat_result((*info[:4], uid, gid, *info[6:])))

    assert [told(*ids, owners.root) for ids in ((0, 0), (0, 7), (7, 0), (7, 8))] == [
        "root:root",
        "root:",
        ":root",
        ":",
    ]
    assert told(0, 0, owners.everything) == "0:0 root:root"
    unknown = 2**31 - 7
    assert told(unknown, unknown, owners.everything) == f"{unknown}:{unknown} :"
    files = {
        version: Files.of(root, root / "Dockerfile", "buildah", Digests(None), version)
        for version in ((1, 28), (1, 42))
    }
    assert files[1, 28](["a.txt"])[0].owner == owners.root(info)
    assert files[1, 42](["a.txt"])[0].owner == ""
    assert files[1, 42](["a.txt"], whole=True)[0].owner == owners.everything(info)


def test_extended_attributes(root: Path) -> None:
    for name in ("user.mine", "trusted.mine"):
        os.setxattr(root / "a.txt", name, b"1")
    counted = {
        dialect: [name for name, _ in chosen(root, "a.txt", dialect=dialect)[0].xattrs]
        for dialect in ("buildkit", "buildah")
    }
    assert counted == {"buildkit": ["trusted.mine", "user.mine"], "buildah": ["user.mine"]}


def test_wildcards(root: Path) -> None:
    assert [r.path for r in chosen(root, "*.txt")] == ["a.txt", "b.txt"]
    assert chosen(root, "*.none") == ()
    with pytest.raises(MissingSourceError) as caught:
        chosen(root, "*.none", dialect="buildah")
    assert caught.value.source == "*.none"


def test_what_is_ignored_is_not_there(root: Path) -> None:
    (root / ".dockerignore").write_text("# note\nd\n!d/sub\n.dockerignore\n")
    assert names(chosen(root, ".")) == ["a.txt", "b.txt", "d", "d/sub", "d/sub/f.txt"]
    with pytest.raises(MissingSourceError):
        chosen(root, "d/c.txt")


def test_which_ignore_file_holds(root: Path) -> None:
    (root / ".dockerignore").write_text("a.txt\n")
    (root / ".containerignore").write_text("b.txt\n")
    assert names(chosen(root, "*.txt")) == ["b.txt"]
    assert names(chosen(root, "*.txt", dialect="buildah")) == ["a.txt"]
    (root / "Dockerfile.dockerignore").write_text("c.txt\n")
    assert names(chosen(root, "*.txt")) == ["a.txt", "b.txt"]
    assert names(chosen(root, "*.txt", dialect="buildah")) == ["a.txt", "b.txt"]
    (root / "Dockerfile.containerignore").write_text("b.txt\n")
    # looked for first, and then replaced by the other one
    assert names(chosen(root, "*.txt", dialect="buildah")) == ["a.txt", "b.txt"]


def test_links(root: Path) -> None:
    (root / "to-d").symlink_to("/d")
    (root / "out").symlink_to("../../d/c.txt")
    (root / "circle").symlink_to("circle")
    assert names(chosen(root, "to-d/sub")) == ["d/sub", "d/sub/f.txt"]
    # a link that leads out of the context stays inside
    assert names(chosen(root, "out")) == ["d/c.txt"]
    with pytest.raises(MissingSourceError):
        chosen(root, "circle")
    kept = {r.source: r.link for r in chosen(root, ".") if r.type == "link"}
    assert kept == {"to-d": "/d", "out": "../../d/c.txt", "circle": "circle"}


def test_hard_links_count_for_buildah_only(root: Path) -> None:
    (root / "d" / "twin").hardlink_to(root / "d" / "c.txt")
    assert {r.link for r in chosen(root, "d")} == {""}
    links = {r.path: r.link for r in chosen(root, "d", dialect="buildah")}
    assert links["twin"] == "c.txt"


def test_exclude(root: Path) -> None:
    assert names(chosen(root, "d", exclude=("sub",))) == ["d", "d/c.txt"]
