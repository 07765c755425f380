"""Archives of images at the command line of the embedded engine, those made to do harm, too."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import os
import tarfile
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from layerlab.engines.embedded.engine import EmbeddedEngine
from layerlab.engines.embedded.store import images
from layerlab.engines.embedded.store.images import Image, RootFs, Settings
from layerlab.engines.embedded.store.layers import Limits, compression
from layerlab.errors import LayerlabError
from tests.engines_unit.embedded.trees import file

pytestmark = pytest.mark.timeout(60)
LINK = tarfile.SYMTYPE
NAMES = ("one:1", "localhost:5000/deep/two:2")
Member = bytes | tuple[bytes, str]
"""The bytes of a file, or a type of link and where it leads."""


@pytest.fixture
def engine(tmp_path: Path) -> EmbeddedEngine:
    return EmbeddedEngine({**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")})


@pytest.fixture
def stocked(engine: EmbeddedEngine) -> EmbeddedEngine:
    """With two images that share a layer; the second is there for two platforms."""
    shared = engine.store.add_layer([file("shared", b"1")], epoch=0)
    for number, name in enumerate(NAMES):
        own = engine.store.add_layer([file("own", b"%d" % number)], epoch=0)
        made = []
        for platform in ("linux/amd64", "linux/arm64")[: number + 1]:
            settings = Settings(env=(f"N={number}",), on_build=("RUN true",))
            root = RootFs((shared.digest, own.digest))
            image = Image(platform.partition("/")[2], "linux", root, config=settings)
            made.append(engine.library.put(image, (shared, own), platform))
        engine.library.name(name, made)
    return engine


def ctr(engine: EmbeddedEngine, *words: str) -> str:
    return "".join(said for _, said in engine.ctr(words))


def refusal(engine: EmbeddedEngine, *words: str) -> LayerlabError:
    with pytest.raises(LayerlabError) as caught:
        ctr(engine, *words)
    return caught.value


def archive(path: Path, members: Mapping[str, Member]) -> str:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, tuple):
                info.type, info.linkname = content
                tar.addfile(info)
            else:
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return str(path)


def test_what_is_saved_is_loaded(stocked: EmbeddedEngine, tmp_path: Path) -> None:
    path = tmp_path / "both.tar"
    ctr(stocked, "save", *NAMES, "--output", str(path))
    first = path.read_bytes()
    ctr(stocked, "save", f"--output={path}", *NAMES)
    assert path.read_bytes() == first
    assert list(tmp_path.glob("tmp*")) == []
    with tarfile.open(path) as tar:
        held = tar.getnames()
        assert len(held) == len(set(held)) == 6, "the layer that both share is there once"
    other = EmbeddedEngine({**os.environ, "XDG_CACHE_HOME": str(tmp_path / "other")})
    zipped = tmp_path / "both.tar.gz"
    zipped.write_bytes(gzip.compress(first))
    for there in (path, zipped):
        said = ctr(other, "load", "-i", str(there))
        assert said == "".join(f"Loaded image: {name}\n" for name in NAMES)
        for name in NAMES:
            native = stocked.configuration(name)
            assert other.configuration(name) == native
            assert other.image(name).id == stocked.image(name).id
            assert other.image(name).architectures == ("amd64",)
            ctr(other, "rmi", name)
    ctr(stocked, "save", "-o", str(path), "--platform", "linux/arm64", NAMES[1])
    ctr(other, "load", "--input", str(path))
    assert other.image(NAMES[1]).architectures == ("arm64",)


def test_help_lists_every_word(engine: EmbeddedEngine) -> None:
    listed = [line.split()[0] for line in ctr(engine, "--help").splitlines()]
    assert refusal(engine, "nothing").hint == f"It has {', '.join(listed)}."


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["save", "one:1"], "unknown-command", "can only show text"),
        (["save", "-o", "x.tar"], "unknown-command", "takes one image"),
        (["save", "-o", "x.tar", "absent"], "no-such-image", "absent"),
        (["save", "-o", "x.tar", "--platform", "linux/s390x", "one:1"], "wrong-platform", "s390x"),
        (["save", "-o", "/nowhere/x.tar", "one:1"], "cannot-write", "/nowhere/x.tar"),
        (["save", "-o", "/", "one:1"], "cannot-write", "/ cannot be written"),
        (["load"], "unknown-command", "name of an archive"),
        (["load", "-i", "/nowhere/x.tar"], "no-such-file", "/nowhere/x.tar"),
        (["load", "-i", "/"], "no-such-file", "/ cannot be read"),
        (["load", "-i", __file__], "bad-archive", "it is no tar archive"),
        (["push", "absent"], "no-such-image", "absent"),
        (["push", "127.0.0.1:1/absent"], "no-such-image", "absent"),
    ],
)
def test_what_cannot_be_done_is_said(
    stocked: EmbeddedEngine, words: list[str], code: str, text: str
) -> None:
    error = refusal(stocked, *words)
    assert (error.code, text in error.message) == (code, True), error.explain()
    assert error.hint


LAYER = b"a layer"
CONFIG = json.dumps(
    {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
).encode()
SUM = hashlib.sha256(LAYER).hexdigest()


def docker(config: str = "c.json", *blobs: str, **tags: object) -> bytes:
    return json.dumps(
        [{"Config": config, "RepoTags": ["x:1"], "Layers": list(blobs)} | tags]
    ).encode()


INDEX = json.dumps(
    {
        "schemaVersion": 2,
        "manifests": [
            {
                "mediaType": images.MANIFEST,
                "digest": f"sha256:{SUM}",
                "size": len(LAYER),
                "annotations": {"org.opencontainers.image.ref.name": "x:1"},
            }
        ],
    }
).encode()
OUTSIDE = json.loads(INDEX)
OUTSIDE["manifests"][0]["digest"] = "sha256:../../../../../etc/passwd"
OCI: dict[str, Member] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
BAD: dict[str, tuple[dict[str, Member], str, str]] = {
    "nothing in it": ({"a": b"b"}, "bad-archive", "“index.json” is not there"),
    "a name that climbs": ({"../out": b""}, "bad-archive", "“../out” climbs out"),
    "another content": (
        {f"blobs/sha256/{SUM}": b"other", "manifest.json": docker()},
        "bad-archive",
        f"{SUM}” has another content",
    ),
    "a layer outside": (
        {"c.json": CONFIG, "manifest.json": docker("c.json", "../../etc/passwd")},
        "bad-archive",
        "“../../etc/passwd” is not there",
    ),
    "a configuration outside": (
        {"manifest.json": docker("/etc/passwd")},
        "bad-archive",
        "“/etc/passwd” is not there",
    ),
    "a link for a layer": (
        {"l": (LINK, "/etc/passwd"), "c.json": CONFIG, "manifest.json": docker("c.json", "l")},
        "bad-archive",
        "“l” is not there, or no file",
    ),
    "a link for the list": ({"manifest.json": (LINK, "/etc/passwd")}, "bad-archive", "or no file"),
    "no list": ({"manifest.json": b"{}"}, "bad-archive", "list of images"),
    "a deep list": ({"manifest.json": b"[" * 100_000}, "bad-archive", "list of images"),
    "a huge list": ({"manifest.json": b" " * (5 << 20)}, "bad-archive", "is too large"),
    "a name that moves the cursor": (
        {"c.json": CONFIG, "manifest.json": docker("\x1b[2J")},
        "bad-archive",
        r"\x1b[2J",
    ),
    "a layer too many": (
        {"l": LAYER, "c.json": CONFIG, "manifest.json": docker("c.json", "l")},
        "bad-archive",
        "layer count",
    ),
    "no name": (
        {"c.json": CONFIG, "manifest.json": docker(RepoTags=None)},
        "unnamed-image",
        "without a name",
    ),
    "a name that is none": (
        {"c.json": CONFIG, "manifest.json": docker(RepoTags=["../x:1"])},
        "bad-reference",
        "../x:1",
    ),
    "a link for a blob": (
        {**OCI, "index.json": INDEX, f"blobs/sha256/{SUM}": (LINK, "/etc/passwd")},
        "bad-archive",
        f"{SUM}” is no file",
    ),
    "a digest that is a path": (
        {**OCI, "index.json": json.dumps(OUTSIDE).encode()},
        "bad-archive",
        "etc/passwd",
    ),
    "a blob that is missing": ({**OCI, "index.json": INDEX}, "bad-archive", SUM),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_archives_are_refused(name: str, engine: EmbeddedEngine, tmp_path: Path) -> None:
    members, code, text = BAD[name]
    error = refusal(engine, "load", "-i", archive(tmp_path / "bad.tar", members))
    assert (error.code, text in error.message) == (code, True), error.explain()
    assert engine.store.names() == ()
    assert {path.name for path in tmp_path.iterdir()} == {"bad.tar", "cache"}
    assert list(engine.store.root.glob("load-*")) == []


def test_a_layer_that_is_not_the_one_named(stocked: EmbeddedEngine, tmp_path: Path) -> None:
    """Its file is called after no digest, as podman's are."""
    ctr(stocked, "save", "-o", str(tmp_path / "sound.tar"), NAMES[0])
    with tarfile.open(tmp_path / "sound.tar") as tar:
        text = b"".join(tar.extractfile("manifest.json") or ())
        (saved,) = json.loads(text)
        parts: dict[str, Member] = {
            "c.json": b"".join(tar.extractfile(saved["Config"]) or ()),
            "a.tar": b"".join(tar.extractfile(saved["Layers"][0]) or ()),
        }
    parts["b.tar"] = parts["a.tar"]
    parts["manifest.json"] = docker("c.json", "a.tar", "b.tar")
    error = refusal(stocked, "load", "-i", archive(tmp_path / "bad.tar", parts))
    assert "x:1" not in stocked.store.names()
    assert "Digest did not match" in error.message, error.explain()


def test_other_compressions_of_an_archive(engine: EmbeddedEngine, tmp_path: Path) -> None:
    (tmp_path / "a.tar.xz").write_bytes(lzma.compress(b"tar"))
    error = refusal(engine, "load", "-i", str(tmp_path / "a.tar.xz"))
    assert (error.code, "compressed with xz" in error.message) == ("bad-archive", True)


class TestZstd:
    """Layers that are compressed with it are made plain by skopeo."""

    @pytest.fixture
    def packed(self, stocked: EmbeddedEngine, tmp_path: Path) -> Path:
        """An image as skopeo puts it into a folder."""
        source, target = f"oci:{stocked.store.root}:{NAMES[0]}", f"oci:{tmp_path}/zstd:x"
        zstd = ("copy", "--dest-compress-format", "zstd", source, target)
        stocked.library.skopeo.run("It is not compressed", *zstd)
        stocked.library.skopeo.run("It is not copied", "copy", target, f"dir:{tmp_path}/packed")
        layers = [compression(path) for path in (tmp_path / "packed").iterdir()]
        assert layers.count("zstd") == 2
        return tmp_path / "packed"

    def test_is_taken(self, stocked: EmbeddedEngine, packed: Path) -> None:
        made = stocked.library.take(packed, "zstd:1", "linux/amd64")
        assert stocked.library.id_of(made) == f"sha256:{stocked.image(NAMES[0]).id}"

    @pytest.mark.parametrize("limit", [100, 0], ids=["a bomb", "damaged"])
    def test_is_refused(self, stocked: EmbeddedEngine, packed: Path, limit: int) -> None:
        for path in packed.iterdir():
            if not limit and compression(path) == "zstd":
                path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(LayerlabError) as caught:
            stocked.library.take(packed, "zstd:1", limits=Limits(bytes=limit or 1 << 20))
        assert caught.value.code == "hostile-layer"
        assert "zstd:1 cannot be decompressed" in caught.value.message
        assert ("file too large" if limit else "Digest did not match") in caught.value.message


class Registry(BaseHTTPRequestHandler):
    """It lets nobody in."""

    status = 401

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/v2/" and self.status == 403 else self.status)
        self.end_headers()

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.parametrize("status", [401, 403])
def test_a_registry_that_refuses(stocked: EmbeddedEngine, status: int) -> None:
    handler = type("Refusing", (Registry,), {"status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        name = f"127.0.0.1:{server.server_port}/one:1"
        ctr(stocked, "tag", NAMES[0], name)
        error = refusal(stocked, "push", name)
        server.shutdown()
    assert (error.code, error.exit_code) == ("push-refused", 1)
    assert "skopeo login" in error.hint
    assert error.command[0].endswith("skopeo")


def test_a_registry_that_does_not_answer(stocked: EmbeddedEngine) -> None:
    ctr(stocked, "tag", NAMES[0], "127.0.0.1:1/one:1")
    error = refusal(stocked, "push", "127.0.0.1:1/one:1")
    assert error.code == "registry-unreachable"
    assert "connection refused" in error.message
    assert "level=fatal" not in error.message
    assert "Does the registry run?" in error.hint
