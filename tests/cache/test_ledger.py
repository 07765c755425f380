"""The ledger: what it learns it tells, and no fault of its file becomes an error or a wrong hit."""

import contextlib
import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from layerlab.cache import ledger as module
from layerlab.cache.context import FileRecord
from layerlab.cache.ledger import Ingredient, Ledger, StepRecord


def step(key: str, dockerfile: str = "Dockerfile") -> StepRecord:
    made = (Ingredient("env", "a", "1"),)
    return StepRecord("docker", dockerfile, "", 1, "RUN x", "linux/amd64", key, made, "1", 1.0)


def test_what_is_recorded_is_found(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.sqlite"
    digest = sha256(b"text").hexdigest()
    ledger = Ledger(path)
    ledger.record([step("k"), step("l")], {digest: "text"})
    ledger.close()
    for again in (ledger, Ledger(path)):
        assert again.find("docker", "k") == step("k")
        assert again.find("podman", "k") is None
        assert again.previous("docker", "Dockerfile") == (step("k"), step("l"))
        assert again.previous("docker", "other") == ()
        assert again.text(digest) == "text"
        again.close()


def test_files_are_told_of_the_last_build_only(tmp_path: Path) -> None:
    file = Ingredient("file", "a", "1")
    whole = msgspec.structs.replace(step("k"), ingredients=(file, *step("k").ingredients))
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.record([whole])
    assert ledger.find("docker", "k") == step("k")
    assert ledger.previous("docker", "Dockerfile") == (whole,)
    ledger.close()


def test_copies_of_contexts_are_kept_apart(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    copies = {
        name: {"a": FileRecord("", "file", 0o644, source="a", mtime=n)}
        for n, name in enumerate("xy")
    }
    for name, files in copies.items():
        ledger.keep_copy("docker", name, files)
    assert {name: ledger.copy("docker", name) for name in "xyz"} == {**copies, "z": {}}
    assert ledger.copy("nerdctl", "x") == {}
    ledger.close()


def test_it_stays_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_STEPS", 10)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for number in range(30):
        ledger.record([step("used"), step(str(number))])
    assert ledger.find("docker", "used")
    assert ledger.find("docker", "29")
    assert ledger.find("docker", "0") is None
    ledger.close()


@pytest.mark.parametrize("damage", ["garbage", "truncated", "empty", "other tables"])
def test_a_damaged_file_costs_only_knowledge(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "ledger.sqlite"
    first = Ledger(path)
    first.record([step(f"{number:064}") for number in range(200)])
    first.close()
    data = path.read_bytes()
    if damage == "other tables":
        path.unlink()
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE steps (x)")
    else:
        kept = {"garbage": os.urandom(9000), "truncated": data[: len(data) // 2], "empty": b""}
        path.write_bytes(kept[damage])
    ledger = Ledger(path)
    for number in range(200):
        found = ledger.find("docker", f"{number:064}")
        assert found is None or found == step(f"{number:064}")
    ledger.record([step("k")])
    ledger.record([step("k")])
    assert ledger.find("docker", "k") == step("k")
    ledger.close()


def test_a_row_under_another_key_is_no_hit(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.record([step("k")])
    swapped = msgspec.json.encode(step("other"))
    ledger._do(lambda db: db.execute("UPDATE steps SET record = ?", (swapped,)))
    assert ledger.find("docker", "k") is None
    ledger.close()


def test_a_disk_that_takes_nothing_more(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.record([step("k")])
    ledger._do(lambda db: db.execute("PRAGMA max_page_count = 1").fetchone())
    ledger.record([step(f"{number:0500}") for number in range(500)])
    assert ledger.find("docker", "k") == step("k")
    assert ledger.find("docker", f"{0:0500}") is None
    ledger.close()
    nowhere = Ledger(Path("/dev/null/ledger.sqlite"))
    nowhere.record([step("k")])
    assert nowhere.find("docker", "k") is None


@pytest.mark.parametrize("attempt", range(20))
def test_several_kernels_at_once(tmp_path: Path, attempt: int) -> None:
    """All begin in the same moment, when there is no file yet; often, since it is a race."""
    ledgers = [Ledger(tmp_path / f"{attempt}.sqlite") for _ in range(4)]
    begin = threading.Barrier(len(ledgers))

    def work(at: int) -> None:
        begin.wait()
        for number in range(10):
            ledgers[at].record([step(f"{at}-{number}", dockerfile=str(at))])

    with ThreadPoolExecutor(len(ledgers)) as pool:
        list(pool.map(work, range(len(ledgers))))
    kept = [(a, n) for a in range(4) for n in range(10) if ledgers[0].find("docker", f"{a}-{n}")]
    assert len(kept) == 40, kept
    for ledger in ledgers:
        ledger.close()
