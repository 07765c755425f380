"""Places in a root file system that something is mounted on, made for as long as a RUN takes.

They must not show up in the step's layer, so the order is: `placed` makes what is missing; it is
looked at; RUN; a walk; leaving the block takes it away. Then the walk sees it as it was, as nothing
can be changed where something is mounted. A folder that was made and that the RUN has put
something into stays, and the walk sees it changed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from layerlab.engines.embedded.runners.job import Bind, MountPoint
from layerlab.errors import LayerlabError

_MAX_LINKS = 40
"""As the kernel counts, path_resolution(7)."""
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}


def resolve(root: Path, guest: str) -> str:
    """Where a path of the root leads, relative to it and without symbolic links.

    Links are followed as in a chroot, so nothing leads out; what is missing stays as it is.

    Raises:
        LayerlabError: code `too-many-links`.
    """
    done = PurePosixPath()
    todo = [part for part in reversed(guest.split("/")) if part not in ("", ".")]
    links = 0
    while todo:
        part = todo.pop()
        if part == "..":
            done = done.parent
            continue
        try:
            target = str((root / done / part).readlink())
        except OSError:  # no link, or not there
            done /= part
            continue
        links += 1
        if links > _MAX_LINKS:
            raise LayerlabError(f"The links at {guest} lead in a circle.", code="too-many-links")
        if target.startswith("/"):
            done = PurePosixPath()
        todo += [name for name in reversed(target.split("/")) if name not in ("", ".")]
    return str(done)


def points(root: Path, binds: Sequence[Bind], folders: Sequence[str]) -> tuple[MountPoint, ...]:
    """The mount points of some binds, and some folders, each once."""
    wanted = [MountPoint(resolve(root, folder), folder=True) for folder in folders]
    wanted += [MountPoint(resolve(root, bind.guest), bind.host.is_dir()) for bind in binds]
    return tuple(dict.fromkeys(wanted))


@contextlib.contextmanager
def placed(root: Path, wanted: Sequence[MountPoint]) -> Iterator[tuple[str, ...]]:
    """Make the mount points that are missing, with the folders above; take them away again.

    Gives the paths that were made. No time of modification changes by it.

    Raises:
        LayerlabError: code `no-mount-point`: something else is in the way.
    """
    made: list[Path] = []
    try:
        for point in wanted:
            _make(root, root / point.path, made, folder=point.folder)
        yield tuple(path.relative_to(root).as_posix() for path in made)
    finally:
        for path in reversed(made):
            _take_away(path)


def network_files(folder: Path) -> tuple[Bind, ...]:
    """This machine's names of others, as copies in `folder`: a RUN may write to what it sees."""
    binds = []
    for name in ("resolv.conf", "hosts"):
        source = Path("/etc", name)
        if source.is_file():
            copy = folder / name
            shutil.copyfile(source, copy)
            binds.append(Bind(copy, f"/etc/{name}"))
    return tuple(binds)


def devices(folder: Path) -> Bind | None:
    """A /dev of its own in `folder`, for a runner that cannot make one.

    As real root, a RUN that removes /dev/null would remove this machine's. None where no device
    can be made: then nobody can remove one either.
    """
    dev = folder / "dev"
    dev.mkdir()
    try:
        for name in _DEVICES:
            os.mknod(dev / name, stat.S_IFCHR | 0o666, os.stat(f"/dev/{name}").st_rdev)  # noqa: PTH116
            (dev / name).chmod(0o666)
    except OSError:
        shutil.rmtree(dev)
        return None
    for name, target in _LINKS.items():
        (dev / name).symlink_to(target)
    for name in ("shm", "pts"):
        (dev / name).mkdir()
    (dev / "shm").chmod(0o1777)
    return Bind(dev, "/dev")


def _make(root: Path, path: Path, made: list[Path], *, folder: bool) -> None:
    if path == root or (path.is_dir() if folder else path.is_file()):
        return
    if path.parent != root:
        _make(root, path.parent, made, folder=True)
    try:
        with _same_time(path.parent):
            if folder:
                path.mkdir(mode=0o755)
            else:
                path.touch(mode=0o644, exist_ok=False)
    except OSError as error:
        raise LayerlabError(
            f"Nothing can be mounted at /{path.relative_to(root)}: {error.strerror}.",
            code="no-mount-point",
        ) from error
    made.append(path)


def _take_away(path: Path) -> None:
    # The RUN may have put something into a folder, or taken it away itself.
    with contextlib.suppress(OSError), _same_time(path.parent):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()


@contextlib.contextmanager
def _same_time(folder: Path) -> Iterator[None]:
    before = folder.stat()
    yield
    os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))
