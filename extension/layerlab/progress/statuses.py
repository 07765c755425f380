"""What BuildKit says of the parts of a step: layers pulled, context sent, image written."""

from __future__ import annotations

import re

_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
_WRITTEN = re.compile(
    r"(?:writing image|exporting (?P<what>manifest list|manifest|config)) "
    r"(?P<id>sha256:[0-9a-f]{64})"
)
# What names the image best comes first: its id, else the index over its platforms, else the rest.
_RANK = (None, "manifest list", "manifest", "config")


def item_name(status: str) -> str:
    """A status id as people may read it: digests cut to 12 digits, no colon at the end."""
    return _DIGEST.sub(r"\1", status).rstrip(":")


class ImageDigest:
    """Finds the digest of the image in what exporters say."""

    def __init__(self) -> None:
        self._found: dict[str | None, str] = {}

    def see(self, status: str) -> None:
        """Take one status id."""
        if written := _WRITTEN.match(status):
            self._found.setdefault(written["what"], written["id"])

    @property
    def value(self) -> str | None:
        """The best that was seen."""
        return next((self._found[what] for what in _RANK if what in self._found), None)
