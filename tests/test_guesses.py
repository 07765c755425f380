"""A guess from the question to its score, by boxes and by numbers, with a made-up engine."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets import TraitError

import layerlab
from layerlab import api, magics
from layerlab.engines import argv, detect
from layerlab.engines.base import BuildRequest, Clock, Engine, Identity
from layerlab.errors import BuildInterrupted
from layerlab.model.build import Build
from layerlab.model.events import Event, Finished, StepUpdate
from layerlab.model.plan import Plan
from layerlab.render import Boxes, Quiet
from layerlab.session import Session
from layerlab_widgets import GuessView
from tests.views.pages import Page
from tests.widgets.hostile import HOSTILE

DOCKERFILE = "FROM scratch\nLABEL a=b\nWORKDIR /x\nCOPY a a\nCOPY b b\n"
WIDGET = "application/vnd.jupyter.widget-view+json"


class Double:
    """An engine that runs every step but those before `since`; it can be stopped half-way."""

    name = cache = "docker"
    buildah = None
    since = 4
    stopped = False

    def identify(self, name: str) -> Identity:
        return Identity(name)

    def build_command(self, request: BuildRequest) -> tuple[str, ...]:
        return ("docker", "build", request.context)

    def notes(self, _request: BuildRequest) -> tuple[str, ...]:
        return ()

    def build(self, _request: BuildRequest, plan: Plan, clock: Clock) -> Generator[Event]:
        if self.stopped:
            raise KeyboardInterrupt
        for n, step in enumerate(plan.steps, 1):
            at = clock()
            yield StepUpdate(
                at=at, step=step.id, started=at, completed=at, cached=n < self.since or None
            )
        yield Finished(at=clock(), outcome="built", exit_code=0)


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    """A folder `app` to build, and a computer whose only engine is the double."""
    made = Double()
    monkeypatch.setattr(detect, "choose", lambda *_: cast("Engine", made))
    monkeypatch.setenv("LAYERLAB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LAYERLAB_VIEW", raising=False)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").write_text(DOCKERFILE)
    for name in "ab":
        (tmp_path / "app" / name).write_text(name)
    monkeypatch.chdir(tmp_path)
    api.session.cache_clear()
    yield made
    api.session().foresight.close()
    api.session.cache_clear()


def build(context: str = "app") -> Build:
    return api.session().build(argv.parse(["-t", "x:y", context], Path.cwd()), Quiet())


def ask() -> tuple[Boxes, GuessView]:
    """What `layerlab.guess` returns, and the widget in it."""
    shown = layerlab.guess("-t", "x:y", "app")
    assert isinstance(shown, Boxes)
    return shown, shown.view


def end(view: GuessView) -> Any:
    """Why and how it was closed, as the page is told; None while it is open."""
    return view.get_state("end")["end"]


def mark(view: GuessView, numbers: Any) -> None:
    """What comes from the page."""
    view.set_state({"marked": numbers})


@pytest.mark.usefixtures("double")
def test_the_next_build_scores_what_was_marked() -> None:
    _, view = ask()
    mark(view, [3])
    mark(view, [3, 4])
    scored = build().guess
    assert scored is not None
    assert (scored.marked, scored.right, scored.of) == ((3, 4), 1, 3)
    assert len(scored.misses) == 2
    assert build().guess is None


@pytest.mark.usefixtures("double")
def test_boxes_and_numbers_are_the_same_guess() -> None:
    build()
    _, view = ask()
    mark(view, [4])
    by_box = build().guess
    assert by_box is not None
    api.session().predict(argv.parse(["-t", "x:y", "app"], Path.cwd()), [4])
    assert by_box == build().guess


@pytest.mark.usefixtures("double")
def test_as_long_as_nothing_is_marked_there_is_no_guess() -> None:
    ask()
    assert build().guess is None
    _, view = ask()
    mark(view, [4])
    mark(view, None)
    assert build().guess is None


def test_that_nothing_will_run_is_a_guess(double: Double) -> None:
    double.since = 9
    _, view = ask()
    mark(view, [])
    scored = build().guess
    assert scored is not None
    assert (scored.marked, scored.right, scored.of) == ((), 3, 3)


@pytest.mark.usefixtures("double")
def test_after_its_build_an_old_view_is_closed() -> None:
    _, view = ask()
    mark(view, [4])
    assert end(view) is None
    build()
    assert end(view) == {"why": "built", "marked": [4]}
    mark(view, [5])  # a click that was on its way
    assert end(view) == {"why": "built", "marked": [4]}
    assert build().guess is None


@pytest.mark.usefixtures("double")
def test_what_is_marked_while_it_runs_comes_too_late() -> None:
    _, view = ask()
    mark(view, [4])

    class Late(Quiet):
        def event(self, event: Event, build: Build) -> None:  # noqa: ARG002 - a sink's signature
            mark(view, [4, 5])

    request = argv.parse(["-t", "x:y", "app"], Path.cwd())
    scored = api.session().build(request, Late()).guess
    assert scored is not None
    assert scored.marked == (4,)


def test_a_build_that_was_stopped_leaves_the_guess_for_the_next(double: Double) -> None:
    _, view = ask()
    mark(view, [4, 5])
    double.stopped = True
    with pytest.raises(BuildInterrupted):
        build()
    assert end(view) is None
    double.stopped = False
    scored = build().guess
    assert scored is not None
    assert scored.right == 3


@pytest.mark.usefixtures("double")
def test_a_later_guess_takes_the_place_of_an_earlier_one() -> None:
    _, first = ask()
    mark(first, [3])
    _, second = ask()
    assert end(first) == {"why": "replaced", "marked": [3]}
    mark(first, [5])
    assert build().guess is None
    assert end(second) == {"why": "built", "marked": None}
    _, third = ask()
    mark(third, [3])
    api.session().predict(argv.parse(["-t", "x:y", "app"], Path.cwd()), [4])
    assert end(third) == {"why": "replaced", "marked": [3]}


@pytest.mark.usefixtures("double")
def test_each_dockerfile_has_a_guess_of_its_own() -> None:
    _, view = ask()
    mark(view, [4])
    Path("other").mkdir()
    Path("other/Dockerfile").write_text("FROM scratch\nWORKDIR /y\n")
    assert build("other").guess is None
    assert build().guess is not None


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("numbers", [[1], [2], [99], [4, -1], [4, 10**30]])
def test_numbers_that_are_no_step_to_guess_change_nothing(numbers: list[int]) -> None:
    _, view = ask()
    mark(view, [4])
    mark(view, numbers)
    scored = build().guess
    assert scored is not None
    assert scored.marked == (4,)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("junk", ["4", [None], ["<b>"], {"4": 1}, [[4]], 4])
def test_what_are_no_numbers_at_all_change_nothing(junk: object) -> None:
    _, view = ask()
    mark(view, [4])
    with pytest.raises(TraitError):  # ipywidgets reports it
        mark(view, junk)
    scored = build().guess
    assert scored is not None
    assert scored.marked == (4,)


@pytest.mark.usefixtures("double")
def test_nothing_that_is_foreseen_reaches_the_page() -> None:
    """All is the same when all steps will run and when none will."""

    def asked() -> tuple[dict[str, Any], str, str]:
        shown, view = ask()
        state = view.get_state(["steps", "file", "marked", "end", "language"])
        return state, repr(shown), shown._repr_html_()

    before = asked()
    build()
    assert asked() == before
    assert before[0] == {
        "steps": [
            {"n": 3, "stage": "", "lines": [3, 3], "instruction": "WORKDIR /x"},
            {"n": 4, "stage": "", "lines": [4, 4], "instruction": "COPY a a"},
            {"n": 5, "stage": "", "lines": [5, 5], "instruction": "COPY b b"},
        ],
        "file": "app/Dockerfile",
        "marked": None,
        "end": None,
        "language": "en",
    }


TEXT = """\
step  line  instruction
3     3     WORKDIR /x
4     4     COPY a a
5     5     COPY b b

Which of them will run? Say so by number before you build, or none; for example:
%predict --guess 3,4 -t x:y app"""


@pytest.mark.usefixtures("double")
def test_the_text_is_the_same_with_and_without_a_widget(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, view = ask()
    shell = InteractiveShell()
    formatter = shell.display_formatter
    assert formatter is not None
    data, _ = formatter.format(shown)
    assert data["text/plain"] == TEXT
    assert data[WIDGET]["model_id"] == view.model_id
    monkeypatch.setenv("LAYERLAB_VIEW", "text")
    plain, _ = formatter.format(layerlab.guess("-t", "x:y", "app"))
    assert plain == {name: data[name] for name in ("text/plain", "text/html")}
    assert "<input" not in plain["text/html"]
    monkeypatch.delenv("LAYERLAB_VIEW")
    monkeypatch.setitem(sys.modules, "layerlab_widgets", None)
    assert formatter.format(layerlab.guess("-t", "x:y", "app"))[0] == plain
    shell.history_manager = None


@pytest.mark.usefixtures("double")
def test_the_command_that_it_names_is_a_guess() -> None:
    shell = InteractiveShell()
    magics.load(shell)
    assert shell.run_cell(TEXT.splitlines()[-1]).success
    scored = build().guess
    assert scored is not None
    assert scored.marked == (3, 4)
    shell.history_manager = None


@pytest.mark.usefixtures("double")
def test_where_there_is_nothing_to_guess_it_says_so() -> None:
    Path("app/Dockerfile").write_text("FROM scratch\nLABEL a=b\n")
    shown = layerlab.guess("app")
    assert "nothing to guess" in repr(shown)
    assert "app/Dockerfile" in shown._repr_html_()


@pytest.mark.usefixtures("double")
def test_a_platform_more_is_no_box_more() -> None:
    both = layerlab.guess("--platform", "linux/amd64,linux/arm64", "app")
    assert isinstance(both, Boxes)
    assert [step["n"] for step in both.view.steps] == [3, 4, 5]


@pytest.mark.usefixtures("double")
def test_stages_are_named_where_there_are_several() -> None:
    Path("app/Dockerfile").write_text(
        "FROM scratch AS one\nCOPY a a\nFROM scratch\nCOPY --from=one a a\n"
    )
    shown, view = ask()
    assert [step["stage"] for step in view.steps] == ["one", "stage-1"]
    assert repr(shown).splitlines()[0].split() == ["step", "stage", "line", "instruction"]


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("text", [text for text in HOSTILE if not {"\r", "\0"} & set(text)])
def test_hostile_instructions_are_text(text: str) -> None:
    Path("app/Dockerfile").write_bytes(f"FROM scratch\nRUN echo {text}\n".encode())
    shown, view = ask()
    page = Page(shown._repr_html_())
    for told in (repr(shown), page.text, *(step["instruction"] for step in view.steps)):
        assert HOSTILE[text] in told
        assert not {"\x1b", "\x07", "\x00", "\u202e", "\u2066"} & set(told)
    names = "section style table caption thead tbody tr th td code b div p"
    assert {name for name, _ in page.elements} <= set(names.split())


def test_the_session_alone_does_the_same(double: Double, tmp_path: Path) -> None:
    session = Session({"LAYERLAB_HOME": str(tmp_path / "own")})
    request = argv.parse(["app"], tmp_path)
    guess = session.guess(session.predict(request))
    assert [step.n for step in guess.questions] == [3, 4, 5]
    guess.mark([4, 5])
    guess.mark([1])
    assert guess.marked == frozenset({4, 5})
    double.since = 4
    scored = session.build(request, Quiet()).guess
    assert scored is not None
    assert scored.right == scored.of == 3
    session.foresight.close()


def test_the_widget_has_a_stable_text() -> None:
    view = GuessView([], "nodejs/Dockerfile")
    assert repr(view) == "GuessView(nodejs/Dockerfile)"
    view.close()
