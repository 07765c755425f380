"""What `COPY --from` selects from a view is what `COPY` selects from the same files on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerlab.cache import context, ignore
from layerlab.cache.context import FileRecord, MissingSourceError
from layerlab.cache.digests import Digests
from layerlab.cache.patterns import BadPatternError
from layerlab.engines.embedded.store.entries import Entry
from layerlab.engines.embedded.store.layers import Member
from layerlab.engines.embedded.store.layout import Store
from layerlab.engines.embedded.store.selection import select
from layerlab.engines.embedded.store.view import View
from tests.engines_unit.embedded.trees import file, folder, link

MEMBERS = [
    folder("src"),
    file("src/app.js", b"app", mode=0o640),
    file("src/app.test.js", b"test"),
    folder("src/lib", mode=0o700),
    file("src/lib/a[1].js", b"odd"),
    link("src/latest", "lib"),
    link("src/broken", "/nowhere"),
    folder("empty"),
    file("top", b"top", mode=0o755),
    link("way", "/src/lib"),
    link("loop", "loop"),
    link("up", "../../src"),
]
PARTS = ["src", "lib", "*", "app.js", "*.js", "latest", "..", "[a-s]*", "way", "up", "top", "a*1*"]
SOURCES = st.lists(st.sampled_from(PARTS), min_size=1, max_size=3).map("/".join)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[View, Path]:
    root = tmp_path_factory.mktemp("context")
    for member in MEMBERS:
        entry, path = member.entry, root / member.entry.path
        if entry.type == "dir":
            path.mkdir()
        elif entry.type == "link":
            path.symlink_to(entry.link)
        else:
            assert isinstance(member.source, bytes)
            path.write_bytes(member.source)
        if entry.type != "link":
            path.chmod(entry.mode)
    store = Store(tmp_path_factory.mktemp("store"))
    return store.view([store.add_layer(MEMBERS, epoch=None).digest]), root


def from_context(root: Path, *sources: str) -> tuple[FileRecord, ...]:
    found = context.select(
        root,
        sources,
        ignore=ignore.of_lines([], "buildkit"),
        dialect="buildkit",
        digests=Digests(None),
    )
    return tuple(msgspec.structs.replace(record, mtime=0) for record in found)


def outcome(ask: Callable[[], tuple[FileRecord, ...]]) -> tuple[FileRecord, ...] | str:
    """What is selected, or the source that is missing."""
    try:
        return ask()
    except MissingSourceError as error:
        return error.source


@settings(max_examples=200)
@given(source=SOURCES)
def test_as_from_a_context(both: tuple[View, Path], source: str) -> None:
    view, root = both
    assert outcome(lambda: select(view, [source])) == outcome(lambda: from_context(root, source))


@pytest.mark.parametrize(
    "source", ["/", ".", "", "/src/", "src/lib/..", "nothing*", "src/a[[]1].js"]
)
def test_sources_as_people_write_them(both: tuple[View, Path], source: str) -> None:
    view, root = both
    assert select(view, [source]) == from_context(root, source)


def test_in_the_order_of_the_sources(both: tuple[View, Path]) -> None:
    view, root = both
    found = select(view, ["top", "src/*.js", "empty"])
    assert [record.source for record in found] == ["top", "src/app.js", "src/app.test.js", "empty"]
    assert found == from_context(root, "top", "src/*.js", "empty")


@pytest.mark.parametrize("source", ["nothing", "top/x", "loop", "src/broken"])
def test_missing(both: tuple[View, Path], source: str) -> None:
    with pytest.raises(MissingSourceError) as caught:
        select(both[0], ["top", source])
    assert caught.value.source == source


def test_a_wildcard_that_go_refuses(both: tuple[View, Path]) -> None:
    with pytest.raises(BadPatternError):
        select(both[0], ["[]"])


def test_owners_and_attributes_count(tmp_path: Path) -> None:
    marks = (("security.capability", "01"), ("security.selinux", "02"), ("user.x", "03"))
    entry = Entry("f", "file", 0o4755, 1000, 0, size=1, mtime=7, xattrs=marks)
    device = Entry("null", "char", 0o666, 0, 0, device=(1, 3))
    store = Store(tmp_path)
    layer = store.add_layer([Member(entry, b"x"), Member(device)], epoch=None)
    one, other = select(store.view([layer.digest]), ["f", "null"])
    assert (one.owner, one.mode, one.mtime) == ("1000:0", 0o4755, 7_000_000_000)
    assert one.xattrs == (marks[0], marks[2])
    assert (other.type, other.owner) == ("other", "")
