"""What ADD does beyond COPY: it unpacks archives and fetches what is at an address.

After `dispatchCopy` in BuildKit's `dockerfile2llb/convert.go`, `source/http`, and `unpack` in
`solver/llbsolver/file/unpack.go`.
"""

from __future__ import annotations

import bz2
import gzip
import http.client
import lzma
import posixpath
import shutil
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from hashlib import file_digest
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, NamedTuple
from urllib.parse import unquote, urlsplit

from layerlab.engines.embedded.build.copying import Copying, Source
from layerlab.engines.embedded.store import foreign
from layerlab.engines.embedded.store.layers import NO_MORE, Limits, Slice, too_large
from layerlab.errors import LayerlabError

PATIENCE = 60.0
"""Seconds without a byte after which an address is given up."""
MODE = 0o600
"""Of what was fetched, as docker has it."""
_OPENERS: dict[bytes, Callable[[Path], BinaryIO]] = {
    b"\x1f\x8b": gzip.open,  # type: ignore[dict-item]  # overloaded, for text, too
    b"BZh": bz2.open,  # type: ignore[dict-item]
    b"\xfd7zXZ\x00": lzma.open,  # type: ignore[dict-item]
    b"": lambda path: path.open("rb"),
}
"""How to read what is in a file, by the bytes that it begins with; the first that fits."""
_BLOCK = 1 << 18


class Answer(NamedTuple):
    """What an address answered: a file of ours, its digest in hexadecimal, its name and time."""

    path: Path
    digest: str
    name: str
    mtime: int


def fetch(url: str, folder: Path, now: int) -> Answer:
    """Fetch what is at an address into a folder of ours.

    Raises:
        LayerlabError: code `add-git` for what is no file, `add-failed` where it cannot be had.
    """
    if not url.lower().startswith(("http://", "https://")):
        raise LayerlabError(
            f"The embedded engine cannot ADD a Git repository ({url}).",
            code="add-git",
            hint="docker and nerdctl can. Or clone it beside your Dockerfile, and COPY it.",
        )
    name = posixpath.basename(unquote(urlsplit(url).path)) or "download"
    try:
        with (
            urllib.request.urlopen(url, timeout=PATIENCE) as answer,  # noqa: S310 - checked above
            NamedTemporaryFile(dir=folder, delete=False) as file,
        ):
            shutil.copyfileobj(answer, file, _BLOCK)
            said = answer.headers.get("Last-Modified")
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise LayerlabError(
            f"{url} cannot be fetched: {reason}",
            code="add-failed",
            hint="Does the address work in a browser? Is this machine online?",
        ) from error
    path = Path(file.name)
    with path.open("rb") as fetched:
        digest = file_digest(fetched, "sha256").hexdigest()
    return Answer(path, digest, name, _time(said, now))


def is_archive(path: Path) -> bool:
    """Whether ADD unpacks it: a tar archive, plain or compressed, whatever it is called."""
    with _opened(path) as file:
        try:
            return tarfile.is_tarfile(file)
        except (OSError, EOFError, lzma.LZMAError):
            return False


def unpack(
    archive: Path, copying: Copying, destination: str, folder: Path, limits: Limits = NO_MORE
) -> None:
    """Put the contents of an archive below a folder of the image.

    Args:
        archive: one that `is_archive`.
        copying: takes the entries.
        destination: absolute.
        folder: of ours, for as long as the layer is not written.
        limits: how much it may hold.

    Raises:
        HostileLayerError: it is damaged, or made to do harm.
    """
    copying.folder(destination)
    with _opened(archive) as file, NamedTemporaryFile(dir=folder, delete=False) as plain:
        size = 0
        while chunk := file.read(_BLOCK):
            size += plain.write(chunk)
            if size > limits.bytes:
                raise too_large(limits)
    path = Path(plain.name)
    for entry in foreign.read(path, limits, markers=False).entries:
        source: Source = Slice(path, entry.offset, entry.size) if entry.type == "file" else b""
        copying.place(entry, source, destination)


def _opened(path: Path) -> BinaryIO:
    """A file to read from, without its compression where it has one."""
    with path.open("rb") as file:
        begin = file.read(6)
    return next(how(path) for magic, how in _OPENERS.items() if begin.startswith(magic))


def _time(said: str | None, now: int) -> int:
    try:
        return int(parsedate_to_datetime(said).timestamp()) if said else now
    except ValueError:
        return now
