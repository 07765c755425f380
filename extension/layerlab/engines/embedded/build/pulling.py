"""Base images: from the store, else from a registry, by skopeo."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from layerlab.cache.key import platform_parts
from layerlab.engines import process, references
from layerlab.engines.embedded.store import images
from layerlab.engines.embedded.build.crew import Crew
from layerlab.engines.embedded.store.images import Image, Json
from layerlab.engines.embedded.store.layout import Store
from layerlab.errors import LayerlabError
from layerlab.model.events import Progress
from layerlab.progress.failures import find_cause

T = TypeVar("T")
_BLOB = re.compile(r"Copying blob (?:sha256:)?([0-9a-f]{12})")


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
        environ: its environment: it reads the same settings of registries as podman.
    """

    store: Store
    skopeo: Path | None
    environ: Mapping[str, str]

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

    def pull(
        self, name: str, platform: str, step: str = "", crew: Crew | None = None
    ) -> Generator[Progress, None, None]:
        """Fetch an image, and give it its short name, beside those for other platforms."""
        with self.store.scratch() as folder:
            layout = folder / "layout"
            yield from self._copy(name, platform, layout, step, crew or Crew())
            self.take(layout, references.short(name), platform)

    def take(self, layout: Path, name: str, platform: str) -> None:
        """Take over the one image of a layout, under a short name."""
        top = msgspec.json.decode((layout / "index.json").read_bytes(), type=Manifest)
        manifest = _read(layout, top.manifests[0], Manifest)
        if manifest.config is None:
            raise LayerlabError(f"{name} is no image.", code="image-config")
        config = _read(layout, manifest.config, Json)
        layers = [self.store.take_layer(_blob(layout, one)) for one in manifest.layers]
        if tuple(layer.digest for layer in layers) != images.image(config).rootfs.diff_ids:
            raise LayerlabError(
                f"The layers of {name} are not those that its configuration names.",
                code="hostile-layer",
                hint="Pull the image again; if that does not help, take another image.",
            )
        self.name(name, [self.put(config, layers, platform)], keep_others=True)

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
        self, name: str, platform: str, layout: Path, step: str, crew: Crew
    ) -> Generator[Progress, None, None]:
        command = self._command(name, platform, layout)
        said = b""
        with process.stream(command, env=self.environ) as output:
            for chunk in crew.chunks(output):
                said += chunk.data
                for match in _BLOB.finditer(chunk.data.decode(errors="replace")):
                    yield Progress(at=chunk.at, step=step, item=match[1], current=0)
            code = output.wait()
        if code != 0:
            lines = said.decode(errors="replace").strip().splitlines()
            cause = find_cause([], lines)
            raise LayerlabError(
                f"{name} cannot be fetched: {cause.message}",
                code=cause.code,
                hint=cause.hint,
                command=command,
                exit_code=code,
                output="\n".join(lines[-5:]),
            )

    def _command(self, name: str, platform: str, layout: Path) -> tuple[str, ...]:
        if self.skopeo is None:
            raise LayerlabError(
                "skopeo is missing, which fetches base images.",
                code="no-skopeo",
                hint="Type in a terminal: layerlab setup",
            )
        system, architecture, variant = platform_parts(platform)
        argv = [str(self.skopeo), *self._policy(), "--override-os", system]
        if settings := self.environ.get("CONTAINERS_REGISTRIES_CONF"):
            # podman and Buildah look there by themselves.
            argv += ["--registries-conf", settings]
        argv += ["--override-arch", architecture]
        argv += ["--override-variant", variant] if variant else []
        argv += ["copy", "--preserve-digests"]
        argv += ["--src-tls-verify=false"] if references.on_loopback(name) else []
        return (*argv, f"docker://{_pinned(name)}", f"oci:{layout}:image")

    def _policy(self) -> tuple[str, ...]:
        """Without a file that says whose images to trust, skopeo refuses all of them."""
        home = Path(self.environ.get("HOME", os.path.expanduser("~")))  # noqa: PTH111 - text
        places = (home / ".config/containers/policy.json", Path("/etc/containers/policy.json"))
        return () if any(place.exists() for place in places) else ("--insecure-policy",)


def platform_of(descriptor: Descriptor) -> str:
    """As `os/arch` or `os/arch/variant`."""
    where = descriptor.platform
    parts = (where.get("os"), where.get("architecture"), where.get("variant"))
    return "/".join(filter(None, parts))


def _pinned(name: str) -> str:
    """A name with tag and digest, of which skopeo takes one only."""
    rest, at, digest = name.partition("@")
    return f"{references.split(rest)[0]}@{digest}" if at else name


def _blob(layout: Path, descriptor: Descriptor) -> Path:
    return layout / "blobs" / descriptor.digest.replace(":", "/")


def _read(layout: Path, descriptor: Descriptor, kind: type[T]) -> T:
    return msgspec.json.decode(_blob(layout, descriptor).read_bytes(), type=kind)
