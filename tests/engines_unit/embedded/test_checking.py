"""Instructions that are refused before anything is built."""

from __future__ import annotations

import pytest

from layerlab.cache.dockerfile import plan
from layerlab.cache.program import program
from layerlab.engines.embedded.build.checking import RefusedError, check, check_port, check_signal
from layerlab.errors import LayerlabError


def checked(text: str) -> None:
    check(program(plan(f"FROM scratch\nLABEL a=b\n{text}\n", "Dockerfile", target=None)))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("RUN --nosuch true", "unknown-flag"),
        ("COPY --checksum=a b /c", "unknown-flag"),
        ("WORKDIR --link /a", "unknown-flag"),
        ("RUN --network=nope true", "dockerfile-syntax"),
        ("COPY https://example.org/x /x", "dockerfile-syntax"),
        ("HEALTHCHECK NOPE true", "dockerfile-syntax"),
        ("HEALTHCHECK --interval=nope CMD true", "dockerfile-syntax"),
        ("HEALTHCHECK --retries=-1 CMD true", "dockerfile-syntax"),
        ("ONBUILD FROM x", "dockerfile-syntax"),
        ("ONBUILD ONBUILD RUN x", "dockerfile-syntax"),
        ("ONBUILD RUN --nosuch x", "unknown-flag"),
    ],
)
def test_refused_with_its_line(text: str, code: str) -> None:
    with pytest.raises(RefusedError) as raised:
        checked(text)
    assert raised.value.code == code
    assert raised.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "RUN --network=none --mount=type=tmpfs,target=/x true",
        "COPY --from=a --link --chown=1 --chmod=700 b /c",
        "ADD --checksum=sha256:0 https://example.org/x /x",
        "HEALTHCHECK NONE",
        "HEALTHCHECK --interval=1m30s --timeout=0.5s --start-period=0 --retries=3 CMD true",
        "ONBUILD COPY --chown=1 a b",
    ],
)
def test_taken(text: str) -> None:
    checked(text)


@pytest.mark.parametrize("port", ["0", "80", "80/tcp", "53/UDP", "8000-8003", "8000-8003/sctp"])
def test_ports(port: str) -> None:
    check_port(port)


@pytest.mark.parametrize("port", ["", "abc", "70000", "90-80", "1-", "80/what", "80:80"])
def test_no_ports(port: str) -> None:
    with pytest.raises(LayerlabError) as raised:
        check_port(port)
    assert raised.value.code == "bad-port"


@pytest.mark.parametrize("name", ["9", "SIGTERM", "term", "SIGRTMIN+3", "RTMAX-1", "100"])
def test_signals(name: str) -> None:
    check_signal(name)


@pytest.mark.parametrize("name", ["", "NOPE", "SIG", "SIGNOPE"])
def test_no_signals(name: str) -> None:
    with pytest.raises(LayerlabError) as raised:
        check_signal(name)
    assert raised.value.code == "bad-signal"
