"""Docker's words for what Buildah calls otherwise. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_WORDS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("image", "ls"), ("images",)),
    (("image", "list"), ("images",)),
    (("image", "rm"), ("rmi",)),
    (("image", "inspect"), ("inspect", "--type", "image")),
    (("image", "pull"), ("pull",)),
    (("image", "push"), ("push",)),
    (("image", "tag"), ("tag",)),
    (("container", "ls"), ("containers",)),
    (("container", "list"), ("containers",)),
    (("container", "rm"), ("rm",)),
    (("container", "inspect"), ("inspect", "--type", "container")),
    (("ps",), ("containers",)),
)


def translate(args: Sequence[str]) -> tuple[str, ...]:
    """A command line in docker's words as Buildah knows it; what has no twin stays as it is."""
    for docker, buildah in _WORDS:
        if tuple(args[: len(docker)]) == docker:
            return (*buildah, *args[len(docker) :])
    return tuple(args)
