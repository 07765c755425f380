"""Podman: builds with Buildah inside, needs no daemon."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import msgspec

from layerlab.engines import process, records, references
from layerlab.engines.base import EngineName, Image
from layerlab.engines.cli import SHORT, version_of
from layerlab.engines.containers_storage import ContainersStorageEngine

NO_PROGRAM = 127
"""How `podman run` ends when the image lacks the program (`podman-run(1)`)."""


class _Host(msgspec.Struct, rename="camel"):
    buildah_version: str = ""
    emulated_architectures: list[str] = []  # since podman 4.6


class _Store(msgspec.Struct, rename="camel"):
    graph_root: str


class _Info(msgspec.Struct):
    host: _Host
    store: _Store


class PodmanEngine(ContainersStorageEngine):
    """See `base.Engine`."""

    name: EngineName = "podman"
    # It would wait ten seconds for a program that does not listen to signals.
    force_remove = ("rm", "--force", "--time", "0")

    def builder_words(self) -> str:
        """See `CliEngine`."""
        return f"Buildah {self._info.host.buildah_version}"

    @cached_property
    def buildah(self) -> tuple[int, int] | None:
        """See `base.Engine`."""
        return version_of(self._info.host.buildah_version)

    def start_trial(self, printed: str) -> str:
        """See `CliEngine`; podman gives a container limits of its own, which may be refused.

        The image has no program. That this is what is missed shows that all else was in order; an
        image that is gone was taken away by another process that looks at the same time.
        """
        image = printed.rsplit(maxsplit=1)[-1]
        done = process.run(
            ("podman", "run", "--rm", "--network", "none", image, "-"), timeout=SHORT
        )
        said = done.output.decode(errors="replace")
        return "" if done.exit_code == NO_PROGRAM or "image not known" in said else said

    def image(self, name: str) -> Image:
        """See `base.Engine`."""
        args = ("image", "inspect", name)
        inspected = self.one_image(name, self.read(list[records.InspectedImage], *args), *args)
        short = references.short(name)
        if short in (references.short(tag) for tag in inspected.repo_tags or ()):
            return inspected.image(name)
        # Asked for a list, podman shows the image in it that fits this machine.
        architectures = self.list_architectures(name) if self._is_list(name) else ()
        return inspected.image(name, architectures=architectures)

    def untag(self, name: str) -> None:
        """See `ContainersStorageEngine`."""
        process.run(("podman", "untag", name), timeout=SHORT)

    @cached_property
    def graph_root(self) -> Path:
        """See `ContainersStorageEngine`."""
        return Path(self._info.store.graph_root)

    def platforms(self) -> tuple[str, ...]:
        """See `base.Engine`; newer versions say what their virtual machine emulates."""
        host = self._asked().host
        return tuple(dict.fromkeys((*super().platforms(), *host.emulated_architectures)))

    @cached_property
    def _info(self) -> _Info:
        return self._asked()

    def _asked(self) -> _Info:
        return self.read(_Info, "info", "--format", "json")
