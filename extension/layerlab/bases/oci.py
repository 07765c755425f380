"""Write an OCI image layout: layers, configurations, manifests, one index for all platforms.

The format is a folder of files named by their own SHA-256, so it needs no library; what makes
it worth a module is that every byte is reproducible: entries sorted, times clamped, no user or
host names, no time in the gzip header.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, Protocol

INDEX: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"

Json = dict[str, object]


@dataclass(frozen=True)
class Entry:
    """One path of a layer. `data` is a file's content or a symbolic link's target."""

    path: str
    kind: Literal["file", "dir", "link"] = "file"
    data: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Layer:
    """A written layer: the digest of its compressed blob, its size, the digest of its tar."""

    digest: str
    size: int
    diff_id: str
    created_by: str


@dataclass(frozen=True)
class Settings:
    """The part of an image's configuration that a Dockerfile could have set."""

    env: Sequence[str] = ()
    cmd: Sequence[str] = ()
    working_dir: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


class _Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


class _Counting(io.RawIOBase):
    """Hands bytes on, and keeps their digest and number."""

    def __init__(self, target: _Sink) -> None:
        self._target = target
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        """Pass a chunk on."""
        chunk = bytes(data)  # type: ignore[call-overload]  # any buffer, as io wants it
        self._hash.update(chunk)
        self.size += len(chunk)
        self._target.write(chunk)
        return len(chunk)


class Layout:
    """An OCI image layout in a folder that this object owns while it is written."""

    def __init__(self, folder: Path, *, epoch: int) -> None:
        self.folder = folder
        self.epoch = epoch
        self._blobs = folder / "blobs" / "sha256"
        self._blobs.mkdir(parents=True, exist_ok=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}\n', encoding="utf-8")

    def add_entries(self, entries: Iterable[Entry], *, created_by: str) -> Layer:
        """A layer of these paths; missing parent folders are left to the layers below."""

        def fill(tar: tarfile.TarFile) -> None:
            for entry in sorted(entries, key=lambda e: e.path):
                tar.addfile(_member(entry, self.epoch), io.BytesIO(entry.data))

        return self._layer(fill, created_by)

    def add_tar(self, source: Path, *, drop: Callable[[str], bool], created_by: str) -> Layer:
        """A layer from a tar archive, without the paths that `drop` names."""

        def fill(tar: tarfile.TarFile) -> None:
            with tarfile.open(source) as archive:
                for member in archive:
                    name = member.name.removeprefix("./").rstrip("/")
                    if name in ("", ".") or drop(name):
                        continue
                    content = archive.extractfile(member) if member.isreg() else None
                    tar.addfile(_clamped(member, name, self.epoch), content)

        return self._layer(fill, created_by)

    def add_layer(self, layer: Layer, blob: Path) -> Layer:
        """Take over a layer that was written into another layout."""
        target = self._path(layer.digest)
        if not target.exists():
            try:
                target.hardlink_to(blob)
            except OSError:  # another file system
                shutil.copyfile(blob, target)
        return layer

    def blob(self, layer: Layer) -> Path:
        """Where a layer's compressed blob is."""
        return self._path(layer.digest)

    def add_image(self, platform: str, layers: Sequence[Layer], settings: Settings) -> Json:
        """An image for one platform. Returns its descriptor for `finish`."""
        os_name, _, architecture = platform.partition("/")
        created = datetime.fromtimestamp(self.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        config: Json = {
            "Env": list(settings.env),
            "Cmd": list(settings.cmd),
            "Labels": dict(settings.labels),
        }
        if settings.working_dir:
            config["WorkingDir"] = settings.working_dir
        image: Json = {
            "created": created,
            "architecture": architecture,
            "os": os_name,
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created": created, "created_by": layer.created_by} for layer in layers],
        }
        manifest: Json = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._json(image, CONFIG),
            "layers": [
                {"mediaType": LAYER, "digest": layer.digest, "size": layer.size} for layer in layers
            ],
        }
        where = {"os": os_name, "architecture": architecture}
        return self._json(manifest, MANIFEST) | {"platform": where}

    def finish(self, images: Sequence[Json], *, tag: str) -> str:
        """Write the index of all platforms under a tag. Returns its digest."""
        index: Json = {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(images)}
        descriptor = self._json(index, INDEX)
        top: Json = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [descriptor | {"annotations": {"org.opencontainers.image.ref.name": tag}}],
        }
        (self.folder / "index.json").write_bytes(_dump(top))
        return str(descriptor["digest"])

    def _layer(self, fill: Callable[[tarfile.TarFile], None], created_by: str) -> Layer:
        part = self._blobs / ".part"
        with part.open("wb") as file:
            packed = _Counting(file)
            with gzip.GzipFile("", "wb", compresslevel=6, fileobj=packed, mtime=0) as zipped:
                plain = _Counting(zipped)
                with tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                    fill(tar)
        part.replace(self._path(packed.digest))
        return Layer(packed.digest, packed.size, plain.digest, created_by)

    def _json(self, value: Json, media_type: str) -> Json:
        data = _dump(value)
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self._path(digest).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def _path(self, digest: str) -> Path:
        return self._blobs / digest.removeprefix("sha256:")


def index_digest(folder: Path) -> str:
    """The digest that a finished layout's one tag points to."""
    top = json.loads((folder / "index.json").read_bytes())
    return str(top["manifests"][0]["digest"])


def platforms(folder: Path) -> tuple[str, ...]:
    """The platforms that a finished layout's image has."""
    blob = folder / "blobs" / "sha256" / index_digest(folder).removeprefix("sha256:")
    manifests = json.loads(blob.read_bytes())["manifests"]
    return tuple(f"{m['platform']['os']}/{m['platform']['architecture']}" for m in manifests)


def size(folder: Path) -> int:
    """How many bytes a finished layout's blobs have."""
    return sum(blob.stat().st_size for blob in _files(folder / "blobs" / "sha256"))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.is_file())


def _dump(value: Json) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _member(entry: Entry, epoch: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(entry.path)
    info.mtime = epoch
    info.mode, info.uid, info.gid = entry.mode, entry.uid, entry.gid
    if entry.kind == "dir":
        info.type = tarfile.DIRTYPE
    elif entry.kind == "link":
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.data.decode(), 0o777
    else:
        info.size = len(entry.data)
    return info


def _clamped(member: tarfile.TarInfo, name: str, epoch: int) -> tarfile.TarInfo:
    member.name = name
    if member.islnk():
        member.linkname = member.linkname.removeprefix("./")
    member.mtime = min(int(member.mtime), epoch)
    member.uname = member.gname = ""
    # mmdebstrap writes times once more as PAX records; extended attributes stay
    member.pax_headers = {k: v for k, v in member.pax_headers.items() if k.startswith("SCHILY")}
    return member
