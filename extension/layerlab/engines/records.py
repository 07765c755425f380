"""What the CLIs and the Docker API print as JSON, read into our own types. Pure.

docker, nerdctl and podman describe images and containers with the same fields, Buildah has its own.
Those that are not named here are ignored, so that a newer tool may say more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from layerlab.engines import references
from layerlab.engines.base import Container, Image

_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared, never bound


class _Config(msgspec.Struct, rename="pascal"):
    env: list[str] | None = None
    cmd: list[str] | None = None
    entrypoint: list[str] | None = None
    working_dir: str | None = None
    user: str | None = None
    exposed_ports: dict[str, object] | None = None
    labels: dict[str, str] | None = None
    on_build: list[str] | None = None

    @property
    def triggers(self) -> tuple[str, ...]:
        """What ONBUILD asks of a build on it; OCI's own configuration has no place for that."""
        return tuple(self.on_build or ())


class _RootFS(msgspec.Struct):
    layers: list[str] | None = msgspec.field(default=None, name="Layers")


class _OciRootFS(msgspec.Struct):
    diff_ids: list[str] | None = None


class InspectedImage(msgspec.Struct, rename="pascal"):
    """An element of `image inspect`."""

    id: str
    repo_tags: list[str] | None = None
    architecture: str = ""
    os: str = "linux"
    size: int = 0
    created: str | None = None
    config: _Config | None = None
    root_fs: _RootFS | None = msgspec.field(default=None, name="RootFS")

    def image(
        self, name: str, *, size: int | None = None, architectures: Sequence[str] = ()
    ) -> Image:
        """As our own type, under one of its names; `size` and `architectures` if known better."""
        return _image(
            name=name,
            id=self.id.removeprefix("sha256:"),
            size=self.size if size is None else size,
            architectures=tuple(architectures) or (self.architecture,),
            os=self.os,
            created=self.created,
            config=self.config,
            layers=self.root_fs.layers if self.root_fs else None,
        )


class _State(msgspec.Struct, rename="pascal"):
    status: str = ""
    exit_code: int = 0


class _Binding(msgspec.Struct, rename="pascal"):
    host_ip: str = ""
    host_port: str = ""


class _Network(msgspec.Struct, rename="pascal"):
    ports: dict[str, list[_Binding] | None] | None = None


class _Origin(msgspec.Struct, rename="pascal"):
    """The configuration of a container; podman writes some of it otherwise than an image's."""

    image: str | None = None


class InspectedContainer(msgspec.Struct, rename="pascal"):
    """An element of `container inspect`."""

    id: str
    name: str = ""
    path: str = ""
    args: list[str] | None = None
    image: str = ""
    image_name: str | None = None
    state: _State = msgspec.field(default_factory=_State)
    config: _Origin | None = None
    network_settings: _Network | None = None

    def container(self) -> Container:
        """As our own type."""
        named = self.config.image if self.config else None
        # podman repeats the program as its first argument
        words = self.args or []
        command = words if words[:1] == [self.path] else [self.path, *words]
        over = self.state.status in ("exited", "dead", "stopped")
        return Container(
            id=self.id,
            name=self.name.removeprefix("/"),
            image=references.short(self.image_name or named or self.image),
            state="exited" if over else self.state.status,
            exit_code=self.state.exit_code if over else None,
            command=" ".join(command),
            url=self._url(),
        )

    def _url(self) -> str:
        ports = (self.network_settings.ports if self.network_settings else None) or {}
        for bindings in ports.values():
            for binding in bindings or []:
                host = "127.0.0.1" if binding.host_ip in _EVERYWHERE else binding.host_ip
                return f"http://{host}:{binding.host_port}"
        return ""


class _Platform(msgspec.Struct):
    architecture: str = ""
    os: str = ""


class _Descriptor(msgspec.Struct):
    platform: _Platform = msgspec.field(default_factory=_Platform)


class ManifestList(msgspec.Struct):
    """An image index, as `manifest inspect` prints it."""

    manifests: list[_Descriptor] = []

    @property
    def architectures(self) -> tuple[str, ...]:
        """Of all its images, in order, each once; attestations have none."""
        found = [d.platform.architecture for d in self.manifests]
        return tuple(dict.fromkeys(name for name in found if name not in ("", "unknown")))


class StoredImage(msgspec.Struct):
    """An element of the index that containers/storage keeps, `DRIVER-images/images.json`.

    `buildah images --json` lists the same fields, but for the layer, which is the uppermost.
    """

    id: str
    names: list[str] | None = None
    layer: str = ""


class StoredContainer(msgspec.Struct):
    """An element of containers/storage's `DRIVER-containers/containers.json`."""

    id: str
    created: str = ""


class StoredLayer(msgspec.Struct, rename="kebab"):
    """An element of containers/storage's `DRIVER-layers/layers.json`: the bytes of its tar."""

    diff_digest: str = ""
    diff_size: int = 0


class WorkingContainer(msgspec.Struct):
    """An element of `buildah containers --json`."""

    id: str


class OciImage(msgspec.Struct):
    """The OCI image configuration (image-spec `config.md`)."""

    architecture: str = ""
    os: str = "linux"
    created: str | None = None
    config: _Config | None = None
    rootfs: _OciRootFS | None = None

    @property
    def triggers(self) -> tuple[str, ...]:
        """See `Image.triggers`."""
        return self.config.triggers if self.config else ()


class InspectedByBuildah(msgspec.Struct):
    """What `buildah inspect` prints, of an image and of a working container."""

    oci: OciImage = msgspec.field(name="OCIv1")
    image_id: str = msgspec.field(name="FromImageID", default="")
    image_name: str = msgspec.field(name="FromImage", default="")
    container: str = msgspec.field(name="Container", default="")
    container_id: str = msgspec.field(name="ContainerID", default="")
    annotations: dict[str, str] | None = msgspec.field(name="ImageAnnotations", default=None)

    @property
    def layers(self) -> list[str]:
        """The digests of its layers' tars."""
        return (self.oci.rootfs.diff_ids if self.oci.rootfs else None) or []

    def image(self, name: str, *, size: int = 0, architectures: Sequence[str] = ()) -> Image:
        """As our own type, under one of its names; Buildah does not tell its size."""
        return _image(
            name=name,
            id=self.image_id,
            size=size,
            architectures=tuple(architectures) or (self.oci.architecture,),
            os=self.oci.os,
            created=self.oci.created,
            config=self.oci.config,
            layers=self.layers,
        )


def _image(
    *,
    name: str,
    id: str,  # noqa: A002 - the field's name
    size: int,
    architectures: tuple[str, ...],
    os: str,
    created: str | None,
    config: _Config | None,
    layers: list[str] | None,
) -> Image:
    config = config or _Config()
    return Image(
        name=references.short(name),
        id=id,
        size=size,
        architectures=architectures,
        os=os,
        created=seconds(created),
        env=tuple(config.env or ()),
        command=tuple(config.cmd or ()),
        entrypoint=tuple(config.entrypoint or ()),
        working_dir=config.working_dir or "",
        user=config.user or "",
        ports=tuple(config.exposed_ports or ()),
        labels=config.labels or {},
        triggers=config.triggers,
        layers=tuple(layers or ()),
    )


def seconds(stamp: str | None) -> float | None:
    """An RFC 3339 time as seconds since the epoch; None for nothing and for year 1."""
    if not stamp or stamp.startswith("0001-"):
        return None
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return None
