"""Images go from the embedded engine to others and back, as archives and through a registry."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from layerlab.engines import argv
from layerlab.engines.base import Engine
from layerlab.engines.embedded.engine import EmbeddedEngine
from layerlab.session import Session
from tests.live.conftest import BUSYBOX, Kept
from tests.live.equality import call

pytestmark = [pytest.mark.live, pytest.mark.engine("embedded"), pytest.mark.timeout(120)]
DOCKERFILE = f"""\
FROM {BUSYBOX}
RUN echo made > /made && chmod 600 /made
ENV SAID=hello
ONBUILD RUN true
CMD ["cat", "/made"]
"""
FORMATS = {
    "docker": [["docker", "save", "-o"]],
    "podman": [["podman", "save", "-o"], ["podman", "save", "--format", "oci-archive", "-o"]],
}
"""How each engine writes archives."""


@pytest.fixture
def session(tmp_path: Path) -> Session:
    home = str(tmp_path / "home")
    return Session({**os.environ, "LAYERLAB_HOME": home, "LAYERLAB_ENGINE": "embedded"})


@pytest.fixture
def built(session: Session, tmp_path: Path) -> Iterator[str]:
    """An image in the test's registry, by its name."""
    tag = f"{os.environ['LAYERLAB_TEST_REGISTRY']}/layerlab-archives-{os.getpid()}:1"
    (tmp_path / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    done = session.build(argv.parse(["-t", tag, "."], tmp_path), Kept())
    assert done.outcome == "built", done.failure
    yield tag
    if tag in {image.name for image in session.engine.images()}:
        session.engine.remove_image(tag)


@pytest.fixture
def engine(session: Session) -> Engine:
    return session.engine


def ctr(engine: Engine, *words: str) -> str:
    return "".join(said for _, said in engine.ctr(words))


def inspected(other: str, tag: str) -> tuple[list[str], list[str]]:
    """Environment and layers of an image."""
    (found,) = json.loads(call(other, "image", "inspect", tag))
    return found["Config"]["Env"], found["RootFS"]["Layers"]


@pytest.mark.parametrize(
    "other", [pytest.param(name, marks=pytest.mark.engine(name)) for name in FORMATS]
)
def test_archives(other: str, engine: Engine, built: str, tmp_path: Path) -> None:
    archive = str(tmp_path / "saved.tar")
    before = engine.image(built)
    assert ctr(engine, "save", "-o", archive, built) == ""
    assert built in call(other, "load", "-i", archive).decode()
    try:
        assert inspected(other, built) == (list(before.env), list(before.layers))
        assert call(other, "run", "--rm", built) == b"made\n"
        for number, words in enumerate(FORMATS[other]):
            back = str(tmp_path / f"{number}.tar")
            call(*words, back, built)
            engine.remove_image(built)
            assert ctr(engine, "load", "-i", back) == f"Loaded image: {built}\n"
            after = engine.image(built)
            assert (after.layers, after.env, after.command) == (
                (before.layers, before.env, before.command)
            )
            if "oci-archive" not in words:  # podman then writes the configuration anew
                assert (after.triggers, after.id) == (before.triggers, before.id)
            assert ctr(engine, "run", "--rm", built) == "made\n"
    finally:
        call(other, "rmi", "--force", built)


@pytest.mark.engine("docker")
@pytest.mark.parametrize("other", ["docker"])
def test_a_registry(other: str, engine: Engine, built: str) -> None:
    image = engine.image(built)
    repository, _, tag = built.rpartition(":")
    said = ctr(engine, "push", built)
    line = re.fullmatch(
        rf"The push refers to repository \[{re.escape(repository)}\]\n"
        rf"{tag}: digest: (?P<digest>sha256:[0-9a-f]{{64}}) size: \d+\n",
        said,
    )
    assert line, said
    try:
        assert line["digest"] in call(other, "pull", built).decode()
        assert inspected(other, built) == (list(image.env), list(image.layers))
        assert call(other, "run", "--rm", built) == b"made\n"
    finally:
        call(other, "rmi", "--force", built)
    engine.remove_image(built)
    assert ctr(engine, "pull", built) == f"{built}\n"
    assert engine.image(built) == image


def test_a_base_image_compressed_with_zstd(session: Session, built: str, tmp_path: Path) -> None:
    store = cast("EmbeddedEngine", session.engine).store.root
    base = f"{built}-zstd"
    packed = f"oci:{tmp_path}/zstd:x"
    call("skopeo", "copy", "--dest-compress-format", "zstd", f"oci:{store}:{built}", packed)
    plain = ("--preserve-digests", "--dest-tls-verify=false")
    call("skopeo", "copy", *plain, packed, f"docker://{base}")
    assert b"tar+zstd" in call(
        "skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{base}"
    )
    (tmp_path / "Dockerfile").write_text(f"FROM {base}\nRUN cat /made > /again\n")
    done = session.build(argv.parse(["-t", built, "."], tmp_path), Kept())
    assert done.outcome == "built", done.failure
    assert ctr(session.engine, "run", "--rm", built, "cat", "/again") == "made\n"
    session.engine.remove_image(base)
