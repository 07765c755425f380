"""Merged views: against real files, and from one state to another."""

from __future__ import annotations

import os
import posixpath
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerlab.engines.embedded.store import foreign
from layerlab.engines.embedded.store.entries import Entry, HostileLayerError, LayerIndex, Type
from layerlab.engines.embedded.store.view import View, changes

EXAMPLES = settings(max_examples=80)
PARTS = ("a", "b", "c", "a-b")
PATHS = st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map("/".join)
# None of them climbs, so that plain files can show where they lead.
TARGETS = st.sampled_from(["a", "b", "c", "b/c", ".", "nowhere", "./a/"])
KINDS: st.SearchStrategy[Type] = st.sampled_from(["file", "dir", "dir", "link"])


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    """Entries in any order, with names that come again, and parents that are missing or files."""
    return [
        Entry(
            draw(PATHS),
            kind := draw(KINDS),
            draw(st.sampled_from([0o700, 0o755])),
            0,
            0,
            link=draw(TARGETS) if kind == "link" else "",
            offset=512 * (at + 1),
        )
        for at in range(draw(st.integers(0, 8)))
    ]


@st.composite
def indexes(draw: st.DrawFn) -> LayerIndex:
    by_path = {entry.path: entry for entry in draw(entries())}
    return LayerIndex(
        tuple(entry for _, entry in sorted(by_path.items())),
        tuple(sorted(draw(st.sets(PATHS, max_size=2)))),
        tuple(sorted(draw(st.sets(PATHS, max_size=1)))),
    )


CHAINS = st.lists(indexes(), max_size=4)


class RefusedError(Exception):
    """A real file system has refused."""


class Disk:
    """The same in a real folder, with the system calls that an unpacker makes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def apply(self, index: LayerIndex) -> None:
        for path in index.opaque:
            if (self.root / path).is_dir() and not (self.root / path).is_symlink():
                for child in (self.root / path).iterdir():
                    self.remove(child)
        for path in index.whiteouts:
            self.remove(self.root / path)
        for entry in index.entries:
            self.put(entry)

    def remove(self, path: Path) -> None:
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)

    def put(self, entry: Entry) -> None:
        path = self.root / entry.path
        try:
            try:
                path.parent.stat()
            except FileNotFoundError:
                Path(os.path.realpath(path.parent)).mkdir(mode=0o755, parents=True, exist_ok=True)
            # A path may lead over the link that it is about to replace.
            path = Path(os.path.realpath(path.parent)) / path.name
            if entry.type != "dir" or not path.is_dir() or path.is_symlink():
                self.remove(path)
            if entry.type == "file":
                path.write_text(str(entry.offset))
            elif entry.type == "link":
                path.symlink_to(entry.link)
            else:
                path.mkdir(exist_ok=True)
            if entry.type != "link":
                path.chmod(entry.mode)
        except (NotADirectoryError, FileExistsError, OSError) as error:
            raise RefusedError from error

    def state(self) -> dict[str, tuple[str, int | str]]:
        """Type by path; and the mode of a folder, target of a link, text of a file."""
        found: dict[str, tuple[str, int | str]] = {}
        for top, folders, files in os.walk(self.root):
            for name in folders + files:
                path = Path(top) / name
                at = str(path.relative_to(self.root))
                if path.is_symlink():
                    found[at] = "link", str(path.readlink())
                elif path.is_dir():
                    found[at] = "dir", stat.S_IMODE(path.stat().st_mode)
                else:
                    found[at] = "file", path.read_text()
        return found


def state(view: View) -> dict[str, tuple[str, int | str]]:
    kept: dict[str, tuple[str, int | str]] = {}
    for path, placed in view.items():
        entry = placed.entry
        assert entry.path == path
        detail: dict[str, int | str] = {
            "link": entry.link,
            "dir": entry.mode,
            "file": str(entry.offset),
        }
        kept[path] = entry.type, detail[entry.type]
    return kept


def plain(found: dict[str, tuple[str, int | str]]) -> dict[str, tuple[str, int | str]]:
    """Targets without what `Path.readlink` leaves out."""
    return {
        path: (kind, posixpath.normpath(detail) if isinstance(detail, str) else detail)
        for path, (kind, detail) in found.items()
    }


def chain(layers: Sequence[LayerIndex]) -> list[tuple[str, LayerIndex]]:
    return [(f"sha256:{at}", index) for at, index in enumerate(layers)]


def sound(layers: Sequence[LayerIndex]) -> View:
    """The state without the layers that are refused."""
    view = View()
    for digest, index in chain(layers):
        with suppress(HostileLayerError):
            view = view.on(digest, index)
    return view


@EXAMPLES
@given(CHAINS)
def test_a_chain_is_what_real_files_would_be(layers: list[LayerIndex]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        disk = Disk(Path(folder))
        view = View()
        for digest, index in chain(layers):
            try:
                disk.apply(index)
            except RefusedError:
                with pytest.raises(HostileLayerError):
                    view.on(digest, index)
                return
            view = view.on(digest, index)
            assert plain(state(view)) == plain(disk.state())
        assert view == View.of(chain(layers))


@EXAMPLES
@given(entries())
def test_a_foreign_archive_is_what_real_files_would_be(found: list[Entry]) -> None:
    """Its entries come in any order, and one name several times."""
    with tempfile.TemporaryDirectory() as folder:
        blob, root = Path(folder, "blob"), Path(folder, "root")
        root.mkdir()
        with tarfile.open(blob, "w") as tar:
            for entry in found:
                info = tarfile.TarInfo(entry.path)
                info.type = {"file": b"0", "dir": b"5", "link": b"2"}[entry.type]
                info.mode, info.linkname = entry.mode, entry.link
                tar.addfile(info)
        disk = Disk(root)
        try:
            for entry in found:
                disk.put(entry)
        except RefusedError:
            with pytest.raises(HostileLayerError):
                foreign.read(blob)
            return
        assert plain(state(View.of([("", foreign.read(blob))]))) == plain(disk.state())


@EXAMPLES
@given(CHAINS, CHAINS)
def test_changes_lead_from_one_state_to_another(
    one: list[LayerIndex], other: list[LayerIndex]
) -> None:
    """Between any two, also such that have their first layers in common."""
    old, new = sound(one), sound(one[:1] + other)
    removed, placed = changes(old, new)
    model = dict(old)
    for path in removed:
        assert not [inner for inner in model if inner.startswith(f"{path}/")]
        del model[path]
    for found in placed:
        above = posixpath.dirname(found.entry.path)
        assert not above or model[above].entry.type == "dir"
        assert old.get(found.entry.path) != found
        model[found.entry.path] = found
    assert model == dict(new)
    assert changes(new, new) == ((), ())


@EXAMPLES
@given(CHAINS)
def test_every_path_is_found_in_order_and_where_it_is(layers: list[LayerIndex]) -> None:
    view = sound(layers)
    below = [placed.entry.path for placed in view.below("")]
    assert below == sorted(view, key=lambda path: path.split("/"))
    for path in view:
        assert view.resolve(path, follow_last=False) == path
        real = view.resolve(path)
        assert real is None or real == "" or view[real].entry.type != "link"
        assert real is None or view.destination(path) == real


def view_of(*found: Entry) -> View:
    return View.of([("sha256:0", LayerIndex(tuple(sorted(found, key=lambda e: e.path))))])


def directory(path: str) -> Entry:
    return Entry(path, "dir", 0o755, 0, 0)


def symlink(path: str, target: str) -> Entry:
    return Entry(path, "link", 0o777, 0, 0, link=target)


@pytest.mark.parametrize(
    ("path", "real", "destination"),
    [
        ("lib/x", "usr/lib/x", "usr/lib/x"),
        ("/lib", "usr/lib", "usr/lib"),
        ("lib/../lib", "usr/lib", "usr/lib"),
        ("../../lib", "usr/lib", "usr/lib"),
        ("up", "usr", "usr"),
        ("out/lib", "usr/lib", "usr/lib"),
        ("", "", ""),
        ("usr/..", "", ""),
        ("nothing", None, "nothing"),
        ("nothing/../lib", None, "usr/lib"),
        ("dangling", None, "usr/none"),
        ("dangling/x", None, "usr/none/x"),
        ("loop", None, None),
        ("loop/x", None, None),
        ("usr/lib/x/y", None, None),
        ("usr/lib/x/..", None, None),
    ],
)
def test_where_a_path_leads(path: str, real: str | None, destination: str | None) -> None:
    view = view_of(
        directory("usr"),
        directory("usr/lib"),
        Entry("usr/lib/x", "file", 0o644, 0, 0),
        symlink("lib", "usr/lib"),
        symlink("up", "/usr/lib/.."),
        symlink("out", "../../../.."),
        symlink("dangling", "usr/none"),
        symlink("loop", "loop2"),
        symlink("loop2", "/loop"),
    )
    assert view.resolve(path) == real
    assert view.destination(path) == destination


def test_a_link_itself() -> None:
    view = view_of(symlink("l", "/nowhere"), symlink("d", "."))
    assert view.resolve("l", follow_last=False) == "l"
    assert view.resolve("d/l", follow_last=False) == "l"


def test_forty_links_are_followed_and_no_more() -> None:
    found = [symlink(f"l{at}", f"l{at + 1}") for at in range(41)]
    view = view_of(*found, directory("l41"))
    assert view.resolve("l1") == "l41"
    assert view.resolve("l0") is None


def test_names_of_one_file_are_written_together() -> None:
    """Were only one of them written, they would be two files."""
    first = Entry("a", "file", 0o644, 0, 0, offset=512)
    lower = view_of(first, Entry("b", "file", 0o644, 0, 0, offset=512, first="a"))
    upper = lower.on(
        "sha256:1", LayerIndex((Entry("a", "file", 0o600, 0, 0, offset=512, digest="x"),))
    )
    assert [placed.entry.path for placed in changes(upper, lower)[1]] == ["a", "b"]
    assert [placed.entry.path for placed in changes(lower, upper)[1]] == ["a"]


def test_a_view_stays_as_it_is() -> None:
    lower = view_of(directory("d"), Entry("d/x", "file", 0o644, 0, 0), directory("e"))
    before = dict(lower)
    lower.on("sha256:1", LayerIndex((directory("d/new"), directory("e/new")), ("d/x",), ("e",)))
    assert dict(lower) == before
    assert lower.children("d") == ("x",)
    assert lower.children("e") == ()
