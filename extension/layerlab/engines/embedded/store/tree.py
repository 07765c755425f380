"""Paths that come one after the other, each able to lead elsewhere, hide or end others. Pure.

What an engine's unpacker does on a disk, within a root that nothing leads out of (Docker unpacks
in a chroot: `pkg/chrootarchive` and `daemon/.../archive/diff.go` in moby):

- a path below a symbolic link is put where the link leads, through links of lower layers, too;
- missing folders on the way are made, with mode 755 for root;
- a folder over a folder changes its attributes and keeps its contents; any other entry over a
  folder ends its contents; a folder over a link or file takes its place;
- a path below a file, or below links that lead in a circle, is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from layerlab.engines.embedded.store.entries import Entry, HostileLayerError, join, parent

MAX_LINKS = 40
"""Symbolic links that Linux follows in one path (`MAXSYMLINKS`)."""
MAX_PATH = 4095
"""Characters of a path: Linux's `PATH_MAX` without its NUL."""
MAX_DEPTH = 256
"""Folders within each other; no honest image has so many, and each costs an entry."""
IMPLIED_MODE = 0o755
"""Of a folder that no entry names; moby's `ImpliedDirectoryMode`."""


class Placed(msgspec.Struct, frozen=True, gc=False):
    """An entry where it has come to be: its path is that one. `layer` is a digest."""

    layer: str
    entry: Entry


def follow(
    placed: Mapping[str, Placed], path: str, *, last: bool = True, missing: bool = False
) -> str | None:
    """Where a path leads, as for a process whose root this is; `""` is the root.

    Args:
        placed: what there is.
        path: absolute or not, that makes no difference.
        last: follow a link at the very end, too.
        missing: take what is not there for a folder.

    Returns:
        None where it leads nowhere: something is missing or no folder, links go in a circle, or
        add up to a path that is too long.
    """
    done: list[str] = []
    todo = _parts(path)
    followed = 0
    while todo:
        part = todo.pop()
        if part == "..":
            del done[-1:]
            continue
        done.append(part)
        here = "/".join(done)
        if len(here) > MAX_PATH or len(done) > MAX_DEPTH:
            return None
        found = placed.get(here)
        if found is None:
            if not missing:
                return None
        elif found.entry.type == "link" and (todo or last):
            followed += 1
            if followed > MAX_LINKS:
                return None
            del done[0 if found.entry.link.startswith("/") else -1 :]
            todo += _parts(found.entry.link)
        elif todo and found.entry.type != "dir":
            return None
    return "/".join(done)


def _parts(path: str) -> list[str]:
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


class Tree:
    """All paths of some layers; the parent of each is among them, and is a folder.

    Attributes:
        placed: by path.
        names: of what is in each folder that holds something; `""` is the root.
    """

    def __init__(self, other: Tree | None = None) -> None:
        """A copy that costs two plain copies of dictionaries, or an empty one."""
        self.placed: dict[str, Placed] = dict(other.placed) if other else {}
        self.names: dict[str, set[str]] = dict(other.names) if other else {}
        # Sets of names belong to the other tree, too, until they are to be changed.
        self._own: set[str] = set()

    def put(self, layer: str, entry: Entry) -> str:
        """Add or replace. Returns the path where it came to be.

        Raises:
            HostileLayerError: something above it is no folder.
        """
        folder = self._folder(layer, entry)
        path = join(folder, entry.path.rpartition("/")[2])
        if entry.type != "dir":
            self._empty(path)
        if path != entry.path:
            entry = msgspec.structs.replace(entry, path=path)
        self._set(folder, path, Placed(layer, entry))
        return path

    def remove(self, path: str) -> None:
        """Take away a path and what is below it; links on the way are followed, itself not."""
        real = follow(self.placed, path, last=False)
        if not real:
            return
        self._empty(real)
        del self.placed[real]
        folder = parent(real)
        names = self._names(folder)
        names.discard(real.rpartition("/")[2])
        if not names:
            self._forget(folder)

    def clear(self, path: str) -> None:
        """Take away what is below a folder; links on the way are followed, itself not."""
        real = follow(self.placed, path, last=False)
        if real is not None:
            self._empty(real)

    def _empty(self, path: str) -> None:
        todo = [path]
        while todo:
            folder = todo.pop()
            for name in self._forget(folder):
                inner = join(folder, name)
                del self.placed[inner]
                todo.append(inner)

    def _folder(self, layer: str, entry: Entry) -> str:
        """The folder that an entry goes to; it is made where it is missing."""
        folder = parent(entry.path)
        found = self.placed.get(folder)
        # Every known folder's path is where it really is: nothing above it is a link.
        if not folder or (found is not None and found.entry.type == "dir"):
            return folder
        real = follow(self.placed, folder, missing=True)
        found = self.placed.get(real) if real else None
        if real is None or (found is not None and found.entry.type != "dir"):
            raise HostileLayerError("lies in something that is no folder", entry.path)
        above = ""
        for part in real.split("/") if real else ():
            path = join(above, part)
            if path not in self.placed:
                implied = Entry(path, "dir", IMPLIED_MODE, 0, 0)
                self._set(above, path, Placed(layer, implied))
            above = path
        return real

    def _set(self, folder: str, path: str, placed: Placed) -> None:
        if path not in self.placed:
            self._names(folder).add(path.rpartition("/")[2])
        self.placed[path] = placed

    def _names(self, folder: str) -> set[str]:
        """The names in a folder, to be changed."""
        if folder not in self._own:
            self.names[folder] = set(self.names.get(folder, ()))
            self._own.add(folder)
        return self.names[folder]

    def _forget(self, folder: str) -> set[str]:
        self._own.discard(folder)
        return self.names.pop(folder, set())
