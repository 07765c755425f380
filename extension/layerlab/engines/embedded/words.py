"""The embedded engine at the command line: the words that the labs use, in the form of docker's."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from layerlab.engines import emulation, references
from layerlab.engines.base import Container, Image
from layerlab.engines.embedded import transfer
from layerlab.errors import CommandFailedError, LayerlabError

if TYPE_CHECKING:
    from layerlab.engines.embedded.engine import EmbeddedEngine

ISOLATION = {
    "bubblewrap": "namespaces of the kernel: own files, own processes; this machine's network",
    "PRoot": "own files only, and a program that means to can leave them; this machine's "
    "processes and network",
}
HELP = {
    "history": "IMAGE: the instructions that made it",
    "images": "[NAME…]: those that are here",
    "info": "what carries out RUN, what is isolated, where the store is",
    "inspect": "IMAGE…: all that is known of it",
    "load": "-i FILE: take the images of an archive, docker's or OCI's, gzipped or not",
    "logs": "CONTAINER: what it has printed",
    "prune": "remove what no image needs",
    "ps": "[-a]: containers that run; all of them",
    "pull": "[--platform OS/ARCH] IMAGE: fetch it from a registry",
    "push": "IMAGE: copy it to the registry that its name begins with",
    "rm": "CONTAINER…: stop and remove",
    "rmi": "IMAGE…: take the name away",
    "run": "[--rm] [--name NAME] [--platform OS/ARCH] IMAGE [COMMAND…]",
    "save": "-o FILE [--platform OS/ARCH] IMAGE…: write an archive, in docker's format",
    "tag": "IMAGE NAME: one more name for it",
    "version": "of Layerlab",
}
"""The words, what each takes, and what it does."""


class Words:
    """Carries out one command.

    Args:
        engine: whose images and containers are meant.
    """

    def __init__(self, engine: EmbeddedEngine) -> None:
        self._engine = engine
        self._words: dict[str, Callable[[Sequence[str]], str]] = {
            word: getattr(self, f"_{word}") for word in HELP
        }

    def say(self, args: Sequence[str]) -> str:
        """What the command prints. Raises a LayerlabError where it fails."""
        word, rest = (args[0], args[1:]) if args else ("", ())
        if word in ("image", "container") and rest:
            listing = "images" if word == "image" else "ps"
            word, rest = (listing if rest[0] == "ls" else rest[0]), rest[1:]
        if word in ("help", "--help"):
            return "".join(f"{known:10}{text}\n" for known, text in HELP.items())
        if word not in self._words:
            raise _error(
                f"The embedded engine has no command {word}." if word else "Which command?",
                f"It has {', '.join(self._words)}.",
            )
        return self._words[word](rest)

    def _info(self, _: Sequence[str]) -> str:
        engine, toolbox = self._engine, self._engine.toolbox
        runner = toolbox.runners[0] if toolbox.runners else None
        kind = runner.name.partition(" ")[0] if runner else ""
        rows = {
            "Engine": f"embedded, Layerlab {engine.probe().version}: no daemon, no root",
            "RUN steps": runner.name if runner else "cannot be run here",
            "Isolation": ISOLATION.get(kind, "none"),
            "User": f"{os.geteuid()}{' (root)' if os.geteuid() == 0 else ''}",
            "Platforms": ", ".join(engine.platforms()),
            "Images": len(engine.store.names()),
            "Containers": len(engine.containers()),
            "Store": engine.store.root,
            "skopeo": toolbox.skopeo or "missing",
        }
        refused = "".join(f"Not used: {one.runner}. {one.reason}\n" for one in toolbox.refusals)
        return "".join(f"{name + ':':12}{value}\n" for name, value in rows.items()) + refused

    def _version(self, _: Sequence[str]) -> str:
        return f"Layerlab {self._engine.probe().version}, embedded engine\n"

    def _images(self, args: Sequence[str]) -> str:
        wanted = [references.short(name) for name in args if not name.startswith("-")]
        found = self._engine.images()
        rows = [_row(image) for image in found if not wanted or image.name in wanted]
        return _table(("REPOSITORY", "TAG", "IMAGE ID", "SIZE"), rows)

    def _ps(self, args: Sequence[str]) -> str:
        every = any(word in ("-a", "--all") for word in args)
        rows = [
            (one.id[:12], one.image, one.command, one.state, one.name)
            for one in self._engine.containers()
            if every or one.state == "running"
        ]
        return _table(("CONTAINER ID", "IMAGE", "COMMAND", "STATUS", "NAMES"), rows)

    def _inspect(self, args: Sequence[str]) -> str:
        found = [self._engine.image(name) for name in args if not name.startswith("-")]
        return msgspec.json.format(msgspec.json.encode(found)).decode() + "\n"

    def _history(self, args: Sequence[str]) -> str:
        image = self._engine.configuration(_one(args))
        rows = [
            (step.created, "0 B" if step.empty_layer else "layer", step.created_by)
            for step in reversed(image.history)
        ]
        return _table(("CREATED", "SIZE", "CREATED BY"), rows)

    def _logs(self, args: Sequence[str]) -> str:
        return self._engine.logs(self._container(_one(args)))

    def _pull(self, args: Sequence[str]) -> str:
        given, rest = _options(args, {"--platform"})
        name = _one(rest)
        platform = given.get("--platform") or emulation.native()
        for _ in self._engine.library.pull(name, platform):
            pass
        return f"{name}\n"

    def _push(self, args: Sequence[str]) -> str:
        name = _one(args)
        self._engine.image(name)
        return transfer.push(self._engine.library, name)

    def _save(self, args: Sequence[str]) -> str:
        given, names = _anywhere(args, {"-o", "--output", "--platform"})
        path = given.get("-o") or given.get("--output")
        if not path:
            raise _error(
                "save writes an archive, and a terminal or a notebook can only show text.",
                "Name a file for it: save -o colors.tar colors:first",
            )
        if not names:
            raise _error("save takes one image, or several.", "save -o colors.tar colors:first")
        platform = given.get("--platform", "")
        chosen = [(references.short(name), self._engine.chosen(name, platform)) for name in names]
        transfer.save(self._engine.library, chosen, Path(path))
        return ""

    def _load(self, args: Sequence[str]) -> str:
        given, rest = _anywhere(args, {"-i", "--input"})
        path = given.get("-i") or given.get("--input")
        if not path or rest:
            raise _error("load takes the name of an archive.", "load -i colors.tar")
        names = transfer.load(self._engine.library, Path(path))
        return "".join(f"Loaded image: {name}\n" for name in names)

    def _prune(self, _: Sequence[str]) -> str:
        return f"Total reclaimed space: {self._engine.prune() / 1e6:.1f}MB\n"

    def _rm(self, args: Sequence[str]) -> str:
        names = [name for name in args if not name.startswith("-")]
        for name in names:
            self._engine.remove(self._container(name))
        return "".join(f"{name}\n" for name in names)

    def _rmi(self, args: Sequence[str]) -> str:
        names = [name for name in args if not name.startswith("-")]
        for name in names:
            self._engine.remove_image(name)
        return "".join(f"Untagged: {name}\n" for name in names)

    def _tag(self, args: Sequence[str]) -> str:
        if len(args) != 2:
            raise _error("tag takes an image and another name for it.", "tag colors:first mine:1")
        self._engine.tag(*args)
        return ""

    def _run(self, args: Sequence[str]) -> str:
        given, rest = _options(args, {"--name", "--platform"}, {"--rm"})
        if not rest:
            raise _error("run takes an image, and a command.", "run --rm busybox uname -m")
        return self._engine.run(
            rest[0],
            rest[1:],
            platform=given.get("--platform"),
            name=given.get("--name"),
            remove="--rm" in given,
        )

    def _container(self, name: str) -> Container:
        container = self._engine.find(name)
        if container is None:
            raise LayerlabError(
                f"There is no container {name}.",
                code="no-such-container",
                hint="layerlab.containers() lists those that there are.",
            )
        return container


def _options(
    args: Sequence[str], valued: Set[str], switches: Set[str] = frozenset()
) -> tuple[dict[str, str], Sequence[str]]:
    """The options before the first word that is none, and what comes after them."""
    found: dict[str, str] = {}
    rest = list(args)
    while rest and rest[0].startswith("-"):
        name, equals, value = rest.pop(0).partition("=")
        if name in valued:
            found[name] = value if equals or not rest else rest.pop(0)
        elif name in switches:
            found[name] = ""
        else:
            known = ", ".join(sorted(valued | switches))
            raise _error(f"The embedded engine does not know {name} here.", f"It knows {known}.")
    return found, rest


def _anywhere(args: Sequence[str], valued: Set[str]) -> tuple[dict[str, str], Sequence[str]]:
    """The options, which may stand after names, too; and the names."""
    found: dict[str, str] = {}
    names: list[str] = []
    rest = args
    while rest:
        given, rest = _options(rest, valued)
        found |= given
        names += rest[:1]
        rest = rest[1:]
    return found, names


def _one(args: Sequence[str]) -> str:
    names = [name for name in args if not name.startswith("-")]
    if len(names) != 1:
        raise _error(
            "This takes one name.", "layerlab.images() and layerlab.containers() list them."
        )
    return names[0]


def _row(image: Image) -> tuple[str, ...]:
    repository, tag = references.split(image.name)
    return repository, tag, image.id[:12], f"{image.size / 1e6:.1f}MB"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Columns as wide as their widest cell, as docker prints them."""
    lines = [head, *rows]
    widths = [max(len(str(line[at])) for line in lines) + 3 for at in range(len(head))]
    return "".join(
        "".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() + "\n"
        for line in lines
    )


def _error(message: str, hint: str) -> CommandFailedError:
    return CommandFailedError(message, code="unknown-command", hint=hint)
