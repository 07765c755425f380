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


def test_refused_limits_are_told_as_such() -> None:
    said = "Error: runc: error setting rlimit type 7: operation not permitted"
    refused = refusals.error(["podman", "run", "busybox", "true"], 126, said)
    assert refused.code == "limits-refused"
    assert "default_ulimits" in (refused.hint or "")
    assert refused.output == said
