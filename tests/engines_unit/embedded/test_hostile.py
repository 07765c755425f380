"""What is pulled from anywhere cannot reach out of the image, nor take the machine down."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerlab.engines.embedded.store import foreign
from layerlab.engines.embedded.store.entries import HostileLayerError
from layerlab.engines.embedded.store.layers import Limits
from layerlab.engines.embedded.store.layout import Store
from tests.engines_unit.embedded import hostile, trees
from tests.engines_unit.embedded.hostile import CONTAINED, END, REFUSED


def everything(folder: Path) -> dict[str, bytes | None]:
    """All that is on disk: the bytes of files, None for what is none."""
    paths = [
        Path(top) / name for top, folders, files in os.walk(folder) for name in folders + files
    ]
    return {str(p): p.read_bytes() if p.is_file() else None for p in paths}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "deep" / "store")


@pytest.fixture
def lower(store: Store) -> str:
    members = [trees.folder("etc"), trees.file("etc/passwd", b"root"), trees.link("lower", "/etc")]
    return store.add_layer(members, epoch=None).digest


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, store: Store, lower: str, tmp_path: Path) -> None:
    data, reason = REFUSED[name]
    blob = tmp_path / "blob"
    blob.write_bytes(data + END)
    before = everything(tmp_path)
    with pytest.raises(HostileLayerError) as caught:
        store.view([lower, store.take_layer(blob).digest])
    assert caught.value.code == "hostile-layer"
    assert reason in caught.value.message
    assert caught.value.message.isprintable()
    if name != "below a file of a lower layer":  # it could lie on another layer
        assert everything(tmp_path) == before


@pytest.mark.parametrize("name", CONTAINED)
def test_contained(name: str, store: Store, lower: str, tmp_path: Path) -> None:
    data, expected = CONTAINED[name]
    blob = tmp_path / "blob"
    blob.write_bytes(data + END)
    before = everything(tmp_path)
    view = store.view([lower, store.take_layer(blob).digest])
    assert {path: placed.entry.type for path, placed in view.items()} == expected
    new = everything(tmp_path).keys() - before.keys()
    assert all(path.startswith(str(store.root)) for path in new)
    # A second look does not change what it is.
    assert Store(store.root).view(view.layers) == view


def test_cut_off_anywhere(tmp_path: Path) -> None:
    """Only between two entries an archive may end without an end, as for the engines."""
    blob = tmp_path / "blob"
    data = hostile.file(b"a", b"x" * 700) + hostile.long_name(b"b") + hostile.file(b"-", b"y")
    whole = {0: 0, 1536: 1, len(data): 2}
    for cut in range(0, len(data) + 1, 32):
        blob.write_bytes(data[:cut])
        if cut in whole:
            assert len(foreign.read(blob).entries) == whole[cut]
        else:
            with pytest.raises(HostileLayerError):
                foreign.read(blob)


def test_the_names_of_refused_entries_are_plain_text() -> None:
    message = HostileLayerError("is bad", "\x1b[31m\udcff\n" + "x" * 9999).message
    assert message.isprintable()
    assert len(message) < 400


def test_a_record_that_overrides_a_size_leads_to_the_right_bytes(tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    told = hostile.pax({b"path": b"real", b"size": b"600", b"mtime": b"12.9", b"uid": b"7"})
    blob.write_bytes(told + hostile.head(b"x", size=5) + b"A" * 600 + bytes(424) + END)
    (entry,) = foreign.read(blob).entries
    assert (entry.path, entry.size, entry.mtime, entry.uid) == ("real", 600, 12, 7)
    assert blob.read_bytes()[entry.offset :][:600] == b"A" * 600


def test_names_of_a_file_whose_first_was_replaced(tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(
        hostile.file(b"a", b"old")
        + hostile.hard(b"c", b"a")
        + hostile.hard(b"b", b"c")
        + hostile.file(b"a", b"new")
        + END
    )
    a, b, c = foreign.read(blob).entries
    assert (a.first, b.first, c.first) == ("", "", "b")
    data = blob.read_bytes()
    assert data[a.offset :][:3] == b"new"
    assert data[b.offset :][:3] == data[c.offset :][:3] == b"old"


def test_times_that_no_disk_can_hold(tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    late, early = b"\x80" + bytes(3) + b"\x7f" * 8, b"\xff" * 4 + b"\x80" + b"\xff" * 7
    blob.write_bytes(hostile.head(b"late", mtime=late) + hostile.head(b"early", mtime=early) + END)
    times = {entry.path: entry.mtime for entry in foreign.read(blob).entries}
    assert times == {"late": (1 << 34) - 1, "early": -(1 << 31)}


class TestLimits:
    def test_entries(self, tmp_path: Path) -> None:
        blob = tmp_path / "blob"
        blob.write_bytes(b"".join(hostile.file(b"f%d" % at) for at in range(10)) + END)
        assert len(foreign.read(blob, Limits(entries=10)).entries) == 10
        with pytest.raises(HostileLayerError, match="or 9 entries"):
            foreign.read(blob, Limits(entries=9))

    def test_folders_that_are_only_implied(self, tmp_path: Path) -> None:
        blob = tmp_path / "blob"
        blob.write_bytes(hostile.file(b"d/" * 40 + b"f") + END)
        with pytest.raises(HostileLayerError, match="or 40 entries"):
            foreign.read(blob, Limits(entries=40))

    def test_bytes(self, tmp_path: Path) -> None:
        blob = tmp_path / "blob"
        blob.write_bytes(hostile.file(b"f") + END)
        with pytest.raises(HostileLayerError, match=r"more than 2,047 bytes"):
            foreign.read(blob, Limits(bytes=2047))
        assert foreign.read(blob, Limits(bytes=2048)).entries


PIECES = [data for data, _ in REFUSED.values()] + [data for data, _ in CONTAINED.values()]


@settings(max_examples=150)
@given(st.lists(st.sampled_from(PIECES), max_size=4), st.data())
def test_any_damage_is_refused_or_contained(pieces: list[bytes], data: st.DataObject) -> None:
    """Pieces of all of the above with some bytes changed, the sums of their headers mended."""
    archive = bytearray(b"".join(piece[:20_000] for piece in pieces) + END)
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(archive) - 1))
        archive[at] = data.draw(st.sampled_from([0, 0x2E, 0x2F, 0x31, 0x7F, 0x80, 0xFF]))
        block = at - at % 512
        archive[block + 148 : block + 156] = b" " * 8
        total = sum(archive[block : block + 512])
        archive[block + 148 : block + 156] = hostile.octal(total, 7) + b" "
    with tempfile.NamedTemporaryFile() as blob:
        blob.write(archive)
        blob.flush()
        try:
            index = foreign.read(Path(blob.name))
        except HostileLayerError:
            return
    for entry in index.entries:
        parts = entry.path.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert not any(part.startswith(".wh.") for part in parts)
        assert "\0" not in entry.path
        assert entry.offset + entry.size <= len(archive)
