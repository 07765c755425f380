"""What a build on this machine needs to reach its package registries, without any secret.

A machine may stand behind a proxy with its own certificate authority, use a mirror, or both. A
stand-in carries these settings, so that `apt-get`, `npm ci` and `go build` work inside a build
as they do outside. Only settings that are known to be harmless are taken over, and addresses
lose the user names and passwords in them: an image is something that people push.

Reading the machine is in `read`; all else is pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from layerlab.bases import certificates, sources
from layerlab.engines import process
from layerlab.errors import CommandNotFoundError

_NPM_URLS: Final = ("registry", "proxy", "https-proxy")
_NPM_SWITCHES: Final = ("strict-ssl", "audit", "fund", "update-notifier")
_NPM_KEYS: Final = (*_NPM_URLS, *_NPM_SWITCHES, "noproxy")
# A flag of `go build` can hold anything (-ldflags=-X main.token=…): only these pass.
_GO_FLAGS: Final = ("-buildvcs", "-mod", "-modcacherw", "-trimpath")
_APT_LINE = re.compile(r'(?P<key>Acquire::https?::Proxy(?:::[\w.-]+)?) "(?P<value>[^"]*)";')
_WORDS: Final = ("direct", "off", "none", "")


@dataclass(frozen=True)
class HostSettings:
    """The settings of this machine that go into a stand-in. Holds no secret.

    Attributes:
        sources: where Debian packages come from.
        apt: options of apt, as `apt-config dump` names them.
        npm: keys of npmrc.
        go: variables of the go command.
        certificates: PEM texts of the authorities that this machine trusts beyond the usual.
    """

    sources: sources.Mirrors
    apt: tuple[tuple[str, str], ...] = ()
    npm: tuple[tuple[str, str], ...] = ()
    go: tuple[tuple[str, str], ...] = ()
    certificates: tuple[str, ...] = ()


def read(env: Mapping[str, str], *, root: Path = Path("/")) -> HostSettings:
    """Read them from this machine.

    Args:
        env: the environment.
        root: where the file system starts.

    Raises:
        sources.NoMirrorError: no Debian mirror is configured.
    """
    home = Path(env.get("HOME", root))
    npmrc = [
        Path(env.get("NPM_CONFIG_GLOBALCONFIG", root / "etc/npmrc")),
        Path(env.get("NPM_CONFIG_USERCONFIG", home / ".npmrc")),
    ]
    config = Path(env.get("XDG_CONFIG_HOME", home / ".config"))
    goenv = Path(env.get("GOENV", config / "go" / "env"))
    return HostSettings(
        sources=sources.find(env, root),
        apt=apt_options(_apt_config()),
        npm=npm_options((_text(path) for path in npmrc), env),
        go=go_options(_text(goenv), env),
        certificates=certificates.added(env, root),
    )


def clean_url(value: str) -> str | None:
    """An address without user name, password, query or fragment; None if it is none.

    >>> clean_url("https://ann:secret@proxy.example:3128/x?token=1")
    'https://proxy.example:3128/x'
    """
    try:
        parts = urlsplit(value.strip())
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname
    if not parts.scheme or not host or "@" in host or not value.isprintable():
        return None
    host = f"[{host}]" if ":" in host else host
    address = host if port is None else f"{host}:{port}"
    return urlunsplit((parts.scheme, address, parts.path, "", ""))


def apt_options(dump: str) -> tuple[tuple[str, str], ...]:
    """The proxies from what `apt-config dump` prints."""
    found: dict[str, str] = {}
    for line in dump.splitlines():
        match = _APT_LINE.fullmatch(line.strip())
        value = match and _url_or_word(match["value"])
        if match and value:
            found[match["key"]] = value
    return tuple(sorted(found.items()))


def npm_options(files: Iterable[str], env: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Registries, proxies and what npm shall say, from npmrc texts, then the environment.

    Later ones win. Anything else, tokens and passwords above all, is left where it is.
    """
    found: dict[str, str] = {}
    pairs = [_pair(line) for text in files for line in text.splitlines()]
    for name, value in env.items():
        if name.lower().startswith("npm_config_"):
            pairs.append((name[11:].lower().replace("_", "-"), value))
    for key, value in pairs:
        if key in _NPM_KEYS or re.fullmatch(r"@[\w.-]+:registry", key):
            clean = _npm_value(key, value)
            if clean:
                found[key] = clean
    return tuple(sorted(found.items()))


def go_options(goenv: str, env: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Variables of the go command, from its own file, then the environment."""
    given = dict(_pair(line) for line in goenv.splitlines()) | dict(env)
    cleaners = {"GOPROXY": _goproxy, "GOSUMDB": _gosumdb, "GOFLAGS": _goflags}
    found = ((key, clean(given.get(key, ""))) for key, clean in cleaners.items())
    return tuple(sorted((key, value) for key, value in found if value))


def _goproxy(value: str) -> str:
    parts = [part if part in ",|" else _url_or_word(part) for part in re.split(r"([,|])", value)]
    # A part that is no address may be the rest of a password with a comma in it.
    return "" if None in parts else "".join(part for part in parts if part)


def _gosumdb(value: str) -> str:
    # NAME, NAME+HASH+KEY (a public key) or `off`; then perhaps an address
    words = [clean_url(w) if "://" in w or "@" in w else w for w in value.split()]
    return "" if None in words else " ".join(word for word in words if word)


def _goflags(value: str) -> str:
    return " ".join(word for word in value.split() if word.partition("=")[0] in _GO_FLAGS)


def _npm_value(key: str, value: str) -> str | None:
    value = value.strip().strip("\"'")
    if key in _NPM_SWITCHES:
        return value if value in ("true", "false") else None
    if key == "noproxy":
        return value if re.fullmatch(r"[\w.,:*-]+", value) else None
    return clean_url(value)


def _url_or_word(value: str) -> str | None:
    if value.lower() in _WORDS:
        return value
    return clean_url(value)


def _pair(line: str) -> tuple[str, str]:
    if line.lstrip().startswith((";", "#")):
        return "", ""
    key, _, value = line.partition("=")
    return key.strip(), value.strip()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _apt_config() -> str:
    try:
        done = process.run(["apt-config", "dump", "Acquire"], timeout=20)
    except CommandNotFoundError:
        return ""
    return done.stdout.decode(errors="replace") if done.exit_code == 0 else ""
