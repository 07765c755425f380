"""The embedded engine builds what docker builds: the same files, the same settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from socket import AF_UNIX, socket
from typing import cast

import pytest

from layerlab.engines import argv
from layerlab.engines.embedded.engine import EmbeddedEngine
from layerlab.model.build import Build
from layerlab.session import Session
from tests.live import equality
from tests.live.conftest import Kept

pytestmark = [pytest.mark.engine("docker"), pytest.mark.live, pytest.mark.timeout(300)]

NAMES = sorted(path.stem for path in equality.DOCKERFILES.glob("*.Dockerfile"))
OPTIONS = {
    "mounts": ["--secret", "id=token,src=context/one.txt", "--ssh", "default=agent"],
    "targets": [
        *("--target", "wanted", "--build-arg", "WHAT=argument"),
        *("--label", "given=by hand", "--label", "stage=last"),
    ],
    "variables": ["--build-arg", "GIVEN=given", "--build-arg", "UNUSED=x"],
}
_COPIED_UP = (
    "Docker's overlay copies a file of an earlier layer before it is changed, and its other names "
    "keep the old one. Here a RUN works in plain files, where all names are one file."
)
DIFFERENT: dict[tuple[str, str], str] = {
    ("run-special", "/a"): _COPIED_UP,
    ("run-special", "/b"): _COPIED_UP,
}
"""What differs on purpose, by Dockerfile and name, and why; `docs/embedded.md` says it, too."""


class Pair:
    """Both engines, and a context."""

    def __init__(self, folder: Path, url: str, **environ: str) -> None:
        self.folder = folder
        self.url = url
        self.tags: set[str] = set()
        self.docker = Session(equality.environment(folder, "docker") | environ)
        self.embedded = Session(equality.environment(folder, "embedded") | environ)

    @property
    def engine(self) -> EmbeddedEngine:
        """The embedded one."""
        return cast("EmbeddedEngine", self.embedded.engine)

    def build(self, session: Session, name: str, *options: str) -> tuple[Build, str]:
        """Build one of the Dockerfiles; what came of it, and the name of the image."""
        tag = f"layerlab-equal-{os.getpid()}:{name}"
        given = ["--build-arg", f"URL={self.url}"] if name == "add-url" else OPTIONS.get(name, [])
        dockerfile = f"context/{name}.Dockerfile"
        words = [*options, *given, "-t", tag, "-f", dockerfile, "context"]
        done = session.build(argv.parse(words, self.folder), Kept())
        assert done.outcome == "built", done.failure
        if session is self.docker:
            self.tags.add(tag)
        return done, tag


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both engines; what the embedded one keeps is its own."""
    folder = tmp_path_factory.mktemp("equal")
    (folder / "context").mkdir()
    equality.lay_out(folder / "context")
    with equality.served(folder / "context") as url, socket(AF_UNIX) as agent:
        agent.bind(str(folder / "agent"))
        agent.listen()
        made = Pair(folder, url)
        yield made
    if made.tags:
        equality.docker("rmi", "--force", *made.tags)


@pytest.mark.parametrize("name", [pytest.param(name, id=f"docker-{name}") for name in NAMES])
def test_both_build_the_same(pair: Pair, name: str, tmp_path: Path) -> None:
    for session in (pair.docker, pair.embedded):
        _, tag = pair.build(session, name)
    found = equality.differences(
        equality.of_docker(tag, tmp_path), equality.of_embedded(pair.engine, tag)
    )
    expected = {what for dockerfile, what in DIFFERENT if dockerfile == name}
    assert {what: both for what, both in found.items() if what not in expected} == {}
    assert found.keys() == expected, "it does not differ any more"


def test_every_difference_is_in_the_manual() -> None:
    manual = equality.MANUAL.read_text(encoding="utf-8")
    assert DIFFERENT
    assert [reason for reason in DIFFERENT.values() if reason not in manual] == []


COMMAND = ["sh", "-c", "id && cat /out/root /out/ann"]


@pytest.mark.engine("docker")
@pytest.mark.parametrize("other", ["docker"])
def test_docker_loads_and_runs_the_image(other: str, pair: Pair, tmp_path: Path) -> None:
    _, tag = pair.build(pair.embedded, "users")
    said = pair.engine.run(tag, COMMAND).encode()
    assert b"uid=1234(ann)" in said
    archive, loaded = tmp_path / "image.tar", f"{tag}-{other}"
    stored = f"oci:{pair.engine.store.root}:{tag}"
    equality.call("skopeo", "copy", stored, f"docker-archive:{archive}:{loaded}")
    equality.docker("load", "--input", str(archive))
    pair.tags.add(loaded)
    assert equality.docker("run", "--rm", loaded, *COMMAND) == said


@pytest.mark.engine("podman")
@pytest.mark.parametrize("other", ["podman"])
def test_podman_pulls_and_runs_the_image(other: str, pair: Pair) -> None:
    _, tag = pair.build(pair.embedded, "users")
    stored = f"oci:{pair.engine.store.root}:{tag}"
    id_ = equality.call(other, "pull", "--quiet", stored).decode().strip()
    try:
        said = equality.call(other, "run", "--rm", id_, *COMMAND)
        assert said == pair.engine.run(tag, COMMAND).encode()
    finally:
        equality.call(other, "rmi", "--force", id_)


@pytest.mark.engine("embedded")
@pytest.mark.parametrize("name", ["copy-from", "run-special"])
def test_the_same_twice_is_the_same_image(name: str, tmp_path: Path) -> None:
    found = set()
    for number in (1, 2):
        folder = tmp_path / f"{number}"
        (folder / "context").mkdir(parents=True)
        equality.lay_out(folder / "context")
        pair = Pair(folder, "", SOURCE_DATE_EPOCH="1000000000")
        _, tag = pair.build(pair.embedded, name)
        found.add(str(pair.engine.store.resolve(tag)))
    assert len(found) == 1, found


@pytest.mark.engine("embedded")
def test_a_build_that_reuses_everything_makes_the_same_image(pair: Pair) -> None:
    first, tag = pair.build(pair.embedded, "shell")
    before = pair.engine.store.resolve(tag)
    second, _ = pair.build(pair.embedded, "shell")
    assert {step.state for step in second.counted} == {"cached"}
    assert pair.engine.store.resolve(tag) == before
    assert first.image == second.image
