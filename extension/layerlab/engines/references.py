"""Names of images: which are valid, and how to say them shortly. Pure.

The grammar is that of the OCI distribution specification, as `distribution/reference` reads it.
"""

from __future__ import annotations

import re

from layerlab.errors import BuildInputError

MAX_NAME = 255
"""Characters that a name without its tag may have (`reference.NameTotalLengthMax`)."""

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_NAME = re.compile(rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DEFAULTS = ("docker.io/library/", "docker.io/", "localhost/")


def split(reference: str) -> tuple[str, str]:
    """Name and tag; the tag is empty where there is none. A digest stays with the name."""
    name, colon, tag = reference.rpartition(":")
    if not colon or "/" in tag or "@" in reference:
        return reference, ""
    return name, tag


def short(reference: str) -> str:
    """As people say it: without the default registry and `localhost/`, always with a tag."""
    for prefix in _DEFAULTS:
        if reference.startswith(prefix):
            reference = reference.removeprefix(prefix)
            break
    name, tag = split(reference)
    return reference if tag or "@" in reference else f"{name}:latest"


def on_loopback(reference: str) -> bool:
    """Whether it is in a registry on this machine, which needs no TLS."""
    host, slash, _ = reference.partition("/")
    return bool(slash) and host.partition(":")[0] in ("localhost", "127.0.0.1")


def check(reference: str) -> None:
    """Raise a BuildInputError, code `bad-reference`, unless an image can have this name."""
    name, tag = split(reference)
    problem = _problem(reference, name, tag)
    if problem:
        raise BuildInputError(
            f"“{reference}” cannot be the name of an image: {problem}.",
            code="bad-reference",
            hint="A name is lower case: letters, digits, and . _ - between them; a tag may follow "
            "a colon, as in colors:first.",
        )


def _problem(reference: str, name: str, tag: str) -> str:
    """The first rule that a reference breaks, in words; nothing when it breaks none."""
    lower = name.lower()
    rules = (
        ("@" in reference, "a digest (after @) belongs to an image that exists already"),
        (reference.endswith(":"), "there is nothing after the colon"),
        (
            tag and not _TAG.fullmatch(tag),
            f"its tag “{tag}” may hold letters, digits, _ . - only, at most 128",
        ),
        (not name, "it is empty"),
        (len(name) > MAX_NAME, f"it is longer than {MAX_NAME} characters"),
        (re.fullmatch(r"[a-f0-9]{64}", name), "it looks like the id of an image"),
        (re.search(r"\s", name), "it has a space in it"),
        (
            not _NAME.fullmatch(name) and _NAME.fullmatch(lower),
            f"capital letters are not allowed, “{lower}” is",
        ),
        (not _NAME.fullmatch(name), "it has a character, or an order of them, that is not allowed"),
    )
    return next((words for broken, words in rules if broken), "")
