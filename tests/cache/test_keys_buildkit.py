"""What BuildKit rebuilds after an edit: one letter for each instruction, h or r or u."""

import textwrap

import pytest

from layerlab.cache.key import Base, Options
from tests.cache.projects import Project, fates

APP = """\
FROM busybox
ARG VERSION=1
ENV MODE=x
WORKDIR /app
COPY package.json ./
RUN install
COPY . .
RUN build
LABEL a=b
CMD run
"""
FILES = {"package.json": "{}", "app.js": "one\n", "d/x": "x"}


def built(text: str = APP, files: dict[str, str] = FILES) -> Project:
    project = Project(text, files, dialect="buildkit")
    project.build()
    return project


def test_the_first_build_is_all_new() -> None:
    project = Project(APP, FILES, dialect="buildkit")
    assert fates(project.predict()) == "hhhrrrrrhh"
    assert {f.cause.kind for f in project.predict() if f.cause} == {"first-build", "free"}
    assert all(f.because_of is None for f in project.predict())


def test_nothing_changed() -> None:
    assert fates(built().predict()) == "h" * 10


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("LABEL a=b", "LABEL a=c", "hhhhhhhhhh"),
        ("LABEL a=b\n", "LABEL a=b\nEXPOSE 80\n", "hhhhhhhhhhh"),
        ("CMD run", 'CMD ["run"]', "hhhhhhhhhh"),
        ("FROM busybox\n", "# a comment\nFROM busybox\n", "hhhhhhhhhh"),
        # ENV, ARG and USER come to bear at the first RUN after them
        ("MODE=x", "MODE=y", "hhhhhrrrhh"),
        ("VERSION=1", "VERSION=2", "hhhhhrrrhh"),
        ("RUN install", "USER me\nRUN install", "hhhhhhrrrhh"),
        ("RUN install", 'SHELL ["/bin/ash"]\nRUN install', "hhhhhhrrrhh"),
        ("WORKDIR /app", "WORKDIR /other", "hhhrrrrrhh"),
        ("COPY package.json ./", "COPY package.json ./x", "hhhhrrrrhh"),
        ("COPY package.json ./", "COPY --chmod=600 package.json ./", "hhhhrrrrhh"),
        ("COPY package.json ./", "COPY --chown=1 package.json ./", "hhhhrrrrhh"),
        ("COPY package.json ./", "COPY --link package.json ./", "hhhhrrrrhh"),
        ("COPY package.json ./", "COPY ./package.json /app/", "hhhhhhhhhh"),
        ("COPY package.json ./", "ADD package.json ./", "hhhhrrrrhh"),
        ("RUN build", "RUN  build", "hhhhhhhhhh"),
        ("RUN build", "RUN --network=none build", "hhhhhhhrhh"),
        ("RUN build", "RUN <<EOF\nbuild\nEOF", "hhhhhhhrhh"),
        ("busybox", "debian", "hhhrrrrrhh"),
    ],
)
def test_an_edited_dockerfile(before: str, after: str, expected: str) -> None:
    project = built()
    project.dockerfile = APP.replace(before, after)
    assert fates(project.predict()) == expected


@pytest.mark.parametrize(
    ("edit", "expected"),
    [({"app.js": "two\n"}, "hhhhhhrrhh"), ({"package.json": "[]"}, "hhhhrrrrhh")],
)
def test_an_edited_file(edit: dict[str, str], expected: str) -> None:
    project = built()
    project.context.files.update(edit)
    assert fates(project.predict()) == expected


def test_a_mode_counts() -> None:
    project = built()
    project.context.modes["app.js"] = 0o755
    assert fates(project.predict()) == "hhhhhhrrhh"


def test_options() -> None:
    project = built()
    assert fates(project.predict(Options(build_args={"VERSION": "2"}))) == "hhhhhrrrhh"
    assert fates(project.predict(Options(build_args={"http_proxy": "x"}))) == "h" * 10
    assert fates(project.predict(Options(platforms=("linux/arm64",)))) == "hhhrrrrrhh"
    assert fates(project.predict(Options(platforms=("linux/amd64",)))) == "h" * 10
    # WORKDIR is not told of --no-cache: it runs only because of what is before it
    assert fates(project.predict(Options(no_cache=True))) == "hhhhrrrrhh"


def test_no_cache_of_one_stage_holds_for_equal_steps_of_others() -> None:
    text = """\
    FROM busybox AS a
    RUN x
    FROM busybox AS b
    RUN x
    RUN y
    FROM busybox
    RUN z
    COPY --from=a / /
    COPY --from=b / /
    """
    project = Project(textwrap.dedent(text), dialect="buildkit")
    project.build()
    predicted = project.predict(Options(no_cache_filter=("a",)))
    assert fates(predicted) == "hrhrrhhuu"
    assert predicted[3].because_of == 2
    assert predicted[4].because_of == 2


def test_a_base_image_that_moved() -> None:
    project = built()
    project.bases["busybox"] = Base("sha256:new")
    workdir, copy = project.predict()[3:5]
    assert workdir.cause
    assert (workdir.cause.kind, workdir.cause.before, workdir.cause.after) == (
        "base",
        "sha256:1",
        "sha256:new",
    )
    assert copy.because_of == workdir.n


def test_a_base_image_that_nobody_knows() -> None:
    project = built()
    del project.bases["busybox"]
    project.build()
    assert fates(project.predict()) == "uhhuuuuuhh"


STAGES = """\
FROM busybox AS a
COPY x /x
RUN make
FROM busybox AS b
RUN b
COPY --from=a /x /x
RUN after
"""


def test_what_a_rebuilt_stage_writes_decides() -> None:
    project = built(STAGES, {"x": "1"})
    project.context.files["x"] = "2"
    predicted = project.predict()
    assert fates(predicted) == "hrrhhuu"
    assert [f.because_of for f in predicted] == [None, None, 2, None, None, 2, 2]
    # It writes the same: both are known from now on.
    told = project.build(otherwise={6: True, 7: True})
    assert [step.cause.kind for step in told[-2:] if step.cause] == ["same-output"] * 2
    assert fates(project.predict()) == "h" * 7


def test_a_changed_copy_from_is_rebuilt_for_sure() -> None:
    project = built(STAGES, {"x": "1"})
    project.context.files["x"] = "2"
    project.dockerfile = STAGES.replace("/x /x", "/x /y")
    assert fates(project.predict()) == "hrrhhrr"


@pytest.mark.parametrize("origin", ["a", "0"])
def test_a_copy_from_the_state_that_it_stands_on_is_another_operation(origin: str) -> None:
    """Found by building the same with docker and with the embedded engine."""
    same = f"FROM busybox AS a\nRUN x\nFROM busybox\nRUN x\nCOPY --from={origin} /x /y\n"
    project = built(same, {})
    project.dockerfile = same.replace("RUN x\n", "RUN x\nRUN more\n", 1)
    predicted = project.predict()
    assert fates(predicted) == "hhrhhr"
    assert predicted[-1].cause is not None
    assert predicted[-1].cause.kind == "instruction"


def test_a_copy_from_the_image_that_it_stands_on_is_another_operation() -> None:
    image = "FROM busybox\nCOPY --from=busybox /x /y\n"
    project = built(image, {})
    project.dockerfile = image.replace("FROM busybox", "FROM busybox\nRUN x")
    assert fates(project.predict()) == "hrr"


def test_from_a_rebuilt_stage_is_rebuilt() -> None:
    project = built(STAGES.replace("FROM busybox AS b", "FROM a AS b"), {"x": "1"})
    project.context.files["x"] = "2"
    assert fates(project.predict()) == "hrrrrrr"


def test_no_cache_for_one_stage() -> None:
    project = built(STAGES, {"x": "1"})
    assert fates(project.predict(Options(no_cache_filter=("A",)))) == "hrrhhuu"


def test_a_target_leaves_stages_out() -> None:
    project = built(STAGES, {"x": "1"})
    assert fates(project.predict(target="a")) == "hhh"


def test_bind_mounts_count_by_content_and_caches_by_their_kind() -> None:
    mounted = "FROM busybox\nRUN --mount=type=bind,target=/src --mount=type=cache,target=/c make\n"
    project = built(mounted, {"x": "1"})
    project.dockerfile = mounted.replace("target=/c", "target=/c,sharing=shared,id=/c")
    assert fates(project.predict()) == "hh"
    project.dockerfile = mounted.replace("target=/c", "target=/c,id=other")
    assert fates(project.predict()) == "hr"
    project.dockerfile = mounted
    project.context.files["x"] = "2"
    cause = project.predict()[1].cause
    assert cause
    assert cause.kind == "file"


def test_a_url_is_never_sure() -> None:
    project = built("FROM busybox\nADD http://example.org/x /x\nRUN x\n")
    assert fates(project.predict()) == "huu"
    cause = project.predict()[1].cause
    assert cause
    assert (cause.kind, cause.name) == ("remote", "http://example.org/x")


def test_triggers_of_a_stage_belong_to_the_from() -> None:
    text = "FROM busybox AS a\nONBUILD COPY x /x\nFROM a\nRUN b\n"
    project = built(text, {"x": "1"})
    assert fates(project.predict()) == "hhhh"
    project.context.files["x"] = "2"
    assert fates(project.predict()) == "hhrr"


def test_triggers_of_the_base_image_belong_to_the_from() -> None:
    project = Project("FROM busybox\nRUN b\n", {"x": "1"}, dialect="buildkit")
    project.bases["busybox"] = Base("sha256:1", ("COPY x /x", "ENV A=1"))
    assert fates(project.build()) == "rr"
    assert fates(project.predict()) == "hh"
    project.context.files["x"] = "2"
    first, second = project.predict()
    assert (first.fate, second.fate, second.because_of) == ("rebuild", "rebuild", 1)
    assert first.cause
    assert [(file.path, file.change) for file in first.cause.files] == [("x", "content")]


def test_variables_in_the_words_of_a_copy() -> None:
    text = "FROM busybox\nARG D=one\nCOPY x /$D/\nCOPY x /y\n"
    project = built(text, {"x": "1"})
    predicted = project.predict(Options(build_args={"D": "two"}))
    assert fates(predicted) == "hhrr"
    assert predicted[2].cause
    assert (predicted[2].cause.kind, predicted[2].cause.name) == ("arg", "D")


def test_two_platforms_have_their_own_steps() -> None:
    project = built()
    both = Options(platforms=("linux/amd64", "linux/arm64"))
    predicted = project.predict(both)
    assert fates(predicted) == "h" * 10 + "hhhrrrrrhh"
    assert predicted[13].id == "linux/arm64:stage-0/4"
    assert predicted[13].n == 4
