"""Where this machine gets Debian packages: the addresses in its apt sources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from layerlab.errors import LayerlabError

MIRROR_VARIABLE: Final = "LAYERLAB_DEBIAN_MIRROR"
_SUITES: Final = frozenset(
    (
        *("oldoldstable", "oldstable", "stable", "testing", "unstable", "sid"),
        *("bullseye", "bookworm", "trixie", "forky", "duke"),
    )
)


class NoMirrorError(LayerlabError):
    """This machine's apt sources name no Debian mirror."""


@dataclass(frozen=True)
class Source:
    """One line of apt's sources: addresses, suites, components."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]


@dataclass(frozen=True)
class Mirrors:
    """The addresses of the archive and, where there is one, of its security updates."""

    main: str
    security: str = ""

    def lines(self, suite: str) -> tuple[str, ...]:
        """One line for each suite, as mmdebstrap takes them."""
        wanted = [(self.main, suite), (self.main, f"{suite}-updates")]
        if self.security:
            wanted.append((self.security, f"{suite}-security"))
        return tuple(f"deb {uri} {name} main" for uri, name in wanted)

    def deb822(self, suite: str) -> str:
        """The text of `debian.sources`, as the official images have it."""
        keyring = "/usr/share/keyrings/debian-archive-keyring.pgp"
        stanzas = [(self.main, f"{suite} {suite}-updates")]
        if self.security:
            stanzas.append((self.security, f"{suite}-security"))
        return "\n".join(
            f"Types: deb\nURIs: {uri}\nSuites: {names}\nComponents: main\nSigned-By: {keyring}\n"
            for uri, names in stanzas
        )


def find(env: Mapping[str, str], root: Path = Path("/")) -> Mirrors:
    """The Debian mirror of this machine.

    Raises:
        NoMirrorError: its sources name none; `LAYERLAB_DEBIAN_MIRROR` would.
    """
    if named := _clean(env.get(MIRROR_VARIABLE, "")):
        return Mirrors(named)
    apt = root / "etc/apt"
    files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    found = mirrors(
        source
        for path in files
        if path.suffix in (".list", ".sources") and path.is_file()
        for source in parse(
            path.read_text(encoding="utf-8", errors="replace"), deb822=path.suffix == ".sources"
        )
    )
    if found is None:
        raise NoMirrorError(
            "This machine's apt sources name no Debian mirror to take packages from.",
            code="bases-no-mirror",
            hint=f"Set {MIRROR_VARIABLE} to the address of one.",
        )
    return found


def mirrors(sources: Iterator[Source]) -> Mirrors | None:
    """The first archive of Debian itself, and the first of its security updates."""
    main = security = ""
    for source in sources:
        address = next((uri for uri in map(_clean, source.uris) if uri), "")
        if "main" not in source.components or not address:
            continue
        if not main and _SUITES.intersection(source.suites):
            main = address
        if not security and any(
            suite.partition("-security")[0] in _SUITES and "-security" in suite
            for suite in source.suites
        ):
            security = address
    return Mirrors(main, security) if main else None


def parse(text: str, *, deb822: bool) -> Iterator[Source]:
    """The binary sources in a file of apt's, in either of its two formats."""
    if not deb822:
        for line in text.splitlines():
            match = re.match(r"\s*deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+([^#]*)", line)
            if match:
                yield Source((match[1],), (match[2],), tuple(match[3].split()))
        return
    for stanza in re.split(r"\n\s*\n", text):
        lines = [line for line in stanza.splitlines() if not line.startswith("#")]
        fields = {
            key.strip().lower(): tuple(value.split())
            for key, _, value in (line.partition(":") for line in _unfold(lines))
        }
        enabled = fields.get("enabled", ("yes",)) != ("no",)
        if enabled and "deb" in fields.get("types", ()):
            names = ("uris", "suites", "components")
            yield Source(*(fields.get(name, ()) for name in names))


def _unfold(lines: list[str]) -> list[str]:
    joined: list[str] = []
    for line in lines:
        if line[:1].isspace() and joined:
            joined[-1] += line
        else:
            joined.append(line)
    return joined


def _clean(uri: str) -> str:
    """An http(s) address without user name and password; empty for anything else."""
    try:
        parts = urlsplit(uri)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    return urlunsplit((parts.scheme, parts.hostname + port, parts.path.rstrip("/"), "", ""))
