"""What a container printed is told apart from what its CLI said about it."""

import pytest

from layerlab.engines import refusals


@pytest.mark.parametrize(
    "said",
    [
        'time="2026-11-25T17:43:16Z" level=error msg="forward signal child exited" error="closed"',
        'time="2026-11-25T17:43:16Z" level=warning msg="something"',
        'time="2026-11-25T17:43:16Z" level=error msg="unable to get systemd connection to add"',
        "WARNING: image platform (linux/arm64/v8) does not match the expected platform",
    ],
)
def test_words_of_the_cli_are_left_out(said: str) -> None:
    assert refusals.container_output(f"healthy\n{said}\n") == "healthy\n"


def test_words_of_the_program_stay() -> None:
    said = 'time="2026-11-25T17:43:16Z" level=error msg="my own log"\n'
    assert refusals.container_output(said) == said


@pytest.mark.parametrize(
    "said",
    [
        'exec: "sh": executable file not found in $PATH: unknown',  # runc under docker, podman
        'level=fatal msg="… exec: \\"sh\\": executable file not found in $PATH"',  # nerdctl
        "Error: crun: executable file `sh` not found in $PATH: No such file or directory",
        'exec: "sh": stat /sh: no such file or directory',
    ],
)
def test_a_missing_program_is_told_by_its_name(said: str) -> None:
    refused = refusals.error(["podman", "run", "hello", "sh"], 127, said)
    assert refused.code == "no-such-program"
    assert refused.message == "There is no program sh in this image."


def test_refused_limits_are_told_as_such() -> None:
    said = "Error: runc: error setting rlimit type 7: operation not permitted"
    refused = refusals.error(["podman", "run", "busybox", "true"], 126, said)
    assert refused.code == "limits-refused"
    assert "default_ulimits" in (refused.hint or "")
    assert refused.output == said
