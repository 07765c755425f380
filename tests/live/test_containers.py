"""Containers as each real engine tells of them."""

from __future__ import annotations

import os

from layerlab.engines.base import Engine
from tests.live.conftest import BUSYBOX


def test_several_dead_containers_are_told_apart(engine: Engine) -> None:
    names = [f"layerlab-{os.getpid()}-{number}" for number in range(2)]
    for number, name in enumerate(names):
        said = engine.run(BUSYBOX, ["echo", str(number)], name=name, remove=False)
        assert said == f"{number}\n"
    found = {one.name: one for one in engine.containers() if one.name in names}
    assert [found[name].command for name in names] == ["echo 0", "echo 1"]
    assert {one.state for one in found.values()} == {"exited"}
    assert {one.exit_code for one in found.values()} == {0}
    assert {one.image for one in found.values()} == {"busybox:1.37.0-glibc"}
    for container in found.values():
        engine.remove(container)
        engine.remove(container)  # it is gone already
    assert not [one for one in engine.containers() if one.name in names]
