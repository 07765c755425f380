"""A tree on disk: moved between states, put right after a command, made anew when in doubt."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerlab.engines.embedded.build.difference import members, whiteouts
from layerlab.engines.embedded.build.rootfs import RootFilesystem, State, walk
from layerlab.engines.embedded.runners import mounts
from layerlab.engines.embedded.runners.job import MountPoint
from layerlab.engines.embedded.store.layers import Member
from layerlab.engines.embedded.store.layout import Store
from layerlab.engines.embedded.store.view import View
from tests.engines_unit.embedded import trees
from tests.engines_unit.embedded.trees import file, folder, link

OWNERS = os.geteuid() == 0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def tree(tmp_path: Path, store: Store) -> RootFilesystem:
    return RootFilesystem(tmp_path / "tree", store, owners=OWNERS)


def layer(store: Store, *made: Member, gone: tuple[str, ...] = ()) -> str:
    return store.add_layer(made, gone, epoch=None).digest


def hard(path: str, first: str) -> Member:
    one = file(path)
    return Member(msgspec.structs.replace(one.entry, first=first))


def content(root: Path) -> dict[str, tuple[object, ...]]:
    """What there is: modes, owners, times of all but folders above, targets, bytes, file names."""
    found = {}
    shared: dict[int, list[str]] = {}
    for path, seen in sorted(walk(root).items()):
        here = root / path
        data: object = ""
        if here.is_symlink():
            data = str(here.readlink())
        elif here.is_file():
            data = here.read_bytes()
            shared.setdefault(seen.inode, []).append(path)
        found[path] = (oct(seen.mode), seen.uid, seen.gid, seen.mtime // 10**9, data)
    groups = {names[0]: (*names,) for names in shared.values() if len(names) > 1}
    return found | {f"names of {first}": (*names,) for first, names in groups.items()}


def unpacked(store: Store, layers: tuple[str, ...], folder_: Path) -> dict[str, tuple[object, ...]]:
    """The same of a tree that has never been anything else."""
    with RootFilesystem(folder_, store, owners=OWNERS).at(layers) as state:
        return content(state.root)


def base(store: Store) -> str:
    return layer(
        store,
        folder("d", 0o555),
        file("d/kept", b"kept", 0o444),
        file("d/changed", b"before"),
        folder("d/sub", 0o700),
        file("d/sub/deep", b"deep"),
        link("l", "d/kept"),
        file("first", b"same"),
        hard("second", "first"),
    )


def damage(root: Path) -> None:
    """What a command may do."""
    (root / "d").chmod(0o755)
    (root / "d/changed").write_bytes(b"after, and longer")
    (root / "d/sub/deep").unlink()
    (root / "d/sub").rmdir()
    (root / "d/sub").write_bytes(b"a file now")
    (root / "d/kept").unlink()
    (root / "d/kept").mkdir()
    (root / "d/kept/inside").write_bytes(b"x")
    (root / "l").unlink()
    (root / "l").symlink_to("elsewhere")
    (root / "first").write_bytes(b"grown")
    (root / "second").unlink()
    (root / "new/below").mkdir(parents=True)
    (root / "new/below").chmod(0)
    (root / "new").chmod(0)


def test_what_a_command_did_is_undone(tree: RootFilesystem, store: Store, tmp_path: Path) -> None:
    layers = (base(store),)
    with tree.at(layers) as state:
        before = content(state.root)
        damage(state.root)
    with tree.at(layers) as state:
        assert content(state.root) == before
    assert before == unpacked(store, layers, tmp_path / "fresh")
    assert before["names of first"] == ("first", "second")


def test_also_what_it_put_beside_a_mount_point(tree: RootFilesystem, store: Store) -> None:
    with tree.at((base(store),)) as state:
        before = content(state.root)
        with mounts.placed(state.root, [MountPoint("made/point", folder=True)]) as made:
            state.look(made)
            (state.root / "made/beside").touch()
        assert (state.root / "made").exists()
        state.settle()
        assert content(state.root) == before


def test_how_it_looks_is_remembered(tree: RootFilesystem, store: Store) -> None:
    below = base(store)
    above = layer(store, file("d/changed", b"again"), folder("other"), gone=("d/sub", "l"))
    for layers in ((below,), (below, above), (below,)):
        with tree.at(layers) as state:
            assert state.seen == walk(state.root)
            (state.root / "d/changed").write_bytes(b"after, and longer")
            (state.root / "second").unlink()
            (state.root / "new/below").mkdir(parents=True)
            state.settle()
            assert state.seen == walk(state.root)


def _interrupted(state: State) -> None:
    damage(state.root)
    raise KeyboardInterrupt


def test_also_when_the_command_was_interrupted(tree: RootFilesystem, store: Store) -> None:
    layers = (base(store),)
    with tree.at(layers) as state:
        before = content(state.root)
    with pytest.raises(KeyboardInterrupt), tree.at(layers) as state:
        _interrupted(state)
    with tree.at(layers) as state:
        assert content(state.root) == before


def test_a_tree_left_in_the_middle_is_made_anew(tree: RootFilesystem, store: Store) -> None:
    layers = (base(store),)
    with tree.at(layers) as state:
        before = content(state.root)
    # As after kill -9: what a tree holds is not written down while somebody has it.
    (tree.root.parent / "state").unlink()
    damage(tree.root)
    with tree.at(layers) as state:
        assert content(state.root) == before


def test_a_record_that_cannot_be_read_is_none(tree: RootFilesystem, store: Store) -> None:
    layers = (base(store),)
    with tree.at(layers) as state:
        before = content(state.root)
    (tree.root.parent / "state").write_bytes(b"\x00 no such thing")
    with tree.at(layers) as state:
        assert content(state.root) == before


def done(state: State) -> Iterator[Member]:
    """What was made and changed in a tree."""
    new = state.touched().new
    return members(state.root, new, state.view, lambda _path, seen, _: (seen.uid, seen.gid))


def step(store: Store, state: State) -> str:
    """What was done in a tree, as a layer on top."""
    now, new, gone = state.touched()
    added = store.add_layer(done(state), whiteouts(gone, new, state.view), epoch=None)
    state.keep(state.view.on(added.digest, store.index(added.digest)), now)
    return added.digest


def test_what_a_command_did_is_a_layer(tree: RootFilesystem, store: Store, tmp_path: Path) -> None:
    below = base(store)
    with tree.at((below,)) as state:
        damage(state.root)
        above = step(store, state)
        after = content(state.root)
    # To and fro on the same tree, and on a new one.
    for layers in ((below,), (below, above)):
        with tree.at(layers) as state:
            assert content(state.root) == unpacked(store, layers, tmp_path / f"{len(layers)}")
    assert {path: what[4:] for path, what in content(tree.root).items()} == {
        path: what[4:] for path, what in after.items()
    }


@settings(max_examples=6)
@given(chain=st.lists(trees.members(), min_size=1, max_size=3), data=st.data())
def test_any_state_is_reached_from_any_other(
    tmp_path_factory: pytest.TempPathFactory, chain: list[list[Member]], data: st.DataObject
) -> None:
    folder_ = tmp_path_factory.mktemp("moved")
    store = Store(folder_ / "store")
    plain = [[one for one in made if _fits(one)] for made in chain]
    layers = tuple(store.add_layer(_whole(made), epoch=None).digest for made in plain)
    states = [layers[:count] for count in range(len(layers) + 1)]
    tree = RootFilesystem(folder_ / "tree", store, owners=OWNERS)
    for number in range(3):
        wanted = data.draw(st.sampled_from(states))
        with tree.at(wanted) as state:
            moved = content(state.root)
            assert not list(done(state))
        assert moved == unpacked(store, wanted, folder_ / f"fresh-{number}")


def _fits(one: Member) -> bool:
    """Whether this test can look at it: no devices, and times that every disk keeps."""
    return one.entry.type in ("file", "dir", "link") and 0 <= one.entry.mtime < 1 << 31


def _whole(made: list[Member]) -> list[Member]:
    """Without what lies in, or is, something that was left out."""
    there = {one.entry.path: one for one in made}
    return [
        one
        for one in made
        if all(
            (above := "/".join(one.entry.path.split("/")[:at])) in there
            and there[above].entry.type == "dir"
            for at in range(1, one.entry.path.count("/") + 1)
        )
        and (not one.entry.first or one.entry.first in there)
    ]


def test_nothing_is_written_through_a_link_that_a_view_hides(
    tree: RootFilesystem, store: Store, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    layers = (layer(store, folder("d"), file("d/f", b"x")),)
    with tree.at(()) as state:
        assert state.view == View()
    with tree.at(layers) as state:
        (state.root / "d/f").unlink()
        (state.root / "d").rmdir()
        (state.root / "d").symlink_to(outside)
    assert list(outside.iterdir()) == []
    assert (tree.root / "d/f").read_bytes() == b"x"
    assert not (tree.root / "d").is_symlink()
