import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from layerlab.bases import oci
from layerlab.bases.oci import Entry

EPOCH = 1_700_000_000
ENTRIES = [
    Entry("usr/bin/tool", data=b"#!/bin/sh\n", mode=0o755),
    Entry("usr/bin/other", "link", b"tool"),
    Entry("home/node", "dir", mode=0o755, uid=1000, gid=1000),
    Entry("etc/a\u00e9", data=b"x"),
]


def blob(folder: Path, digest: str) -> bytes:
    data = (folder / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" == digest
    return data


def document(folder: Path, digest: str) -> Any:
    return json.loads(blob(folder, digest))


def image(folder: Path, settings: oci.Settings | None = None) -> str:
    layout = oci.Layout(folder, epoch=EPOCH)
    layer = layout.add_entries(ENTRIES, created_by="a test")
    settings = settings or oci.Settings(["A=1"], ["tool"], "/go", {"l": "1"})
    made = [layout.add_image(name, [layer], settings) for name in ("linux/amd64", "linux/arm64")]
    return layout.finish(made, tag="1.2")


def test_every_blob_is_what_its_descriptor_says(tmp_path: Path) -> None:
    digest = image(tmp_path)
    assert json.loads((tmp_path / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    top = json.loads((tmp_path / "index.json").read_text())
    (entry,) = top["manifests"]
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "1.2"}
    assert entry["digest"] == digest == oci.index_digest(tmp_path)
    seen = {digest}
    for manifest in document(tmp_path, digest)["manifests"]:
        parts = document(tmp_path, manifest["digest"])
        for part in (manifest, parts["config"], *parts["layers"]):
            assert len(blob(tmp_path, part["digest"])) == part["size"]
            seen.add(part["digest"])
        config = document(tmp_path, parts["config"]["digest"])
        assert config["architecture"] == manifest["platform"]["architecture"]
        assert config["config"]["WorkingDir"] == "/go"
        assert config["config"]["Labels"] == {"l": "1"}
        unpacked = gzip.decompress(blob(tmp_path, parts["layers"][0]["digest"]))
        diff_id = f"sha256:{hashlib.sha256(unpacked).hexdigest()}"
        assert config["rootfs"]["diff_ids"] == [diff_id]
    # nothing else lies around
    names = {f"sha256:{p.name}" for p in (tmp_path / "blobs" / "sha256").iterdir()}
    assert names == seen
    assert oci.platforms(tmp_path) == ("linux/amd64", "linux/arm64")
    assert oci.size(tmp_path) == sum(len(blob(tmp_path, name)) for name in seen)


def test_the_same_inputs_make_the_same_image(tmp_path: Path) -> None:
    assert image(tmp_path / "a") == image(tmp_path / "b")
    assert image(tmp_path / "c", oci.Settings(["A=2"])) != image(tmp_path / "a")


def test_entries_keep_mode_owner_and_kind(tmp_path: Path) -> None:
    layout = oci.Layout(tmp_path, epoch=EPOCH)
    layer = layout.add_entries(reversed(ENTRIES), created_by="a test")
    with tarfile.open(layout.blob(layer)) as tar:
        members = {member.name: member for member in tar}
    assert list(members) == sorted(members)
    assert members["usr/bin/tool"].mode == 0o755
    assert members["usr/bin/other"].linkname == "tool"
    assert (members["home/node"].uid, members["home/node"].isdir()) == (1000, True)
    assert {member.mtime for member in members.values()} == {EPOCH}
    assert {member.uname for member in members.values()} == {""}


def test_a_tar_is_taken_over_with_times_clamped(tmp_path: Path) -> None:
    source = tmp_path / "in.tar"
    with tarfile.open(source, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, time in (("./", 5.0), ("./etc/", 5.0), ("./etc/old", 7.25), ("./new", 4e9)):
            member = tarfile.TarInfo(name)
            member.mtime = time
            member.uname = "root"
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            member.size = 0 if name.endswith("/") else 3
            member.pax_headers = {"SCHILY.xattr.user.x": "y"} if name == "./new" else {}
            tar.addfile(member, io.BytesIO(b"abc"))
        hard = tarfile.TarInfo("./again")
        hard.type, hard.linkname = tarfile.LNKTYPE, "./new"
        tar.addfile(hard)
    layout = oci.Layout(tmp_path / "out", epoch=EPOCH)
    layer = layout.add_tar(source, drop=lambda name: name == "etc/old", created_by="x")
    with tarfile.open(layout.blob(layer)) as tar:
        members = {member.name: member for member in tar}
        content = tar.extractfile("new")
        assert content is not None
        assert content.read() == b"abc"
    assert list(members) == ["etc", "new", "again"]
    assert members["new"].mtime == EPOCH
    assert members["new"].pax_headers["SCHILY.xattr.user.x"] == "y"
    assert members["again"].linkname == "new"
    assert members["etc"].uname == ""


def test_a_layer_can_be_shared_between_layouts(tmp_path: Path) -> None:
    first, second = (oci.Layout(tmp_path / name, epoch=EPOCH) for name in "ab")
    layer = first.add_entries(ENTRIES, created_by="x")
    assert second.add_layer(layer, first.blob(layer)) == layer
    assert second.blob(layer).read_bytes() == first.blob(layer).read_bytes()
    second.add_layer(layer, first.blob(layer))
