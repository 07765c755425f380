"""From an engine's words to a code: messages that no recording holds, each quoted as printed.

They come from the engines' own sources and issue trackers. What recordings hold is tested in
`test_golden.py`; here each rule must be met by one or the other.
"""

from __future__ import annotations

import re
from functools import cache

import pytest

from layerlab.model.events import Failure
from layerlab.progress import failures
from layerlab.progress.failures import MAX_TEXT, find_cause
from tests.golden.recording import recordings

RUN = 'process "/bin/sh -c make" did not complete successfully: exit code: {}'
BUILDKITS = "/var/lib/docker/buildkit/cachemounts/buildkit1511435611"
QUOTED = [
    # code, the engine's message, the failed step's output, a word of the hint
    (
        "no-such-user",
        (
            'process "/bin/sh -c true" did not complete successfully: unable to find user app: no '
            "matching entries in passwd file"
        ),
        "",
        "has no app",
    ),
    (
        "no-such-group",
        (
            'process "/bin/sh -c true" did not complete successfully: unable to find group app: no '
            "matching entries in group file"
        ),
        "",
        "has no app",
    ),
    ("no-folder", f"cannot copy to non-directory: {BUILDKITS}/file", "", "folder is wanted"),
    ("no-folder", f"mkdir {BUILDKITS}/file: not a directory", "", "folder is wanted"),
    ("no-folder", f"lstat {BUILDKITS}/file/below: not a directory", "", "folder is wanted"),
    (
        "folder-in-the-way",
        f"cannot replace to directory {BUILDKITS}/x/leaf with file",
        "",
        "another place",
    ),
    ("missing-secret", "secret token: not found", "", "id=token"),
    ("mount-refused", 'unsupported mount type "volume"', "", "tmpfs"),
    ("mount-refused", 'invalid mount target "/"', "", "below /"),
    ("dockerfile-syntax", "source can't be a URL for COPY", "", "reference"),
    ("add-failed", "failed to load cache key: invalid response status 404", "", "browser"),
    (
        "add-failed",
        (
            'failed to load cache key: Get "http://127.0.0.1:9/x": dial tcp 127.0.0.1:9: connect: '
            "connection refused"
        ),
        "",
        "browser",
    ),
    ("bad-port", "Invalid containerPort: 70000", "", "EXPOSE"),
    ("bad-signal", "invalid signal: NOPE", "", "SIGTERM"),
    ("unknown-target", "invalid stage index 3", "", "number 0"),
    (
        "layer-lost",
        (
            'failed to prepare extraction snapshot "extract-138603926-n2vC sha256:8c5f": parent '
            "snapshot sha256:b0a7 does not exist: not found"
        ),
        "",
        "again",
    ),
    (
        "unknown-platform",
        '"what": unknown operating system or architecture: invalid argument',
        "",
        "linux/arm64",
    ),
    ("unknown-platform", 'invalid platform: "what"', "", "linux/arm64"),
    ("exec-format", "exec /bin/sh: exec format error", "", "binfmt"),
    ("disk-full", "write /x: no space left on device", "", "prune"),
    ("unknown-flag", 'invalid argument "a" for "--jobs" flag: strconv.ParseInt', "", "--help"),
    ("unknown-flag", "flag needs an argument: 't' in -t", "", "value"),
    (
        "permission-denied",
        (
            "permission denied while trying to connect to the Docker daemon socket at "
            "unix:///var/run/docker.sock: Get …: dial unix /var/run/docker.sock: connect: "
            "permission denied"
        ),
        "",
        "usermod",
    ),
    (
        "daemon-gone",
        (
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. "
            "Is the docker daemon running?"
        ),
        "",
        "doctor",
    ),
    ("daemon-gone", "rpc error: code = Unavailable desc = error reading from server: EOF", "", ""),
    (
        "unsupported-multi-platform",
        "Multi-platform build is not supported for the docker driver.",
        "",
        "buildx create",
    ),
    (
        "file-not-found",
        (
            'building at STEP "COPY *.x .": no items matching glob "/tmp/a/*.x" copied (1 filtered '
            "out): no such file or directory"
        ),
        "",
        "*.x",
    ),
    (
        "no-dockerfile",
        "failed to read dockerfile: open Dockerfile: no such file or directory",
        "",
        "-f",
    ),
    (
        "no-dockerfile",
        "no Containerfile or Dockerfile specified or found in context directory, /tmp/a",
        "",
        "-f",
    ),
    ("no-context", 'unable to prepare context: path "nowhere" not found', "", "folder"),
    (
        "dockerfile-syntax",
        "dockerfile parse error on line 2: COPY requires at least two arguments",
        "",
        "reference",
    ),
    (
        "platform-not-found",
        (
            "a:1: failed to resolve source metadata for docker.io/library/a:1: no match for "
            "platform in manifest: not found"
        ),
        "",
        "platform",
    ),
    (
        "registry-limit",
        "toomanyrequests: You have reached your pull rate limit.",
        "",
        "log in",
    ),
    (
        "permission-denied",
        "failed to solve: error from sender: open /tmp/a/secret: permission denied",
        "",
        "ls -l",
    ),
    (
        "image-not-found",
        (
            "pull access denied, repository does not exist or may require authorization: server "
            "message: insufficient_scope: authorization failed"
        ),
        "",
        "private",
    ),
    ("cancelled", "failed to solve: Canceled: context canceled", "", "stopped"),
    ("run-failed", RUN.format(1), "a: line 1: exec: no\n", "by hand"),
    ("run-failed", RUN.format(127), "", "127"),
    ("run-failed", RUN.format(127), "/bin/sh: nodee: not found\n", "nodee"),
    ("run-failed", RUN.format(126), "", "chmod"),
    ("run-failed", RUN.format(6), "curl: (6) Could not resolve host: a.example\n", "proxy"),
    (
        "run-failed",
        RUN.format(1) + ': exec: "/bin/sh": stat /bin/sh: no such file or directory',
        "",
        "scratch",
    ),
    ("out-of-memory", RUN.format(137), "", "memory"),
    ("exec-format", RUN.format(1), "exec /bin/sh: exec format error\n", "binfmt"),
    ("disk-full", RUN.format(2), "tar: No space left on device\n", "prune"),
    ("unknown", "something new", "", "does not know"),
]


@pytest.mark.parametrize(("code", "message", "output", "word"), QUOTED)
def test_quoted(code: str, message: str, output: str, word: str) -> None:
    cause = find_cause([message], [], output)
    assert cause.code == code
    assert word in cause.hint
    assert "{" not in cause.hint


def test_an_engine_that_says_nothing() -> None:
    assert find_cause([], []).code == "unknown"


def test_the_command_itself_decides_nothing() -> None:
    """Its text is part of the message; only what came of it counts."""
    for text in ("echo no space left on device", "echo connection refused", "cat a: not found"):
        blames = [
            f'process "/bin/sh -c {text}" did not complete successfully: exit code: 1',
            f'building at STEP "RUN {text}": while running runtime: exit status 1',
            f"executor failed running [/bin/sh -c {text}]: exit code: 1",
        ]
        assert {find_cause([blame], []).code for blame in blames} == {"run-failed"}


def test_a_long_message_keeps_both_ends() -> None:
    command = "x" * 50_000
    message = f'process "{command}" did not complete successfully: exit code: 137'
    cause = find_cause([message], [])
    assert cause.code == "out-of-memory"
    assert len(cause.message) < MAX_TEXT + 10


@cache
def words() -> str:
    """All that engines said, in recordings and above."""
    recorded = [
        event.message
        for recording in recordings()
        for event in recording.events()
        if isinstance(event, Failure)
    ]
    return "\n".join([*recorded, *(f"{message}\n{output}" for _, message, output, _ in QUOTED)])


@pytest.mark.parametrize("rule", [*failures._RULES, *failures._IN_OUTPUT], ids=lambda r: r.code)
def test_no_rule_is_unproved(rule: failures._Rule) -> None:
    assert re.search(rule.pattern, words())
