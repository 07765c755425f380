"""What the model says of the twelve edits, against what was measured on real engines."""

from __future__ import annotations

import re

import pytest

from layerlab.cache.ignore import Dialect
from layerlab.changes import CHANGES, Change, find
from layerlab.foretold import DIALECTS, Foretold, foretell, foretell_all
from layerlab.trial import markdown, table
from tests.cache import twelve
from tests.test_changes import ALL, NOW

ALL_STEPS = tuple(range(1, 12))
METADATA = {4, 5, 6, 7, 11}

RUNS: dict[str, tuple[list[int], list[int]]] = {
    # BuildKit: COPY counts names, modes and bytes, no times; a cascade; metadata costs nothing.
    # Buildah: the same of COPY; every line is history, so CMD follows, too.
    "touch": ([], []),
    "edit": ([9, 10], [9, 10, 11]),
    "chmod": ([8, 9, 10], [8, 9, 10, 11]),
    "rename": ([9, 10], [9, 10, 11]),
    "add": ([9, 10], [9, 10, 11]),
    "ignore": ([9, 10], [9, 10, 11]),
    "folder": ([], [9, 10, 11]),  # BuildKit keeps the folder that it has: a stale hit
    "comment": ([], []),
    "reorder": ([8, 9, 10], [8, 9, 10, 11]),
    # BuildKit: ENV and ARG enter the next RUN, LABEL enters nothing.
    "label": ([], [4, 5, 6, 7, 8, 9, 10, 11]),
    "env": ([10], [5, 6, 7, 8, 9, 10, 11]),
    # Buildah: an ARG counts by its name, and LABEL by its text; RUN by the value.
    "arg": ([10], [10, 11]),
}
WHY = {
    "edit": "changed: line 2 `It looked down on all of us.` → `This time it waved.`",
    "chmod": "make.sh has other permissions: 0644 → 0755.",
    "rename": "texts/birds.txt is now called texts/robins.txt.",
    "add": "texts/dogs.txt is new.",
    "ignore": "texts/draft.txt is gone.",
    "reorder": "What stands before it has changed",
}


def told(name: str) -> Foretold:
    return foretell(ALL, find(name), NOW)


def runs(foretold: Foretold, dialect: Dialect) -> list[int]:
    return [n for n, cell in foretold.column(dialect).items() if cell == "runs"]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_the_fates_are_those_that_were_measured(change: Change) -> None:
    foretold = foretell(ALL, change, NOW)
    buildkit, buildah = RUNS[change.name]
    assert runs(foretold, "buildkit") == buildkit
    assert runs(foretold, "buildah") == buildah
    assert set(foretold.column("buildah")) == {*ALL_STEPS} - {1}
    assert set(foretold.column("buildkit")) == {*ALL_STEPS} - {1} - METADATA


@pytest.mark.parametrize(
    ("dialect", "expected"), [("buildkit", {("folder", 9)}), ("buildah", {("arg", 7)})]
)
def test_what_is_stale(dialect: Dialect, expected: set[tuple[str, int]]) -> None:
    stale = {
        (change.name, n)
        for change in CHANGES
        for n, cell in foretell(ALL, change, NOW).column(dialect).items()
        if cell == "stale"
    }
    assert stale == expected


def test_the_page_on_the_cache_model_has_the_table() -> None:
    page = twelve.PAGE.read_text(encoding="utf-8")
    assert twelve.block(page, "expected") == twelve.expected(), "run: python -m tests.cache.twelve"
    happened = twelve.block(page, "happened")
    assert len(happened.splitlines()) == 2 + len(CHANGES)
    assert "otherwise" not in happened


@pytest.mark.parametrize("name", WHY)
def test_the_reason_is_that_of_the_first_step_that_runs(name: str) -> None:
    for dialect in DIALECTS:
        remark = next(r for r in told(name).remarks() if r.dialect in (dialect, "both"))
        assert WHY[name] in remark.why
        assert remark.line is not None
        assert remark.line.n == runs(told(name), dialect)[0]


def test_what_is_true_of_both_is_said_once() -> None:
    assert [r.dialect for r in told("edit").remarks()] == ["both"]
    assert [r.dialect for r in told("touch").remarks()] == ["both"]
    assert [(r.dialect, r.cell) for r in told("label").remarks()] == [
        ("buildkit", "reused"),
        ("buildah", "runs"),
    ]
    assert [(r.dialect, r.cell) for r in told("arg").remarks()] == [
        ("buildkit", "runs"),
        ("buildah", "stale"),
        ("buildah", "runs"),
    ]


def test_the_table_has_a_row_for_each() -> None:
    text = repr(table(foretell_all(ALL, NOW)))
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [change.name for change in CHANGES]
    assert re.search(r"(?m)^touch +.*  all reused +all reused$", text)
    assert re.search(r"(?m)^label +.*  all reused +steps 4–11 run again$", text)
    assert re.search(
        r"(?m)^arg +.*  step 10 runs again +steps 10–11 run again; step 7 is stale$", text
    )


def test_the_table_for_the_documentation_is_markdown_with_the_causes() -> None:
    header, rule, *rows = markdown(foretell_all(ALL, NOW)).splitlines()
    assert len(rows) == len(CHANGES)
    assert {line.count(" | ") for line in (header, rule, *rows)} == {3}
    assert rule == "| --- | --- | --- | --- |"
    env = next(row for row in rows if row.startswith("| env "))
    assert (
        "| step 10 runs again. The environment variable GREETING changed: "
        "`Good morning` → `Good evening`. | steps 5–11 run again. The instruction changed:"
    ) in env
