from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerlab.errors import LayerlabError
from layerlab.labs import STAMP, Course, edit, lay_out, scratch

ROOT = Path(__file__).parents[1]
NOW = datetime(2026, 11, 24, 1, 2, 3, 456789, tzinfo=UTC)


@pytest.fixture
def course(tmp_path: Path) -> Course:
    folder = tmp_path / "course"
    app = folder / "contexts" / "01" / "nodejs"
    app.mkdir(parents=True)
    (app / "package.json").write_text('{"description": "laid out @LAID_OUT@"}')
    (app / "picture.bin").write_bytes(b"\xff\xfe\x00")
    (folder / "labs.toml").write_text(
        '["01"]\ntitle = "Cache"\nnotebook = "01.ipynb"\ncontexts = ["01/nodejs"]\nbases = []\n'
    )
    return Course(folder)


def test_the_course_is_found_from_inside_and_from_above(course: Course) -> None:
    inside = course.folder / "work" / "01"
    inside.mkdir(parents=True)
    assert Course.around(inside).folder == course.folder
    assert Course.around(course.folder.parent).folder == course.folder


def test_no_course_is_an_error_that_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(LayerlabError) as caught:
        Course(tmp_path)
    assert caught.value.code == "no-course"
    assert str(tmp_path) in caught.value.message


def test_a_broken_list_of_labs_keeps_the_parsers_words(course: Course) -> None:
    (course.folder / "labs.toml").write_text("[01\n")
    with pytest.raises(LayerlabError) as caught:
        Course(course.folder)
    assert caught.value.code == "bad-course"
    assert "line 1" in caught.value.output


def test_an_unknown_lab_lists_those_that_exist(course: Course) -> None:
    assert course.lab("1") == course.lab("01")
    with pytest.raises(LayerlabError) as caught:
        course.lab("99")
    assert caught.value.code == "no-such-lab"
    assert "%lab 01" in caught.value.hint


def test_a_copy_is_stamped_and_replaces_an_earlier_one(course: Course) -> None:
    under = scratch(course, {})
    folder = lay_out(course.lab("01"), under, NOW)
    (folder / "nodejs" / "left over").write_text("from the first try")
    folder = lay_out(course.lab("01"), under, NOW)
    assert sorted(p.name for p in (folder / "nodejs").iterdir()) == ["package.json", "picture.bin"]
    assert "20261124-010203-456789" in (folder / "nodejs" / "package.json").read_text()
    assert "@LAID_OUT@" in (course.lab("01").contexts[0] / "package.json").read_text()


def test_scratch_can_be_named(course: Course, tmp_path: Path) -> None:
    assert scratch(course, {"LAYERLAB_WORK": str(tmp_path)}) == tmp_path


def test_a_copy_that_cannot_be_made_says_so(course: Course, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(LayerlabError) as caught:
        lay_out(course.lab("01"), tmp_path / "file", NOW)
    assert caught.value.code == "cannot-lay-out"


@pytest.mark.parametrize(
    ("line", "edited"),
    [
        ('var APP_VERSION="1.0";', 'var APP_VERSION="2";'),
        ("APP_VERSION = '1.0'", "APP_VERSION = '2'"),
        ('  "APP_VERSION": "1.0",', '  "APP_VERSION": "2",'),
        ("ARG APP_VERSION=1.0", "ARG APP_VERSION=2"),
        ("\tAPP_VERSION := 1.0 // why", "\tAPP_VERSION := 2 // why"),
    ],
)
def test_edit_changes_one_value_and_nothing_else(tmp_path: Path, line: str, edited: str) -> None:
    path = tmp_path / "app"
    path.write_bytes(f"first\r\n{line}\nprint(APP_VERSION)".encode())
    assert edit(path, "APP_VERSION", "2") == (2, line.strip(), edited.strip())
    assert path.read_bytes() == f"first\r\n{edited}\nprint(APP_VERSION)".encode()


@pytest.mark.parametrize(
    ("text", "value", "code"),
    [
        ("nothing here", "2", "no-such-name"),
        ("MY_APP_VERSION=1", "2", "no-such-name"),
        ("APP_VERSION=1\nAPP_VERSION=2", "3", "ambiguous-name"),
        ('APP_VERSION="1"', 'a"; evil', "bad-value"),
        ("APP_VERSION=1", "a\nb", "bad-value"),
    ],
)
def test_edit_refuses_what_it_cannot_do_and_leaves_the_file(
    tmp_path: Path, text: str, value: str, code: str
) -> None:
    path = tmp_path / "app"
    path.write_text(text)
    with pytest.raises(LayerlabError) as caught:
        edit(path, "APP_VERSION", value)
    assert caught.value.code == code
    assert path.read_text() == text


def test_edit_of_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(LayerlabError) as caught:
        edit(tmp_path / "none", "A", "1")
    assert caught.value.code == "no-such-file"


@given(value=st.text(st.characters(exclude_characters='"\n', codec="utf-8")))
def test_edit_there_and_back_is_the_same_file(
    tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    path = tmp_path_factory.mktemp("edit") / "app"
    path.write_bytes(b'var V="1";')
    edit(path, "V", value)
    assert path.read_bytes() == f'var V="{value}";'.encode()
    edit(path, "V", "1")
    assert path.read_bytes() == b'var V="1";'


def test_every_lab_of_the_course_can_be_laid_out(tmp_path: Path) -> None:
    course = Course(ROOT / "course")
    for lab in course.labs:
        assert lab.notebook.exists()
        folder = lay_out(lab, tmp_path, NOW)
        for path in folder.rglob("*"):
            assert path.is_dir() or STAMP.encode() not in path.read_bytes()
