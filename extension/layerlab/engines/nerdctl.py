"""nerdctl: builds with BuildKit's buildkitd, keeps its images in containerd."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

from layerlab.engines import emulation, process, records
from layerlab.engines.argv import Dialect
from layerlab.engines.base import BuildRequest, EngineName, Image
from layerlab.engines.cli import SHORT, CliEngine, version_of
from layerlab.model.plan import Plan
from layerlab.progress.base import Parser
from layerlab.progress.rawjson import RawJsonParser

_BUILDKIT = re.compile(r"^BuildKit:\s+\S+\s+(v\S+)", re.MULTILINE)
"""A line of `buildctl debug info` (`cmd/buildctl/debug/info.go`)."""
_PLATFORMS = re.compile(r"^Platforms:\s+(\S+)", re.MULTILINE)
"""A line of `buildctl debug workers --verbose`, one for each worker."""


class NerdctlEngine(CliEngine):
    """See `base.Engine`."""

    name: EngineName = "nerdctl"

    @cached_property
    def dialect(self) -> Dialect:
        """What buildkitd builds is handed to containerd, always."""
        return Dialect("nerdctl", loads=True)

    @cached_property
    def head(self) -> tuple[str, ...]:
        """It hands the wish for rawjson on to buildctl, which has known it since 0.13."""
        return ("nerdctl", "build", "--progress", "rawjson")

    def parser(self, request: BuildRequest, plan: Plan) -> Parser:
        """Of what buildctl prints."""
        return RawJsonParser(plan, request.platforms)

    def builder_words(self) -> str:
        """See `CliEngine`."""
        found = _BUILDKIT.search(_buildctl("info"))
        version = found[1] if found and version_of(found[1]) else ""
        return " ".join(filter(None, ("BuildKit", version, "(buildkitd)")))

    def platforms(self) -> tuple[str, ...]:
        """See `base.Engine`."""
        names = ",".join(_PLATFORMS.findall(_buildctl("workers", "--verbose"))).split(",")
        return emulation.without_variants((emulation.native(), *names))

    def container_ids(self) -> Sequence[str]:
        """See `CliEngine`; those of buildkitd, which runs steps beside them, have no name."""
        listed = self.lines("ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}}")
        return [words[0] for words in map(str.split, listed) if len(words) > 1]

    def image(self, name: str) -> Image:
        """See `base.Engine`; `inspect` knows one platform, `images` has a line for each."""
        listed = self.lines("images", "--format", "{{.Platform}}", name)
        found = sorted({platform.split("/")[1] for platform in listed if "/" in platform})
        platform = ("--platform", f"linux/{found[0]}") if found else ()
        args = ("image", "inspect", *platform, name)
        inspected = self.one_image(name, self.read(list[records.InspectedImage], *args), *args)
        return inspected.image(name, architectures=found)


def _buildctl(*args: str) -> str:
    """What `buildctl debug` says of the buildkitd that BUILDKIT_HOST, or the default, names."""
    done = process.run(("buildctl", "debug", *args), timeout=SHORT)
    return done.stdout.decode(errors="replace")
