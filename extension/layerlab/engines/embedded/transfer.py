"""Images into archives, out of archives, and to registries.

What is written is docker's archive: `manifest.json`, and blobs that are named as in the store.
Every version of docker and of podman reads it. skopeo writes one image to an archive; here, as
with docker, there may be several.
"""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from layerlab.engines import references
from layerlab.engines.embedded.build.pulling import Descriptor, Library
from layerlab.engines.embedded.skopeo import Reason, tls
from layerlab.engines.embedded.store import disk, foreign, images, layers
from layerlab.engines.embedded.store.entries import Entry, HostileLayerError
from layerlab.engines.embedded.store.layout import NAME
from layerlab.errors import LayerlabError

_BLOBS = "blobs/sha256/"
_MAGIC, _MAGIC_END = b"ustar", 262
"""What the first header of any archive has, and where that ends."""
_CONTAINERD_NAME = "io.containerd.image.name"
"""The annotation that has docker's and BuildKit's whole names; `NAME` is the tag alone there."""
_MAX_LIST = 4 << 20
"""Bytes of the list of an archive's images; skopeo has such a limit, too."""
_LOAD = (
    Reason(
        "bad-archive",
        r"^(?!.*(?:no space left|disk quota|no image found in))",
        "Save the image again: docker save -o FILE NAME, or podman save -o FILE NAME.",
    ),
)
_PUSH = (
    Reason(
        "push-refused",
        r"(?i)unauthorized|authentication required|denied|forbidden",
        "The registry lets only some people put images there. Log in (skopeo login REGISTRY), or "
        "give the image a name in a registry of your own first: "
        "tag colors:first localhost:5000/colors:first",
    ),
    Reason(
        "registry-unreachable",
        r"pinging container registry|dial tcp|connection re(?:fused|set)|i/o timeout",
        "Does the registry run? What stands before the first / of a name is its address; without "
        "one, Docker Hub is meant.",
    ),
)


class _Saved(msgspec.Struct, rename="pascal"):
    """An image in docker's `manifest.json`."""

    config: str
    layers: list[str]
    repo_tags: list[str] = []


class _Layout(msgspec.Struct):
    """The `index.json` of an OCI layout, as far as it matters."""

    manifests: list[_Named]


class _Named(msgspec.Struct):
    """An image in it."""

    annotations: dict[str, str] = {}


class _Held(NamedTuple):
    """An image in an archive: what skopeo calls it, and its names."""

    source: str
    names: tuple[str, ...]


def save(library: Library, chosen: Sequence[tuple[str, Descriptor]], path: Path) -> None:
    """Write images into docker's archive.

    Args:
        library: has them.
        chosen: names, and the manifest of each.
        path: the archive; what was there before is lost.

    Raises:
        LayerlabError: code `cannot-write`, `disk-full`, or one of the store's.
    """
    saved: dict[str, _Saved] = {}
    for name, descriptor in chosen:
        config, diff_ids = library.contents(descriptor)
        known = saved.get(config) or _Saved(_blob(config), list(map(_blob, diff_ids)))
        saved[config] = msgspec.structs.replace(known, repo_tags=[*known.repo_tags, name])
    try:
        with disk.aside(path.parent) as file:
            _write(library, list(saved.values()), file)
            disk.settle(file, path)
    except OSError as error:
        raise LayerlabError(
            f"{path} cannot be written: {error.strerror}.",
            code="cannot-write",
            hint="Name a file in a folder that is there and that you may write to.",
        ) from error


def load(library: Library, path: Path) -> tuple[str, ...]:
    """Take over all images of an archive: docker's or OCI's, gzipped or not.

    Returns:
        Their names.

    Raises:
        LayerlabError: code `no-such-file`, `bad-archive` or `unnamed-image`; `hostile-layer`, or
            as of `skopeo.failed`.
    """
    store = library.store
    with store.holding(), store.scratch() as scratch:
        archive = scratch / "archive.tar"
        held = _checked(path, archive)
        if unnamed := [image for image in held if not image.names]:
            raise LayerlabError(
                f"{path} holds {len(unnamed)} image(s) without a name.",
                code="unnamed-image",
                hint="Save by name, as in: save -o FILE colors:first",
            )
        loaded: list[str] = []
        for number, (source, names) in enumerate(held):
            for name in names:
                references.check(name)
            folder = scratch / str(number)
            command = ("copy", source, f"dir:{folder}")
            library.skopeo.run(f"{path} cannot be loaded", *command, reasons=_LOAD)
            made = library.take(folder, names[0])
            for name in names:
                library.name(name, [made])
            loaded += names
    return tuple(loaded)


def push(library: Library, name: str) -> str:
    """Copy an image, for all its platforms, to the registry that its name begins with.

    Layers are compressed on the way.

    Returns:
        What docker prints at the end of it.

    Raises:
        LayerlabError: code `push-refused`, or as of `skopeo.failed`.
    """
    references.check(name)
    repository, tag = references.split(name)
    tag = tag or "latest"
    target = f"docker://{repository}:{tag}"
    store = library.store
    with store.holding(), store.scratch() as scratch:
        digest = scratch / "digest"
        library.skopeo.run(
            f"{name} cannot be pushed",
            *("copy", "--all", "--digestfile", str(digest), *tls("dest-", name)),
            *(f"oci:{store.root}:{references.short(name)}", target),
            reasons=_PUSH,
        )
        pushed = digest.read_text()
    manifest = library.skopeo.run(
        f"{name} was pushed, and cannot be read again",
        *("inspect", "--raw", *tls("", name), f"docker://{repository}@{pushed}"),
    )
    return (
        f"The push refers to repository [{repository}]\n"
        f"{tag}: digest: {pushed} size: {len(manifest)}\n"
    )


def _blob(digest: str) -> str:
    return digest.replace("sha256:", _BLOBS)


def _write(library: Library, saved: Sequence[_Saved], file: BinaryIO) -> None:
    """The same images give the same bytes."""
    with tarfile.open(fileobj=file, mode="w") as tar:
        blobs = dict.fromkeys(blob for one in saved for blob in (one.config, *one.layers))
        for blob in blobs:
            path = library.store.root / blob
            info = tarfile.TarInfo(blob)
            info.size = path.stat().st_size
            with path.open("rb") as content:
                tar.addfile(info, content)
        data = msgspec.json.encode(saved)
        info = tarfile.TarInfo("manifest.json")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def _checked(path: Path, archive: Path) -> Sequence[_Held]:
    """What an archive holds; a sound copy of it, uncompressed, is then at `archive`."""
    try:
        if (kind := layers.compression(path)) not in ("", "gzip"):
            raise HostileLayerError(f"is compressed with {kind}, decompress it first")
        with archive.open("wb") as target:
            layers.unpacked(path, target)
        return _held(archive)
    except HostileLayerError as error:
        raise LayerlabError(
            f"{path} is no archive of images that can be loaded: {error.reason}.",
            code="bad-archive",
            hint=_LOAD[0].hint,
        ) from error
    except OSError as error:
        raise LayerlabError(
            f"{path} cannot be read: {error.strerror}.",
            code="no-such-file",
            hint="Name an archive of images, as “save -o FILE IMAGE” writes it.",
        ) from error


def _held(archive: Path) -> Sequence[_Held]:
    with archive.open("rb") as file:
        if not file.read(_MAGIC_END).endswith(_MAGIC):
            raise HostileLayerError("is no tar archive")
    entries = {one.path: one for one in foreign.read(archive, markers=False).entries}
    for name, entry in entries.items():
        digest = name.removeprefix(_BLOBS)
        if digest != name and entry.type == "file" and entry.digest != digest:
            raise HostileLayerError("has another content than its name says", name)
    of = _of_docker if "manifest.json" in entries else _of_oci
    try:
        return list(of(archive, entries))
    except (msgspec.DecodeError, RecursionError) as error:
        raise HostileLayerError(f"has a list of images that cannot be read ({error})") from error


def _of_docker(archive: Path, entries: dict[str, Entry]) -> Iterator[_Held]:
    text = _text(archive, entries, "manifest.json")
    found = msgspec.json.decode(text, type=list[dict[str, object]])
    for number, described in enumerate(found):
        image = msgspec.convert(images.said(described), _Saved)
        for name in (image.config, *image.layers):
            _file(entries, name)
        names = map(references.short, image.repo_tags)
        yield _Held(f"docker-archive:{archive}:@{number}", tuple(names))


def _of_oci(archive: Path, entries: dict[str, Entry]) -> Iterator[_Held]:
    for name, entry in entries.items():
        if entry.type not in ("file", "dir"):
            raise HostileLayerError("is no file", name)  # skopeo would unpack it
    found = msgspec.json.decode(_text(archive, entries, "index.json"), type=_Layout).manifests
    for image in found:
        short = image.annotations.get(NAME, "")
        name = image.annotations.get(_CONTAINERD_NAME) or short
        source = f"oci-archive:{archive}" + (f":{short}" if len(found) > 1 else "")
        yield _Held(source, (references.short(name),) if name else ())


def _text(archive: Path, entries: dict[str, Entry], name: str) -> bytes:
    entry = _file(entries, name)
    if entry.size > _MAX_LIST:
        raise HostileLayerError("is too large", name)
    with archive.open("rb") as file:
        file.seek(entry.offset)
        return file.read(entry.size)


def _file(entries: dict[str, Entry], name: str) -> Entry:
    """A file of an archive; older versions of docker save a layer that is there twice as a link."""
    entry = entries.get(name)
    if entry is not None and entry.type == "link":
        entry = entries.get(posixpath.normpath(posixpath.join(name, "..", entry.link)))
    if entry is None or entry.type != "file":
        raise HostileLayerError("is not there, or no file", name)
    return entry
