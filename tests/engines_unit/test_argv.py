"""What a learner types, read and written again: no engine, no process."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerlab.engines import argv, emulation
from layerlab.engines.argv import Dialect
from layerlab.engines.base import BuildRequest, Option
from layerlab.engines.containers_storage import without_tls
from layerlab.engines.host import Host
from layerlab.engines.podman import PodmanEngine
from layerlab.errors import BuildInputError

DOCKER = Dialect("docker")
PODMAN = Dialect(
    "podman",
    loads=True,
    manifests=True,
    files=("Containerfile", "Dockerfile"),
    platform="linux/amd64",
)


def parse(line: str) -> BuildRequest:
    return argv.parse(line.split(), Path("/work"))


def options(line: str) -> list[tuple[str, str | None]]:
    return [(o.flag, o.value) for o in parse(line).options]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-t x ctx", [("--tag", "x")]),
        ("ctx -t x", [("--tag", "x")]),
        ("-t x ctx --no-cache", [("--tag", "x"), ("--no-cache", None)]),
        ("-tx ctx", [("--tag", "x")]),
        ("-t=x ctx", [("--tag", "x")]),
        ("--tag=x ctx", [("--tag", "x")]),
        ("-qt x ctx", [("--quiet", None), ("--tag", "x")]),
        ("--label=a=b ctx", [("--label", "a=b")]),
        ("--label a=b --build-arg A=1 ctx", [("--label", "a=b"), ("--build-arg", "A=1")]),
        ("-f F --target T ctx", [("--file", "F"), ("--target", "T")]),
        ("--platform arm64 --load ctx", [("--platform", "arm64"), ("--load", None)]),
        ("--progress plain ctx", [("--progress", "plain")]),
        ("--pull=false ctx", [("--pull", "false")]),
        ("--brand-new=1 -D ctx", [("--brand-new", "1"), ("-D", None)]),
        ("--build-arg= ctx", [("--build-arg", "")]),
        ("--no-cache -- ctx", [("--no-cache", None)]),
    ],
)
def test_reads_the_forms_that_the_clis_take(
    line: str, expected: list[tuple[str, str | None]]
) -> None:
    assert options(line) == expected
    assert parse(line).context == "ctx"


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("", "no-context", "missing"),
        ("-t x", "no-context", "missing"),
        ("a b", "several-contexts", "“a” and “b”"),
        ("--unknown value ctx", "several-contexts", "--unknown, write it with ="),
        ("-", "context-not-a-folder", "standard input"),
        ("-f - ctx", "context-not-a-folder", "standard input"),
        ("https://example.org/x.tar", "context-not-a-folder", "address"),
        ("git@github.com:a/b", "context-not-a-folder", "address"),
        ("github.com/a/b", "context-not-a-folder", "address"),
        ("../repo.git", "context-not-a-folder", "address"),
        ("ctx -t", "usage", "-t needs a value"),
        ("ctx --build-arg", "usage", "--build-arg needs a value"),
    ],
)
def test_says_what_is_wrong(line: str, code: str, words: str) -> None:
    with pytest.raises(BuildInputError) as raised:
        parse(line)
    assert raised.value.code == code
    assert words in raised.value.message + raised.value.hint
    assert raised.value.hint


def render(line: str, dialect: Dialect, tmp_path: Path, *files: str) -> str:
    (tmp_path / "ctx").mkdir()
    for name in files or ("Dockerfile",):
        (tmp_path / "ctx" / name).touch()
    request = argv.parse(line.split(), tmp_path)
    return " ".join(argv.render(("BUILD",), request, dialect))


@pytest.mark.parametrize(
    ("line", "docker", "podman"),
    [
        ("-t x ctx", "-t x ctx", "--platform linux/amd64 -t x ctx"),
        ("ctx --tag x", "-t x ctx", "--platform linux/amd64 -t x ctx"),
        ("--load ctx", "--load ctx", "--platform linux/amd64 ctx"),
        ("--progress plain -q ctx", "ctx", "--platform linux/amd64 ctx"),
        ("--pull=false ctx", "--pull=false ctx", "--platform linux/amd64 --pull=false ctx"),
        ("--jobs 4 ctx", "ctx", "--platform linux/amd64 ctx"),
        ("--platform arm64 ctx", "--platform arm64 ctx", "--platform linux/arm64 ctx"),
        (
            "-t x --platform amd64,arm64 ctx",
            "-t x --platform amd64,arm64 ctx",
            "--manifest x --platform linux/amd64,linux/arm64 ctx",
        ),
        (
            "-t x --platform linux/arm64 --platform linux/arm64 ctx",
            "-t x --platform linux/arm64 --platform linux/arm64 ctx",
            "-t x --platform linux/arm64 --platform linux/arm64 ctx",
        ),
        (
            "--build-arg A=$(x) --label=a=b ctx",
            "--build-arg A=$(x) --label a=b ctx",
            "--platform linux/amd64 --build-arg A=$(x) --label a=b ctx",
        ),
    ],
)
def test_writes_them_for_each_cli(line: str, docker: str, podman: str, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "p").mkdir()
    assert render(line, DOCKER, tmp_path / "d") == f"BUILD {docker}"
    assert render(line, PODMAN, tmp_path / "p") == f"BUILD {podman}"


@pytest.mark.parametrize(
    ("files", "docker", "podman"),
    [
        (["Dockerfile"], "", ""),
        (["Containerfile"], "-f ctx/Containerfile ", ""),
        (["Containerfile", "Dockerfile"], "", "-f ctx/Dockerfile "),
    ],
)
def test_all_clis_take_the_same_dockerfile(
    files: list[str], docker: str, podman: str, tmp_path: Path
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "p").mkdir()
    assert render("ctx", DOCKER, tmp_path / "d", *files) == f"BUILD {docker}ctx"
    expected = f"BUILD {podman}--platform linux/amd64 ctx"
    assert render("ctx", PODMAN, tmp_path / "p", *files) == expected


def test_a_context_that_looks_like_an_option() -> None:
    request = parse("-- -ctx")
    assert argv.render(("BUILD",), request, DOCKER) == ("BUILD", "./-ctx")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--load ctx", ["--load is left out: podman always keeps"]),
        ("--jobs=4 ctx", ["--jobs is left out"]),
        ("--platform arm64 ctx", ["--platform arm64 is spelled out: linux/arm64."]),
        (
            "-t x --platform linux/amd64,arm64 ctx",
            ["-t becomes --manifest", "spelled out: linux/amd64,linux/arm64"],
        ),
        ("-t x --no-cache ctx", []),
    ],
)
def test_says_what_it_translated(line: str, words: list[str]) -> None:
    notes = argv.notes(parse(line), PODMAN)
    assert len(notes) == len(words)
    for note, start in zip(notes, words, strict=True):
        assert start in note
    assert argv.notes(parse("--load --platform arm64 ctx"), DOCKER) == ()


def test_an_impossible_name_is_refused_before_anything_runs() -> None:
    with pytest.raises(BuildInputError) as raised:
        argv.render(("BUILD",), parse("-t Colors ctx"), DOCKER)
    assert raised.value.code == "bad-reference"


def test_two_names_for_a_list_of_platforms() -> None:
    request = parse("-t a -t b --platform linux/amd64,linux/arm64 ctx")
    with pytest.raises(BuildInputError) as raised:
        argv.render(("BUILD",), request, PODMAN)
    assert raised.value.code == "one-name-only"
    assert argv.render(("BUILD",), request, DOCKER)


values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
option = st.builds(
    Option,
    st.sampled_from(["--build-arg", "--label", "--target", "--secret"]),
    values,
)


@given(st.lists(option), values.filter(lambda v: argv._URL.match(v) is None))
def test_what_is_written_reads_the_same(options: list[Option], context: str) -> None:
    if context == "-" or context.endswith(".git"):
        return
    request = BuildRequest(context=context, options=tuple(options), cwd=Path("/nowhere"))
    words = argv.render(("BUILD",), request, DOCKER)[1:]
    again = argv.parse(words, request.cwd)
    assert again.options == request.options
    assert again.context.removeprefix("./") == context.removeprefix("./")


@given(st.lists(st.text(max_size=8)))
def test_no_words_make_it_fail_otherwise(words: list[str]) -> None:
    with contextlib.suppress(BuildInputError):
        argv.parse(words, Path("/nowhere"))


@pytest.mark.parametrize(
    ("line", "first", "added"),
    [
        ("--platform arm64 .", "FROM --platform=$BUILDPLATFORM busybox AS b", True),
        ("--platform arm64 .", "from --platform=${BUILDPLATFORM} busybox", True),
        ("--platform arm64 .", "FROM busybox", False),
        (".", "FROM --platform=$BUILDPLATFORM busybox", False),
        (
            "--platform arm64 --build-arg BUILDPLATFORM=linux/riscv64 .",
            "FROM --platform=$BUILDPLATFORM busybox",
            False,
        ),
    ],
)
def test_podman_is_told_the_builds_own_platform(
    tmp_path: Path, line: str, first: str, added: bool
) -> None:
    (tmp_path / "Dockerfile").write_text(f"{first}\nRUN true\n")
    engine = PodmanEngine(lambda: Host(system="linux"))
    request = argv.parse(line.split(), tmp_path)
    command = engine.build_command(request)
    assert (f"BUILDPLATFORM={emulation.native()}" in command) is added
    assert any("BUILDPLATFORM" in note for note in engine.notes(request)) is added


@pytest.mark.parametrize(
    ("line", "text", "added"),
    [
        (".", "HEALTHCHECK CMD true", ["--format", "docker"]),
        ("--format oci .", "HEALTHCHECK CMD true", []),
        (".", "# HEALTHCHECK CMD true", []),
        ("--build-arg SOURCE_DATE_EPOCH=7 .", "ARG SOURCE_DATE_EPOCH", ["--timestamp", "7"]),
        ("--build-arg SOURCE_DATE_EPOCH=soon .", "ARG SOURCE_DATE_EPOCH", []),
        ("--build-arg SOURCE_DATE_EPOCH=7 --timestamp 8 .", "ARG SOURCE_DATE_EPOCH", []),
    ],
)
def test_podman_is_told_what_newer_versions_read_themselves(
    tmp_path: Path, line: str, text: str, added: list[str]
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM busybox\n{text}\n")
    engine = PodmanEngine(lambda: Host(system="linux"))
    request = argv.parse(line.split(), tmp_path)
    (flag, value) = added or ("", "")
    assert [f"{flag} {value} is added" in note for note in engine.notes(request)] == [True] * bool(
        added
    )
    command = " ".join(engine.build_command(request))
    assert (f"{flag} {value} ." in command) is bool(added)


def test_podman_reaches_a_registry_on_this_machine_without_tls(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\n")
    engine = PodmanEngine(lambda: Host(system="linux"))
    cache = "type=registry,ref=127.0.0.1:5000/team/cache:x"
    request = argv.parse(["--cache-to", f"{cache},mode=max", "--cache-from", cache, "."], tmp_path)
    command = " ".join(engine.build_command(request))
    assert "--cache-to 127.0.0.1:5000/team/cache --cache-from 127.0.0.1:5000/team/cache" in command
    assert "--tls-verify=false" in command
    far = argv.parse(["--cache-from", "registry.example.org/cache", "."], tmp_path)
    assert "--tls-verify" not in " ".join(engine.build_command(far))
    name = "localhost:5000/a:1"
    assert without_tls(["push", name]) == ("push", "--tls-verify=false", name)
    assert without_tls(["push", "registry.example.org/a:1"]) == ("push", "registry.example.org/a:1")
    assert without_tls(["tag", "a", name]) == ("tag", "a", name)
    assert without_tls([]) == ()
