"""Layers of our own: the same bytes for the same content, readable by others."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerlab.engines import process
from layerlab.engines.embedded.store import foreign
from layerlab.engines.embedded.store.entries import Entry, HostileLayerError, LayerIndex
from layerlab.engines.embedded.store.layers import Limits, Member, Slice, Written, unpacked, write
from layerlab.errors import LayerlabError
from tests.engines_unit.embedded.trees import file, folder, link, members

EXAMPLES = settings(max_examples=40)


def written(
    found: list[Member], whiteouts: tuple[str, ...] = (), opaque: tuple[str, ...] = ()
) -> tuple[bytes, Written]:
    target = io.BytesIO()
    done = write(target, found, whiteouts, opaque, epoch=None)
    return target.getvalue(), done


@pytest.fixture(scope="module")
def folder_of_this_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("layers")


@EXAMPLES
@given(found=members())
def test_what_is_written_is_what_is_read(found: list[Member], folder_of_this_module: Path) -> None:
    tar, done = written(found, ("gone", "a/gone"), ("c",))
    blob = folder_of_this_module / "blob"
    blob.write_bytes(tar)
    assert foreign.read(blob) == done.index
    assert done.digest == f"sha256:{hashlib.sha256(tar).hexdigest()}"
    assert done.size == len(tar)


@EXAMPLES
@given(found=members())
def test_an_index_leads_to_the_bytes(found: list[Member]) -> None:
    tar, done = written(found)
    given = {member.entry.path: member for member in found}
    assert [entry.path for entry in done.index.entries] == sorted(given)
    for entry in done.index.entries:
        member = given[entry.path]
        whole = given[member.entry.first] if member.entry.first else member
        if entry.type == "file":
            data = tar[entry.offset : entry.offset + entry.size]
            assert data == whole.source
            assert entry.digest == hashlib.sha256(data).hexdigest()
        assert (entry.mode, entry.uid, entry.mtime) == (
            whole.entry.mode,
            whole.entry.uid,
            whole.entry.mtime,
        )
        assert entry.xattrs == whole.entry.xattrs


@EXAMPLES
@given(found=members(), seed=st.integers(0, 9))
def test_order_makes_no_difference(found: list[Member], seed: int) -> None:
    other = random.Random(seed).sample(found, len(found))
    assert written(found, ("x", "y"))[0] == written(other, ("y", "x"))[0]


def test_gnu_tar_reads_what_we_write(tmp_path: Path) -> None:
    deep = "deep/" + "long" * 40
    first = Member(Entry("z", "file", 0o640, 0, 0, size=3, mtime=77), b"abc")
    second = Member(Entry("deep/other", "file", 0, 0, 0, first="z"))
    # `x` follows its whiteout, which would take it away were it the other way round.
    found = [folder("deep"), file(deep, b"1"), file("ü\udcff", b"2"), link("l", "z" * 300)]
    tar, _ = written([*found, first, second, file("!x", b"")], ("!x",), ("deep",))
    (tmp_path / "layer.tar").write_bytes(tar)
    out = tmp_path / "out"
    out.mkdir()
    argv = ["tar", "-xp", "--no-same-owner", "--warning=no-unknown-keyword"]
    done = process.run([*argv, "-f", str(tmp_path / "layer.tar"), "-C", str(out)])
    assert (done.exit_code, done.stderr) == (0, b"")
    assert (out / deep).read_bytes() == b"1"
    assert (out / os.fsdecode(b"\xc3\xbc\xff")).read_bytes() == b"2"
    assert (out / "l").readlink() == Path("z" * 300)
    assert (out / "z").stat().st_ino == (out / "deep/other").stat().st_ino
    assert ((out / "z").stat().st_mode & 0o7777, (out / "z").stat().st_mtime) == (0o640, 77)
    listed = process.run(["tar", "-tf", str(tmp_path / "layer.tar")]).stdout.splitlines()
    assert listed[:2] == [b".wh.!x", b"!x"]
    assert listed[2:4] == [b"deep/", b"deep/.wh..wh..opq"]


def test_no_time_is_later_than_the_epoch() -> None:
    late = Member(Entry("late", "file", 0o644, 0, 0, mtime=200))
    early = Member(Entry("early", "dir", 0o755, 0, 0, mtime=50))
    done = write(io.BytesIO(), [late, early], epoch=100)
    assert [entry.mtime for entry in done.index.entries] == [50, 100]


def test_the_three_sources_give_the_same_layer(tmp_path: Path) -> None:
    data = os.urandom(700_000)
    entry = Entry("big", "file", 0o644, 0, 0, size=len(data))
    plain, done = written([Member(entry, data)])
    (tmp_path / "big").write_bytes(data)
    (tmp_path / "layer").write_bytes(plain)
    cut = Slice(tmp_path / "layer", done.index.entries[0].offset, len(data))
    assert written([Member(entry, tmp_path / "big")])[0] == plain
    assert written([Member(entry, cut)])[0] == plain


@pytest.mark.parametrize("size", [2, 4])
def test_a_file_that_changes_its_size_is_told(size: int, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    with pytest.raises(LayerlabError, match="has changed while it was copied") as caught:
        written([Member(Entry("f", "file", 0o644, 0, 0, size=size), tmp_path / "f")])
    assert caught.value.code == "file-changed"


def test_a_file_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"abc")
    (tmp_path / "f").symlink_to("secret")
    with pytest.raises(OSError, match="symbolic links"):
        written([Member(Entry("f", "file", 0o644, 0, 0, size=3), tmp_path / "f")])


class TestUnpacked:
    """What comes from a registry, made plain."""

    def unpack(self, tmp_path: Path, blob: bytes, limits: Limits = Limits()) -> bytes:  # noqa: B008
        (tmp_path / "blob").write_bytes(blob)
        target = io.BytesIO()
        digest, size = unpacked(tmp_path / "blob", target, limits)
        data = target.getvalue()
        assert (digest, size) == (f"sha256:{hashlib.sha256(data).hexdigest()}", len(data))
        return data

    def test_gzip_and_none(self, tmp_path: Path) -> None:
        tar, _ = written([file("x", b"1")])
        assert self.unpack(tmp_path, tar) == tar
        assert self.unpack(tmp_path, gzip.compress(tar)) == tar
        # pigz and `docker save` write archives in several parts
        assert self.unpack(tmp_path, gzip.compress(tar[:99]) + gzip.compress(tar[99:])) == tar

    @pytest.mark.parametrize(
        ("magic", "name"), [(b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2")]
    )
    def test_others_are_refused_by_name(self, tmp_path: Path, magic: bytes, name: str) -> None:
        with pytest.raises(LayerlabError, match=f"compressed with {name}") as caught:
            self.unpack(tmp_path, magic + bytes(99))
        assert caught.value.code == "layer-compression"

    @pytest.mark.parametrize(
        "damage",
        [lambda z: z[:-9], lambda z: z[:20] + b"\xff\xff" + z[22:], lambda z: z + b"junk"],
        ids=["cut off", "changed", "more"],
    )
    def test_damage(self, tmp_path: Path, damage: object) -> None:
        assert callable(damage)
        zipped = gzip.compress(os.urandom(4096), mtime=0)
        with pytest.raises(HostileLayerError, match="cannot be decompressed"):
            self.unpack(tmp_path, damage(zipped))

    def test_a_bomb(self, tmp_path: Path) -> None:
        bomb = gzip.compress(bytes(10_000_000))
        with pytest.raises(HostileLayerError, match="more than 1,000,000 bytes"):
            self.unpack(tmp_path, bomb, Limits(bytes=1_000_000))


def test_an_archive_of_python(tmp_path: Path) -> None:
    """Formats that others write: pax with fractions, GNU with long names, without prefixes."""
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        blob = tmp_path / "blob"
        with tarfile.open(blob, "w", format=form) as tar:
            info = tarfile.TarInfo("n" * 120)
            info.mtime = -1.5 if form == tarfile.PAX_FORMAT else -2
            info.size = 3
            info.uname = "somebody"
            tar.addfile(info, io.BytesIO(b"abc"))
        (entry,) = foreign.read(blob).entries
        assert (entry.path, entry.mtime, entry.size) == ("n" * 120, -2, 3)
        assert blob.read_bytes()[entry.offset :][:3] == b"abc"


def test_nothing_in_it(tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    tar, done = written([])
    for data in (tar, b""):
        blob.write_bytes(data)
        assert foreign.read(blob) == LayerIndex() == done.index
