"""The Python face: what `import layerlab` offers. Each function is one line of a session's work.

All of it uses one session per process, the same that the magics use.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from layerlab.cache.explain import Explanation
from layerlab.cache.predict import Forecast
from layerlab.engines import argv, detect
from layerlab.engines.base import BuildRequest, Container, Image, Option
from layerlab.errors import LayerlabError
from layerlab.model.build import Build
from layerlab.model.wire_compare import to_compare
from layerlab.render import Listing, Picture, guess_picture, notebook_sink
from layerlab.session import Session
from layerlab.views import tables
from layerlab.views.compare import compare_html, compare_text


@cache
def session() -> Session:
    """The session of this process."""
    return Session()


def build(
    context: str = ".",
    *,
    tag: str | Sequence[str] = (),
    file: str | None = None,
    target: str | None = None,
    platform: str | None = None,
    build_args: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    no_cache: bool = False,
) -> Build:
    """Build an image with the engine in use, and show it as it runs.

    Args:
        context: the folder that is sent to the engine.
        tag: name or names of the image, `NAME:TAG`.
        file: the Dockerfile; by default the one in the context.
        target: the stage to build, the last one by default.
        platform: `linux/arm64`, or several joined by commas.
        build_args: values for `ARG` instructions.
        labels: labels for the image.
        no_cache: run every step, whatever the cache holds.

    Returns:
        The build, also when it failed: see its `outcome` and `failure`.

    Raises:
        LayerlabError: there is nothing to build, or no engine.
    """
    named = [("--tag", name) for name in ([tag] if isinstance(tag, str) else tag)]
    named += [(flag, value) for flag, value in (("--file", file), ("--target", target)) if value]
    named += [("--platform", platform)] if platform else []
    named += [("--build-arg", f"{name}={value}") for name, value in (build_args or {}).items()]
    named += [("--label", f"{name}={value}") for name, value in (labels or {}).items()]
    options = [Option(flag, value) for flag, value in named]
    options += [Option("--no-cache")] if no_cache else []
    request = BuildRequest(context=context, options=tuple(options), cwd=Path.cwd())
    return session().build(request, notebook_sink(os.environ, plain=False))


def predict(*arguments: str) -> tuple[Forecast, ...]:
    """The fate of each step before the build, with the words of the CLI's own build command.

    Example: `layerlab.predict("-t", "colors:first", "nodejs")`. Nothing is started.

    Raises:
        LayerlabError: there is nothing to build, or no engine.
    """
    return session().predict(argv.parse(arguments, Path.cwd())).steps


def guess(*arguments: str) -> Picture:
    """A box for each step, to mark those that you expect to run; the next build scores it.

    Example: `layerlab.guess("-t", "colors:second", "nodejs")`, then build the same. Nothing is
    started, and nothing is said of what Layerlab foresees. As long as no box is marked there is
    no guess. Where a notebook shows no widgets, this says how to guess by number.

    Raises:
        LayerlabError: there is nothing to build, or no engine.
    """
    foreseen = session().predict(argv.parse(arguments, Path.cwd()))
    return guess_picture(os.environ, foreseen, session().guess(foreseen), arguments)


def explain() -> tuple[Explanation, ...]:
    """What became of each step of the last build, and why. Raises LayerlabError."""
    return session().explained()


def builds() -> list[Build]:
    """Earlier builds, oldest first, those of earlier kernels included."""
    return session().workspace.builds()


def compare(*builds: Build) -> Picture:
    """Builds side by side: how long they took, what they reused, what changed."""
    return Picture(compare_text(builds), compare_html(to_compare(builds)))


def image(name: str) -> Image:
    """One image of the engine in use. Raises a LayerlabError with code `no-such-image`."""
    return session().engine.image(name)


def images(*repositories: str) -> Listing[Image]:
    """The named images of the engine in use: all, or those of some repositories."""
    return Listing.of(
        "Images",
        tables.IMAGES,
        (
            image
            for image in session().engine.images()
            if not repositories or image.name.rpartition(":")[0] in repositories
        ),
        tables.image_rows,
    )


def doctor() -> Picture:
    """The engines of this computer: which work, and how to mend the others."""
    rows = tables.engine_rows(detect.probe_all(os.environ))
    return Picture.table("Engines", tables.ENGINES, rows)


def containers(*names: str) -> Listing[Container]:
    """The containers of the engine in use, dead ones included: all, or those of some names."""
    return Listing.of(
        "Containers",
        tables.CONTAINERS,
        (
            container
            for container in session().engine.containers()
            if not names or container.name in names
        ),
        tables.container_rows,
    )


def run(
    image: str,
    *args: str,
    platform: str | None = None,
    name: str | None = None,
    keep: bool = False,
) -> str:
    """Run a container to its end and return what it printed, without the last line's end.

    Args:
        image: what to run.
        args: the command in it; the image's own by default.
        platform: `linux/arm64`, say, for an image of another platform.
        name: of the container.
        keep: leave the dead container behind, to look at.

    Raises:
        CommandFailedError: it exited non-zero; the error holds its output.
    """
    said = session().engine.run(image, args, platform=platform, name=name, remove=not keep)
    return said.removesuffix("\n")


class Server:
    """A container that serves HTTP. `url` is where; `get` fetches a page."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.url = container.url

    def get(self, path: str = "/") -> str:
        """The text of a page. Raises a LayerlabError with code `no-answer`."""
        # A tenth of what loading the extension takes, for those who never serve.
        import urllib.request  # noqa: PLC0415

        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:  # noqa: S310 - the URL is our own
                body: bytes = answer.read()
        except OSError as error:
            raise LayerlabError(
                f"The server did not give the page {path}.",
                code="no-answer",
                hint="Look at what it printed: layerlab.logs(server.container)",
                output=str(error),
            ) from error
        return body.decode("utf-8", "replace")


@contextlib.contextmanager
def serve(image: str, *args: str, port: int = 3000) -> Iterator[Server]:
    """Start a server from an image for as long as the `with` block lasts.

    Args:
        image: what to run.
        args: the command in it; the image's own by default.
        port: where the program in the container listens.
    """
    engine = session().engine
    container = engine.serve(image, port, args)
    try:
        yield Server(container)
    finally:
        engine.remove(container)


def logs(container: Container) -> str:
    """What a container has printed."""
    return session().engine.logs(container)


def remove_containers(*names: str) -> None:
    """Remove containers by name or id. One that is gone already is no error."""
    engine = session().engine
    for container in engine.containers():
        if container.name in names or container.id in names:
            engine.remove(container)


def remove_images(*names: str) -> None:
    """Remove images by name. One that is gone already is no error."""
    engine = session().engine
    for name in names:
        try:
            engine.remove_image(name)
        except LayerlabError as error:
            if error.code != "no-such-image":
                raise


def platforms() -> tuple[str, ...]:
    """The platforms that the engine in use can build for, its own first."""
    return session().engine.platforms()
