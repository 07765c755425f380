"""Which certificate authorities this machine trusts beyond the usual ones.

Behind a proxy that looks into TLS, every tool on the machine is told of one more authority. A
container knows nothing of it, and each of its tools says "certificate verify failed".
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

_VARIABLES: Final = (
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
)
_BUNDLES: Final = (
    "etc/ssl/certs/ca-certificates.crt",
    "etc/pki/tls/certs/ca-bundle.crt",
    "etc/ssl/ca-bundle.pem",
)
_USUAL: Final = "usr/share/ca-certificates"
_PEM = re.compile(
    r"-----BEGIN CERTIFICATE-----(?P<body>[A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----"
)


def added(env: Mapping[str, str], root: Path = Path("/")) -> tuple[str, ...]:
    """The PEM texts of the authorities that someone added to this machine, in a fixed order."""
    named = [Path(env[name]) for name in _VARIABLES if env.get(name)]
    usual = _known(_text(path) for path in sorted((root / _USUAL).rglob("*.crt")))
    if not usual:
        # Without the distribution's own list nothing tells who was added: take what was named.
        return _beyond((_text(path) for path in named), set())
    return _beyond((_text(path) for path in [*named, *(root / b for b in _BUNDLES)]), usual)


def split(text: str) -> Iterator[str]:
    """The certificates in a PEM text, each normalised; private keys are not certificates."""
    for match in _PEM.finditer(text):
        try:
            der = base64.b64decode("".join(match["body"].split()), validate=True)
        except binascii.Error:
            continue
        body = base64.b64encode(der).decode()
        lines = [body[i : i + 64] for i in range(0, len(body), 64)]
        yield "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def joined(bundle: str, more: Iterable[str]) -> str:
    """A bundle with more certificates at its end, none twice."""
    known = set(split(bundle))
    return bundle.rstrip("\n") + "\n" + "".join(pem for pem in more if pem not in known)


def _beyond(texts: Iterable[str], usual: set[str]) -> tuple[str, ...]:
    return tuple(sorted(_known(texts) - usual))


def _known(texts: Iterable[str]) -> set[str]:
    return {pem for text in texts for pem in split(text)}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
