"""Base images: from the store, else from a registry, by skopeo."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from layerlab.cache.key import platform_name
from layerlab.engines import process, references
from layerlab.engines.embedded.build.crew import Crew
from layerlab.engines.embedded.skopeo import Reason, Skopeo, failed, tls
from layerlab.engines.embedded.store import images
from layerlab.engines.embedded.store.images import Image, Json
from layerlab.engines.embedded.store.layers import NO_MORE, Limits, compression
from layerlab.engines.embedded.store.layout import Store
from layerlab.errors import LayerlabError
from layerlab.model.events import Progress

_BLOB = re.compile(r"Copying blob (?:sha256:)?([0-9a-f]{12})")
_DECOMPRESS = (
    Reason(
        "hostile-layer",
        r"^(?!.*(?:no space left|disk quota))",
        "Pull the image again; if that does not help, take another image.",
    ),
)


class Descriptor(msgspec.Struct, omit_defaults=True, rename="camel"):
    """What points to a blob (OCI image specification, `descriptor.md`), as far as it matters."""

    media_type: str
    digest: str
    size: int
    platform: dict[str, str] = {}


class Manifest(msgspec.Struct, rename="camel"):
    """An image's manifest, or an index of several."""

    config: Descriptor | None = None
    layers: list[Descriptor] = []
    manifests: list[Descriptor] = []


class Found(NamedTuple):
    """An image, its id (the digest of its configuration), whether it was fetched just now."""

    image: Image
    id: str
    pulled: bool


@dataclass(frozen=True)
class Library:
    """The images that builds begin with.

    Args:
        store: keeps them.
        skopeo: fetches them.
    """

    store: Store
    skopeo: Skopeo

    def image(self, name: str, platform: str, crew: Crew | None = None) -> Found:
        """An image by the name that a Dockerfile has; raises as `get` does."""
        pulling = self.get(name, platform, "", crew or Crew())
        while True:
            try:
                next(pulling)
            except StopIteration as end:
                found: Found = end.value
                return found

    def get(
        self, name: str, platform: str, step: str, crew: Crew
    ) -> Generator[Progress, None, Found]:
        """The same, with progress of a step where it is fetched.

        Raises:
            LayerlabError: `no-skopeo`, or a code of `progress.failures`: no registry has it.
        """
        if (config := self.have(name, platform)) is not None:
            return Found(images.image(self.store.get_json(config)), config, pulled=False)
        yield from self.pull(name, platform, step, crew)
        config = self.have(name, platform)
        if config is None:
            raise LayerlabError(
                f"{name} is there, but not for {platform}.",
                code="platform-not-found",
                hint="Its page in the registry lists the platforms that there are.",
            )
        return Found(images.image(self.store.get_json(config)), config, pulled=True)

    def have(self, name: str, platform: str) -> str | None:
        """The digest of an image's configuration, if the store has it for this platform."""
        for descriptor in self.manifests(references.short(name)):
            if platform_of(descriptor) == platform:
                return self.config_of(descriptor)
        return None

    def manifests(self, name: str) -> list[Descriptor]:
        """The manifests under a short name, one for each platform; none where it has no image."""
        top = self.store.resolve(name)
        if top is None:
            return []
        descriptor = msgspec.convert(top, Descriptor)
        if descriptor.media_type != images.INDEX:
            return [descriptor]
        return self._manifest(descriptor).manifests

    def config_of(self, descriptor: Descriptor) -> str:
        """The digest of the configuration of a manifest."""
        config = self._manifest(descriptor).config
        return config.digest if config else ""

    def contents(self, descriptor: Descriptor) -> tuple[str, tuple[str, ...]]:
        """The digests of the configuration of a manifest, and of its layers, the lowest first."""
        manifest = self._manifest(descriptor)
        config = manifest.config.digest if manifest.config else ""
        return config, tuple(layer.digest for layer in manifest.layers)

    def pull(
        self, name: str, platform: str, step: str = "", crew: Crew | None = None
    ) -> Generator[Progress, None, None]:
        """Fetch an image, and give it its short name, beside those for other platforms."""
        with self.store.scratch() as scratch:
            folder = scratch / "image"
            yield from self._copy(name, platform, folder, step, crew or Crew())
            made = self.take(folder, name, platform)
            self.name(references.short(name), [made], keep_others=True)

    def take(self, folder: Path, name: str, platform: str = "", limits: Limits = NO_MORE) -> Json:
        """Take over an image that skopeo has put into a folder.

        Args:
            folder: as `dir:` makes it: the manifest, and blobs under their digests.
            name: of the image, for messages.
            platform: that it is for; what its configuration says by default.
            limits: how much each layer may hold.

        Returns:
            The descriptor of its manifest, which has no name yet.
        """
        folder = self._plain(folder, name, limits)
        manifest = _manifest(folder)
        if manifest.config is None:
            raise LayerlabError(f"{name} is no image.", code="image-config")
        config = _blob(folder, manifest.config).read_bytes()
        image = images.image(msgspec.json.decode(config, type=Json))
        layers = [self.store.take_layer(_blob(folder, one), limits) for one in manifest.layers]
        if tuple(layer.digest for layer in layers) != image.rootfs.diff_ids:
            raise LayerlabError(
                f"The layers of {name} are not those that its configuration names.",
                code="hostile-layer",
                hint="Pull the image again; if that does not help, take another image.",
            )
        own = platform_name("/".join(filter(None, (image.os, image.architecture, image.variant))))
        return self.put(msgspec.Raw(config), layers, platform or own)  # its id stays the same

    def _plain(self, folder: Path, name: str, limits: Limits) -> Path:
        """A folder with the same image, in which no layer is compressed with more than gzip."""
        layers = [_blob(folder, one) for one in _manifest(folder).layers]
        if {compression(layer) for layer in layers} <= {"", "gzip"}:
            return folder
        plain = folder / "plain"
        self.skopeo.run(
            f"A layer of {name} cannot be decompressed",
            *("copy", "--dest-decompress", f"dir:{folder}", f"dir:{plain}"),
            limit=limits.bytes,
            reasons=_DECOMPRESS,
        )
        return plain

    def put(self, config: object, layers: Sequence[tuple[str, int]], platform: str) -> Json:
        """Write an image's configuration and manifest; the descriptor of the latter."""
        written = self.store.put_json(config, images.CONFIG)
        made = self.store.put_json(images.manifest(written, layers), images.MANIFEST)
        return made | {"platform": images.platform(platform)}

    def name(self, name: str, made: Sequence[Json], *, keep_others: bool = False) -> None:
        """Give manifests a short name; `keep_others` of other platforms that have it."""
        kept: list[Json] = []
        if keep_others:
            own = {platform_of(msgspec.convert(one, Descriptor)) for one in made}
            others = [one for one in self.manifests(name) if platform_of(one) not in own]
            kept = [msgspec.to_builtins(one) for one in others]
        self.store.tag(name, [*kept, *made])

    def id_of(self, made: Json) -> str:
        """The id of the image that `put` has made: the digest of its configuration."""
        return self.config_of(msgspec.convert(made, Descriptor))

    def _manifest(self, descriptor: Descriptor) -> Manifest:
        return msgspec.convert(self.store.get_json(descriptor.digest), Manifest)

    def _copy(
        self, name: str, platform: str, folder: Path, step: str, crew: Crew
    ) -> Generator[Progress, None, None]:
        words = ("copy", "--preserve-digests", *tls("src-", name))
        source, target = f"docker://{_pinned(name)}", f"dir:{folder}"
        command = self.skopeo.command(*words, source, target, platform=platform)
        said = b""
        with process.stream(command, env=self.skopeo.environ) as output:
            for chunk in crew.chunks(output):
                said += chunk.data
                for match in _BLOB.finditer(chunk.data.decode(errors="replace")):
                    yield Progress(at=chunk.at, step=step, item=match[1], current=0)
            code = output.wait()
        if code != 0:
            raise failed(f"{name} cannot be fetched", command, code, said)


def platform_of(descriptor: Descriptor) -> str:
    """As `os/arch` or `os/arch/variant`."""
    where = descriptor.platform
    parts = (where.get("os"), where.get("architecture"), where.get("variant"))
    return "/".join(filter(None, parts))


def _pinned(name: str) -> str:
    """A name with tag and digest, of which skopeo takes one only."""
    rest, at, digest = name.partition("@")
    return f"{references.split(rest)[0]}@{digest}" if at else name


def _manifest(folder: Path) -> Manifest:
    return msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)


def _blob(folder: Path, descriptor: Descriptor) -> Path:
    return folder / descriptor.digest.partition(":")[2]
