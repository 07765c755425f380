"""Give an engine the base images of the course, by whatever way works.

In this order: the engine has it; a registry answers; another registry that carries the same
image answers; a stand-in is put together here. Each report says which it was.
"""

from __future__ import annotations

import http.client
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from layerlab.bases import registry, settings, standin
from layerlab.bases.catalogue import Base
from layerlab.bases.registry import Registry
from layerlab.bases.standin import StandIn
from layerlab.bases.stores import Found, Store, StoreError, store_of
from layerlab.bases.tools import Say
from layerlab.engines.base import Engine
from layerlab.errors import CommandFailedError, LayerlabError

Source = Literal["present", "registry", "alternate", "stand-in"]
Answers = Callable[[str], bool]
"""Whether the registry at a host answers."""

_PROBE: Final = 4.0
_PULL: Final = 1800.0
_GUESS: Final = 20.0
"""For a pull where no registry answered us: the engine may know a mirror that we do not."""
_DOCKER_HUB: Final = "registry-1.docker.io"


@dataclass(frozen=True)
class BaseReport:
    """Where one base image came from.

    Attributes:
        name: as it stands in a Dockerfile, without `docker.io/library/`.
        platforms: those it can be used for now.
        note: some sentences for the learner; empty when there is nothing to say.
        stand_in: it is a stand-in, put together now or earlier, here or elsewhere.
        layout: the stand-in as an OCI layout, where this run had it in hand.
    """

    name: str
    source: Source
    platforms: tuple[str, ...]
    note: str = ""
    stand_in: bool = False
    layout: Path | None = None


def ensure(
    engine: Engine, bases: Iterable[Base], *, say: Say, answers: Answers | None = None
) -> tuple[BaseReport, ...]:
    """Make sure that an engine has these base images under their names.

    Args:
        engine: whose image store shall have them.
        bases: from `catalogue.load`.
        say: takes a line of progress now and then.
        answers: tells whether a registry can be reached; asks it, unless given.

    Raises:
        LayerlabError: one is missing and cannot be made; the message says why.
    """
    store = store_of(engine)
    reached = answers or _Asked()
    return tuple(_provide(store, base, reached, say) for base in bases)


def fill(address: str, bases: Iterable[Base], *, say: Say) -> tuple[BaseReport, ...]:
    """Put stand-ins into a registry on loopback that engines use as a mirror of docker.io.

    Args:
        address: `127.0.0.1:PORT`.
        bases: from `catalogue.load`.
        say: takes a line of progress now and then.

    Raises:
        LayerlabError: one cannot be made, or the registry refuses it.
    """
    target = Registry(address)
    reports = []
    for stand_in in stand_ins(bases, say=say):
        target.push(stand_in, say)
        reports.append(_report(stand_in, stand_in.platforms))
    return tuple(reports)


def stand_ins(bases: Iterable[Base], *, say: Say) -> Iterator[StandIn]:
    """The stand-in of each base as an OCI layout on disk, put together where it is missing."""
    if sys.platform != "linux":
        raise LayerlabError(
            "No image registry answers, and stand-ins can be put together on Linux only.",
            code="bases-linux-only",
            hint="Connect to the internet, or run Layerlab in Linux (WSL, a virtual machine).",
        )
    host = settings.read(os.environ)
    for base in bases:
        yield standin.assemble(base, host, say)


def _provide(store: Store, base: Base, answers: Answers, say: Say) -> BaseReport:
    if found := store.find(base.name):
        note = "A stand-in that was put there earlier." if found.stand_in else ""
        platforms = found.platforms
        return BaseReport(base.short_name, "present", platforms, note, found.stand_in)
    say(f"{base.short_name}: asking {_host(base.name)}")
    for name in (base.name, *base.alternates):
        reached = answers(_host(name))
        if not reached and name != base.name:
            continue
        try:
            store.pull(name, timeout=_PULL if reached else _GUESS)
            if name != base.name:
                store.tag(name, base.name)
        except StoreError as error:
            say(f"{base.short_name}: not from {_host(name)} ({error})")
            continue
        if found := store.find(base.name):
            return _pulled(base, name, found)
    return _stood_in(store, base, say)


def _pulled(base: Base, name: str, found: Found) -> BaseReport:
    if found.stand_in:
        note = "A stand-in: the registry that answered holds no official images."
        platforms = standin.platforms(base.recipe)
        return BaseReport(base.short_name, "registry", platforms, note, stand_in=True)
    if name == base.name:
        return BaseReport(base.short_name, "registry", base.platforms)
    note = f"Pulled from {name}, which carries the same image."
    return BaseReport(base.short_name, "alternate", base.platforms, note)


def _stood_in(store: Store, base: Base, say: Say) -> BaseReport:
    say(f"{base.short_name}: no registry has it for us, so a stand-in takes its place")
    (stand_in,) = stand_ins([base], say=say)
    served = registry.start(say)
    name = served.push(stand_in, say)
    try:
        return _report(stand_in, store.take(name, base.name, stand_in.platforms))
    except StoreError as error:
        raise CommandFailedError(
            f"{store.engine} could not take the stand-in for {base.short_name}: {error}.",
            code="bases-load",
            hint=f"It is on {served.address}; try in a terminal: {store.engine} pull {name}",
        ) from error


def _report(stand_in: StandIn, platforms: tuple[str, ...]) -> BaseReport:
    note = f"A stand-in, not the official image. {stand_in.note}"
    missing = [name for name in stand_in.platforms if name not in platforms]
    if missing:
        note += f" Not for {', '.join(missing)}: this image store keeps one platform per name."
    name = stand_in.base.short_name
    return BaseReport(name, "stand-in", platforms, note, True, stand_in.folder)


class _Asked:
    """Asks each registry once whether it is there."""

    def __init__(self) -> None:
        self._known: dict[str, bool] = {}

    def __call__(self, host: str) -> bool:
        if host not in self._known:
            self._known[host] = _ask(host)
        return self._known[host]


def _ask(host: str) -> bool:
    url = f"https://{_DOCKER_HUB if host == 'docker.io' else host}/v2/"
    try:
        with urllib.request.urlopen(url, timeout=_PROBE):
            return True
    except urllib.error.HTTPError as error:
        return error.code == 401  # "who are you?" is how a registry says hello
    except (OSError, http.client.HTTPException):
        return False


def _host(name: str) -> str:
    return name.partition("/")[0]
