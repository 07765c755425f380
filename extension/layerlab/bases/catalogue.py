"""Read `course/bases.toml`: which base images the labs use, and how to stand in for them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast, get_args

from layerlab.errors import LayerlabError

Kind = Literal["debian", "node", "go", "busybox"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

SCHEMA: Final = 1
_NAME = re.compile(
    r"(?P<registry>[a-z0-9.-]+(?::[0-9]+)?)/(?P<repository>[a-z0-9._/-]+):(?P<tag>[\w.-]+)"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PLATFORM = re.compile(r"linux/(amd64|arm64)")


class CatalogueError(LayerlabError):
    """The list of base images cannot be read, or says something that makes no sense."""


@dataclass(frozen=True)
class Wheel:
    """A toolchain that is published as a wheel, in one version."""

    project: str
    version: str


@dataclass(frozen=True)
class User:
    """An account that the official image has and labs may use."""

    name: str
    uid: int


@dataclass(frozen=True)
class Recipe:
    """How a stand-in is put together.

    Attributes:
        suite: the Debian release, by code name.
        packages: what is installed beside the essential packages.
        platforms: of the stand-in; `host` stands for the platform of this machine.
        differs: what the stand-in lacks or has too much, in a learner's words.
    """

    kind: Kind
    suite: str
    packages: tuple[str, ...]
    platforms: tuple[str, ...]
    cmd: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    working_dir: str = ""
    users: tuple[User, ...] = ()
    wheel: Wheel | None = None
    differs: str = ""


@dataclass(frozen=True)
class Base:
    """One base image: its full name, where else it can be had, and its stand-in."""

    name: str
    title: str
    platforms: tuple[str, ...]
    recipe: Recipe
    digests: tuple[str, ...] = ()
    alternates: tuple[str, ...] = ()

    @property
    def short_name(self) -> str:
        """As it stands in a Dockerfile: `node:24.19.0-trixie-slim`."""
        return self.name.removeprefix("docker.io/").removeprefix("library/")

    @property
    def repository(self) -> str:
        """The name without registry and tag: `library/node`."""
        return self.name.partition("/")[2].rpartition(":")[0]

    @property
    def image(self) -> str:
        """The last part of the repository, as `labs.toml` names it: `node`."""
        return self.repository.rpartition("/")[2]

    @property
    def tag(self) -> str:
        """The tag alone."""
        return self.name.rpartition(":")[2]


def find(start: Path) -> Path:
    """The catalogue nearest to a folder: in it, in its `course`, or in a folder above.

    Raises:
        CatalogueError: there is none.
    """
    here = start.resolve()
    for folder in (here, *here.parents):
        for path in (folder / "bases.toml", folder / "course" / "bases.toml"):
            if path.is_file():
                return path
    beside_package = Path(__file__).resolve().parents[3] / "course" / "bases.toml"
    if beside_package.is_file():  # a checkout, with the notebook somewhere else
        return beside_package
    raise CatalogueError(
        "The list of the course's base images (course/bases.toml) is not here.",
        code="bases-no-catalogue",
        hint="Start from the folder of the course, or name the file.",
    )


def load(path: Path) -> tuple[Base, ...]:
    """Read a catalogue file.

    Raises:
        CatalogueError: it cannot be read, or an entry makes no sense; the message names which.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CatalogueError(
            f"{path.name} cannot be read: {error.strerror}.", code="bases-no-catalogue"
        ) from error
    return parse(text, source=path.name)


def parse(text: str, *, source: str = "bases.toml") -> tuple[Base, ...]:
    """Parse a catalogue's text. `source` names it in errors."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _bad(source, f"it is not valid TOML: {error}") from error
    if document.get("schema") != SCHEMA:
        raise _bad(source, f"`schema` must be {SCHEMA}, not {document.get('schema')!r}")
    rows = document.get("base", [])
    if not isinstance(rows, list) or not rows or not all(isinstance(r, dict) for r in rows):
        raise _bad(source, "it has no [[base]]")
    bases = tuple(_base(_Table(row, f"{source}, base {n}")) for n, row in enumerate(rows, 1))
    names = [base.name for base in bases]
    for name in names:
        if names.count(name) > 1:
            raise _bad(source, f"{name} is listed twice")
    return bases


class _Table:
    """A TOML table that is read key by key, and complains about what nobody read."""

    def __init__(self, values: Mapping[str, object], where: str) -> None:
        self._values = dict(values)
        self.where = where

    def text(self, key: str, default: str | None = None) -> str:
        value = self._values.pop(key, default)
        if not isinstance(value, str) or (value == "" and default is None):
            raise _bad(self.where, f"`{key}` must be a text that is not empty")
        return value

    def number(self, key: str) -> int:
        value = self._values.pop(key, None)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _bad(self.where, f"`{key}` must be a whole number")
        return value

    def texts(self, key: str, like: re.Pattern[str] | None = None) -> tuple[str, ...]:
        value = self._values.pop(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise _bad(self.where, f"`{key}` must be a list of texts")
        for item in value:
            if like is not None and not like.fullmatch(item):
                raise _bad(self.where, f"`{key}` has {item!r}, which is not of the right form")
        return tuple(cast("list[str]", value))

    def table(self, key: str) -> _Table | None:
        value = self._values.pop(key, None)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise _bad(self.where, f"`{key}` must be a table")
        return _Table(cast("dict[str, object]", value), f"{self.where}, {key}")

    def tables(self, key: str) -> tuple[_Table, ...]:
        value = self._values.pop(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise _bad(self.where, f"`{key}` must be a list of tables")
        rows = cast("list[dict[str, object]]", value)
        return tuple(_Table(row, f"{self.where}, {key} {n}") for n, row in enumerate(rows, 1))

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        table = self.table(key)
        if table is None:
            return ()
        return tuple((name, table.text(name)) for name in list(table._values))

    def done(self) -> None:
        if self._values:
            raise _bad(self.where, f"`{next(iter(self._values))}` is not known here")


def _base(row: _Table) -> Base:
    name = row.text("name")
    if not _NAME.fullmatch(name):
        raise _bad(row.where, f"`name` must be registry/repository:tag, not {name!r}")
    row.where = f"{row.where} ({name})"
    recipe = row.table("stand-in")
    if recipe is None:
        raise _bad(row.where, "it has no [base.stand-in]")
    recipe.where = f"{row.where}, stand-in"
    platforms = row.texts("platforms", _PLATFORM)
    if not platforms:
        raise _bad(row.where, "`platforms` is missing")
    base = Base(
        name=name,
        title=row.text("title"),
        platforms=platforms,
        recipe=_recipe(recipe, platforms),
        digests=row.texts("digests", _DIGEST),
        alternates=row.texts("alternates", _NAME),
    )
    row.done()
    return base


def _recipe(row: _Table, platforms: tuple[str, ...]) -> Recipe:
    kind = row.text("kind")
    if kind not in KINDS:
        raise _bad(row.where, f"`kind` must be one of {', '.join(KINDS)}, not {kind!r}")
    wheel = row.table("wheel")
    if (wheel is not None) != (kind in ("node", "go")):
        raise _bad(row.where, f"`wheel` and the kind {kind!r} do not go together")
    own = row.texts("platforms", re.compile(rf"host|{_PLATFORM.pattern}"))
    recipe = Recipe(
        kind=kind,
        suite=row.text("suite"),
        packages=row.texts("packages"),
        platforms=own or platforms,
        cmd=row.texts("cmd"),
        env=row.pairs("env"),
        working_dir=row.text("working-dir", ""),
        users=tuple(_user(user) for user in row.tables("users")),
        wheel=None if wheel is None else _wheel(wheel),
        differs=row.text("differs", ""),
    )
    row.done()
    return recipe


def _user(row: _Table) -> User:
    user = User(row.text("name"), row.number("uid"))
    row.done()
    return user


def _wheel(row: _Table) -> Wheel:
    wheel = Wheel(row.text("project"), row.text("version"))
    row.done()
    return wheel


def _bad(where: str, what: str) -> CatalogueError:
    return CatalogueError(f"{where}: {what}.", code="bases-catalogue")
