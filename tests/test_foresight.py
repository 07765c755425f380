"""What a session foresees, with a made-up engine: base images that come and go."""

from __future__ import annotations

import hashlib
import io
import os
import platform
from pathlib import Path
from typing import cast

import pytest

from layerlab.cache.key import platform_name
from layerlab.engines.base import BuildRequest, Engine, Identity
from layerlab.errors import LayerlabError
from layerlab.foresight import Foreseen, Foresight, Hunch
from layerlab.model.build import Build, Step
from layerlab.session import read_plan

NATIVE = platform_name(platform.machine()).split("/")[1]
OTHER = "arm64" if NATIVE == "amd64" else "amd64"


class OneImage:
    """The part of an engine that foresight asks."""

    def __init__(self, name: str, image: Identity | None) -> None:
        self.name = name
        self.cache = name
        self.buildah = None
        self.held = image

    def identify(self, name: str) -> Identity:
        if self.held is None:
            raise LayerlabError(f"no {name}", code="no-such-image")
        return self.held


class Broken(OneImage):
    """It has a fault that nobody thought of."""

    def identify(self, name: str) -> Identity:
        raise KeyError(name)


def built(foreseen: Foreseen) -> Build:
    """As if every step had run."""
    steps = {
        key.id: Step(id=key.id, kind=key.step.kind, started=1.0, completed=2.0)
        for key in foreseen.keys
    }
    return Build(id="1", engine=foreseen.engine.name, outcome="built", steps=steps)


@pytest.mark.parametrize("engine_name", ["docker", "podman"])
@pytest.mark.parametrize("before", [None, Identity("other", (OTHER,))])
def test_a_base_image_that_the_build_brings_in(
    tmp_path: Path, engine_name: str, before: Identity | None
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nWORKDIR /x\nCOPY a a\n")
    (tmp_path / "a").write_text("1")
    held = OneImage(engine_name, before)
    engine = cast("Engine", held)
    request = BuildRequest(context=".", cwd=tmp_path)
    plan, foresight = read_plan(request), Foresight(tmp_path / "home")
    first = foresight.foresee(engine, request, plan)
    assert [step.fate for step in first.steps[1:]] == ["rebuild", "rebuild"]
    assert first.unsettled
    held.held = Identity("native", (NATIVE,))
    foresight.explain(first, built(first))
    second = foresight.foresee(engine, request, plan)
    assert [step.fate for step in second.steps] == ["hit", "hit", "hit"]
    assert not second.unsettled
    foresight.forget(tmp_path)
    foresight.close()


def test_another_builder_is_another_cache(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nWORKDIR /x\nCOPY a a\n")
    (tmp_path / "a").write_text("1")
    held = OneImage("docker", Identity("native", (NATIVE,)))
    engine = cast("Engine", held)
    request = BuildRequest(context=".", cwd=tmp_path)
    plan, foresight = read_plan(request), Foresight(tmp_path / "home")
    first = foresight.foresee(engine, request, plan)
    foresight.explain(first, built(first))
    fates = {}
    for cache in ("docker", "docker other"):
        held.cache = cache
        fates[cache] = {step.fate for step in foresight.foresee(engine, request, plan).steps[1:]}
    assert fates == {"docker": {"hit"}, "docker other": {"rebuild"}}


@pytest.mark.parametrize("engine_name", ["docker", "nerdctl"])
def test_what_buildkit_does_not_send_again_is_a_stale_hit(tmp_path: Path, engine_name: str) -> None:
    for name in ("one", "two"):
        context = tmp_path / name
        (context / "src/sub").mkdir(parents=True, mode=0o755)
        (context / "src/sub/a").write_text("1")
        os.utime(context / "src/sub/a", (1, 1))
        (context / "Dockerfile").write_text("FROM busybox\nCOPY src /src\nCOPY src/sub/a /a\n")
    engine = cast("Engine", OneImage(engine_name, Identity("native", (NATIVE,))))
    foresight = Foresight(tmp_path / "home")

    def stale(name: str) -> list[tuple[str, bool]]:
        request = BuildRequest(context=name, cwd=tmp_path)
        foreseen = foresight.foresee(engine, request, read_plan(request))
        foresight.explain(foreseen, built(foreseen))
        return [(step.fate, step.stale) for step in foreseen.steps[1:]]

    assert stale("one") == [("rebuild", False), ("rebuild", False)]
    (tmp_path / "one/src").chmod(0o700)  # COPY takes what is in it
    assert stale("one") == [("hit", False), ("hit", False)]
    (tmp_path / "one/src/sub").chmod(0o700)
    assert stale("one") == [("hit", True), ("hit", False)]
    (tmp_path / "one/src/sub/a").write_text("2")
    os.utime(tmp_path / "one/src/sub/a", (1, 1))
    assert stale("one") == [("hit", True), ("hit", True)]
    # nerdctl has one copy for all contexts, and that of the other has just been sent.
    (tmp_path / "two/src/sub/a").write_text("3")
    os.utime(tmp_path / "two/src/sub/a", (1, 1))
    elsewhere = [("hit", True), ("hit", True)]
    assert stale("two") == (elsewhere if engine_name == "nerdctl" else [("rebuild", False)] * 2)
    (tmp_path / "one/src/sub/a").touch()
    assert stale("one")[1] == ("rebuild", False)
    foresight.close()


@pytest.mark.parametrize("writable", [True, False])
def test_a_file_is_digested_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, writable: bool
) -> None:
    home, context, digested = tmp_path / "home", tmp_path / "context", []
    context.mkdir()
    (context / "Dockerfile").write_text("FROM busybox\nCOPY a a\n")
    (context / "a").write_text("1")
    if not writable:
        (home / "digests.sqlite").mkdir(parents=True)
    monkeypatch.setattr("layerlab.cache.digests._SETTLED", -(10**18))
    digest = hashlib.file_digest

    def counted(file: io.BufferedReader, name: str) -> object:
        digested.append(file.name)
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    engine = cast("Engine", OneImage("podman", Identity("native", (NATIVE,))))
    request = BuildRequest(context=".", cwd=context)

    def foresee(foresight: Foresight) -> int:
        foresight.foresee(engine, request, read_plan(request))
        return len(digested)

    foresight, later = Foresight(home), Foresight(home)
    assert [foresee(foresight), foresee(foresight)] == [1, 1]
    assert foresee(later) == (1 if writable else 2)  # another kernel, or this one after a restart


def test_a_fault_of_the_model_costs_the_reasons_and_not_the_build(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nWORKDIR /x\n")
    engine = cast("Engine", Broken("docker", None))
    request = BuildRequest(context=".", cwd=tmp_path)
    plan, foresight = read_plan(request), Foresight(tmp_path / "home")
    hunch = Hunch(foresight, engine, request, plan)
    build = Build(id="1", engine="docker", plan=plan, outcome="built")
    with pytest.warns(RuntimeWarning, match="a fault of its own: KeyError"):
        assert hunch.after(build) == (build, ())
    with pytest.warns(RuntimeWarning):
        assert hunch.on(build) == build
    foresight.close()
