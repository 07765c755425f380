"""The twelve edits: each changes what it says and nothing else, and can be undone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from stat import S_IMODE

import pytest

from layerlab.changes import CHANGES, LAB, Change, find
from layerlab.errors import LayerlabError
from layerlab.labs import Course, lay_out, restore

ALL = Course(Path(__file__).parents[1] / "course").lab(LAB)
NOW = datetime(2026, 11, 24, 1, 2, 3, 456789, tzinfo=UTC)
NAMES = (
    *("touch", "edit", "chmod", "rename", "add", "ignore", "folder"),
    *("comment", "reorder", "label", "env", "arg"),
)

Tree = dict[str, tuple[int, bytes | None]]


def tree(folder: Path) -> Tree:
    """Modes and bytes of all that is in a folder."""
    return {
        str(path.relative_to(folder)): (
            S_IMODE(path.stat().st_mode),
            path.read_bytes() if path.is_file() else None,
        )
        for path in folder.rglob("*")
    }


def times(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return lay_out(ALL, tmp_path, NOW) / "page"


each = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)


def test_there_are_twelve() -> None:
    assert tuple(change.name for change in CHANGES) == NAMES


def line(old: str, new: str) -> tuple[bytes, bytes]:
    return f"{old}\n".encode(), f"{new}\n".encode()


REPLACED = {
    "edit": ("texts/cats.txt", *line("It looked down on all of us.", "This time it waved.")),
    "ignore": (".dockerignore", *line(".dockerignore", ".dockerignore\ntexts/draft.txt")),
    "comment": ("Dockerfile", *line("RUN sh", "# Print the page.\nRUN sh")),
    "reorder": (
        "Dockerfile",
        *line("COPY make.sh ./\nCOPY texts texts/", "COPY texts texts/\nCOPY make.sh ./"),
    ),
    "label": ("Dockerfile", *line('title="The Small News"', 'title="Our News"')),
    "env": ("Dockerfile", *line('"Good morning"', '"Good evening"')),
}


@each
def test_it_changes_what_it_says_and_nothing_else(change: Change, project: Path) -> None:
    expected = tree(project)
    before = times(project)
    change.apply(project)
    if change.name in REPLACED:
        name, old, new = REPLACED[change.name]
        old, new = (text[:-1] if change.name == "comment" else text for text in (old, new))
        mode, content = expected[name]
        assert content is not None
        assert content.count(old) == 1
        expected[name] = (mode, content.replace(old, new))
    elif change.name == "chmod":
        expected["make.sh"] = (0o755, expected["make.sh"][1])
    elif change.name == "folder":
        expected["texts/weather"] = (0o750, None)
    elif change.name == "rename":
        expected["texts/robins.txt"] = expected.pop("texts/birds.txt")
    elif change.name == "add":
        expected["texts/dogs.txt"] = (0o644, b"The dog waited at the door.\n")
    assert tree(project) == expected
    after = times(project)
    newer = {name for name in before.keys() & after.keys() if after[name] > before[name]}
    assert newer == {
        *([REPLACED[change.name][0]] if change.name in REPLACED else []),
        *(["texts/cats.txt"] if change.name == "touch" else []),
    }


DIFFERENCES = {
    "touch": ("touch texts/cats.txt",),
    "chmod": ("chmod 644 → 755 make.sh",),
    "folder": ("chmod 755 → 750 texts/weather",),
    "rename": ("mv texts/birds.txt texts/robins.txt",),
    "add": ("texts/dogs.txt", "+ The dog waited at the door."),
    "ignore": (".dockerignore", "  .dockerignore", "+ texts/draft.txt"),
    "label": ("Dockerfile", '- LABEL title="The Small News"', '+ LABEL title="Our News"'),
    "reorder": (
        *("Dockerfile", "+ COPY texts texts/", "  COPY make.sh ./", "- COPY texts texts/"),
    ),
    "arg": ("- --build-arg EDITION=morning", "+ --build-arg EDITION=evening"),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_it_says_what_it_has_changed(name: str, project: Path) -> None:
    assert find(name).apply(project) == DIFFERENCES[name]


@each
def test_it_is_undone_completely_and_files_get_new_times(change: Change, project: Path) -> None:
    before, at_first = tree(project), times(project)
    change.apply(project)
    changed, then = tree(project), times(project)
    restore(ALL, project.parent, NOW)
    assert tree(project) == before
    for name, time in times(project).items():
        if name in changed and changed[name][1] != before[name][1]:
            # Other bytes with a time that BuildKit has seen would not be sent.
            assert time > then[name] > at_first[name]


def test_all_are_undone_at_once_with_what_else_was_done_to_the_copy(project: Path) -> None:
    before = tree(project)
    for change in CHANGES:
        if change.name not in ("reorder", "comment"):
            change.apply(project)
    (project / "texts" / ".ipynb_checkpoints").mkdir()
    (project / "texts" / ".ipynb_checkpoints" / "cats.txt").write_text("a copy")
    (project / "head.txt").unlink()
    (project / "head.txt").mkdir()
    (project / "texts" / "ants.txt").unlink()
    (project / "texts" / "ants.txt").symlink_to("cats.txt")
    (project / "texts").chmod(0o700)
    restore(ALL, project.parent, NOW)
    assert tree(project) == before


def test_the_stamp_stays_and_what_is_right_is_left_alone(project: Path) -> None:
    before = times(project)
    restore(ALL, project.parent, NOW)
    assert times(project) == before
    assert "WORKDIR /page-20261124-010203-456789\n" in (project / "Dockerfile").read_text()


def test_modes_do_not_depend_on_the_checkout(project: Path) -> None:
    assert {mode for mode, content in tree(project).values() if content is not None} == {0o644}
    assert {mode for mode, content in tree(project).values() if content is None} == {0o755}


def test_a_project_that_is_another_one_is_refused(project: Path) -> None:
    find("env").apply(project)
    with pytest.raises(LayerlabError) as caught:
        find("env").apply(project)
    assert caught.value.code == "changed-already"
    assert "%lab 04" in caught.value.hint


def test_an_unknown_change_names_one_that_is_close() -> None:
    with pytest.raises(LayerlabError) as caught:
        find("labels")
    assert caught.value.code == "no-such-change"
    assert "label?" in caught.value.hint
