"""What an engine would look each step up by, and what goes into it.

A step has two keys. `key` names one exact result: it is in the ledger only when this step was
built, or found, with just these parents. `loose` leaves out what other stages wrote: it is in
the ledger when the step might still hit, should a rebuilt stage write the same as before.
Sources are cited in `keys_buildkit` and `keys_buildah`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

import msgspec

from layerlab.cache.context import FileRecord
from layerlab.cache.ledger import Ingredient
from layerlab.model.plan import PlannedStep

LOOSE = "loose:"
"""How loose keys begin in the ledger."""

NOTES = frozenset({"uses-arg", "uses-env", "expanded", "shown", "unseen", "parent"})
"""Kinds of ingredients that explain a key but are not hashed by themselves: variables that words
were expanded with, what a stale hit would hide (`expanded`, `shown`, `unseen`: see `stale`), the
parent's key."""

ORIGIN = frozenset({"path", "from"})
"""Kinds that only say where content comes from; the loose key leaves them out."""

LINEAR = frozenset({"podman", "buildah"})
"""Engines that go through a Dockerfile from top to bottom. BuildKit works on stages at once, and
does a step that two of them share once, for whichever asks first."""

NEWEST_WINS = (1, 41)
"""Since this version Buildah takes the newest of several images of one step (`--no-cache` makes
another one); before, the oldest (`intermediateImageExists` in `imagebuildah/stage_executor.go`)."""

CHECKS_PLATFORM = (1, 41)
"""Since this version Buildah leaves out what is for another platform than the build is for, also
in a stage with a platform of its own (`intermediateImageExists`)."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(FileRecord).decode


class Selection(Protocol):
    """The build context behind one ignore file."""

    def __call__(
        self, sources: Sequence[str], *, exclude: Sequence[str] = (), whole: bool = False
    ) -> tuple[FileRecord, ...]:
        """The files that these sources select; raises `MissingSourceError` where there are none.

        `whole` looks at what the ignore file hides, too.
        """
        ...


class Options(msgspec.Struct, frozen=True):
    """What the command line says, as far as it matters to the cache.

    Attributes:
        build_args: `--build-arg`s that have a value.
        platforms: target platforms; none means the engine's own.
        native: the engine's own platform.
        no_cache: `--no-cache`.
        no_cache_filter: names of stages (`--no-cache-filter`, BuildKit only).
        buildah: the version of Buildah that builds, major and minor; its rules have changed.
    """

    build_args: dict[str, str] = {}
    platforms: tuple[str, ...] = ()
    native: str = "linux/amd64"
    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()
    buildah: tuple[int, int] = (1, 28)

    @property
    def targets(self) -> tuple[str, ...]:
        """The platforms to build for, each once, named as the engines print them."""
        return tuple(dict.fromkeys(platform_name(name) for name in self.platforms or [self.native]))


class Base(msgspec.Struct, frozen=True):
    """An image that a build takes from elsewhere: its digest, and the triggers of its ONBUILD."""

    digest: str
    triggers: tuple[str, ...] = ()


class Doubt(msgspec.Struct, frozen=True):
    """What nobody can know before the build: a base image's digest, what a URL will answer."""

    kind: Literal["base", "remote"]
    name: str


class Key(msgspec.Struct, frozen=True):
    """One step on one platform.

    Attributes:
        id: as in `model.build.Build.steps`: the planned id, the platform in front where there
            are several.
        step: the planned step.
        platform: `os/arch` that its stage runs on.
        key, loose: see above; both "" when the engine never looks the step up.
        ingredients: what went into the key, and notes on it (`NOTES`).
        parent: id of the step that it builds on, None for the first of a stage.
        reads: ids of the steps whose output it takes files from.
        doubts: why even a known key may miss.
        fresh: told not to use the cache (`--no-cache`).
        twin: id of an equal step of a stage that is told so; BuildKit does both at once.
        pinned: its stage runs on another platform than the build is for, and the engine finds
            only what is for that one (`CHECKS_PLATFORM`).
        missing: a source that is not in the context, so that the step will fail.
        triggered: a FROM that brings the image's ONBUILD with it, so that something is done.
    """

    id: str
    step: PlannedStep
    platform: str
    key: str = ""
    loose: str = ""
    ingredients: tuple[Ingredient, ...] = ()
    parent: str | None = None
    reads: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    fresh: bool = False
    twin: str | None = None
    pinned: bool = False
    missing: str | None = None
    triggered: bool = False

    @property
    def free(self) -> bool:
        """The engine spends nothing on it and never looks it up: BuildKit's metadata."""
        return not self.key


def _joined(parts: Iterable[str]) -> bytes:
    # Where one ends and the next begins counts.
    return b"".join(b"%d:%b" % (len(data), data) for data in map(str.encode, parts))


def hashed(
    head: str, ingredients: Sequence[Ingredient], parent: Key | None, reads: Sequence[Key]
) -> tuple[str, str]:
    """The exact and the loose key of a step (see the module's text); one where nothing is read."""
    own = [head]
    origin: list[str] = []
    # A file's path in the context is for people; the path that counts is in its value.
    files = [ingredient.value for ingredient in ingredients if ingredient.kind == "file"]
    for ingredient in ingredients:
        if ingredient.kind != "file" and ingredient.kind not in NOTES:
            parts = (ingredient.kind, ingredient.name, ingredient.value)
            (origin if ingredient.kind in ORIGIN else own).extend(parts)
    # No kind is a number: where the files begin can be told. JSON has no line breaks in it, and
    # to put them together at once is what 50,000 files need.
    own += [str(len(files)), "\n".join(files)]
    under = (parent.key, parent.loose) if parent else ("", "")
    # A step may have 50,000 files: they are hashed once.
    begun = hashlib.sha256(_joined(own))
    exact = _ended(begun, [under[0], *origin, *(key.key for key in reads)])
    loose = _ended(begun, [under[1].removeprefix(LOOSE)])
    return exact, exact if exact == loose else LOOSE + loose


def _ended(begun: hashlib._Hash, parts: Iterable[str]) -> str:
    state = begun.copy()
    state.update(_joined(parts))
    return state.hexdigest()


def file_ingredient(record: FileRecord, kind: str = "file") -> Ingredient:
    """One selected file: its name for people, and what of it counts."""
    counts = msgspec.structs.replace(record, source="", mtime=0, unseen=None)
    return Ingredient(kind, record.source or record.path, _encode(counts).decode())


def file_record(ingredient: Ingredient) -> FileRecord:
    """The inverse of `file_ingredient`, but for what does not count."""
    return _decode(ingredient.value)


def platform_name(written: str) -> str:
    """A platform as the engines print it (containerd's `platforms.Normalize`)."""
    system, _, rest = (written if "/" in written else f"linux/{written}").lower().partition("/")
    architecture, _, variant = rest.partition("/")
    architecture = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64"}.get(
        architecture, architecture
    )
    if (architecture, variant) in (("arm64", "v8"), ("amd64", "v1")):
        variant = ""
    return "/".join(part for part in (system, architecture, variant) if part)


def platform_parts(name: str) -> tuple[str, str, str]:
    """The system, the architecture and the variant of such a platform; the last may be empty."""
    system, architecture, variant = (*name.split("/"), "")[:3]
    return system, architecture, variant
