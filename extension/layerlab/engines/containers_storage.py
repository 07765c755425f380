"""What podman and buildah share: the build, and a store that both of them read."""

from __future__ import annotations

import base64
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import msgspec

from layerlab.engines import emulation, host, process, records, references
from layerlab.engines.argv import Dialect
from layerlab.engines.base import BuildRequest, Identity, Option
from layerlab.engines.cli import SHORT, CliEngine
from layerlab.errors import CommandFailedError
from layerlab.model.plan import Plan
from layerlab.progress.base import Parser
from layerlab.progress.buildah import BuildahParser

_FROM_BUILDPLATFORM = re.compile(
    rb"^[ \t]*FROM[ \t]+--platform=[\"']?\$\{?BUILDPLATFORM\b", re.MULTILINE | re.IGNORECASE
)
_CACHES = ("--cache-from", "--cache-to")
_HEALTHCHECK = re.compile(rb"^[ \t]*HEALTHCHECK[ \t]", re.MULTILINE | re.IGNORECASE)


class ContainersStorageEngine(CliEngine):
    """The common half of podman and buildah. See `base.Engine`."""

    trial = ("--quiet",)

    def clean_trial(self, printed: str) -> None:
        """Quiet builds print the id of their image."""
        process.run((self.name, "rmi", printed.rsplit(maxsplit=1)[-1]), timeout=SHORT)

    @cached_property
    def dialect(self) -> Dialect:
        """A platform is always named: without one, the platform that was pulled last is taken."""
        return Dialect(
            self.name,
            loads=True,
            manifests=True,
            files=("Containerfile", "Dockerfile"),
            platform=emulation.native(),
        )

    @cached_property
    def head(self) -> tuple[str, ...]:
        """Layers make the cache; with one job at a time the output can be told apart."""
        return (self.name, "build", "--layers", "--jobs", "1")

    def build_command(self, request: BuildRequest) -> tuple[str, ...]:
        """See `base.Engine`; with what newer versions would know by themselves."""
        added = tuple(option for option, _ in additions(request))
        options = tuple(map(_plain_cache, request.options)) + added
        return super().build_command(msgspec.structs.replace(request, options=options))

    def ctr(self, args: Sequence[str]) -> Iterator[tuple[tuple[str, ...], str]]:
        """See `base.Engine`; a registry on this machine is spoken to without TLS."""
        return super().ctr(without_tls(args))

    def notes(self, request: BuildRequest) -> tuple[str, ...]:
        """See `base.Engine`."""
        notes = (
            f"{' '.join(filter(None, (option.flag, option.value)))} is added: "
            + why.format(name=self.name)
            for option, why in additions(request)
        )
        return (*super().notes(request), *notes)

    def parser(self, request: BuildRequest, plan: Plan) -> Parser:
        """Both print the same text."""
        return BuildahParser(plan, request.platforms)

    def prepare(self, request: BuildRequest) -> None:
        """A list of platforms takes a name only when nothing else has it, unlike a tag."""
        if len(set(request.platforms)) > 1:
            for name in request.tags:
                if self._is_list(name):
                    self.stdout("manifest", "rm", name)
                else:
                    self.untag(name)

    @contextmanager
    def surroundings(self) -> Iterator[Mapping[str, str]]:
        """See `CliEngine`; what is ended in the middle leaves its temporary files behind."""
        parent = os.environ.get("TMPDIR", "/var/tmp")  # noqa: S108 - Buildah's own default
        usable = parent if os.access(parent, os.W_OK) else None
        with tempfile.TemporaryDirectory(
            prefix="layerlab-build-", dir=usable, ignore_cleanup_errors=True
        ) as folder:
            yield {**os.environ, "TMPDIR": folder}

    def tidy(self, begun: float) -> None:
        """See `CliEngine`: its working containers, which would keep images from being removed.

        Nothing while somebody else builds: they could be theirs.
        """
        if not host.runs(("podman", "buildah"), "build"):
            for container in working_containers(self.graph_root, begun):
                process.run((self.name, *self.force_remove, container), timeout=SHORT)

    def untag(self, name: str) -> None:
        """Take a name away from an image; it is no error when there is none."""
        raise NotImplementedError

    def identify(self, name: str) -> Identity:
        """See `base.Engine`; it is asked before each build, and the store itself knows it."""
        ids = {image.id for image in self._stored(name)}
        # Names of several registries may be short for the same: the CLI knows which is meant.
        if len(ids) == 1:
            (id_,) = ids
            config = stored_config(self.graph_root, id_)
            if config and config.architecture:
                return Identity(id_, (config.architecture,), config.triggers)
        return super().identify(name)

    def _stored(self, name: str) -> list[records.StoredImage]:
        """What the store has under a name, or under one that is short for the same."""
        wanted = references.short(name)
        return [
            image
            for image in stored_images(self.graph_root)
            if wanted in map(references.short, image.names or ())
        ]

    def _is_list(self, name: str) -> bool:
        # An image with a layer is none: then the CLI need not be asked.
        if any(image.layer for image in self._stored(name)):
            return False
        done = process.run((self.name, "manifest", "exists", name), timeout=SHORT)
        return done.exit_code == 0

    def remove_image(self, name: str) -> None:
        """See `base.Engine`."""
        try:
            self.stdout("rmi", name)
        except CommandFailedError:
            if not self._is_list(name):
                raise
            self.stdout("manifest", "rm", name)

    def list_architectures(self, name: str) -> tuple[str, ...]:
        """The architectures of a list of platforms, sorted: it holds them as they got ready."""
        return tuple(
            sorted(self.read(records.ManifestList, "manifest", "inspect", name).architectures)
        )

    def image_names(self) -> Iterable[str]:
        """The names of all images that have one, each once.

        Up to podman 5 and buildah 1.3x at least, `images` fails as soon as there is a list of
        platforms (podman issue 19757); then the store's own index is read.
        """
        try:
            return self.listed_names()
        except CommandFailedError as error:
            if error.code != "broken-image":
                raise
        names = (name for image in stored_images(self.graph_root) for name in image.names or ())
        return dict.fromkeys(names)

    def listed_names(self) -> Iterable[str]:
        """The names of all images as the CLI lists them."""
        return super().image_names()

    @cached_property
    def graph_root(self) -> Path:
        """The folder of the store."""
        raise NotImplementedError

    def platforms(self) -> tuple[str, ...]:
        """See `base.Engine`."""
        return tuple(dict.fromkeys((emulation.native(), *emulation.emulated())))


def additions(request: BuildRequest) -> tuple[tuple[Option, str], ...]:
    """Options that say to Buildah what BuildKit reads from the Dockerfile, each with the reason.

    Seen with podman 4.3.1 and buildah 1.28.2: they leave `FROM --platform=$BUILDPLATFORM` empty
    (a warning, and emulation), drop HEALTHCHECK with a warning (the OCI image configuration has
    no place for it), and take no notice of the build argument SOURCE_DATE_EPOCH.
    """
    try:
        text = request.dockerfile_path.read_bytes()
    except OSError:
        text = b""
    given = dict(value.partition("=")[::2] for value in request.values("--build-arg"))
    found = []
    if request.platforms and "BUILDPLATFORM" not in given and _FROM_BUILDPLATFORM.search(text):
        found.append(
            (
                Option("--build-arg", f"BUILDPLATFORM={emulation.native()}"),
                "in a FROM, older versions of {name} do not know it by themselves.",
            )
        )
    if _HEALTHCHECK.search(text) and not request.values("--format"):
        found.append((Option("--format", "docker"), "{name}'s own has no place for HEALTHCHECK."))
    epoch = given.get("SOURCE_DATE_EPOCH", "")
    if epoch.isdigit() and not request.values("--timestamp"):
        found.append(
            (
                Option("--timestamp", epoch),
                "older versions of {name} do not read SOURCE_DATE_EPOCH.",
            )
        )
    caches = (o.value or "" for o in map(_plain_cache, request.options) if o.flag in _CACHES)
    if any(map(references.on_loopback, caches)):
        found.append((Option("--tls-verify=false"), "the registry on this machine has no TLS."))
    return tuple(found)


def _plain_cache(option: Option) -> Option:
    """`--cache-to type=registry,ref=NAME,…` is docker's; podman and buildah want NAME alone."""
    fields = dict(part.partition("=")[::2] for part in (option.value or "").split(","))
    if option.flag not in _CACHES or fields.get("type") != "registry":
        return option
    return Option(option.flag, references.split(fields.get("ref", ""))[0])


def without_tls(args: Sequence[str]) -> tuple[str, ...]:
    """A command line of the CLI; `push` and `pull` of names on this machine need no TLS."""
    if args[:1] in (["push"], ["pull"], ("push",), ("pull",)) and any(
        map(references.on_loopback, args[1:])
    ):
        return (args[0], "--tls-verify=false", *args[1:])
    return tuple(args)


def working_containers(root: Path, since: float) -> tuple[str, ...]:
    """The ids of the containers in a containers/storage folder that were made since a time."""
    found: list[str] = []
    for index in root.glob("*-containers/containers.json"):
        containers = msgspec.json.decode(index.read_bytes(), type=list[records.StoredContainer])
        found += [one.id for one in containers if (records.seconds(one.created) or 0) >= since]
    return tuple(found)


def stored_config(root: Path, id_: str) -> records.OciImage | None:
    """Of an image in a containers/storage folder; None for a list of images.

    An image is called after the digest of its configuration, which lies beside it under a name in
    base64 (containers/storage: `images.go`, `makeBigDataBaseName`).
    """
    blob = "=" + base64.b64encode(f"sha256:{id_}".encode()).decode()
    for path in root.glob(f"*-images/{id_}/{blob}"):
        return msgspec.json.decode(path.read_bytes(), type=records.OciImage)
    return None


def stored_images(root: Path) -> Iterator[records.StoredImage]:
    """The images in the index of a containers/storage folder."""
    for index in root.glob("*-images/images.json"):
        yield from msgspec.json.decode(index.read_bytes(), type=list[records.StoredImage])
