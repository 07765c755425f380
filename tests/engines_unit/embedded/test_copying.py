"""Where COPY and ADD put files: on images in memory, no disk and no engine."""

from __future__ import annotations

import pytest

from layerlab.cache.context import FileRecord
from layerlab.engines.embedded.build.copying import Copying, groups
from layerlab.engines.embedded.store.entries import Entry, LayerIndex
from layerlab.engines.embedded.store.view import View
from layerlab.errors import LayerlabError

NOW = 1_700_000_000


def entry(path: str, kind: str = "dir", mode: int = 0o755, link: str = "", at: int = 0) -> Entry:
    return Entry(path, kind, mode, 0, 0, link=link, offset=at)  # type: ignore[arg-type]


IMAGE = View.of(
    [
        (
            "sha256:0",
            LayerIndex(
                (
                    entry("app", mode=0o700, at=1),
                    entry("app/inner", mode=0o700, at=2),
                    entry("app/inner/way", "link", 0o777, "/real", at=3),
                    entry("file", "file", 0o600, at=4),
                    entry("link", "link", 0o777, "real", at=5),
                    entry("real", at=6),
                    entry("round", "link", 0o777, "round", at=7),
                )
            ),
        )
    ]
)


def record(path: str, kind: str = "file", mode: int = 0o644, owner: str = "") -> FileRecord:
    return FileRecord(path, kind, mode, owner, size=1 if kind == "file" else 0)  # type: ignore[arg-type]


FILE = (record(""),)
FOLDER = (record("", "dir", 0o711), record("inner", "dir", 0o751), record("inner/leaf"))


def put(
    records: tuple[FileRecord, ...],
    destination: str,
    source: str = "name",
    owner: tuple[int, int] | None = None,
    mode: int | None = None,
) -> dict[str, str]:
    """What a COPY makes: kinds, modes and owners by path."""
    copying = Copying(IMAGE, owner, mode, NOW)
    for group in groups(source, records):
        copying.put(group, destination, lambda _: b"x")
    return {
        one.entry.path: f"{one.entry.type} {one.entry.mode:o} {one.entry.uid}:{one.entry.gid}"
        for one in copying.members()
    }


@pytest.mark.parametrize(
    ("records", "destination", "made"),
    [
        (FILE, "/new", {"new": "file 644 0:0"}),
        (FILE, "/new/", {"new": "dir 755 0:0", "new/name": "file 644 0:0"}),
        (FILE, "/a/b", {"a": "dir 755 0:0", "a/b": "file 644 0:0"}),
        (FILE, "/app", {"app/name": "file 644 0:0"}),
        (FILE, "/link", {"real/name": "file 644 0:0"}),
        (FILE, "/app/inner/way/x", {"real/x": "file 644 0:0"}),
        (FILE, "/file", {"file": "file 644 0:0"}),
        (
            FOLDER,
            "/new",
            {"new": "dir 755 0:0", "new/inner": "dir 751 0:0", "new/inner/leaf": "file 644 0:0"},
        ),
        # The folder that is the destination keeps its mode; one below gets the source's.
        (FOLDER, "/app", {"app/inner": "dir 751 0:0", "app/inner/leaf": "file 644 0:0"}),
    ],
)
def test_where_it_goes(
    records: tuple[FileRecord, ...], destination: str, made: dict[str, str]
) -> None:
    assert put(records, destination) == made


def test_owners_and_modes() -> None:
    owned = (record("", owner="7:8"),)
    assert put(owned, "/new") == {"new": "file 644 7:8"}
    assert put(owned, "/a/b", owner=(5, 6)) == {"a": "dir 755 5:6", "a/b": "file 644 5:6"}
    assert put(FILE, "/new", mode=0o4750) == {"new": "file 4750 0:0"}
    link = (FileRecord("", "link", 0o777, link="there"),)
    assert put(link, "/new", mode=0o600) == {"new": "link 777 0:0"}


def test_matches_of_a_wildcard_keep_their_names() -> None:
    matches = (record("a"), record("b", "dir"), record("b/c"), record("b.txt"))
    assert sorted(put(matches, "/new/", source="*")) == ["new", "new/a", "new/b.txt", "new/c"]


@pytest.mark.parametrize(
    ("records", "destination", "code"),
    [
        (FILE, "/file/", "no-folder"),
        (FILE, "/file/below/x", "no-folder"),
        (FILE, "/round/x", "no-folder"),
        (FOLDER, "/file", "no-folder"),
        ((record("", "dir"), record("way", "dir")), "/app/inner", "no-folder"),
        ((record("", "dir"), record("inner")), "/app", "folder-in-the-way"),
    ],
)
def test_refused(records: tuple[FileRecord, ...], destination: str, code: str) -> None:
    with pytest.raises(LayerlabError) as raised:
        put(records, destination)
    assert raised.value.code == code


class TestHardLinks:
    """Names of one file, told by what their bytes come from."""

    def test_within_one_source_they_are_kept(self) -> None:
        copying = Copying(View(), None, None, NOW)
        (group,) = groups("d", (record("", "dir"), record("a"), record("b"), record("c")))
        copying.put(group, "/d", lambda one: b"same" if one.path != "c" else b"other")
        led = {one.entry.path: one.entry.first for one in copying.members()}
        assert led == {"d": "", "d/a": "", "d/b": "d/a", "d/c": ""}

    def test_of_two_sources_they_are_two_files(self) -> None:
        copying = Copying(View(), None, None, NOW)
        for name in ("a", "b"):
            (group,) = groups(name, FILE)
            copying.put(group, "/d/", lambda _: b"same")
        assert {one.entry.first for one in copying.members()} == {""}

    def test_a_name_that_is_replaced_leads_no_more(self) -> None:
        copying = Copying(View(), None, None, NOW)
        (group,) = groups("d", (record("", "dir"), record("a"), record("b"), record("c")))
        copying.put(group, "/d", lambda _: b"same")
        (other,) = groups("a", FILE)
        copying.put(other, "/d/", lambda _: b"new")
        led = {one.entry.path: one.entry.first for one in copying.members()}
        assert led == {"d": "", "d/a": "", "d/b": "", "d/c": "d/b"}


def test_an_archive_replaces_links_and_follows_those_above() -> None:
    copying = Copying(IMAGE, None, 0o700, NOW)
    copying.place(entry("inner/way", "file", 0o640), b"", "/app")
    copying.place(entry("link/x", "file", 0o640), b"", "/")
    copying.place(entry("s", "link", 0o644, "t"), b"", "/")
    made = {one.entry.path: (one.entry.type, one.entry.mode) for one in copying.members()}
    # --chmod does not hold for what is in an archive.
    assert made == {
        "app/inner/way": ("file", 0o640),
        "real/x": ("file", 0o640),
        "s": ("link", 0o777),
    }
