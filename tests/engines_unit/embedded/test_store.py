"""The store on disk: an OCI layout that others read, results, and what is removed."""

from __future__ import annotations

import gzip
import json
import os
import resource
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from layerlab.engines import process
from layerlab.engines.embedded.store.images import CONFIG, MANIFEST, Image, Json, RootFs, manifest
from layerlab.engines.embedded.store.layers import Member
from layerlab.engines.embedded.store.layout import LayerRef, StepResult, Store
from layerlab.errors import LayerlabError
from tests.engines_unit.embedded.trees import file, folder

NOWHERE = f"sha256:{'0' * 64}"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def add(store: Store, *members: Member) -> LayerRef:
    return store.add_layer(members, epoch=0)


def make_image(store: Store, *layers: LayerRef, architecture: str = "amd64") -> Json:
    config = Image(architecture, "linux", RootFs(tuple(layer.digest for layer in layers)))
    described = store.put_json(manifest(store.put_json(config, CONFIG), layers), MANIFEST)
    return described | {"platform": {"os": "linux", "architecture": architecture}}


def blobs(store: Store) -> set[str]:
    return {f"sha256:{path.name}" for path in (store.root / "blobs/sha256").iterdir()}


class TestLayers:
    def test_a_layer_is_a_file_by_its_digest(self, store: Store) -> None:
        layer = add(store, file("x", b"1"))
        assert store.layer(layer.digest).stat().st_size == layer.size
        assert [entry.path for entry in store.index(layer.digest).entries] == ["x"]
        assert list(store.view([layer.digest])) == ["x"]

    def test_a_compressed_layer_is_the_same(self, store: Store, tmp_path: Path) -> None:
        layer = add(store, file("x", b"1"))
        blob = tmp_path / "blob"
        blob.write_bytes(gzip.compress(store.layer(layer.digest).read_bytes()))
        other = Store(tmp_path / "other")
        assert other.take_layer(blob) == layer
        assert other.index(layer.digest) == store.index(layer.digest)

    @pytest.mark.parametrize("damage", [None, b"", b"junk" * 20, "cut", "changed"])
    def test_an_index_is_made_again(self, store: Store, damage: bytes | str | None) -> None:
        layer = add(store, file("x", b"1"), folder("d"))
        index = store.index(layer.digest)
        (path,) = (store.root / "indexes").iterdir()
        whole = path.read_bytes()
        if damage is None:
            path.unlink()
        elif isinstance(damage, bytes):
            path.write_bytes(damage)
        else:
            path.write_bytes(whole[:-1] if damage == "cut" else whole.replace(b"x", b"y"))
        assert store.index(layer.digest) == index
        assert path.read_bytes() == whole

    @pytest.mark.parametrize("digest", [NOWHERE, "", "sha256:../../x", "sha512:00", "/etc/passwd"])
    def test_a_layer_that_is_not_there(self, store: Store, digest: str) -> None:
        for ask in (store.layer, store.index, store.get_json):
            with pytest.raises(LayerlabError) as caught:
                ask(digest)
            assert caught.value.code == "store-damaged"
        assert store.find("key") is None


class TestImages:
    def test_names(self, store: Store) -> None:
        one, other = make_image(store, add(store, file("x"))), make_image(store)
        assert store.names() == ()
        store.tag("b:1", [one])
        store.tag("a:1", [one])
        store.tag("b:1", [other])
        assert store.names() == ("a:1", "b:1")
        assert (store.resolve("a:1"), store.resolve("b:1")) == (one, other)
        store.untag("b:1")
        store.untag("never was")
        assert Store(store.root).names() == ("a:1",)
        assert store.resolve("b:1") is None

    def test_several_platforms(self, store: Store) -> None:
        two = [make_image(store, architecture=name) for name in ("amd64", "arm64")]
        top = store.tag("two:1", two)
        assert store.resolve("two:1") == top
        assert store.get_json(str(top["digest"]))["manifests"] == two

    def test_json_that_was_changed_is_not_believed(self, store: Store) -> None:
        digest = str(store.put_json({"a": 1}, CONFIG)["digest"])
        assert store.get_json(digest) == {"a": 1}
        path = store.layer(digest)
        path.write_bytes(path.read_bytes().replace(b"1", b"2"))
        with pytest.raises(LayerlabError) as caught:
            store.get_json(digest)
        assert caught.value.code == "store-damaged"

    def test_a_list_of_images_that_cannot_be_read(self, store: Store) -> None:
        (store.root / "index.json").write_text("{")
        for ask in (store.names, lambda: store.untag("x"), lambda: store.prune(0)):
            with pytest.raises(LayerlabError) as caught:
                ask()
            assert caught.value.code == "store-damaged"
            assert str(store.root) in caught.value.hint

    def test_many_at_once_lose_no_name(self, store: Store) -> None:
        made = make_image(store)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda at: Store(store.root).tag(f"n:{at}", [made]), range(24)))
        assert len(store.names()) == 24

    @pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
    def test_skopeo_takes_it(self, store: Store, tmp_path: Path) -> None:
        layers = [add(store, folder("d"), file("d/ü", b"1" * 9000)), add(store, file("y"))]
        made = make_image(store, *layers)
        store.tag("example.com/colors/app:first", [made])
        source = f"oci:{store.root}:example.com/colors/app:first"
        copied = f"oci:{tmp_path / 'copy'}:app:copied"
        for argv in (["copy", source, copied], ["inspect", copied]):
            done = process.run(["skopeo", "--insecure-policy", *argv], timeout=60)
            assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["Architecture"] == "amd64"
        raw = process.run(["skopeo", "inspect", "--raw", source], timeout=60)
        assert json.loads(raw.stdout)["layers"][0]["digest"] == layers[0].digest
        # Our side of the way back.
        copy = tmp_path / "copy/blobs/sha256"
        found = json.loads(
            (
                copy
                / json.loads((copy / "../../index.json").read_bytes())["manifests"][0]["digest"][7:]
            ).read_bytes()
        )
        again = Store(tmp_path / "again")
        taken = [again.take_layer(copy / layer["digest"][7:]) for layer in found["layers"]]
        assert taken == layers


class TestResults:
    def test_found_as_it_was_kept(self, store: Store) -> None:
        layer = add(store, file("x"))
        config = str(store.put_json({}, CONFIG)["digest"])
        for result in (StepResult((layer.digest,), config), StepResult()):
            store.keep("key", result)
            assert Store(store.root).find("key") == result
        assert store.find("other") is None

    @pytest.mark.parametrize("damage", ["gone", "cut", "entry"])
    def test_nothing_that_is_not_whole_is_found(self, store: Store, damage: str) -> None:
        layer = add(store, file("x", b"1"))
        store.keep("key", StepResult((layer.digest,)))
        if damage == "gone":
            store.layer(layer.digest).unlink()
        elif damage == "cut":
            os.truncate(store.layer(layer.digest), 600)
        else:
            (entry,) = (store.root / "cache").iterdir()
            entry.write_bytes(b"junk")
        assert store.find("key") is None

    def test_a_result_that_counts_on_nothing_is_not_kept(self, store: Store) -> None:
        with pytest.raises(LayerlabError, match="does not have"):
            store.keep("key", StepResult((NOWHERE,)))
        assert store.find("key") is None


def aged(path: Path, at: int) -> None:
    os.utime(path, (at, at))


class TestPrune:
    """`at` in these tests is when something was last used."""

    def step(self, store: Store, key: str, at: int) -> LayerRef:
        layer = add(store, file(key, key.encode() * 500))
        before = set((store.root / "cache").iterdir())
        store.keep(key, StepResult((layer.digest,)))
        aged(store.layer(layer.digest), at)
        (entry,) = set((store.root / "cache").iterdir()) - before
        aged(entry, at)
        return layer

    def test_what_an_image_needs_stays(self, store: Store) -> None:
        needed, spare = self.step(store, "a", 1), self.step(store, "b", 2)
        store.tag("image:1", [make_image(store, needed)])
        kept = blobs(store) - {spare.digest}
        assert store.prune(0) >= spare.size
        assert blobs(store) == kept
        assert store.find("a") is not None
        assert store.find("b") is None
        assert len(list((store.root / "indexes").iterdir())) == 1
        store.untag("image:1")
        assert store.prune(0) >= needed.size
        assert blobs(store) == set()
        assert [*(store.root / "cache").iterdir(), *(store.root / "indexes").iterdir()] == []

    def test_of_several_platforms_too(self, store: Store) -> None:
        layers = [self.step(store, name, 1) for name in ("a", "b")]
        two = [make_image(store, layer, architecture=layer.digest[-4:]) for layer in layers]
        store.tag("two:1", two)
        before = blobs(store)
        assert store.prune(0) == 0
        assert blobs(store) == before

    def test_the_longest_unused_goes_first(self, store: Store) -> None:
        steps = {at: self.step(store, f"step{at}", at) for at in (3, 1, 2)}
        store.find("step1")  # now the last one that was of use
        size = steps[1].size
        assert store.prune(2 * size + 1) >= size
        assert store.find("step2") is None
        assert store.find("step1") is not None
        assert store.find("step3") is not None
        assert store.prune(2 * size) == 0

    def test_results_without_layers_go_with_those_of_their_time(self, store: Store) -> None:
        for key, at in (("old", 1), ("new", 9)):
            before = set((store.root / "cache").iterdir())
            store.keep(key, StepResult())
            (entry,) = set((store.root / "cache").iterdir()) - before
            aged(entry, at)
        self.step(store, "a", 5)
        store.prune(0)
        assert (store.find("old"), store.find("new")) == (None, StepResult())

    def test_nothing_while_somebody_holds_it(self, store: Store) -> None:
        layer = self.step(store, "a", 1)
        with Store(store.root).holding():
            assert store.prune(0) == 0
            assert blobs(store) == {layer.digest}
        assert store.prune(0) > 0

    def test_leftovers_and_damage(self, store: Store) -> None:
        (store.root / "part" / "dead").write_bytes(bytes(1000))
        (store.root / "cache" / "junk").write_bytes(b"junk")
        assert store.prune(1 << 30) == 1004
        assert list((store.root / "part").iterdir()) == []


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """As on a full disk: the system refuses to write on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestFullDisk:
    def test_one_clear_error_and_no_leftover(self, store: Store, tmp_path: Path) -> None:
        blob = tmp_path / "blob"
        whole = add(Store(tmp_path / "other"), file("x", bytes(3_000_000)))
        blob.write_bytes(gzip.compress(Store(tmp_path / "other").layer(whole.digest).read_bytes()))
        for act in (
            lambda: add(store, file("x", bytes(3_000_000))),
            lambda: store.take_layer(blob),
            lambda: store.put_json({"long": "x" * 3_000_000}, CONFIG),
        ):
            with no_file_larger_than(1_000_000), pytest.raises(LayerlabError) as caught:
                act()
            assert caught.value.code == "disk-full"
            assert list((store.root / "part").iterdir()) == []
            assert blobs(store) == set()
        assert add(store, file("x", bytes(3_000_000))) == whole
