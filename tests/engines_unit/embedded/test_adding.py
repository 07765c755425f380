"""Which files ADD unpacks: archives, whatever they are compressed with and called."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from pathlib import Path

import pytest

from layerlab.engines.embedded.build.adding import is_archive, unpack
from layerlab.engines.embedded.build.copying import Copying
from layerlab.engines.embedded.store.layers import Limits
from layerlab.engines.embedded.store.view import View
from layerlab.errors import LayerlabError


def tar() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        info = tarfile.TarInfo("folder/file")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"hello"))
    return data.getvalue()


ARCHIVES = {
    "plain": tar(),
    "gzip": gzip.compress(tar()),
    "bzip2": bz2.compress(tar()),
    "xz": lzma.compress(tar()),
}
OTHERS = {
    "empty": b"",
    "text": b"FROM scratch\n",
    "gzip of text": gzip.compress(b"text"),
    "gzip, cut off": gzip.compress(tar())[:20],
    "xz, damaged": b"\xfd7zXZ\x00 and no more",
}


@pytest.mark.parametrize("data", ARCHIVES.values(), ids=ARCHIVES)
def test_an_archive_is_unpacked(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    assert is_archive(path)
    copying = Copying(View(), None, None, 0)
    unpack(path, copying, "/to", tmp_path)
    assert [one.entry.path for one in copying.members()] == [
        "to",
        "to/folder",
        "to/folder/file",
    ]


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS)
def test_anything_else_is_not(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "archive.tar.gz"
    path.write_bytes(data)
    assert not is_archive(path)


def test_one_that_would_fill_the_disk_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.write_bytes(ARCHIVES["xz"])
    with pytest.raises(LayerlabError) as refused:
        unpack(path, Copying(View(), None, None, 0), "/", tmp_path, Limits(bytes=1000))
    assert refused.value.code == "hostile-layer"
