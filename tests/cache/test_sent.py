"""BuildKit's copy of a context: what of a change it notices. The live tests ask the engines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerlab.cache.context import FileRecord
from layerlab.cache.digests import Digests
from layerlab.cache.key import file_ingredient
from layerlab.cache.selection import Files
from layerlab.cache.sent import Sending, copy_name, seen

FILE = FileRecord("a", "file", 0o644, size=1, digest="1", source="src/a", mtime=5)
FOLDER = FileRecord("", "dir", 0o755, source="src")


def changed(record: FileRecord, **fields: object) -> FileRecord:
    return FileRecord(**{**{f: getattr(record, f) for f in record.__struct_fields__}, **fields})


def test_a_file_that_looks_the_same_is_not_sent_again() -> None:
    now = changed(FILE, digest="2", xattrs=(("user.x", "00"),))
    told = seen(now, {"src/a": FILE})
    assert (told.digest, told.xattrs) == ("1", ())
    assert told.unseen == now
    assert file_ingredient(told) == file_ingredient(FILE)


def test_whatever_looks_different_is_sent() -> None:
    differences: dict[str, object] = {"mtime": 6, "size": 2, "mode": 0o600}
    for field, value in differences.items():
        now = changed(FILE, digest="2", **{field: value})
        assert seen(now, {"src/a": FILE}) is now
    link = changed(FILE, type="link")
    assert seen(link, {"src/a": FILE}) is link


def test_a_folder_keeps_the_permissions_it_came_with() -> None:
    now = changed(FOLDER, mode=0o700)
    told = seen(now, {"src": FOLDER})
    assert (told.mode, told.unseen) == (0o755, now)
    assert seen(now, {}) is now


RECORDS = st.builds(
    FileRecord,
    st.just(""),
    st.sampled_from(["file", "dir", "link"]),
    st.sampled_from([0o644, 0o755]),
    digest=st.sampled_from(["", "1", "2"]),
    mtime=st.integers(0, 2),
    source=st.sampled_from(["a", "b"]),
)


@given(RECORDS, st.dictionaries(st.sampled_from(["a", "b"]), RECORDS))
def test_what_is_seen_is_seen_again(record: FileRecord, copy: dict[str, FileRecord]) -> None:
    first = seen(record, copy)
    assert first.unseen in (None, record)
    kept = changed(first, unseen=None)
    assert changed(seen(record, {record.source: kept}), unseen=None) == kept


def test_the_copy_holds_what_was_asked_for_and_the_folders_above(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir(mode=0o750)

    def select(
        sources: Sequence[str], *, exclude: Sequence[str] = (), whole: bool = False
    ) -> tuple[FileRecord, ...]:
        assert not exclude
        assert not whole
        return tuple(changed(FILE, source=source) for source in sources)

    before = {"src/a": changed(FILE, digest="old")}
    sending = Sending(tmp_path, select, lambda: before)
    assert sending.copy() == before
    assert [record.digest for record in sending(["src/a", "src/b"])] == ["old", "1"]
    copy = sending.copy()
    assert {name: (r.type, r.digest) for name, r in copy.items()} == {
        "src": ("dir", ""),
        "src/a": ("file", "old"),
        "src/b": ("file", "1"),
    }
    assert copy["src"].mode == 0o750


@pytest.mark.parametrize(
    ("sources", "stale"), [(["src"], ["src/sub"]), (["."], ["src", "src/sub"]), (["src/*"], [])]
)
def test_a_folder_is_stale_only_within_another(
    tmp_path: Path, sources: list[str], stale: list[str]
) -> None:
    (tmp_path / "src/sub/deep").mkdir(parents=True)
    files = Files.of(tmp_path, tmp_path / "Dockerfile", "buildkit", Digests(None), (1, 28))
    first = Sending(tmp_path, files, dict)
    first(sources)
    for name in ("src", "src/sub"):
        (tmp_path / name).chmod(0o700)
    told = Sending(tmp_path, files, first.copy)(sources)
    assert [record.source for record in told if record.unseen] == stale


def test_whose_copy_it_is(tmp_path: Path) -> None:
    names = {
        (engine, folder): copy_name(engine, tmp_path / folder)
        for engine in ("docker", "nerdctl")
        for folder in ("a", "b")
    }
    assert names["docker", "a"] != names["docker", "b"]
    assert names["nerdctl", "a"] == names["nerdctl", "b"]
