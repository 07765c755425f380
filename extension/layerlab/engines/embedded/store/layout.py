"""Layers, images and results of steps on disk: an OCI image layout with two folders more.

    oci-layout, index.json, blobs/sha256/   see the OCI image specification, `image-layout.md`
    indexes/                                what each layer holds, by the layer's digest
    cache/                                  results of steps, by a digest of their cache key
    part/                                   what is being made, or was when a process died

Layers are uncompressed: the digest of a blob is its diff id. Every file is written aside and
then given its name, so a process may be killed at any moment, and several may work at once.
Nobody else may write to the layout (skopeo does not lock it, and brings compressed layers), but
anybody may read it: `skopeo copy oci:ROOT:NAME …`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from layerlab.engines.embedded.store import disk, foreign, layers, scratch
from layerlab.engines.embedded.store.entries import LayerIndex
from layerlab.engines.embedded.store.images import INDEX, MANIFEST, Json
from layerlab.engines.embedded.store.layers import NO_MORE, Limits, Member
from layerlab.engines.embedded.store.pruning import prune, removed
from layerlab.engines.embedded.store.view import View
from layerlab.errors import LayerlabError

NAME: Final = "org.opencontainers.image.ref.name"
"""The annotation that names an image in a layout."""
_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
_FORMAT: Final = b"1"
"""Of the files in `indexes`: another one makes them read anew from their layers."""
_VIEWS: Final = 8
"""States of images that are remembered, for as long as nobody needs others."""
_CHECKSUM: Final = hashlib.sha256().digest_size


class LayerRef(NamedTuple):
    """A layer that the store has: its digest, which is its diff id, and its size in bytes."""

    digest: str
    size: int


class StepResult(msgspec.Struct, frozen=True):
    """What a step has made.

    Attributes:
        layers: digests of the layers that it adds, the lowest first.
        created: when, as in an image's history: a step that is reused keeps its time.
    """

    layers: tuple[str, ...] = ()
    created: str = ""


class _Kept(msgspec.Struct, frozen=True):
    """A result as it is written, with the sizes of the blobs that it names."""

    result: StepResult
    sizes: dict[str, int]


class _Manifest(msgspec.Struct):
    """What a manifest, or an index of several, needs."""

    config: Json = {}
    layers: list[Json] = []
    manifests: list[Json] = []


class Store:
    """The store in a folder, which is made where it is missing.

    Every method that writes raises LayerlabError with code `disk-full`; every one that takes a
    digest, with code `store-damaged` where the blob is not there or is not what it should be.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._blobs = root / "blobs" / "sha256"
        self._indexes, self._cache, self._part = root / "indexes", root / "cache", root / "part"
        self._views: dict[tuple[str, ...], View] = {}
        for folder in (self._blobs, self._indexes, self._cache, self._part):
            folder.mkdir(parents=True, exist_ok=True)
        with disk.locked(root / "names.lock"):
            if not (root / "oci-layout").exists():
                self._put(root / "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            if not (root / "index.json").exists():
                self._put_names([])

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """While this is open, in any process, `prune` removes nothing.

        A build opens it before it looks for its first result, and closes it when its image has a
        name: what it has found or added in between, nothing else may need yet.
        """
        with disk.locked(self.root / "holding.lock", shared=True):
            yield

    def scratch(self) -> contextlib.AbstractContextManager[Path]:
        """A new folder to work in, for as long as the block lasts; see `scratch.folder`."""
        return scratch.folder(self._part)

    # Layers

    def add_layer(
        self,
        members: Iterable[Member],
        whiteouts: Iterable[str] = (),
        opaque: Iterable[str] = (),
        *,
        epoch: int | None,
    ) -> LayerRef:
        """Write a layer; see `layers.write`."""
        with self.holding(), disk.aside(self._part) as file:
            written = layers.write(file, members, whiteouts, opaque, epoch=epoch)
            disk.settle(file, self._path(written.digest))
        self._put_index(written.digest, written.index)
        return LayerRef(written.digest, written.size)

    def take_layer(self, blob: Path, limits: Limits = NO_MORE) -> LayerRef:
        """Take in a layer of somebody else's, gzipped or not.

        Raises:
            HostileLayerError: see `layers.unpacked` and `foreign.read`; nothing is left of it.
        """
        with self.holding(), disk.aside(self._part) as file:
            digest, size = layers.unpacked(blob, file, limits)
            file.flush()
            index = foreign.read(Path(file.name), limits)
            disk.settle(file, self._path(digest))
        self._put_index(digest, index)
        return LayerRef(digest, size)

    def layer(self, digest: str) -> Path:
        """The uncompressed tar of a layer."""
        path = self._path(digest)
        if not path.exists():
            raise _damaged(digest)
        return path

    def index(self, digest: str) -> LayerIndex:
        """What a layer holds; read from its tar where that is not written down, or damaged."""
        with contextlib.suppress(OSError, ValueError, msgspec.DecodeError):
            data = self._index_path(digest).read_bytes()
            if data[:_CHECKSUM] == _checksum(data[_CHECKSUM:]):
                return msgspec.msgpack.decode(data[_CHECKSUM:], type=LayerIndex)
        index = foreign.read(self.layer(digest))
        self._put_index(digest, index)
        return index

    def view(self, diff_ids: Sequence[str]) -> View:
        """The state of an image with these layers, the lowest first."""
        layers = tuple(diff_ids)
        # Each step stands on one layer more than the step before.
        known = next((at for at in range(len(layers), 0, -1) if layers[:at] in self._views), 0)
        view = self._views.get(layers[:known]) or View()
        for digest in layers[known:]:
            view = view.on(digest, self.index(digest))
        self._views.pop(layers, None)
        self._views[layers] = view
        if len(self._views) > _VIEWS:
            self._views.pop(next(iter(self._views)))
        return view

    # JSON and images

    def put_json(self, value: object, media_type: str) -> Json:
        """Write a value (plain, or of Structs) as a blob; returns its descriptor."""
        data = msgspec.json.encode(value, order="deterministic")
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self._put(self._path(digest), data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def get_json(self, digest: str) -> Json:
        """The object in a blob."""
        try:
            data = self._path(digest).read_bytes()
            if f"sha256:{hashlib.sha256(data).hexdigest()}" == digest:
                return msgspec.json.decode(data, type=dict[str, object])
        except (OSError, msgspec.DecodeError) as error:
            raise _damaged(digest) from error
        raise _damaged(digest)

    def tag(self, name: str, descriptors: Sequence[Json]) -> Json:
        """Give a name to an image; to one for several platforms where there are more descriptors.

        Args:
            name: taken from any image that has it.
            descriptors: of manifests, each with its `platform` where there are several.

        Returns:
            The descriptor that the name stands for.
        """
        top = descriptors[0]
        if len(descriptors) > 1:
            several = {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(descriptors)}
            top = self.put_json(several, INDEX)
        named = top | {"annotations": {NAME: name}}
        self._change_names(lambda others: [*_without(others, name), named])
        return top

    def untag(self, name: str) -> None:
        """Take a name away; it is no error when nothing has it."""
        self._change_names(lambda others: _without(others, name))

    def names(self) -> tuple[str, ...]:
        """The names of all images, sorted."""
        return tuple(sorted(filter(None, map(_name, self.images()))))

    def resolve(self, name: str) -> Json | None:
        """The descriptor that a name stands for: of a manifest, or of an index of several."""
        found = next((image for image in self.images() if _name(image) == name), None)
        return {k: v for k, v in found.items() if k != "annotations"} if found else None

    def images(self) -> list[Json]:
        """The descriptors of all images, their names as annotations."""
        path = self.root / "index.json"
        try:
            manifests = msgspec.json.decode(path.read_bytes(), type=dict[str, object])["manifests"]
            return msgspec.convert(manifests, list[Json])
        except (KeyError, OSError, msgspec.DecodeError) as error:
            raise LayerlabError(
                "The list of images in Layerlab's store cannot be read.",
                code="store-damaged",
                hint=f"Remove the folder {self.root} and build again.",
            ) from error

    # Results of steps

    def find(self, key: str) -> StepResult | None:
        """The result of an earlier step with this key, if all that it names is still there."""
        path = self._cache_path(key)
        try:
            kept = msgspec.msgpack.decode(path.read_bytes(), type=_Kept)
            whole = all(disk.size(self._path(d)) == size for d, size in kept.sizes.items())
            if whole:
                os.utime(path)  # for `prune`: it is still of use
        except (OSError, msgspec.DecodeError, LayerlabError):
            return None
        return kept.result if whole else None

    def keep(self, key: str, result: StepResult) -> None:
        """Remember a step's result."""
        sizes = {digest: disk.size(self._path(digest)) for digest in result.layers}
        if missing := next((digest for digest, size in sizes.items() if size < 0), None):
            raise _damaged(missing)
        self._put(self._cache_path(key), msgspec.msgpack.encode(_Kept(result, sizes)))

    def prune(self, keep: int) -> int:
        """Remove what no image needs, the longest unused first; nothing while somebody holds it.

        Args:
            keep: bytes that such blobs may go on to take.

        Returns:
            How many bytes have become free.
        """
        freed = self.clear()
        with self._held_by_nobody() as alone:
            return freed + (self._prune(keep) if alone else 0)

    def clear(self) -> int:
        """Remove what processes have left that were killed; the bytes of what they were writing.

        That is known at once of their folders; of single files, when nobody holds the store.
        """
        scratch.clear(self._part)
        with self._held_by_nobody() as alone:
            # Whoever writes holds the store: what is written here, nobody writes any more.
            return removed(filter(Path.is_file, self._part.iterdir())) if alone else 0

    def _held_by_nobody(self) -> contextlib.AbstractContextManager[bool]:
        return disk.locked(self.root / "holding.lock", wait=False)

    def _prune(self, keep: int) -> int:
        results = {path: self._counts_on(path) for path in self._cache.iterdir()}
        return prune(self._blobs, self._indexes, results, self._needed(), keep)

    def _counts_on(self, path: Path) -> frozenset[str]:
        """The names of the blobs of a result; of one that cannot be read, one that is nowhere."""
        try:
            kept = msgspec.msgpack.decode(path.read_bytes(), type=_Kept)
            return frozenset(self._path(digest).name for digest in kept.sizes)
        except (msgspec.DecodeError, LayerlabError):
            return frozenset({""})

    def _needed(self) -> set[str]:
        """The names of the blobs of all images."""
        needed: set[str] = set()
        todo = self.images()
        while todo:
            descriptor = todo.pop()
            with contextlib.suppress(LayerlabError, msgspec.ValidationError):
                digest = str(descriptor.get("digest"))
                name = self._path(digest).name
                if name in needed:
                    continue
                needed.add(name)
                if descriptor.get("mediaType") in (INDEX, MANIFEST):
                    inner = msgspec.convert(self.get_json(digest), _Manifest)
                    todo += [inner.config, *inner.layers, *inner.manifests]
        return needed

    # Files

    def _put(self, path: Path, data: bytes) -> None:
        with self.holding(), disk.aside(self._part) as file:
            file.write(data)
            disk.settle(file, path)

    def _put_index(self, digest: str, index: LayerIndex) -> None:
        # Names that are no UTF-8 do not fit into msgpack: such a layer is read each time.
        with contextlib.suppress(UnicodeEncodeError):
            data = msgspec.msgpack.encode(index)
            self._put(self._index_path(digest), _checksum(data) + data)

    def _put_names(self, images: list[Json]) -> None:
        top = {"schemaVersion": 2, "mediaType": INDEX, "manifests": images}
        self._put(self.root / "index.json", msgspec.json.encode(top, order="deterministic"))

    def _change_names(self, change: Callable[[list[Json]], list[Json]]) -> None:
        with disk.locked(self.root / "names.lock"):
            self._put_names(change(self.images()))

    def _path(self, digest: str) -> Path:
        # What a registry calls a digest may be a path to anywhere.
        match = _DIGEST.fullmatch(digest)
        if match is None:
            raise _damaged(digest)
        return self._blobs / match[1]

    def _index_path(self, digest: str) -> Path:
        return self._indexes / self._path(digest).name

    def _cache_path(self, key: str) -> Path:
        return self._cache / hashlib.sha256(key.encode()).hexdigest()


def _checksum(data: bytes) -> bytes:
    return hashlib.sha256(_FORMAT + data).digest()


def _name(image: Json) -> str:
    annotations = image.get("annotations")
    return str(annotations.get(NAME, "")) if isinstance(annotations, dict) else ""


def _without(images: list[Json], name: str) -> list[Json]:
    return [image for image in images if _name(image) != name]


def _damaged(digest: str) -> LayerlabError:
    return LayerlabError(
        f"Layerlab's store does not have {digest[:80]}, or has it damaged.",
        code="store-damaged",
        hint="Build again without the cache (--no-cache), and pull the base image again.",
    )
