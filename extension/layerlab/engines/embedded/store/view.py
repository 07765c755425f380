"""What an image holds at one of its layers, without anything unpacked. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from layerlab.engines.embedded.store.entries import LayerIndex, join
from layerlab.engines.embedded.store.tree import Placed, Tree, follow

__all__ = ["Placed", "View", "changes"]


class View(Mapping[str, Placed]):
    """The merged state of a chain of layers: every path in it, but for the root itself.

    It never changes. The rules of merging are those of `tree`; in addition, whiteouts of a layer
    hold for the layers below it only, wherever in the archive they stand (OCI image
    specification, `layer.md`).

    Attributes:
        layers: digests, the lowest first.
    """

    def __init__(self, layers: tuple[str, ...] = (), tree: Tree | None = None) -> None:
        self.layers = layers
        self._tree = Tree() if tree is None else tree

    @classmethod
    def of(cls, layers: Sequence[tuple[str, LayerIndex]]) -> View:
        """The state on top of these layers, digests and indexes, the lowest first.

        Raises:
            HostileLayerError: see `on`.
        """
        tree = Tree()
        for digest, index in layers:
            _apply(tree, digest, index)
        return cls(tuple(digest for digest, _ in layers), tree)

    def on(self, digest: str, index: LayerIndex) -> View:
        """The state after one more layer.

        Raises:
            HostileLayerError: it puts something below what is no folder.
        """
        tree = Tree(self._tree)
        _apply(tree, digest, index)
        return View((*self.layers, digest), tree)

    def __getitem__(self, path: str) -> Placed:
        return self._tree.placed[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tree.placed)

    def __len__(self) -> int:
        return len(self._tree.placed)

    def __contains__(self, path: object) -> bool:
        return path in self._tree.placed

    def resolve(self, path: str, *, follow_last: bool = True) -> str | None:
        """Where a path leads, as for a process whose root this is; `""` is the root.

        None where something is missing, is no folder, or links go in a circle. `follow_last`
        follows a link at the very end, too.
        """
        return follow(self._tree.placed, path, last=follow_last)

    def destination(self, path: str) -> str | None:
        """Where a path that need not exist leads: missing parts stand for themselves.

        A layer that puts something there must name it by this path, or the folders that it
        names on the way would take the place of the links. None where something on the way is
        no folder, or links go in a circle.
        """
        return follow(self._tree.placed, path, missing=True)

    def children(self, path: str) -> tuple[str, ...]:
        """The names of what is in a folder, sorted; `""` is the root. Links are not followed."""
        return tuple(sorted(self._tree.names.get(path, ())))

    def below(self, path: str) -> Iterator[Placed]:
        """All that is below a folder: depth first, by name, parents before their children."""
        todo = [join(path, name) for name in reversed(self.children(path))]
        while todo:
            here = todo.pop()
            yield self[here]
            todo += [join(here, name) for name in reversed(self.children(here))]


def _apply(tree: Tree, digest: str, index: LayerIndex) -> None:
    for path in index.opaque:
        tree.clear(path)
    for path in index.whiteouts:
        tree.remove(path)
    for entry in index.entries:
        tree.put(digest, entry)


def changes(old: View, new: View) -> tuple[tuple[str, ...], tuple[Placed, ...]]:
    """What makes a folder with the state `old` one with the state `new`.

    Returns:
        The paths to remove, children before their parents, and the entries to write after that,
        parents before their children. What changes its type is in both. Where something to write
        shares its file with other names (hard links), all of them are written: make the first
        anew, beside whatever is at its path, and link the others to it.
    """
    removed = [
        path
        for path, placed in old.items()
        if (now := new.get(path)) is None or now.entry.type != placed.entry.type
    ]
    written = {path for path, placed in new.items() if old.get(path) != placed}
    shared = [path for path, placed in new.items() if placed.entry.first]
    files = {_file(new[path]) for path in shared}
    touched = {_file(new[path]) for path in written} & files
    if touched:
        written.update(path for path, placed in new.items() if _file(placed) in touched)
    return tuple(sorted(removed, reverse=True)), tuple(new[path] for path in sorted(written))


def _file(placed: Placed) -> tuple[str, int]:
    """What names of one file have in common, and nothing else has but implied folders."""
    return placed.layer, placed.entry.offset
