"""Configurations and manifests of images, with OCI's and Docker's names. Pure.

After the OCI image specification (`config.md`, `manifest.md`) and, for the fields that only
Docker has, moby's `image/spec/specs-go/v1` (`DockerOCIImageConfig`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from layerlab.cache.key import platform_parts
from layerlab.errors import LayerlabError

INDEX: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar"

Json = dict[str, object]


class Healthcheck(msgspec.Struct, frozen=True, omit_defaults=True, rename="pascal"):
    """How to see that a container works. Times are in nanoseconds, 0 means the default."""

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class Settings(msgspec.Struct, frozen=True, omit_defaults=True, rename="pascal"):
    """What a container is started with: the part that a Dockerfile's metadata sets.

    Attributes:
        entrypoint, cmd, shell: None where nothing was said; empty takes back what was.
        exposed_ports, volumes: sets, written as objects with empty values.
        env: `NAME=VALUE` each.
        stop_timeout: in seconds.
    """

    user: str = ""
    exposed_ports: dict[str, dict[str, str]] = {}
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    volumes: dict[str, dict[str, str]] = {}
    working_dir: str = ""
    labels: dict[str, str] = {}
    stop_signal: str = ""
    stop_timeout: int | None = None
    healthcheck: Healthcheck | None = None
    shell: tuple[str, ...] | None = None
    on_build: tuple[str, ...] = ()


class History(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one instruction has done. `empty_layer` where it made no layer."""

    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class RootFs(msgspec.Struct, frozen=True):
    """The digests of an image's uncompressed layers, the lowest first."""

    diff_ids: tuple[str, ...] = ()
    type: str = "layers"


class Image(msgspec.Struct, frozen=True, omit_defaults=True):
    """An image's configuration. `created` is as in RFC 3339; see `timestamp`."""

    architecture: str
    os: str
    rootfs: RootFs
    variant: str = ""
    created: str = ""
    author: str = ""
    config: Settings = Settings()
    history: tuple[History, ...] = ()

    def extended(self, history: History, layer: str | None = None) -> Image:
        """The image after one more instruction, and the digest of the layer that it made."""
        said = msgspec.structs.replace(history, empty_layer=layer is None)
        diff_ids = self.rootfs.diff_ids if layer is None else (*self.rootfs.diff_ids, layer)
        return msgspec.structs.replace(
            self,
            created=history.created or self.created,
            rootfs=RootFs(diff_ids),
            history=(*self.history, said),
        )


def timestamp(now: int, epoch: int | None) -> str:
    """A time for `created`, not after SOURCE_DATE_EPOCH; both in seconds since the epoch."""
    seconds = now if epoch is None else min(now, epoch)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(created: str) -> float | None:
    """Such a time in seconds since the epoch; None where none was said."""
    try:
        return datetime.fromisoformat(created).timestamp() if created else None
    except ValueError:
        return None


def image(config: Json) -> Image:
    """A configuration that a registry gave; fields that are not known here are left out.

    Raises:
        LayerlabError: code `image-config`: it is none.
    """
    try:
        return msgspec.convert(said(config), Image)
    except msgspec.ValidationError as error:
        raise LayerlabError(
            "The configuration of the base image cannot be read.",
            code="image-config",
            hint="Pull the image again; if that does not help, take another image.",
            output=str(error),
        ) from error


def said(value: Any) -> Any:  # noqa: ANN401 - JSON
    """The same without what is null: Docker writes that for what was not said."""
    if isinstance(value, dict):
        return {key: said(inner) for key, inner in value.items() if inner is not None}
    return [said(inner) for inner in value] if isinstance(value, list) else value


def manifest(config: Json, layers: Sequence[tuple[str, int]]) -> Json:
    """The manifest of an image with uncompressed layers.

    Args:
        config: the descriptor of its configuration.
        layers: digests and sizes, the lowest first.
    """
    found = [{"mediaType": LAYER, "digest": digest, "size": size} for digest, size in layers]
    return {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": found}


def platform(name: str) -> Json:
    """What the descriptor of a manifest says of the machines that an image is for."""
    system, architecture, variant = platform_parts(name)
    where: Json = {"os": system, "architecture": architecture}
    return where | ({"variant": variant} if variant else {})


def by_name(pairs: Iterable[str]) -> dict[str, str]:
    """Variables or labels, of `NAME=VALUE` each; the last of a name counts."""
    return dict(pair.partition("=")[::2] for pair in pairs)
