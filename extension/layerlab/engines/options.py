"""What a request says, as far as it matters to the cache model."""

from __future__ import annotations

import platform
from collections.abc import Mapping

from layerlab.cache.key import Options, platform_name
from layerlab.engines.base import BuildRequest


def options(
    request: BuildRequest, environ: Mapping[str, str], buildah: tuple[int, int] | None = None
) -> Options:
    """The options of a request.

    Args:
        request: what is asked.
        environ: gives `--build-arg NAME` its value, as the CLIs do.
        buildah: see `base.Engine.buildah`.
    """
    args: dict[str, str] = {}
    for given in request.values("--build-arg"):
        name, equals, value = given.partition("=")
        if equals or name in environ:
            args[name] = value if equals else environ[name]
    flags = {option.flag for option in request.options if option.value in (None, "true")}
    filters = request.values("--no-cache-filter")
    return Options(
        build_args=args,
        platforms=request.platforms,
        native=platform_name(platform.machine()),
        no_cache="--no-cache" in flags,
        no_cache_filter=tuple(name for value in filters for name in value.split(",")),
        buildah=buildah or Options().buildah,
    )
