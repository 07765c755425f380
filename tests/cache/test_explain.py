"""Causes, and what is said of them."""

import json
from typing import get_args

import pytest
from msgspec.structs import replace

from layerlab.cache.causes import Cause, CauseKind, ChangeKind, FileChange, LineChange, line_changes
from layerlab.cache.ignore import Dialect
from layerlab.cache.key import Options
from layerlab.cache.predict import to_json
from layerlab.cache.sentences import file_sentence, verdict, why
from layerlab.views import texts
from tests.cache.projects import Project

TEXT = "FROM busybox\nCOPY app.js d /app/\nRUN build\n"
FILES = {"app.js": 'a\nb\nAPP_VERSION="1.0"\n', "d/x": "x", "d/y": "y"}


def built(text: str = TEXT) -> Project:
    project = Project(text, FILES, dialect="buildkit")
    project.build()
    return project


def test_a_changed_line_is_shown() -> None:
    project = built()
    project.context.files["app.js"] = 'a\nb\nAPP_VERSION="1.1"\n'
    told = project.build()
    assert why(told[1], told) == (
        'app.js changed: line 3 `APP_VERSION="1.0"` → `APP_VERSION="1.1"`.'
    )
    assert why(told[2], told) == "An earlier step is rebuilt (line 2: COPY app.js d /app/)."
    assert [step.agrees for step in told] == [None, True, True]


def test_renamed_added_removed_and_mode() -> None:
    project = built()
    project.context.files["d/z"] = project.context.files.pop("d/x")
    project.context.files["d/new"] = "new"
    project.context.modes["app.js"] = 0o755
    del project.context.files["d/y"]
    told = project.build()
    assert told[1].cause
    assert {(c.change, c.path) for c in told[1].cause.files} == {
        ("mode", "app.js"),
        ("added", "d/new"),
        ("renamed", "d/z"),
        ("removed", "d/y"),
    }
    assert why(told[1], told) == (
        "app.js has other permissions: 0644 → 0755; d/new is new; d/x is now called d/z; "
        "and 1 more file."
    )


@pytest.mark.parametrize(
    ("before", "after", "step", "sentence"),
    [
        (
            "RUN build",
            "RUN build --fast",
            2,
            "The instruction changed: `RUN build` → `RUN build --fast`.",
        ),
        ("RUN build", "RUN test\nRUN build", 2, "This instruction is new."),
        (
            "FROM busybox",
            "FROM debian",
            1,
            (
                "What stands before it has changed: "
                "it followed `FROM busybox`, and now follows `FROM debian`."
            ),
        ),
        (
            "RUN build",
            "ENV A=1\nRUN build",
            3,
            "The environment variable A is new here: `1`.",
        ),
        (
            "COPY app.js d /app/\nRUN build",
            "RUN build",
            1,
            (
                "What stands before it has changed: "
                "it followed `COPY app.js d /app/`, and now follows `FROM busybox`."
            ),
        ),
    ],
)
def test_the_cause_of_an_edit(before: str, after: str, step: int, sentence: str) -> None:
    project = built()
    project.dockerfile = TEXT.replace(before, after)
    told = project.build()
    assert why(told[step], told) == sentence
    assert told[step].because_of is None


def test_a_build_argument() -> None:
    project = built("FROM busybox\nARG V=1\nENV W=$V\nRUN build\n")
    told = project.build(Options(build_args={"V": "2"}))
    assert why(told[3], told) == "The build argument V changed: `1` → `2`."


def test_what_the_engine_forgot() -> None:
    project = built()
    told = project.build(otherwise={2: False, 3: False})
    assert why(told[1], told) == "Nothing changed: the engine had forgotten it."
    assert told[2].because_of == 2
    assert [step.agrees for step in told] == [None, False, False]
    assert verdict(told[1]) == "Layerlab expected this step to be reused, but it ran."


def test_what_the_engine_had_already() -> None:
    project = Project(TEXT, FILES, dialect="buildkit")
    told = project.build(otherwise={2: True, 3: True})
    assert told[1].cause == Cause("already-there")
    assert verdict(told[1]) == "Layerlab expected this step to be rebuilt, but it was reused."


def test_a_missing_source() -> None:
    project = built()
    del project.context.files["app.js"]
    predicted = project.predict()
    assert why(predicted[1], predicted) == (
        "app.js is not in the build context, so this step will fail."
    )


def test_the_json_form() -> None:
    project = built()
    project.context.files["d/new"] = ""
    steps = json.loads(to_json(project.build()))["steps"]
    assert steps[1] == {
        "n": 2,
        "id": "stage-0/2",
        "stage": "",
        "instruction": "COPY app.js d /app/",
        "lines": [2, 2],
        "kind": "copy",
        "platform": "linux/amd64",
        "fate": "rebuild",
        "cause": {"kind": "file", "files": [{"path": "d/new", "change": "added"}]},
        "because_of": None,
        "stale": False,
        "actual": "rebuild",
        "agrees": True,
    }
    assert steps[2]["because_of"] == 2


@pytest.mark.parametrize("kind", get_args(CauseKind))
def test_every_kind_of_cause_has_a_sentence_in_every_language(kind: CauseKind) -> None:
    step = built().predict()[1]
    files = tuple(FileChange("f", change) for change in get_args(ChangeKind))
    said = set()
    for language in texts.LANGUAGES:
        texts.choose(language)
        for before, after in (("before", "after"), (None, "after"), ("before", None)):
            for changed in (files[:3], files[3:6], files[6:]):
                cause = Cause(kind, "name", before, after, changed)
                sentence = why(replace(step, cause=cause), [])
                assert sentence.endswith(".")
                assert "{" not in sentence
                said.add(f"{language}: {sentence.partition(' ')[2]}")
    texts.choose("en")
    english = {text.partition(": ")[2] for text in said if text.startswith("en")}
    assert not english & {text.partition(": ")[2] for text in said if text.startswith("de")}


def test_a_reason_in_german() -> None:
    texts.choose("de")
    line = LineChange(3, "a", "b")
    change = FileChange("app.js", "content", lines=(line, line))
    assert file_sentence(change) == "app.js hat sich geändert: Zeile 3 `a` → `b`, und 1 weitere"
    texts.choose("en")


def test_lines_are_paired() -> None:
    assert line_changes("a\nb\nc\n", "a\nB\nc\nd\n") == (
        LineChange(2, "b", "B"),
        LineChange(4, None, "d"),
    )
    assert line_changes("a\nb\n", "b\n") == (LineChange(1, "a", None),)


def test_files_are_safe_to_show() -> None:
    assert "\x1b" not in file_sentence(FileChange("\x1b[31mred", "added"))


@pytest.mark.parametrize("dialect", ["buildkit", "buildah"])
def test_what_a_failed_build_has_done_is_known(dialect: Dialect) -> None:
    # Of the second FROM no engine tells, and the trigger that it brings is done.
    text = "FROM busybox AS a\nONBUILD RUN t\nFROM a\nRUN b\nRUN c\n"
    project = Project(text, {}, dialect=dialect)
    project.build(fails=5)
    assert [step.fate for step in project.predict()] == [*["hit"] * 4, "rebuild"]


def test_a_trigger_that_failed_is_not_known() -> None:
    text = "FROM busybox AS a\nONBUILD RUN t\nFROM a\nRUN b\n"
    project = Project(text, {}, dialect="buildkit")
    project.build(fails=3)
    assert [step.fate for step in project.predict()] == ["hit", "hit", "rebuild", "rebuild"]
