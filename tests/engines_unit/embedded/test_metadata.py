"""What instructions do to an image's settings."""

from __future__ import annotations

import pytest

from layerlab.cache.source import Source
from layerlab.engines.embedded.build.metadata import applied
from layerlab.engines.embedded.store.images import Healthcheck, Settings
from layerlab.errors import LayerlabError

BASE = Settings(
    env=("PATH=/bin", "A=1"), cmd=("old",), entrypoint=("entry",), exposed_ports={"80/tcp": {}}
)


def after(text: str, settings: Settings = BASE, *own: str) -> Settings:
    (_, command) = Source(f"FROM scratch\n{text}\n", "Dockerfile").commands
    return applied(settings, command, {"A": "1", "PATH": "/bin"}, set(own))


def test_a_variable_keeps_its_place_or_comes_last() -> None:
    assert after("ENV A=2 B=$A PATH=/x:$PATH").env == ("PATH=/x:/bin", "A=2", "B=1")


def test_labels_are_added() -> None:
    labelled = after('LABEL a=$A "b c"="d e"', Settings(labels={"a": "0", "kept": "k"}))
    assert labelled.labels == {"a": "1", "kept": "k", "b c": "d e"}


def test_ports_are_a_set_with_ranges() -> None:
    found = after("EXPOSE 80 443/TCP 8000-8002/udp").exposed_ports
    assert list(found) == ["80/tcp", "443/tcp", "8000/udp", "8001/udp", "8002/udp"]


@pytest.mark.parametrize(
    ("text", "own", "cmd", "entrypoint"),
    [
        ("CMD new", (), ("/bin/sh", "-c", "new"), ("entry",)),
        ('CMD ["new", "$A"]', (), ("new", "$A"), ("entry",)),
        ("CMD []", (), None, ("entry",)),
        ('ENTRYPOINT ["mine"]', (), None, ("mine",)),
        ('ENTRYPOINT ["mine"]', ("CMD",), ("old",), ("mine",)),
        ("ENTRYPOINT []", ("CMD",), ("old",), None),
    ],
)
def test_cmd_and_entrypoint(
    text: str,
    own: tuple[str, ...],
    cmd: tuple[str, ...] | None,
    entrypoint: tuple[str, ...] | None,
) -> None:
    made = after(text, BASE, *own)
    assert (made.cmd, made.entrypoint) == (cmd, entrypoint)


def test_a_shell_holds_for_what_comes_after() -> None:
    shelled = after('SHELL ["/bin/bash", "-e"]')
    assert after("CMD a b", shelled).cmd == ("/bin/bash", "-e", "a b")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("HEALTHCHECK NONE", Healthcheck(("NONE",))),
        ("HEALTHCHECK CMD a b", Healthcheck(("CMD-SHELL", "a b"))),
        (
            'HEALTHCHECK --interval=1h0m0.5s --timeout=1ms --retries=3 CMD ["a", "b"]',
            Healthcheck(("CMD", "a", "b"), 3_600_500_000_000, 1_000_000, retries=3),
        ),
    ],
)
def test_healthcheck(text: str, found: Healthcheck) -> None:
    assert after(text).healthcheck == found


def test_the_rest() -> None:
    assert after("USER a$A:b").user == "a1:b"
    assert after("STOPSIGNAL SIGQUIT").stop_signal == "SIGQUIT"
    assert after('VOLUME ["/a b", "/$A"]').volumes == {"/a b": {}, "/1": {}}
    assert after("ONBUILD RUN echo $A").on_build == ("RUN echo $A",)


@pytest.mark.parametrize(
    ("text", "code"), [("EXPOSE 70000", "bad-port"), ("STOPSIGNAL NOPE", "bad-signal")]
)
def test_what_makes_no_sense_is_refused(text: str, code: str) -> None:
    with pytest.raises(LayerlabError) as raised:
        after(text)
    assert raised.value.code == code
