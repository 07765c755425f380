"""The engine that needs no other: see the text of this package."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version

import msgspec

from layerlab.cache.digests import Digests
from layerlab.cache.selection import Files
from layerlab.engines import argv, emulation, references
from layerlab.engines.argv import Dialect
from layerlab.engines.base import (
    BuildRequest,
    Clock,
    Container,
    EngineName,
    EngineReport,
    Identity,
    Image,
)
from layerlab.engines.embedded.build.builder import Builder
from layerlab.engines.embedded.build.pulling import Descriptor, Library, platform_of
from layerlab.engines.embedded.build.rootfs import retire
from layerlab.engines.embedded.containers import Containers
from layerlab.engines.embedded.home import home
from layerlab.engines.embedded.runners import tools
from layerlab.engines.embedded.runners.tools import Toolbox
from layerlab.engines.embedded.skopeo import Skopeo
from layerlab.engines.embedded.store import images as oci
from layerlab.engines.embedded.store.layout import Store
from layerlab.engines.embedded.words import Words
from layerlab.engines.options import options
from layerlab.errors import LayerlabError
from layerlab.model.events import Event
from layerlab.model.plan import Plan

SPARE = 10 * 2**30
"""Bytes of layers that no image needs and that are kept all the same: they are the build cache."""
TREES = 4
"""Root filesystems that are kept on disk, one for each base image."""
TIDY_EVERY = 3600.0
"""Seconds."""
HEAD = ("layerlab", "build", "--engine", "embedded")
"""How the same build is begun in a terminal."""


class EmbeddedEngine:
    """See `base.Engine`. Images that are not here are fetched by skopeo."""

    name: EngineName = "embedded"

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._folder = home(environ) / "embedded"

    @cached_property
    def toolbox(self) -> Toolbox:
        """The programs of others that it stands on."""
        return tools.find(self._environ, home(self._environ))

    @cached_property
    def store(self) -> Store:
        """Its images."""
        return Store(self._folder / "store")

    @cached_property
    def library(self) -> Library:
        """Its images by their names."""
        return Library(self.store, Skopeo(self.toolbox.skopeo, self._environ))

    @cached_property
    def _containers(self) -> Containers:
        return Containers(self.store, self._folder, self.toolbox)

    @property
    def cache(self) -> str:
        """See `base.Engine`."""
        return self.name

    @property
    def buildah(self) -> tuple[int, int] | None:
        """See `base.Engine`: its cache behaves as BuildKit's."""
        return None

    # Builds.

    def probe(self) -> EngineReport:
        """See `base.Engine`: what it stands on is tried when it is looked for."""
        number = version("layerlab")
        if sys.platform != "linux":
            reason = "The embedded engine runs on Linux only."
            fix = "Install Docker Desktop or Podman Desktop; on Windows, WSL 2 is a Linux, too."
            return EngineReport(self.name, True, False, number, reason=reason, fix=fix)
        if missing := self.toolbox.missing:
            fix = "Type in a terminal: layerlab setup"
            return EngineReport(self.name, True, False, number, reason=missing, fix=fix)
        return EngineReport(
            self.name, True, True, number, builder=f"Layerlab with {self.toolbox.runner().name}"
        )

    def build_command(self, request: BuildRequest) -> tuple[str, ...]:
        """See `base.Engine`. Raises BuildInputError for a name that no image can have."""
        return argv.render(HEAD, request, Dialect(self.name))

    def notes(self, request: BuildRequest) -> tuple[str, ...]:
        """See `base.Engine`: nothing has to be translated."""
        return argv.notes(request, Dialect(self.name))

    def build(
        self, request: BuildRequest, plan: Plan, clock: Clock
    ) -> Generator[Event, None, None]:
        """See `base.Engine`."""
        asked = options(request, self._environ)
        digests = Digests(self._folder / "digests.sqlite", request.context_path)
        builder = Builder(
            store=self.store,
            library=self.library,
            toolbox=self.toolbox,
            folder=self._folder,
            request=request,
            plan=plan,
            options=asked,
            select=Files.of(
                request.context_path,
                request.dockerfile_path,
                "buildkit",
                digests,
                asked.buildah,
            ),
            environ=self._environ,
            clock=clock,
        )
        try:
            yield from builder.events()
        finally:
            digests.save()
        self._tidy(clock())

    def _tidy(self, now: float) -> None:
        """Keep within bounds, now and then: it takes as long as a build where nothing runs."""
        stamp = self._folder / "tidied"
        if not stamp.exists() or now - stamp.stat().st_mtime > TIDY_EVERY:
            stamp.touch()
            self.prune(SPARE)

    def prune(self, keep: int = 0) -> int:
        """Remove what no image needs, the longest unused first; the bytes that became free.

        Args:
            keep: bytes of layers that may stay, so that steps need not run again.
        """
        retire(self._folder / "trees", TREES)
        return self.store.prune(keep)

    def ctr(self, args: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str]]:
        """See `base.Engine`."""
        yield ("layerlab", "ctr", "--engine", "embedded", *args), Words(self).say(args)

    def platforms(self) -> tuple[str, ...]:
        """See `base.Engine`: those that a QEMU is there for, the kernel's or its own."""
        native = emulation.native()
        emulated = [name for name in emulation.FOREIGN if self.toolbox.emulator(name)]
        return tuple(dict.fromkeys((native, *emulation.emulated(), *emulated)))

    # Images.

    def configuration(self, name: str) -> oci.Image:
        """An image's own description, for this machine's platform where there are several."""
        return oci.image(self.store.get_json(self._config(name)[0]))

    def tag(self, name: str, other: str) -> None:
        """Give an image one more name."""
        found = self._manifests(name).values()
        self.library.name(references.short(other), [msgspec.to_builtins(one) for one in found])

    def chosen(self, name: str, platform: str = "") -> Descriptor:
        """The manifest of an image: for a platform, else for this machine's, else the first."""
        found = self._manifests(name)
        if platform and platform not in found:
            raise LayerlabError(
                f"There is no {name} for {platform} here.",
                code="wrong-platform",
                hint=f"It is here for {', '.join(sorted(found))}.",
            )
        return found.get(platform or emulation.native()) or next(iter(found.values()))

    def _manifests(self, name: str) -> dict[str, Descriptor]:
        """The manifests of an image by their platforms; raises where there is none."""
        found = self.library.manifests(references.short(name))
        if not found:
            raise _no_image(name)
        return {platform_of(one): one for one in found}

    def _config(self, name: str) -> tuple[str, tuple[str, ...]]:
        """The digest of an image's configuration, and the architectures that there are."""
        architectures = {platform.split("/")[1] for platform in self._manifests(name)}
        return self.library.config_of(self.chosen(name)), tuple(sorted(architectures))

    def images(self) -> tuple[Image, ...]:
        """See `base.Engine`."""
        return tuple(self.image(name) for name in self.store.names())

    def image(self, name: str) -> Image:
        """See `base.Engine`; the one for this machine's platform, where there are several."""
        short = references.short(name)
        config, architectures = self._config(short)
        made = oci.image(self.store.get_json(config))
        settings = made.config
        layers = made.rootfs.diff_ids
        return Image(
            name=short,
            id=config.removeprefix("sha256:"),
            size=sum(self.store.layer(digest).stat().st_size for digest in layers),
            architectures=architectures,
            os=made.os,
            created=oci.seconds(made.created),
            env=settings.env,
            command=settings.cmd or (),
            entrypoint=settings.entrypoint or (),
            working_dir=settings.working_dir,
            user=settings.user,
            ports=tuple(settings.exposed_ports),
            labels=settings.labels,
            triggers=settings.on_build,
            layers=layers,
        )

    def identify(self, name: str) -> Identity:
        """See `base.Engine`."""
        image = self.image(name)
        return Identity(image.id, image.architectures, image.triggers)

    def remove_image(self, name: str) -> None:
        """See `base.Engine`; its layers go when the store is pruned."""
        short = references.short(name)
        if self.store.resolve(short) is None:
            raise _no_image(name)
        self.store.untag(short)

    # Containers.

    def containers(self) -> tuple[Container, ...]:
        """See `base.Engine`."""
        return self._containers.all()

    def find(self, name: str) -> Container | None:
        """A container by its name, its id, or how that begins."""
        return self._containers.find(name)

    def run(
        self,
        image: str,
        args: Sequence[str],
        *,
        platform: str | None = None,
        name: str | None = None,
        remove: bool = True,
    ) -> str:
        """See `base.Engine`."""
        found = self._fetched(image, platform)
        return self._containers.run(image, found, args, container=name, remove=remove)

    def serve(self, image: str, port: int, args: Sequence[str] = ()) -> Container:
        """See `base.Engine`."""
        return self._containers.serve(image, self._fetched(image, None), port, args)

    def logs(self, container: Container) -> str:
        """See `base.Engine`."""
        return self._containers.log(container)

    def remove(self, container: Container) -> None:
        """See `base.Engine`."""
        self._containers.remove(container)

    def _fetched(self, name: str, platform: str | None) -> oci.Image:
        """The configuration of an image, which is fetched where it is not here."""
        here = [platform_of(one) for one in self.library.manifests(references.short(name))]
        wanted = platform or (emulation.native() if emulation.native() in here else "")
        return self.library.image(name, wanted or (here or [emulation.native()])[0]).image


def _no_image(name: str) -> LayerlabError:
    return LayerlabError(
        f"There is no image {name}.",
        code="no-such-image",
        hint="layerlab.images() lists those that there are.",
    )
