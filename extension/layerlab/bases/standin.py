"""Put a stand-in for a base image together: an OCI layout that says what it is.

Its layers, from the bottom: Debian (or BusyBox), the toolchain, the settings of this machine.
Everything is kept in a cache under names made of what went in, so a second time costs nothing.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from layerlab.bases import contents, oci, rootfs, toolchain, tools
from layerlab.bases.catalogue import Base, Recipe
from layerlab.bases.oci import Entry
from layerlab.bases.rootfs import Rootfs
from layerlab.bases.settings import HostSettings
from layerlab.bases.tools import Say
from layerlab.engines import process
from layerlab.engines.embedded.home import home

EPOCH: Final = 1793491200
"""2026-11-01: files are no younger, so that the same inputs make the same image."""

_FORMAT: Final = 4  # raise when this code makes something else of the same inputs


@dataclass(frozen=True)
class StandIn:
    """A stand-in on disk.

    Attributes:
        folder: the OCI layout; the image is under its tag.
        made: it was put together just now, not found in the cache.
        note: what a learner should know of it.
    """

    base: Base
    folder: Path
    platforms: tuple[str, ...]
    made: bool
    note: str


def cache_folder() -> Path:
    """Where stand-ins are kept."""
    return home(os.environ) / "bases"


def epoch() -> int:
    """The time that nothing in an image is younger than."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or EPOCH)


def assemble(base: Base, host: HostSettings, say: Say, *, cache: Path | None = None) -> StandIn:
    """The stand-in of a base image, from the cache or put together now.

    Raises:
        LayerlabError: a tool is missing, or packages could not be fetched.
    """
    cache = cache or cache_folder()
    names = platforms(base.recipe)
    runs = base.recipe.kind != "busybox"  # that one is a single program, with nothing to configure
    unpacked = tuple(name for name in names if runs and not tools.can_run(name, say))
    parts = [_FORMAT, base.name, asdict(base.recipe), asdict(host), names, unpacked, epoch()]
    folder = cache / f"{base.short_name.replace(':', '-').replace('/', '-')}-{tools.key(parts)}"
    text = contents.note(base, names, unpacked)
    made = not (folder / "index.json").exists()
    if made:
        with tools.alone(cache / "lock"), tempfile.TemporaryDirectory(dir=cache) as scratch:
            layout = oci.Layout(Path(scratch) / "layout", epoch=epoch())
            job = _Job(base, host, layout, cache, text, say)
            images = [job.image(name, complete=name not in unpacked) for name in names]
            layout.finish(images, tag=base.tag)
            tools.publish(layout.folder, folder)
    return StandIn(base, folder, names, made, text)


def platforms(recipe: Recipe) -> tuple[str, ...]:
    """The platforms of a recipe's stand-in on this machine; this machine's own comes first."""
    own = tools.host_platform()
    names = [own if name == "host" else name for name in recipe.platforms]
    return tuple(sorted(dict.fromkeys(names), key=lambda name: name != own))


@dataclass(frozen=True)
class _Job:
    """One stand-in while it is put together."""

    base: Base
    host: HostSettings
    layout: oci.Layout
    cache: Path
    text: str
    say: Say

    def image(self, platform: str, *, complete: bool) -> oci.Json:
        """Write the image of one platform."""
        base, recipe, host, layout = self.base, self.base.recipe, self.host, self.layout
        bottom = self._bottom(platform, complete=complete)
        if recipe.kind == "busybox":
            layers = [layout.add_entries(self._busybox(bottom), created_by="busybox-static")]
        else:
            layers = [layout.add_layer(bottom.layer, bottom.blob)]
        if bottom.unwritten:
            entries = (Entry(name, data=data) for name, data in bottom.unwritten.items())
            layers.append(layout.add_entries(entries, created_by="base-passwd, ca-certificates"))
        if recipe.wheel:
            self.say(f"{base.short_name} for {platform}: packing the toolchain")
            wheel = toolchain.download(recipe.wheel, platform, self.cache / "wheels", self.say)
            name = f"{recipe.wheel.project} {recipe.wheel.version}"
            layers.append(layout.add_entries(self._toolchain(wheel, bottom), created_by=name))
        top = contents.top_layer(base, host, bottom, self.text)
        layers.append(layout.add_entries(top, created_by="layerlab: settings of this machine"))
        settings = oci.Settings(
            contents.environment(recipe, host),
            recipe.cmd,
            recipe.working_dir,
            contents.labels(base, self.text),
        )
        return layout.add_image(platform, layers, settings)

    def _bottom(self, platform: str, *, complete: bool) -> Rootfs:
        order = rootfs.Order(self.base.recipe, platform, complete, self.layout.epoch)
        return rootfs.make(order, self.host, self.cache, self.say)

    def _toolchain(self, wheel: Path, bottom: Rootfs) -> Iterator[Entry]:
        if self.base.recipe.kind == "go":
            yield from toolchain.go_entries(wheel, self.host.go)
        else:
            yield from toolchain.node_entries(wheel)
        yield from toolchain.user_entries(self.base.recipe.users, bottom.read)

    def _busybox(self, bottom: Rootfs) -> Iterator[Entry]:
        # Its commands are the same for every platform, but only our own can be asked for them.
        own = self._bottom(tools.host_platform(), complete=True)
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "busybox"
            program.write_bytes(own.read("usr/bin/busybox"))
            program.chmod(0o755)
            listed = process.run([str(program), "--list"], timeout=30).stdout.decode().split()
        names = [name for name in listed if name != "busybox"]
        yield from toolchain.busybox_entries(bottom.read("usr/bin/busybox"), names)
