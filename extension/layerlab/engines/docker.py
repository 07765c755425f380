"""Docker: builds with BuildKit through buildx, looks things up through its API."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from layerlab.engines import emulation, process, records
from layerlab.engines.argv import Dialect
from layerlab.engines.base import BuildRequest, Container, EngineName, Identity, Image, Option
from layerlab.engines.cli import SHORT, CliEngine, version_of
from layerlab.errors import EngineUnavailableError, LayerlabError
from layerlab.model.plan import Plan
from layerlab.progress.base import Parser
from layerlab.progress.plain import PlainParser
from layerlab.progress.rawjson import RawJsonParser

if TYPE_CHECKING:
    from docker import APIClient

RAWJSON_SINCE = (0, 13)
"""The first buildx whose rawjson stream ends cleanly (docker/buildx PR 2252)."""
API_PATIENCE = 240
"""Seconds for an answer of the daemon: on a busy machine removing an image has taken over 60."""
_MANIFESTS_SINCE = (1, 48)
"""The first Docker API that lists the images of an index (`manifests` of image inspect)."""


class Builder(msgspec.Struct, frozen=True):
    """What `docker buildx inspect` says of the chosen builder."""

    name: str
    driver: str
    version: str
    platforms: tuple[str, ...]


class DockerEngine(CliEngine):
    """See `base.Engine`."""

    name: EngineName = "docker"

    @cached_property
    def buildx(self) -> tuple[int, int] | None:
        """The version of buildx; None where it is missing, (999, 0) where it does not tell."""
        done = process.run(("docker", "buildx", "version"), timeout=SHORT)
        if done.exit_code != 0:
            return None
        return version_of(done.stdout.decode(errors="replace")) or (999, 0)

    @cached_property
    def builder(self) -> Builder:
        """The builder that builds, where there is buildx."""
        return parse_builder(self.stdout("buildx", "inspect").decode(errors="replace"))

    @cached_property
    def dialect(self) -> Dialect:
        """Docker's own; without buildx there is no `--load`."""
        return Dialect("docker", loads=self.buildx is None)

    @cached_property
    def head(self) -> tuple[str, ...]:
        """Newest way first. Before Docker 23 the CLI had BuildKit in itself, but not by default."""
        if self.buildx is None:
            return ("env", "DOCKER_BUILDKIT=1", "docker", "build", "--progress", "plain")
        return ("docker", "buildx", "build", "--progress", "rawjson" if self._rawjson else "plain")

    @property
    def _rawjson(self) -> bool:
        return self.buildx is not None and self.buildx >= RAWJSON_SINCE

    @property
    def cache(self) -> str:
        """See `base.Engine`: each builder of buildx has its own, and so has each context."""
        if self.buildx is None or self.builder.name in ("", "default"):
            return self.name
        return f"{self.name} {self.builder.name}"

    def builder_words(self) -> str:
        """See `CliEngine`."""
        if self.buildx is None:
            return "BuildKit (in the docker CLI)"
        words = " ".join(filter(None, ("BuildKit", self.builder.version)))
        return f"{words} ({self.builder.driver} driver)"

    def parser(self, request: BuildRequest, plan: Plan) -> Parser:
        """For what `head` asks for."""
        kind = RawJsonParser if self._rawjson else PlainParser
        return kind(plan, request.platforms)

    def build_command(self, request: BuildRequest) -> tuple[str, ...]:
        """Builders outside the daemon keep what they build, unless they are told to load it."""
        return super().build_command(self._loading(request))

    def notes(self, request: BuildRequest) -> tuple[str, ...]:
        """See `base.Engine`."""
        loading = self._loading(request)
        added = len(loading.options) > len(request.options)
        note = f"--load is added: the {self.builder.driver} builder keeps images to itself."
        return (*super().notes(request), *([note] if added else []))

    def _loading(self, request: BuildRequest) -> BuildRequest:
        decided = {"--load", "--push", "--output", "--builder", "--call", "--check"}
        if self.buildx is None or decided & {option.flag for option in request.options}:
            return request
        if self.builder.driver in ("docker", ""):
            return request
        return msgspec.structs.replace(request, options=(*request.options, Option("--load")))

    def platforms(self) -> tuple[str, ...]:
        """See `base.Engine`."""
        if self.buildx is None:
            words = self.stdout("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}")
            return (words.decode().strip(),)
        return emulation.without_variants(self.builder.platforms)

    # What the API tells.

    @cached_property
    def endpoint(self) -> str:
        """Where the daemon listens: `unix:///var/run/docker.sock`, `ssh://…`, `tcp://…`."""
        words = self.stdout("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
        return words.decode().strip()

    @cached_property
    def keeps_indexes(self) -> bool:
        """Docker's older image store keeps one platform under a name, containerd's several."""
        with self._api() as api:
            return "io.containerd.snapshotter.v1" in str(api.info().get("DriverStatus"))

    @contextlib.contextmanager
    def _api(self) -> Iterator[APIClient]:
        """The Docker API, for a moment: connections are not kept between questions."""
        import docker  # noqa: PLC0415 - a tenth of a second, for those who never need it
        from docker.utils import kwargs_from_env  # noqa: PLC0415 - the same

        try:
            settings = kwargs_from_env(environment=dict(os.environ))
            settings["base_url"] = self.endpoint
            client = docker.APIClient(
                **settings,
                version="auto",
                timeout=API_PATIENCE,
                use_ssh_client=self.endpoint.startswith("ssh:"),
            )
            with contextlib.closing(client):
                yield client
        except docker.errors.NotFound as error:
            raise _not_found(str(error.explanation)) from error
        except docker.errors.APIError as error:
            raise LayerlabError(
                "Docker could not do it.", code="command-failed", output=str(error.explanation)
            ) from error
        except (docker.errors.DockerException, OSError) as error:
            raise EngineUnavailableError(
                "Docker does not answer.",
                code="daemon-gone",
                hint="“layerlab doctor” says what to do.",
                output=str(error),
            ) from error

    def images(self) -> tuple[Image, ...]:
        """See `base.Engine`."""
        with self._api() as api:
            # Asked for all, the daemon measures those without a name, too: a second for a hundred.
            listed = api.images(filters={"dangling": False})
            names = [name for image in listed for name in image.get("RepoTags") or ()]
            return tuple(self._image(api, name) for name in names if "<none>" not in name)

    def image(self, name: str) -> Image:
        """See `base.Engine`."""
        with self._api() as api:
            return self._image(api, name)

    def _image(self, api: APIClient, name: str) -> Image:
        found = api.inspect_image(name)  # type: ignore[no-untyped-call]  # the stubs have holes
        inspected = msgspec.convert(found, records.InspectedImage)
        # Where there are no indexes, inspecting has told the one architecture already.
        own = inspected.architecture
        architectures = self._architectures(api, name, own) if self.keeps_indexes else ()
        return inspected.image(name, size=_unpacked(api, name), architectures=architectures)

    def _architectures(self, api: APIClient, name: str, own: str) -> Sequence[str]:
        """All of an index; `own` is what inspecting has told."""
        if (version_of(api.api_version) or (0, 0)) >= _MANIFESTS_SINCE:
            return _listed(api, name)
        wanted = dict.fromkeys(p.split("/")[1] for p in (*self.platforms(), "linux/amd64"))
        return [
            architecture
            for architecture in wanted
            if architecture == own or _has(api, name, architecture)
        ]

    def identify(self, name: str) -> Identity:
        """See `base.Engine`; of several architectures the daemon tells of the one that runs here.

        The CLI answers before Docker's library is loaded, and this is asked before each build.
        """
        found = self.read(list[records.InspectedImage], "image", "inspect", name)
        image = self.one_image(name, found, "image", "inspect", name).image(name)
        return Identity(image.id, image.architectures, image.triggers)

    def remove_image(self, name: str) -> None:
        """See `base.Engine`."""
        with self._api() as api:
            api.remove_image(name)

    def containers(self) -> tuple[Container, ...]:
        """See `base.Engine`."""
        with self._api() as api:
            return tuple(_container(api, found["Id"]) for found in api.containers(all=True))

    def _inspect(self, *ids: str) -> list[Container]:
        with self._api() as api:
            return [_container(api, id_) for id_ in ids]

    def logs(self, container: Container) -> str:
        """See `base.Engine`."""
        with self._api() as api:
            printed: bytes = api.logs(container.id)
        return printed.decode(errors="replace")

    def remove(self, container: Container) -> None:
        """See `base.Engine`."""
        try:
            with self._api() as api:
                api.remove_container(container.id, force=True)
        except LayerlabError as error:
            if error.code != "no-such-container":
                raise


def parse_builder(text: str) -> Builder:
    """Read what `docker buildx inspect` prints."""
    fields = dict(re.findall(r"^(\w[\w ]*?):[ \t]*(.*)$", text, re.MULTILINE))
    version = fields.get("BuildKit version") or fields.get("Buildkit") or fields.get("BuildKit", "")
    return Builder(
        name=fields.get("Name", ""),
        driver=fields.get("Driver", ""),
        version=version if version_of(version) else "",
        platforms=tuple(name.strip() for name in fields.get("Platforms", "").split(",")),
    )


def _not_found(words: str) -> LayerlabError:
    kind = "container" if "container" in words.lower() else "image"
    return LayerlabError(
        f"There is no {kind} of this name.",
        code=f"no-such-{kind}",
        hint=f"layerlab.{kind}s() lists those that there are.",
        output=words,
    )


def _unpacked(api: APIClient, name: str) -> int | None:
    """The sum of its layers on disk; None where they are not unpacked, as a foreign image's."""
    import docker  # noqa: PLC0415 - see `DockerEngine._api`

    try:
        layers = api.history(name)  # type: ignore[no-untyped-call]  # the stubs have holes
        return sum(int(layer["Size"]) for layer in layers)
    except docker.errors.NotFound:
        return None


def _listed(api: Any, name: str) -> Sequence[str]:  # noqa: ANN401 - docker-py knows no `manifests`
    url = api._url("/images/{0}/json", name)
    answer = api._result(api._get(url, params={"manifests": "1"}), json=True)
    found = [
        manifest["ImageData"]["Platform"]["architecture"]
        for manifest in answer.get("Manifests") or ()
        if manifest.get("Kind") == "image" and manifest.get("Available")
    ]
    return list(dict.fromkeys(found))


def _has(api: APIClient, name: str, architecture: str) -> bool:
    """Whether an index has an image for this architecture, where the API cannot list them.

    Asked for a container with an impossible name, the daemon looks for the image first and
    refuses the name second: nothing is made, and which of the two it refused tells.
    """
    import docker  # noqa: PLC0415 - see `DockerEngine._api`

    try:
        api.create_container(name, name="-", platform=f"linux/{architecture}")
    except docker.errors.NotFound:
        return False
    except docker.errors.APIError:
        return True
    return True


def _container(api: APIClient, id_: str) -> Container:
    return msgspec.convert(api.inspect_container(id_), records.InspectedContainer).container()
