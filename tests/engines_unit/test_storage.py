"""What is read from a containers/storage folder, and docker's words for Buildah."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from layerlab.engines import buildah_words, host
from layerlab.engines.buildah import stored_sizes
from layerlab.engines.containers_storage import stored_config, working_containers

NOON = 1_764_417_600.0
"""2025-11-29 12:00:00 UTC."""


def write(root: Path, kind: str, rows: list[dict[str, object]]) -> None:
    folder = root / f"overlay-{kind}"
    folder.mkdir(parents=True)
    (folder / f"{kind}.json").write_text(json.dumps(rows), encoding="utf-8")


def test_layers_are_measured_by_their_digests(tmp_path: Path) -> None:
    write(
        tmp_path,
        "layers",
        [
            {"id": "a", "diff-digest": "sha256:one", "diff-size": 7, "compression": 1},
            {"id": "b"},  # of a container: it has not been packed
        ],
    )
    assert stored_sizes(tmp_path)["sha256:one"] == 7
    assert stored_sizes(tmp_path / "nothing") == {}


def test_containers_are_found_by_the_time_of_their_making(tmp_path: Path) -> None:
    write(
        tmp_path,
        "containers",
        [
            {"id": "old", "created": "2025-11-29T11:59:59.9Z"},
            {"id": "new", "created": "2025-11-29T12:00:00.472107239Z"},
            {"id": "odd"},
        ],
    )
    assert working_containers(tmp_path, NOON) == ("new",)
    assert working_containers(tmp_path / "nothing", NOON) == ()


def test_an_image_tells_its_architecture(tmp_path: Path) -> None:
    digest = "7" * 64
    folder = tmp_path / "overlay-images" / digest
    folder.mkdir(parents=True)
    name = base64.b64encode(f"sha256:{digest}".encode()).decode()
    (folder / f"={name}").write_text('{"architecture": "arm64", "os": "linux"}', encoding="utf-8")
    config = stored_config(tmp_path, digest)
    assert config
    assert config.architecture == "arm64"
    assert stored_config(tmp_path, "8" * 64) is None


@pytest.mark.parametrize(
    ("docker", "buildah"),
    [
        ("image ls", "images"),
        ("image inspect colors:first", "inspect --type image colors:first"),
        ("ps --all", "containers --all"),
        ("container rm lab00", "rm lab00"),
        ("info", "info"),
        ("images", "images"),
    ],
)
def test_dockers_words_are_buildahs(docker: str, buildah: str) -> None:
    assert buildah_words.translate(docker.split()) == tuple(buildah.split())


def test_a_program_that_runs_is_seen_with_its_words() -> None:
    program = [sys.executable, "-c", "print(flush=True); input()", "frobnicate"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the kernel knows its words a moment after it has begun
        name = Path(sys.executable).name
        assert host.runs((name,), "frobnicate")
        assert not host.runs((name,), "nothing of the kind")
        assert not host.runs(("no-such-program",), "frobnicate")
        process.communicate(b"\n")
    assert not host.runs((name,), "frobnicate")
