"""What a command has done to a tree, as the members of a layer."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from layerlab.engines.embedded.build.difference import members, whiteouts
from layerlab.engines.embedded.build.rootfs import RootFilesystem, Seen, State
from layerlab.engines.embedded.store.entries import Entry
from layerlab.engines.embedded.store.layout import Store
from tests.engines_unit.embedded.trees import file, folder, link

Changed = tuple[dict[str, Entry], tuple[str, ...]]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """A tree with some files, which a test may change."""
    store = Store(tmp_path / "store")
    made = [
        folder("d"),
        file("d/a", b"a"),
        file("d/b", b"b"),
        folder("d/sub"),
        file("d/sub/c", b"c"),
        file("f", b"f"),
        link("l", "f"),
    ]
    layers = (store.add_layer(made, epoch=None).digest,)
    tree = RootFilesystem(tmp_path / "tree", store, owners=os.geteuid() == 0)
    with tree.at(layers) as reached:
        yield reached


def changed(state: State) -> Changed:
    """The entries of the layer by path, and its whiteouts."""

    def owner(_path: str, _seen: Seen, before: Entry | None) -> tuple[int, int]:
        return (before.uid, before.gid) if before else (7, 8)

    _, new, gone = state.touched()
    made = members(state.root, new, state.view, owner)
    return {one.entry.path: one.entry for one in made}, whiteouts(gone, new, state.view)


def nothing(_: Path) -> None:
    pass


def touch(root: Path) -> None:
    # Read and written as it was, with the time of before: only the kernel's own time differs.
    (root / "f").write_bytes(b"f")
    os.utime(root / "f", (0, 0))
    (root / "d/sub/more").touch()
    (root / "d/sub/more").unlink()


@pytest.mark.parametrize("act", [nothing, touch])
def test_what_only_looks_touched_is_left_out(state: State, act: Callable[[Path], None]) -> None:
    act(state.root)
    assert changed(state) == ({}, ())


def test_new_changed_and_gone(state: State) -> None:
    root = state.root
    (root / "d/new").write_bytes(b"new")
    (root / "d/a").write_bytes(b"other")
    (root / "d/sub").chmod(0o2711)
    (root / "d/b").unlink()
    found, lost = changed(state)
    assert {path: (one.type, one.size, one.uid) for path, one in found.items()} == {
        "d/new": ("file", 3, 7),
        "d/a": ("file", 5, 0),
        "d/sub": ("dir", 0, 0),
    }
    assert found["d/sub"].mode == 0o2711
    assert lost == ("d/b",)


def test_of_a_whole_folder_only_the_folder_is_taken_away(state: State) -> None:
    (state.root / "d/sub/c").unlink()
    (state.root / "d/sub").rmdir()
    assert changed(state) == ({}, ("d/sub",))


def test_a_file_in_the_place_of_a_folder_needs_no_whiteouts(state: State) -> None:
    (state.root / "d/sub/c").unlink()
    (state.root / "d/sub").rmdir()
    (state.root / "d/sub").write_bytes(b"")
    found, lost = changed(state)
    assert [(path, one.type) for path, one in found.items()] == [("d/sub", "file")]
    assert lost == ()


def test_a_folder_in_the_place_of_a_file(state: State) -> None:
    (state.root / "f").unlink()
    (state.root / "f").mkdir()
    (state.root / "f/x").touch()
    found, lost = changed(state)
    assert [(path, one.type) for path, one in found.items()] == [("f", "dir"), ("f/x", "file")]
    assert lost == ()


def test_a_folder_that_was_made_again_has_lost_what_it_held(state: State) -> None:
    (state.root / "d/sub/c").unlink()
    (state.root / "d/sub").rmdir()
    (state.root / "d/sub").mkdir()
    assert changed(state)[1] == ("d/sub/c",)


def test_links_and_names(state: State) -> None:
    root = state.root
    (root / "l").unlink()
    (root / "l").symlink_to("d")
    (root / "z").hardlink_to(root / "f")
    (root / "y").write_bytes(b"yy")
    (root / "x").hardlink_to(root / "y")
    found, lost = changed(state)
    assert (found["l"].type, found["l"].link, found["l"].mode) == ("link", "d", 0o777)
    assert (found["x"].first, found["y"].first) == ("", "x")
    # One more name of a file of before: that file itself is as it was.
    assert "f" not in found
    assert (found["z"].first, found["z"].size) == ("", 1)
    assert lost == ()


def test_pipes_are_kept_and_sockets_are_not(state: State) -> None:

    os.mkfifo(state.root / "pipe")
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as made:
        os.chdir(state.root)  # a socket's path may have 107 bytes
        try:
            made.bind("socket")
        finally:
            os.chdir(here)
    found, lost = changed(state)
    assert [(path, one.type) for path, one in found.items()] == [("pipe", "fifo")]
    assert lost == ()
