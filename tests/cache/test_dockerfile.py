import os
import textwrap
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerlab.cache.dockerfile import plan
from layerlab.cache.source import INSTRUCTIONS
from layerlab.errors import BuildInputError, DockerfileSyntaxError
from layerlab.model.plan import COUNTED, Plan


def planned(text: str, **options: object) -> Plan:
    return plan(textwrap.dedent(text).lstrip("\n"), "Dockerfile", **options)  # type: ignore[arg-type]


def numbers(made: Plan) -> list[str]:
    return [f"{s.id} {s.n or '-'}/{s.m} {s.kind}" for s in made.steps]


def names(made: Plan) -> list[str]:
    return [stage.name for stage in made.stages]


def needed(made: Plan) -> list[int]:
    return [stage.index for stage in made.stages if stage.needed]


MULTI_STAGE = """
    ARG GO=1.24
    FROM golang:${GO} AS Builder
    WORKDIR /src
    COPY . .
    RUN go build -o /server .

    FROM scratch
    COPY --from=builder /server /server
    CMD ["/server"]
    """


class TestNumbers:
    def test_only_what_touches_the_file_system_is_counted(self) -> None:
        made = planned(
            """
            FROM debian
            LABEL a=b
            ENV X=1
            WORKDIR /app
            COPY a a
            ADD b b
            RUN true
            CMD ["x"]
            """
        )
        assert numbers(made) == [
            "stage-0/1 1/5 from",
            "stage-0/2 -/5 metadata",
            "stage-0/3 -/5 metadata",
            "stage-0/4 2/5 workdir",
            "stage-0/5 3/5 copy",
            "stage-0/6 4/5 add",
            "stage-0/7 5/5 run",
            "stage-0/8 -/5 metadata",
        ]
        assert names(made) == [""]

    def test_from_scratch_is_not_counted(self) -> None:
        made = planned("FROM scratch\nCOPY a a\n")
        assert numbers(made) == ["stage-0/1 -/1 from", "stage-0/2 1/1 copy"]

    def test_from_an_earlier_stage_is_not_counted(self) -> None:
        made = planned("FROM debian AS base\nFROM base\nRUN true\n")
        assert numbers(made) == ["base/1 1/1 from", "stage-1/1 -/1 from", "stage-1/2 1/1 run"]

    def test_workdir_root_is_in_the_total_but_has_no_number(self) -> None:
        made = planned("FROM debian\nWORKDIR /\nRUN true\n")
        assert numbers(made) == [
            "stage-0/1 1/3 from",
            "stage-0/2 -/3 metadata",
            "stage-0/3 2/3 run",
        ]

    def test_stages_are_named_as_buildkit_names_them(self) -> None:
        made = planned(MULTI_STAGE)
        assert names(made) == ["builder", "stage-1"]
        assert [step.id for step in made.steps] == [
            *("builder/1", "builder/2", "builder/3", "builder/4"),
            *("stage-1/1", "stage-1/2", "stage-1/3"),
        ]

    def test_repeated_names_still_give_different_ids(self) -> None:
        made = planned("FROM a AS x\nFROM b AS x\nFROM c AS stage-3\nFROM x\n")
        assert [stage.steps[0].id for stage in made.stages] == [
            "x/1",
            "x-1/1",
            "stage-3/1",
            "stage-3-3/1",
        ]


class TestLines:
    def test_continuations_comments_and_heredocs_are_spanned(self) -> None:
        made = planned(
            """
            # syntax=docker/dockerfile:1
            FROM debian

            RUN apt-get update && \\
                # why curl
                apt-get install \\
                  curl
            COPY <<EOF /etc/motd
            hello
            EOF
            run true
            """
        )
        assert [step.lines for step in made.steps] == [(2, 2), (4, 7), (8, 10), (11, 11)]
        assert [step.instruction for step in made.steps] == [
            "FROM debian",
            "RUN apt-get update &&     apt-get install       curl",
            "COPY <<EOF /etc/motd",
            "run true",
        ]

    def test_windows_line_ends_and_a_byte_order_mark(self) -> None:
        made = plan("\ufeffFROM debian\r\nRUN true\r\n", "Dockerfile")
        assert [(s.instruction, s.lines) for s in made.steps] == [
            ("FROM debian", (1, 1)),
            ("RUN true", (2, 2)),
        ]


class TestBase:
    def test_global_arguments(self) -> None:
        assert planned(MULTI_STAGE).stages[0].base == "golang:1.24"
        assert planned(MULTI_STAGE, build_args={"GO": "1.25"}).stages[0].base == "golang:1.25"

    def test_an_argument_may_use_an_earlier_one(self) -> None:
        made = planned("ARG A=1\nARG B=x${A}\nFROM debian:$B\n")
        assert made.stages[0].base == "debian:x1"

    def test_an_undeclared_build_argument_is_not_seen_by_from(self) -> None:
        with pytest.raises(DockerfileSyntaxError, match=r"the image's name is empty: \$IMAGE"):
            planned("FROM $IMAGE\n", build_args={"IMAGE": "debian"})

    def test_target_platform_of_the_build(self) -> None:
        text = "FROM debian AS base-arm64\nFROM debian AS base-amd64\nFROM base-$TARGETARCH\n"
        assert needed(planned(text, platforms=["linux/arm64"])) == [0, 2]
        assert needed(planned(text, platforms=["linux/arm64", "linux/amd64"])) == [0, 1, 2]
        assert planned(text, platforms=["linux/arm64"]).stages[2].base == "base-arm64"

    def test_without_a_chosen_platform_any_stage_may_be_meant(self) -> None:
        text = "FROM debian AS base-arm64\nFROM debian AS base-amd64\nFROM base-$TARGETARCH\n"
        assert needed(planned(text)) == [0, 1, 2]

    def test_platform_flag_leaves_the_base_alone(self) -> None:
        made = planned("FROM --platform=$BUILDPLATFORM golang AS b\nFROM scratch\n")
        assert made.stages[0].base == "golang"
        assert needed(made) == [1]


class TestNeeded:
    CHAIN = """
        FROM a AS one
        FROM b AS two
        FROM c AS three
        FROM d AS four
        RUN --mount=type=bind,from=two,target=/x --mount=type=cache,target=/y true
        FROM one AS five
        COPY --from=3 /x /x
        COPY --from=busybox /x /x
        FROM scratch AS six
        """

    def test_what_the_last_stage_is_made_from(self) -> None:
        assert needed(planned(self.CHAIN)) == [5]
        assert needed(planned(self.CHAIN, target="FIVE")) == [0, 1, 3, 4]
        assert needed(planned(self.CHAIN, target="four")) == [1, 3]
        assert needed(planned(self.CHAIN, target="0")) == [0]

    def test_steps_are_those_of_needed_stages(self) -> None:
        assert [step.id for step in planned(self.CHAIN).steps] == ["six/1"]

    def test_a_stage_that_names_itself_or_a_later_one(self) -> None:
        made = planned("FROM a AS x\nCOPY --from=x /a /a\nCOPY --from=y /a /a\nFROM x AS y\n")
        assert needed(made) == [0, 1]

    def test_an_unknown_target(self) -> None:
        with pytest.raises(BuildInputError) as caught:
            planned(MULTI_STAGE, target="bilder")
        assert caught.value.code == "unknown-target"
        assert caught.value.message == "Dockerfile has no stage called bilder."
        assert "Did you mean builder?" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "line", "what", "hint"),
    [
        ("", None, "it has no instructions", "FROM debian"),
        ("# only\n\n# comments\n", None, "it has no instructions", "FROM debian"),
        ("ARG A=1\n", None, "there is no FROM", "names the image"),
        ("FROM a\n\nRUNN true\n", 3, "there is no instruction RUNN", "Did you mean RUN?"),
        ("FROM a\ncpy . .\n", 2, "there is no instruction CPY", "Did you mean COPY?"),
        ("FROM a\nRUN a &&\n  b\n", 3, "there is no instruction B", "backslash"),
        ("# x\nRUN true\nFROM a\n", 2, "RUN comes before the first FROM", "Only ARG"),
        ("FROM\n", 1, "FROM takes an image", "FROM golang"),
        ("FROM a b\n", 1, "FROM takes an image", "FROM golang"),
        ("FROM a AS\n", 1, "FROM takes an image", "FROM golang"),
        ("FROM a AS 1st\n", 1, "a stage cannot be called 1st", "begins with a letter"),
        ("FROM a\nCOPY x\n", 2, "COPY is incomplete: only one", "COPY package.json"),
        ("FROM a\nADD\n", 2, "ADD is incomplete: nothing follows", "ADD app.tar.gz"),
        ("FROM a\nWORKDIR\n", 2, "WORKDIR is incomplete", "WORKDIR /app"),
        ("FROM a\nENV A\nRUN x\n", 2, "ENV must have two arguments", "ENV NAME=value"),
        ("FROM a\nRUN <<EOF\nx\n EOF\n", 2, "unterminated heredoc", "nothing else"),
        ("FROM a\nRUN x\n\nCOPY [1, 2]\n", 4, "array syntax", '["node", "app.js"]'),
        ("# escape=x\nFROM a\n", 1, "invalid escape token 'x'", "either"),
        ("FROM a\nRUN a\0b\n", 2, "U+0000", "UTF-8"),
        ("FROM a\nRUN \ud800\n", 2, "U+D800", "UTF-8"),
    ],
)
def test_errors_name_line_text_and_way_out(
    text: str, line: int | None, what: str, hint: str
) -> None:
    with pytest.raises(DockerfileSyntaxError) as caught:
        plan(text, "web/Dockerfile")
    error = caught.value
    assert error.line == line
    assert what in error.message
    assert hint in error.hint
    assert error.message.startswith("web/Dockerfile")
    if line is not None:
        written = text.split("\n")[line - 1]
        assert f"{line:4} | >>> {written}".rstrip() in error.output


DOCKERFILES = st.lists(
    st.sampled_from(
        [
            *("FROM debian", "FROM scratch", "FROM debian AS a", "FROM a AS b", "FROM b"),
            *("RUN true", "COPY a b", "COPY --from=0 a b", "COPY --from=a x y", "ADD a b"),
            *("WORKDIR /", "WORKDIR /app", "ENV A=1", "CMD x", "RUN a && \\\n  b", "# note", ""),
        ]
    ),
    max_size=30,
).map(lambda lines: "\n".join(["FROM debian", *lines]))


@given(DOCKERFILES)
def test_numbers_hold_for_every_dockerfile(text: str) -> None:
    made = plan(text, "Dockerfile")
    everything = [step for stage in made.stages for step in stage.steps]
    assert len({step.id for step in everything}) == len(everything)
    assert [step.lines for step in everything] == sorted(step.lines for step in everything)
    assert made.stages[-1].needed
    for stage in made.stages:
        counted = [step.n for step in stage.steps if step.n is not None]
        assert counted == list(range(1, len(counted) + 1))
        roots = sum(step.instruction == "WORKDIR /" for step in stage.steps)
        assert {step.m for step in stage.steps} == {len(counted) + roots}
        assert [step.position for step in stage.steps] == list(range(1, len(stage.steps) + 1))
        assert stage.steps[0].kind == "from"
        for step in stage.steps:
            assert step.n is None or step.kind in COUNTED


PIECES = st.sampled_from(
    [*INSTRUCTIONS, " a", "\n", "\\", "<<E", "[", '"', "=", " --from=", " --mount=", "# ", "$"]
)


@given(st.text() | st.lists(PIECES).map("".join))
def test_any_text_gives_a_plan_or_a_clear_error(text: str) -> None:
    try:
        assert plan(text, "Dockerfile").stages
    except DockerfileSyntaxError as error:
        lines = range(1, text.count("\n") + 2)
        assert error.line is None or error.line in lines  # noqa: PT017 - both ways are right


def test_a_letter_that_the_parser_cuts_in_two_is_an_error_with_its_line() -> None:
    with pytest.raises(DockerfileSyntaxError) as caught:
        plan("FROM a\nRUN b\nHEALTHCHECK Ņ\n", "Dockerfile")
    assert caught.value.line == 3


def test_parser_survives_forks_from_threads() -> None:
    """The parser is written in Go, whose threads a fork does not copy; `sh` forks from threads."""
    codes: list[int] = []

    def fork() -> None:
        pid = os.fork()
        if pid == 0:
            os.execv("/bin/true", ["/bin/true"])
        codes.append(os.waitpid(pid, 0)[1])

    for _ in range(5):
        threads = [threading.Thread(target=fork) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert planned(MULTI_STAGE).stages
        for thread in threads:
            thread.join()
    assert codes == [0] * 20
