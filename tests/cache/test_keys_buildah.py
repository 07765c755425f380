"""What Buildah rebuilds after an edit: one letter for each instruction, h or r or u."""

import pytest

from layerlab.cache.key import Base, Options
from tests.cache.projects import Project, fates

APP = """\
FROM busybox
ARG VERSION=1
ENV MODE=$VERSION
WORKDIR /app
COPY package.json ./
RUN install
COPY . .
LABEL a=b
"""
FILES = {"package.json": "{}", "app.js": "one\n"}


def built(text: str = APP, files: dict[str, str] = FILES) -> Project:
    project = Project(text, files, dialect="buildah")
    project.build()
    return project


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("LABEL a=b", "LABEL a=c", "hhhhhhhr"),
        ("FROM busybox\n", "FROM busybox\nLABEL z=1\n", "hrrrrrrrr"),
        ("FROM busybox\n", "# a comment\nFROM busybox\n", "hhhhhhhh"),
        ("MODE=$VERSION", "MODE=y", "hhrrrrrr"),
        # An ARG counts by its name, until a RUN uses it
        ("VERSION=1", "VERSION=2", "hhhhhrrr"),
        ("WORKDIR /app", "WORKDIR  /app", "hhhrrrrr"),
        ("COPY package.json ./", "COPY ./package.json ./", "hhhhhhhh"),
        ("COPY package.json ./", "COPY package.json /app/", "hhhhrrrr"),
        ("COPY package.json ./", "COPY --chmod=644 package.json ./", "hhhhhhhh"),
        ("COPY package.json ./", "COPY --chmod=600 package.json ./", "hhhhrrrr"),
        ("COPY package.json ./", "COPY --chown=root package.json ./", "hhhhhhhh"),
        ("COPY package.json ./", "COPY --chown=me package.json ./", "hhhhrrrr"),
        ("RUN install", "RUN  install", "hhhhhrrr"),
    ],
)
def test_an_edited_dockerfile(before: str, after: str, expected: str) -> None:
    project = built()
    project.dockerfile = APP.replace(before, after)
    assert fates(project.predict()) == expected


def test_a_stale_hit_is_told() -> None:
    project = built()
    predicted = project.predict(Options(build_args={"VERSION": "2"}))
    assert fates(predicted) == "hhhhhrrr"
    assert [step.stale for step in predicted[:5]] == [False, False, True, False, False]
    cause = predicted[2].cause
    assert cause
    assert (cause.kind, cause.before, cause.after) == ("stale", "MODE 1", "MODE 2")


def test_a_mount_is_looked_at_since_1_39() -> None:
    project = built("FROM busybox\nRUN --mount=type=bind,target=/src make\n", {"x": "1"})
    project.context.files["x"] = "2"
    predicted = project.predict()
    assert fates(predicted) == "hh"
    assert predicted[1].stale
    cause = predicted[1].cause
    assert cause
    assert [(file.path, file.change) for file in cause.files] == [("x", "content")]

    newer = Options(buildah=(1, 39))
    project.build(newer)
    assert fates(project.predict(newer)) == "hh"
    project.context.files["x"] = "3"
    assert fates(project.predict(newer)) == "hr"


def test_no_cache_holds_for_every_line() -> None:
    project = built()
    assert fates(project.predict(Options(no_cache=True))) == "hrrrrrrr"
    assert fates(project.predict(Options(no_cache_filter=("",)))) == "h" * 8


def test_after_no_cache_the_older_images_are_found() -> None:
    project = built()
    project.build(Options(no_cache=True))
    assert fates(project.predict()) == "h" * 8
    # What was new in that build hangs on images that are not looked at.
    project.dockerfile = APP + "LABEL z=1\n"
    project.build(Options(no_cache=True))
    assert fates(project.predict()) == "hhhhhhhhr"


def test_after_no_cache_the_newer_images_are_found_since_1_41() -> None:
    newer, anew = Options(buildah=(1, 41)), Options(buildah=(1, 41), no_cache=True)
    project = Project("FROM busybox\nRUN x\nRUN y\n", dialect="buildah")
    project.build(newer)
    project.dockerfile = "FROM busybox\nRUN x\nRUN z\n"
    project.build(anew)
    assert fates(project.predict(newer)) == "hhh"
    # Its RUN y lies on the RUN x of the first build, and there is another one now.
    project.dockerfile = "FROM busybox\nRUN x\nRUN y\n"
    assert fates(project.predict(newer)) == "hhu"
    project.build(newer)
    assert fates(project.predict(newer)) == "hhh"


def test_a_pinned_stage_is_never_found_since_1_41() -> None:
    text = "FROM --platform=linux/amd64 busybox\nRUN x\nFROM busybox\nRUN y\nCOPY --from=0 / /\n"
    project = Project(text, dialect="buildah")
    for version, expected in (((1, 40), "hhhhh"), ((1, 41), "hrhhu")):
        options = Options(platforms=("linux/arm64",), buildah=version)
        project.build(options)
        predicted = project.predict(options)
        assert fates(predicted) == expected
    cause = predicted[1].cause
    assert cause
    assert (cause.kind, cause.name) == ("pinned", "linux/amd64")


def test_triggers_of_a_stage_of_the_same_file_are_forgotten() -> None:
    project = built("FROM busybox AS a\nONBUILD COPY x /x\nFROM a\nRUN b\n", {"x": "1"})
    project.context.files["x"] = "2"
    assert fates(project.predict()) == "hhhh"


def test_triggers_of_the_base_image_are_lines_of_its_stage() -> None:
    project = Project("FROM busybox\nRUN b\n", {"x": "1"}, dialect="buildah")
    project.bases["busybox"] = Base("sha256:1", ("COPY x /x", "LABEL a=1"))
    project.build()
    assert fates(project.predict()) == "hh"
    project.context.files["x"] = "2"
    assert fates(project.predict()) == "rr"
    project.context.files["x"] = "1"
    project.bases["busybox"] = Base("sha256:1", ("COPY x /x", "LABEL a=2"))
    assert fates(project.predict()) == "rr"


def test_a_later_stage_finds_what_an_earlier_one_has_built() -> None:
    project = Project(
        "FROM busybox AS a\nRUN x\nFROM busybox\nRUN x\nCOPY --from=a / /\n", dialect="buildah"
    )
    assert fates(project.predict()) == "hrhhr"


def test_what_a_rebuilt_stage_writes_decides() -> None:
    project = built("FROM busybox AS a\nCOPY x /x\nFROM busybox\nCOPY --from=a /x /\n", {"x": "1"})
    project.context.files["x"] = "2"
    assert fates(project.predict()) == "hrhu"


def test_a_proxy_counts_only_when_it_is_declared() -> None:
    text = "FROM busybox\nRUN x\n"
    proxy = Options(build_args={"http_proxy": "here"})
    assert fates(built(text).predict(proxy)) == "hh"
    declared = built("FROM busybox\nARG http_proxy=x\nRUN x\n")
    assert fates(declared.predict(proxy)) == "hhr"
