"""A root filesystem on disk, for a RUN to work in: moved from one state of an image to another.

There is one for each base image. A step's parent state is reached by removing and writing only
what differs from the state that is there (some hundredths of a second for a few thousand files);
what is remembered and a walk after the command tell what it did. Clones by hard links would be
quicker, and wrong: a command that appends to a file would change the parent's too.

What a command has left undone is undone; a tree that was left in the middle, as by kill -9, has no
record of its state, and is made anew.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from stat import S_IMODE, S_ISDIR
from typing import NamedTuple

import msgspec

from layerlab.engines.embedded.store import disk
from layerlab.engines.embedded.store.layout import Store
from layerlab.engines.embedded.store.view import Placed, View, changes
from layerlab.errors import LayerlabError

_BLOCK = 1 << 20


class Seen(NamedTuple):
    """What tells whether a path was touched. Times are nanoseconds."""

    inode: int
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    ctime: int
    links: int


Snapshot = dict[str, Seen]
"""All paths of a tree, relative to its root."""


class Touched(NamedTuple):
    """What is in a tree now, what of it was not there or not so, and what is gone."""

    now: Snapshot
    new: Snapshot
    gone: tuple[str, ...]


class _State(msgspec.Struct, frozen=True):
    """Which layers a tree holds, and what it looked like when that was written down."""

    layers: tuple[str, ...]
    seen: dict[str, Seen]


def _pause() -> None:
    time.sleep(0.05)


class RootFilesystem:
    """One tree and its record. Only one build at a time has it.

    Args:
        folder: its own, made when it is first needed.
        store: has the layers.
        owners: whether files get their owners on disk, which only root can give them.
    """

    def __init__(self, folder: Path, store: Store, *, owners: bool) -> None:
        self.root = folder / "root"
        self._folder = folder
        self._record = folder / "state"
        self._store = store
        self._owners = owners

    @contextlib.contextmanager
    def at(self, layers: tuple[str, ...], pause: Callable[[], None] = _pause) -> Iterator[State]:
        """The tree as these layers make it, for as long as the block lasts.

        Where the block does not `State.keep` what was done in the tree, that is undone. While
        somebody else has the tree, `pause` is called again and again.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with disk.locked(self._folder / "lock", pause=pause):
            state = self._reached(layers)
            try:
                yield state
            finally:
                state.settle()
                self._write_record(state)

    def _reached(self, layers: tuple[str, ...]) -> State:
        known = self._read_record()
        self._record.unlink(missing_ok=True)
        if known is None:
            disk.discard(self.root)
            self.root.mkdir()
            known = _State((), {})
        state = State(self, self._store.view(known.layers), known.seen)
        state.settle()  # somebody else may have been at it
        state.move(self._store.view(layers))
        return state

    def _read_record(self) -> _State | None:
        try:
            return msgspec.msgpack.decode(self._record.read_bytes(), type=_State)
        except (OSError, msgspec.MsgspecError):
            return None

    def _write_record(self, state: State) -> None:
        part = self._record.with_suffix(".part")
        # Names that are no UTF-8 do not fit into msgpack: such a tree is made anew each time.
        with contextlib.suppress(UnicodeEncodeError):
            part.write_bytes(msgspec.msgpack.encode(_State(state.view.layers, state.seen)))
            part.replace(self._record)

    def write(self, view: View, placed: Placed) -> None:
        """Put one path of a view on disk, whose parents are there; not yet a folder's mode."""
        entry = placed.entry
        path = self.root / entry.path
        match entry.type:
            case "dir":
                with contextlib.suppress(FileExistsError):
                    path.mkdir()
                return
            case "link":
                path.symlink_to(entry.link)
            case "file":
                if not (entry.first and self._linked(view, placed)):
                    self._fill(path, placed)
            case _:
                return  # devices and pipes are recorded in the layer, and never made
        self.dress(placed)

    def dress(self, placed: Placed) -> None:
        """Give a path its owner, mode and time."""
        entry = placed.entry
        path = self.root / entry.path
        if self._owners:
            os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
        if entry.type != "link":
            path.chmod(entry.mode)
        os.utime(path, (entry.mtime, entry.mtime), follow_symlinks=False)

    def _linked(self, view: View, placed: Placed) -> bool:
        """Whether it could be made a further name of the first one, which is the same file."""
        first = view.get(placed.entry.first)
        if first is None or first.layer != placed.layer:
            return False
        with contextlib.suppress(OSError):
            os.link(self.root / placed.entry.first, self.root / placed.entry.path)
            return True
        return False

    def _fill(self, path: Path, placed: Placed) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with self._store.layer(placed.layer).open("rb") as blob:
            blob.seek(placed.entry.offset)
            left = placed.entry.size
            with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
                while left and (data := blob.read(min(left, _BLOCK))):
                    left -= file.write(data)


class State:
    """A tree while somebody has it.

    Attributes:
        view: what it holds, but for what was done in it since.
        seen: how that looked.
    """

    def __init__(self, tree: RootFilesystem, view: View, seen: Snapshot) -> None:
        self.view = view
        self.seen = seen
        self._tree = tree

    @property
    def root(self) -> Path:
        """The folder that is `/` for the command."""
        return self._tree.root

    def look(self, paths: Iterable[str]) -> None:
        """What is at these paths, or is not, is as it should be."""
        for path in paths:
            try:
                self.seen[path] = _seen(os.lstat(f"{self.root}/{path}"))
            except (FileNotFoundError, NotADirectoryError):
                self.seen.pop(path, None)

    def touched(self) -> Touched:
        """What was done in the tree since."""
        now = walk(self.root)
        new = {path: seen for path, seen in now.items() if self.seen.get(path) != seen}
        return Touched(now, new, tuple(path for path in self.seen if path not in now))

    def keep(self, view: View, now: Snapshot) -> None:
        """What was done in the tree is now a layer, the last of this view's; so it looked then."""
        self.view = view
        self.seen = now

    def settle(self) -> None:
        """Undo what was done since."""
        _, new, gone = self.touched()
        if new or gone:
            below = [
                path
                for path in new
                if path not in self.view or not _same_folder(self.seen.get(path), new[path])
            ]
            self._write(sorted(below, reverse=True), [*below, *gone, *new])

    def move(self, view: View) -> None:
        """Make it another state of an image."""
        removed, placed = changes(self.view, view)
        self.view = view
        paths = [one.entry.path for one in placed]
        self._write([*removed, *reversed(paths)], paths)

    def _write(self, remove: list[str], place: list[str]) -> None:
        """Remove paths, children first, then write what the view has at others."""
        folders: dict[str, None] = {}
        for path in remove:
            self._open(path, folders)
            self._remove(path)
        wanted = dict.fromkeys(sorted(place))
        for path in wanted:
            placed = self.view.get(path)
            if placed is None:
                continue
            if placed.entry.type == "dir":
                folders[path] = None
            elif os.path.lexists(self.root / path):
                continue
            self._open(path, folders)
            self._tree.write(self.view, placed)
        for path in sorted(folders, reverse=True):
            if (placed := self.view.get(path)) and (self.root / path).is_dir():
                self._tree.dress(placed)
        self.look((*remove, *wanted, *folders))

    def _open(self, path: str, folders: dict[str, None]) -> None:
        """Let the folder above be written to; it gets its mode and time back at the end."""
        above = path.rpartition("/")[0]
        while above and above not in folders:
            folders[above] = None
            here = self.root / above
            with contextlib.suppress(FileNotFoundError):
                info = here.lstat()
                if not S_ISDIR(info.st_mode):
                    raise LayerlabError(
                        f"/{above} in the image is no folder, yet something lies in it.",
                        code="hostile-layer",
                        hint="The image is damaged, or was made to do harm. It was not unpacked.",
                    )
                if S_IMODE(info.st_mode) & 0o300 != 0o300:
                    here.chmod(S_IMODE(info.st_mode) | 0o700)
            above = above.rpartition("/")[0]

    def _remove(self, path: str) -> None:
        full = self.root / path
        with contextlib.suppress(FileNotFoundError):
            if full.is_dir() and not full.is_symlink():
                # A folder that the next state has, too, keeps what is in it.
                with contextlib.suppress(OSError):
                    full.rmdir()
            else:
                full.unlink()


def walk(root: Path) -> Snapshot:
    """All paths below a folder, and how they look. What vanishes meanwhile is left out."""
    found: Snapshot = {}
    todo = [("", str(root))]
    while todo:
        at, folder = todo.pop()
        with contextlib.suppress(FileNotFoundError), _listed(folder) as entries:
            for entry in entries:
                path = f"{at}{entry.name}"
                with contextlib.suppress(FileNotFoundError):
                    found[path] = _seen(entry.stat(follow_symlinks=False))
                    if entry.is_dir(follow_symlinks=False):
                        todo.append((f"{path}/", entry.path))
    return found


def _listed(folder: str) -> contextlib.AbstractContextManager[Iterator[os.DirEntry[str]]]:
    try:
        return os.scandir(folder)
    except PermissionError:
        # Its owner may always let himself in; the mode is that of the walk before, or the layer's.
        Path(folder).chmod(0o700)
        return os.scandir(folder)


def _seen(info: os.stat_result) -> Seen:
    return Seen(
        info.st_ino,
        info.st_mode,
        info.st_uid,
        info.st_gid,
        info.st_size,
        info.st_mtime_ns,
        info.st_ctime_ns,
        info.st_nlink,
    )


def _same_folder(before: Seen | None, now: Seen) -> bool:
    """Whether both are one folder: what is in it may differ, and is looked at by itself."""
    if before is None or before.inode != now.inode:
        return False
    # A file's number may have gone on to a folder that has taken its place.
    return S_ISDIR(before.mode) and S_ISDIR(now.mode)


def retire(trees: Path, keep: int) -> None:
    """Remove trees that nobody has just now, but for those that were used last."""

    def used(folder: Path) -> float:
        record = folder / "state"
        return record.stat().st_mtime if record.exists() else 0.0

    there = [folder for folder in trees.iterdir() if folder.is_dir()] if trees.is_dir() else []
    for folder in sorted(there, key=used, reverse=True)[keep:]:
        with disk.locked(folder / "lock", wait=False) as alone:
            if alone:
                (folder / "state").unlink(missing_ok=True)
                disk.discard(folder / "root")
