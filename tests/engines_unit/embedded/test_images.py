"""Configurations of images: as registries give them, as we write them."""

from __future__ import annotations

import msgspec
import pytest

from layerlab.engines.embedded.store.images import (
    Healthcheck,
    History,
    Image,
    RootFs,
    Settings,
    by_name,
    image,
    manifest,
    platform,
    timestamp,
)
from layerlab.errors import LayerlabError

# As `docker save` and registries have it: nulls, and fields that nobody needs.
FOREIGN: dict[str, object] = {
    "architecture": "arm64",
    "variant": "v8",
    "os": "linux",
    "created": "2024-05-06T07:08:09.123456789Z",
    "container": "0123",
    "docker_version": "26.1.0",
    "config": {
        "Hostname": "",
        "User": "app",
        "ExposedPorts": {"80/tcp": {}},
        "Env": ["PATH=/bin", "EMPTY="],
        "Cmd": None,
        "Entrypoint": ["/entry"],
        "Volumes": None,
        "Labels": {"a": "b"},
        "StopSignal": "SIGQUIT",
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5_000_000_000},
        "OnBuild": ["RUN make"],
        "Shell": [],
    },
    "rootfs": {"type": "layers", "diff_ids": ["sha256:1"]},
    "history": [
        {"created": "2024-05-06T07:08:09Z", "created_by": "ADD rootfs", "comment": None},
        {"created_by": "CMD", "empty_layer": True},
    ],
}


def plain(value: object) -> dict[str, object]:
    return msgspec.json.decode(msgspec.json.encode(value), type=dict[str, object])


def test_what_a_registry_gives() -> None:
    found = image(FOREIGN)
    assert found.config == Settings(
        user="app",
        exposed_ports={"80/tcp": {}},
        env=("PATH=/bin", "EMPTY="),
        entrypoint=("/entry",),
        labels={"a": "b"},
        stop_signal="SIGQUIT",
        healthcheck=Healthcheck(test=("CMD", "true"), interval=5_000_000_000),
        on_build=("RUN make",),
        shell=(),
    )
    assert found.rootfs.diff_ids == ("sha256:1",)
    assert [step.empty_layer for step in found.history] == [False, True]
    assert image(plain(found)) == found


def test_what_a_descriptor_says_of_machines() -> None:
    assert platform("linux/arm/v7") == {"os": "linux", "architecture": "arm", "variant": "v7"}
    assert platform("linux/amd64") == {"os": "linux", "architecture": "amd64"}


def test_variables_by_their_names() -> None:
    assert by_name(("A=1", "B=x=y", "A=2", "NONE=", "BARE")) == {
        "A": "2",
        "B": "x=y",
        "NONE": "",
        "BARE": "",
    }


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"architecture": "amd64", "os": "linux"},
        FOREIGN | {"config": {"Env": "PATH=/bin"}},
        FOREIGN | {"rootfs": {"diff_ids": [1]}},
    ],
)
def test_what_is_none(config: dict[str, object]) -> None:
    with pytest.raises(LayerlabError) as caught:
        image(config)
    assert caught.value.code == "image-config"
    assert caught.value.output


def test_what_is_required_is_always_written() -> None:
    empty = Image("amd64", "linux", RootFs())
    assert plain(empty) == {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": []},
    }


def test_names_are_docker_s_and_nothing_unsaid_is_written() -> None:
    said = Settings(
        working_dir="/app",
        stop_timeout=3,
        on_build=("RUN x",),
        exposed_ports={"1/udp": {}},
        healthcheck=Healthcheck(("NONE",), start_period=1, start_interval=2),
        cmd=(),
    )
    assert plain(said) == {
        "WorkingDir": "/app",
        "StopTimeout": 3,
        "OnBuild": ["RUN x"],
        "ExposedPorts": {"1/udp": {}},
        "Healthcheck": {"Test": ["NONE"], "StartPeriod": 1, "StartInterval": 2},
        "Cmd": [],
    }


def test_one_more_instruction() -> None:
    base = Image("amd64", "linux", RootFs(("sha256:1",)), created="then")
    once = base.extended(History(created="now", created_by="RUN x"), "sha256:2")
    twice = once.extended(History(created_by="ENV a=b"))
    assert twice.rootfs.diff_ids == ("sha256:1", "sha256:2")
    assert twice.history == (
        History(created="now", created_by="RUN x"),
        History(created_by="ENV a=b", empty_layer=True),
    )
    assert (once.created, twice.created) == ("now", "now")


@pytest.mark.parametrize(
    ("now", "epoch", "expected"),
    [
        (100, None, "1970-01-01T00:01:40Z"),
        (100, 0, "1970-01-01T00:00:00Z"),
        (100, 200, "1970-01-01T00:01:40Z"),
    ],
)
def test_times(now: int, epoch: int | None, expected: str) -> None:
    assert timestamp(now, epoch) == expected


def test_a_manifest_names_its_layers_in_order() -> None:
    made = manifest({"digest": "sha256:c"}, [("sha256:1", 10), ("sha256:2", 20)])
    assert made["config"] == {"digest": "sha256:c"}
    assert made["layers"] == [
        {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": d, "size": s}
        for d, s in (("sha256:1", 10), ("sha256:2", 20))
    ]
