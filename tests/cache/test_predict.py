"""What holds for every Dockerfile, in both dialects."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from layerlab.cache.ignore import Dialect
from layerlab.cache.key import Base, Options
from layerlab.cache.source import INSTRUCTIONS
from layerlab.errors import LayerlabError
from tests.cache import random_projects
from tests.cache.projects import Project, fates
from tests.cache.random_projects import BASE, LINES

DIALECTS = st.sampled_from(["buildkit", "buildah"])


def laid_out(project: random_projects.Project, dialect: Dialect) -> Project:
    made = Project(
        project.dockerfile("salt"),
        {name: file.text for name, file in project.files.items()},
        dialect=dialect,
    )
    made.dockerfile = made.dockerfile.replace("*.txt", "b.txt")
    made.bases[BASE] = Base("sha256:3")
    return made


@given(random_projects.projects(), DIALECTS)
def test_nothing_edited_everything_hits(random: random_projects.Project, dialect: Dialect) -> None:
    project = laid_out(random, dialect)
    project.build()
    assert set(fates(project.predict())) == {"h"}


@given(random_projects.projects(), DIALECTS)
def test_a_file_that_no_copy_selects_changes_nothing(
    random: random_projects.Project, dialect: Dialect
) -> None:
    project = laid_out(random, dialect)
    project.dockerfile = project.dockerfile.replace("COPY . ", "COPY d ")
    project.build()
    project.context.files["unselected"] = "new"
    assert set(fates(project.predict())) == {"h"}


@given(random_projects.projects(), DIALECTS, st.data())
def test_a_change_changes_nothing_before_it(
    random: random_projects.Project, dialect: Dialect, data: st.DataObject
) -> None:
    project = laid_out(random, dialect)
    project.build()
    stage = data.draw(st.integers(0, len(random.stages) - 1))
    line = data.draw(st.integers(0, len(random.stages[stage]) - 1))
    lines = list(random.stages[stage])
    lines[line] = data.draw(LINES)
    stages = (*random.stages[:stage], tuple(lines), *random.stages[stage + 1 :])
    edited = laid_out(replace(random, stages=stages), dialect)
    first = next(
        (
            at
            for at, pair in enumerate(
                zip(project.dockerfile.split("\n"), edited.dockerfile.split("\n"), strict=True), 1
            )
            if pair[0] != pair[1]
        ),
        None,
    )
    assume(first is not None and data is not None)
    project.dockerfile = edited.dockerfile
    for forecast in project.predict():
        if first and forecast.lines[1] < first:
            assert forecast.fate == "hit"


@given(random_projects.projects(), DIALECTS)
def test_each_cause_is_told_once_and_before_what_follows_from_it(
    random: random_projects.Project, dialect: Dialect
) -> None:
    project = laid_out(random, dialect)
    project.build()
    project.context.files = {name: text + "!" for name, text in project.context.files.items()}
    predicted = project.predict()
    roots = {f.n for f in predicted if f.fate == "rebuild" and f.because_of is None}
    for forecast in predicted:
        if forecast.because_of is not None:
            assert forecast.because_of in roots
            assert forecast.because_of < forecast.n
        elif forecast.fate == "rebuild":
            assert forecast.cause
            assert forecast.cause.kind == "file"


WORDS = st.one_of(
    st.sampled_from(
        ["$A", "${A:-x}", "${A", "a", ".", "/", "--from=a", "--mount=type=cache", "[", "]"]
    ),
    st.sampled_from(
        ["<<EOF", "--chown=$A", "A=b", "AS", "a", '"', "'", "\\", "--mount=x", "=", "*"]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n"), max_size=4),
)
TEXT = st.lists(
    st.tuples(
        st.sampled_from([*INSTRUCTIONS, "FROM a AS a\n", "EOF\n"]), st.lists(WORDS, max_size=4)
    ),
    min_size=1,
    max_size=6,
).map(lambda rows: "\n".join(" ".join([first, *rest]) for first, rest in rows))


@pytest.mark.parametrize("dialect", ["buildkit", "buildah"])
@settings(max_examples=400, suppress_health_check=[HealthCheck.filter_too_much])
@given(text=TEXT)
def test_no_dockerfile_that_can_be_planned_is_too_strange(dialect: Dialect, text: str) -> None:
    project = Project(f"FROM busybox\n{text}\n", {"a": "1"}, dialect=dialect)
    options = Options(build_args={"A": "b"})
    try:
        first = project.build(options)
    except LayerlabError:
        assume(False)
    assert len(first) == len(project.predict(options))
