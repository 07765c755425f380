"""A change from beginning to end, on an engine that is made up."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from IPython.testing.globalipapp import get_ipython

from layerlab.cache.ignore import Dialect
from layerlab.changes import CHANGES, EDITION, Change, find
from layerlab.engines.base import BuildRequest, Clock, Engine, EngineName, Identity
from layerlab.errors import LayerlabError
from layerlab.foretold import DIALECTS, foretell
from layerlab.labs import lay_out
from layerlab.magics import LayerlabMagics
from layerlab.model.events import Event, Failure, Finished, StepUpdate
from layerlab.model.plan import Plan
from layerlab.render import Quiet
from layerlab.session import Session
from layerlab.trial import Copy, Tried, attempt
from layerlab.views import texts
from tests.test_changes import ALL, NOW, tree
from tests.views.test_html import assert_only_ours

COURSE = Path(__file__).parents[1] / "course"
OF: dict[Dialect, EngineName] = {"buildkit": "docker", "buildah": "podman"}


class Pretender:
    """Runs the steps that it is told to, by the name of the image; reuses all others."""

    def __init__(self, name: EngineName, runs: Callable[[str], Collection[int]]) -> None:
        self.name = name
        self.cache = name
        self.buildah = None
        self.runs = runs
        self.requests: list[BuildRequest] = []
        self.fails = ""

    def identify(self, name: str) -> Identity:
        return Identity(name)

    def notes(self, _request: BuildRequest) -> tuple[str, ...]:
        return ()

    def build_command(self, _request: BuildRequest) -> tuple[str, ...]:
        return (self.name, "build")

    def build(self, request: BuildRequest, plan: Plan, _clock: Clock) -> Iterator[Event]:
        self.requests.append(request)
        name = request.tags[0].partition(":")[2]
        runs = self.runs(name)
        for n, step in enumerate(plan.steps, 1):
            if step.kind == "metadata" and self.name == "docker":
                continue
            yield StepUpdate(
                at=1, step=step.id, kind=step.kind, started=1, completed=2, cached=n not in runs
            )
        if name == self.fails:
            yield Failure(at=2, code="step-failed", message="no space left", hint="Tidy up.")
            yield Finished(at=2, outcome="failed", exit_code=1)
        else:
            yield Finished(at=2, outcome="built", exit_code=0)


class Desk:
    """A session with a made-up engine, and a copy of the lab."""

    def __init__(self, folder: Path) -> None:
        self.session = Session({"LAYERLAB_HOME": str(folder / "home")})
        self.copy = Copy(ALL, lay_out(ALL, folder / "work", NOW), NOW)
        self.said: list[str] = []

    def use(self, name: EngineName, runs: Callable[[str], Collection[int]]) -> Pretender:
        engine = Pretender(name, runs)
        self.session._engine = cast("Engine", engine)
        return engine

    def attempt(self, change: Change, guess: Collection[int] | None = None) -> Tried:
        return attempt(
            self.session, self.copy, change, Quiet(), guess=guess, report=self.said.append
        )


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.session.foresight.close()


def obedient(dialect: Dialect) -> Callable[[str], Collection[int]]:
    """Does what its column says."""

    def runs(name: str) -> list[int]:
        if name == "baseline":
            return []
        column = foretell(ALL, find(name), NOW).column(dialect)
        return [n for n, cell in column.items() if cell == "runs"]

    return runs


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_the_text_is_the_same_on_every_engine(change: Change, desk: Desk) -> None:
    shown = set()
    for dialect in DIALECTS:
        desk.use(OF[dialect], obedient(dialect))
        tried = desk.attempt(change)
        assert not tried.otherwise
        shown.add(repr(tried.picture()))
    assert len(shown) == 1
    assert shown.pop().endswith("\n\nYour engine did what its column says.")
    assert desk.said == ["baseline built"] * 2


def test_both_builds_and_what_is_left_behind(desk: Desk) -> None:
    engine = desk.use("docker", obedient("buildkit"))
    for name in ("rename", "arg"):
        desk.attempt(find(name))
    assert [request.tags for request in engine.requests] == [
        ("lab04:baseline",),
        ("lab04:rename",),
        ("lab04:baseline",),
        ("lab04:arg",),
    ]
    editions = [request.values("--build-arg") for request in engine.requests]
    assert editions == [(f"EDITION={EDITION}",)] * 3 + [("EDITION=evening",)]
    # The first change is undone.
    assert "texts/birds.txt" in tree(desk.copy.project)


WHOLE = """\
env: an ENV gets another value

  Dockerfile
  - ENV GREETING="Good morning"
  + ENV GREETING="Good evening"

step | line | instruction | BuildKit (docker, nerdctl) | Buildah (podman, buildah)
1 | 1 | FROM docker.io/library/busybox:1.37.0-glibc | base | base
2 | 2 | WORKDIR /page-20261124-010203-456789 | reused | reused
3 | 3 | COPY head.txt ./ | reused | reused
4 | 4 | LABEL title="The Small News" | costs nothing | reused
5 | 5 | ENV GREETING="Good evening" | costs nothing | runs again
6 | 6 | ARG EDITION=morning | costs nothing | runs again
7 | 7 | LABEL edition=$EDITION | costs nothing | runs again
8 | 8 | COPY make.sh ./ | reused | runs again
9 | 9 | COPY texts texts/ | reused | runs again
10 | 10 | RUN sh make.sh > page.txt | runs again | runs again
11 | 11 | CMD ["cat", "page.txt"] | costs nothing | runs again

BuildKit: step 10, RUN sh make.sh > page.txt, is the first to run again. \
The environment variable GREETING changed: `Good morning` → `Good evening`.
Buildah: step 5, ENV GREETING="Good evening", is the first to run again. \
The instruction changed: `ENV GREETING="Good morning"` → `ENV GREETING="Good evening"`.

Your engine did what its column says."""


def test_the_whole_picture_as_text(desk: Desk) -> None:
    desk.use("podman", obedient("buildah"))
    text = repr(desk.attempt(find("env")).picture())
    assert re.sub(r"(?<=\S) {2,}", " | ", text) == WHOLE


def test_the_picture_says_the_same_and_can_be_read_aloud(desk: Desk) -> None:
    desk.use("docker", obedient("buildkit"))
    html = desk.attempt(find("edit")).picture()._repr_html_()
    assert html.startswith('<section class="layerlab')
    page = assert_only_ours(html)
    assert [tag for tag, _ in page.elements].count("caption") == 1
    assert [a.get("scope") for tag, a in page.elements if tag == "th"] == ["col"] * 3 + ["row"] * 11
    for said in (
        "● runs again",
        "✓ reused",
        "○ costs nothing",
        "- It looked down on all of us.\n+ This time it waved.",
        "9 COPY texts texts/ line 9",
        "Your engine did what its column says.",
    ):
        assert said in page.text
    assert re.search(r"Both\s*step 9, COPY texts texts/, is the first to run again", page.text)


def test_an_engine_that_does_otherwise_is_told_of(desk: Desk) -> None:
    desk.use("docker", lambda name: [] if name == "baseline" else [8, 9])
    tried = desk.attempt(find("edit"))
    assert list(tried.otherwise) == [8, 10]
    assert not tried.known
    assert repr(tried.picture()).endswith(
        "\n\nYour engine did otherwise: step 8: ran; step 10: reused."
    )


def test_a_step_that_the_engine_does_not_speak_of_is_no_agreement(desk: Desk) -> None:
    desk.use("podman", obedient("buildah"))
    tried = desk.attempt(find("touch"))
    told = tuple(msgspec.structs.replace(step, actual=None) for step in tried.told)
    silent = Tried(tried.foretold, "buildkit", False, told, tried.build)
    assert set(silent.otherwise) == {2, 3, 8, 9, 10}
    assert not silent.known


def test_a_change_that_the_engine_has_seen_before(desk: Desk) -> None:
    desk.use("docker", obedient("buildkit"))
    assert not desk.attempt(find("edit")).otherwise
    desk.use("docker", lambda _: [])
    again = desk.attempt(find("edit"))
    assert again.known
    assert "Your engine has seen this change before" in repr(again.picture())


def test_a_guess_is_scored_against_the_engine(desk: Desk) -> None:
    desk.use("docker", obedient("buildkit"))
    text = repr(desk.attempt(find("edit"), guess=[9]).picture())
    assert "You guessed 4 of 5 steps rightly." in text
    assert "Step 10, RUN sh make.sh > page.txt, ran." in text
    with pytest.raises(LayerlabError) as caught:
        desk.attempt(find("edit"), guess=[11])
    assert caught.value.code == "no-such-step"


@pytest.mark.parametrize("name", ["baseline", "edit"])
def test_a_build_that_fails_leaves_nothing_to_compare(desk: Desk, name: str) -> None:
    desk.use("docker", obedient("buildkit")).fails = name
    with pytest.raises(LayerlabError) as caught:
        desk.attempt(find("edit"))
    assert caught.value.code == "change-not-built"
    assert (caught.value.hint, caught.value.output) == ("Tidy up.", "no space left")
    assert desk.said == ([] if name == "baseline" else ["baseline built"])


def test_in_german(desk: Desk) -> None:
    desk.use("docker", obedient("buildkit"))
    tried = desk.attempt(find("arg"))
    texts.choose("de")
    try:
        text = repr(tried.picture())
    finally:
        texts.choose("en")
    assert "übernommen, aber veraltet" in text
    assert text.endswith("Deine Engine tat, was in ihrer Spalte steht.")


@pytest.fixture
def magics(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The magics of a notebook of the course that has run no cell yet."""
    monkeypatch.chdir(COURSE)
    monkeypatch.setenv("LAYERLAB_VIEW", "text")
    monkeypatch.setattr("layerlab.magics.session", lambda: desk.session)
    return LayerlabMagics(shell=get_ipython())


def test_the_magic_lists_the_twelve(magics: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert magics.change("") is None
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["%change", one.name] for one in CHANGES]
    assert lines[0] == "%change touch    a file gets a new time; its bytes stay the same"


def test_the_magic_shows_the_table_without_a_build(magics: Any) -> None:
    assert repr(magics.change("table")).splitlines()[0].split()[0] == "change"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("edit", "not-laid-out"),
        ("edti", "no-such-change"),
        ("edit touch", "no-such-change"),
    ],
)
def test_the_magic_says_what_is_missing(magics: Any, line: str, code: str) -> None:
    with pytest.raises(LayerlabError) as caught:
        magics.change(line)
    assert caught.value.code == code


def test_the_magic_tries_a_change_and_takes_a_guess(
    magics: Any, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.use("docker", obedient("buildkit"))
    magics._lab, magics._laid_out = (ALL, desk.copy.folder), NOW
    text = repr(magics.change("chmod --guess 8,9,10"))
    assert capsys.readouterr().out == "baseline built\n$ docker build\n"
    assert text.endswith("You guessed 5 of 5 steps rightly: well seen!")
    assert repr(magics.change("chmod")).endswith("Your engine did what its column says.")
