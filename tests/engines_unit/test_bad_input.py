"""A learner's mistakes and an engine's bad days, with a double of podman and a real IPython."""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from layerlab import api, magics
from layerlab.engines import argv
from layerlab.errors import BuildInputError, BuildInterrupted, DockerfileSyntaxError, LayerlabError
from layerlab.model.build import Build
from layerlab.render import Quiet
from layerlab.session import Session

DOCKERFILE = "FROM scratch\nCOPY a /a\nCOPY b /b\n"
DOUBLE = """#!/bin/sh
[ "$1" = --version ] && {{ echo "podman version 4.3.1"; exit 0; }}
case "$*" in *layerlab-probe-*) echo 0123456789ab; exit 0;; esac
if [ "$1" = info ]; then
    echo '{{"host": {{"buildahVersion": "1.28"}}, "store": {{"graphRoot": "/nowhere"}}}}'
    exit 0
fi
[ "$1" = build ] || exit 0
{script}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A context, and a computer whose only engine is the double of podman."""
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("LAYERLAB_ENGINE", "podman")
    monkeypatch.setenv("LAYERLAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LAYERLAB_VIEW", "text")
    monkeypatch.chdir(context)
    behave(context, "exit 0")
    return context


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """A real IPython with our magics, whose session is new."""
    api.session.cache_clear()
    shell = InteractiveShell()
    magics.load(shell)
    yield shell
    shell.history_manager = None
    api.session.cache_clear()


def behave(context: Path, script: str) -> None:
    program = context.parent / "bin" / "podman"
    program.write_text(DOUBLE.format(script=script), encoding="utf-8")
    program.chmod(0o755)


def runs(pid: int) -> bool:
    """Whether a process is there and more than a dead one that nobody has asked after."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:  # it has gone, before or after its file was opened
        return False
    return state != "Z"


def build(context: Path, *arguments: str) -> Build:
    return Session(os.environ).build(argv.parse([*arguments, "."], context), Quiet())


SAID = [
    ("Error: write /var/tmp/x: no space left on device", 125, "disk-full"),
    (
        "Error: pinging container registry r.invalid: dial tcp: lookup r.invalid: no such host",
        125,
        "registry-unreachable",
    ),
    ("Error: unknown flag: --no-such-flag", 125, "unknown-flag"),
    ("Error: tag A:b: invalid reference format: repository name must be lowercase", 125, None),
    ("Error: error reading from server: EOF", 1, "daemon-gone"),
    ("Error: something nobody has heard of", 3, "unknown"),
]


@pytest.mark.parametrize(("words", "status", "code"), SAID)
def test_what_the_cli_says_becomes_one_failure(
    words: str, status: int, code: str | None, folder: Path
) -> None:
    script = f"echo 'STEP 1/3: FROM scratch'\necho {shlex.quote(words)} >&2\nexit {status}"
    behave(folder, script)
    done = build(folder, "-t", "quality:x")
    assert done.outcome == "failed"
    assert done.exit_code == status
    assert done.command[:2] == ("podman", "build")
    assert done.failure is not None
    assert done.failure.code == (code or "bad-reference")
    assert done.failure.message
    assert done.failure.hint
    # What was written is whole: the last state of the build, and nothing half done beside it.
    (written,) = (folder.parent / "home" / "builds").iterdir()
    assert sorted(file.name for file in written.iterdir()) == [
        "build.json",
        "log.txt",
        "steps.json",
    ]
    (remembered,) = Session(os.environ).workspace.builds()
    assert remembered.outcome == "failed"


def test_a_cli_that_is_killed_is_said_to_be(folder: Path) -> None:
    behave(folder, "echo 'STEP 1/3: FROM scratch'\nkill -9 $$")
    done = build(folder)
    assert done.failure is not None
    assert done.failure.code == "cli-killed"
    assert done.exit_code == 128 + signal.SIGKILL


def test_output_in_no_known_encoding_is_shown(folder: Path) -> None:
    noise = r"printf 'STEP 2/3: COPY a /a\n\377\376\200\n\303'"
    behave(folder, f"echo 'STEP 1/3: FROM scratch'\n{noise}\nexit 1")
    done = build(folder)
    assert done.outcome == "failed"
    assert done.log_file is not None
    assert "\N{REPLACEMENT CHARACTER}" in Path(done.log_file).read_text(encoding="utf-8")


def test_an_interrupt_ends_all_that_was_started(folder: Path) -> None:
    behave(
        folder,
        f"/bin/sleep 600 & echo $! > {folder}/child\nkill -INT {os.getpid()}\nwait",
    )
    began = time.monotonic()
    with pytest.raises(BuildInterrupted, match="was stopped"):
        build(folder)
    assert time.monotonic() - began < 20  # a loaded machine; with nothing to do it takes 0.1 s
    child = int((folder / "child").read_text(encoding="utf-8"))
    assert not runs(child)
    (remembered,) = Session(os.environ).workspace.builds()
    assert remembered.outcome == "cancelled"


@pytest.mark.parametrize(
    ("arguments", "source", "code"),
    [
        (["nowhere"], DOCKERFILE, "no-context"),
        (["-f", "nothing", "."], DOCKERFILE, "no-dockerfile"),
        (["."], b"FROM scratch\n# \xff\n", "unreadable-dockerfile"),
        (["."], "FROM scratch\nCOPPY a b\n", "dockerfile-syntax"),
        ([".", "-t"], DOCKERFILE, "usage"),
        ([], DOCKERFILE, "no-context"),
        ([".", "."], DOCKERFILE, "several-contexts"),
        (["-t", "UPPER:case", "."], DOCKERFILE, "bad-reference"),
    ],
)
def test_where_there_is_nothing_to_build_nothing_is_started(
    arguments: list[str], source: str | bytes, code: str, folder: Path
) -> None:
    behave(folder, "touch started")
    raw = source if isinstance(source, bytes) else source.encode()
    (folder / "Dockerfile").write_bytes(raw)
    with pytest.raises(BuildInputError) as caught:
        Session(os.environ).build(argv.parse(arguments, folder), Quiet())
    assert caught.value.code == code
    assert caught.value.hint
    assert not (folder / "started").exists()
    assert not (folder.parent / "home").exists()


def test_a_syntax_error_names_its_line(folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM scratch\n\nCOPPY a b\n", encoding="utf-8")
    with pytest.raises(DockerfileSyntaxError) as caught:
        build(folder)
    assert caught.value.line == 3
    assert "COPPY" in caught.value.explain()


def test_nothing_that_is_typed_reaches_a_shell(
    folder: Path, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    behave(folder, f'printf "%s\\n" "$@" > {folder}/typed')
    label = "a=$(touch pwned); `touch pwned` && touch pwned > pwned | x"
    assert shell.run_cell(f"%build -t quality:x --label '{label}' .").success
    typed = (folder / "typed").read_text(encoding="utf-8").splitlines()
    assert label in typed
    assert not (folder / "pwned").exists()
    shown = capsys.readouterr().out.partition("$ ")[2].splitlines()[0]
    assert shlex.split(shown) == ["podman", *typed]


def test_the_kernel_lives_on_after_each_mistake(
    folder: Path, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    for cell, code in (
        ("%engine no-such", "unknown-engine"),
        ("%build nowhere", "no-context"),
        ("%build --label 'open .", "usage"),
        ("%%dockerfile nowhere/Dockerfile\nFROM scratch", "no-folder"),
        ("%%dockerfile\nFROM scratch", "usage"),
        ("%edit Dockerfile", "usage"),
        ("%builds 7", "no-such-build"),
    ):
        capsys.readouterr()
        result = shell.run_cell(cell)
        assert isinstance(result.error_in_exec, LayerlabError), cell
        assert result.error_in_exec.code == code
        printed = "".join(capsys.readouterr())
        assert f"[{code}]" in printed
        assert "Traceback" not in printed
        assert shell.run_cell("6 * 7").result == 42
    assert {path.name for path in folder.iterdir()} == {"Dockerfile"}
