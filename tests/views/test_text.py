"""The text that is the same on every engine."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from layerlab.cache.dockerfile import plan
from layerlab.model.build import Build, reduce_all
from layerlab.model.events import Event, Failure, Finished, Log, StepUpdate
from layerlab.model.plan import Plan, PlannedStep
from layerlab.views.compare import compare_text
from layerlab.views.text import build_text, step_text
from tests.views import samples
from tests.views.script import Script
from tests.views.strategies import strings

Fate = Literal["cached", "executed"]


def without_times(text: str) -> str:
    """As `course/sanitize.cfg` does it."""
    return re.sub(r"\d+\.\d+ s\b", "TIME", text)


def test_a_build_line_by_line() -> None:
    script = Script("FROM debian\nLABEL a=b\nCOPY a b\nRUN one \\\n  && two\nRUN three\n", "a:b")
    script.step(0, 0.0, 1.0)
    script.step(2, 1.0, 1.0, cached=True)
    script.step(3, 1.0, 3.5)
    assert build_text(script.end(4.0)).splitlines() == [
        "a:b · built in 4.0 s · 1 of 3 steps reused",
        "1/4  line 1     FROM debian     base",
        "     line 2     LABEL a=b       costs nothing",
        "2/4  line 3     COPY a b        reused",
        "3/4  lines 4–5  RUN one && two  ran 2.5 s",
        "4/4  line 6     RUN three       not reached",
    ]


def test_a_failed_build_says_where_why_and_what_to_try() -> None:
    text = build_text(samples.failing())
    assert text.startswith("colors:broken · failed after 3.2 s · 1 of 5 steps reused\n")
    assert (
        "4/6  lines 8–11  RUN apt-get update && apt-get install --yes --no-install-re…  failed"
        in text
    )
    assert "5/6  line 12     COPY app.js app.js" in text
    assert "not reached" in text
    assert "\nnodejs/Dockerfile, lines 8–11: process " in text
    assert "\n>   11 |     && npm ci\n" in text
    assert "\n    12 | COPY app.js app.js\n" in text
    assert "\nThe last lines of its output:\n" in text
    assert text.count("Get:") == 0, "no more than the last ten lines"
    assert text.index("left-pad@1.3.0") < text.index("run npm install")


def test_stages_and_platforms_are_folded_into_the_lines_of_the_dockerfile() -> None:
    build = samples.platforms()
    assert build.plan
    lines = without_times(build_text(build)).splitlines()
    assert lines[0] == "colors:cross · built in TIME · 0 of 6 steps reused"
    assert len(lines) == 1 + len(build.plan.steps)
    assert lines[7].startswith("builder 5/5  lines 7–8  RUN CGO_ENABLED=0")
    assert lines[7].endswith("  ran TIME")
    assert "linux/arm64" not in "".join(lines)


def test_reused_means_reused_on_every_platform() -> None:
    script = Script("FROM scratch\nCOPY a b\n", "two:platforms")
    script.step(1, 0.0, 0.0, platform="linux/amd64", cached=True)
    script.step(1, 0.0, 1.0, platform="linux/arm64")
    build = script.end(1.0)
    assert (build.hits, build.executed, len(build.counted)) == (0, 1, 1)
    assert build_text(build).splitlines()[2].endswith("ran 1.0 s")


def test_running_and_stopped_builds() -> None:
    assert "  running" in build_text(samples.running())
    assert "  waiting" in build_text(samples.running())
    stopped = build_text(samples.stopped())
    assert stopped.startswith("colors:first · stopped after 7.4 s")
    assert stopped.count("  stopped") == 1


def test_a_build_without_a_plan_shows_what_it_reported() -> None:
    events = [StepUpdate(at=1, step="a/1", kind="run", instruction="RUN a", started=1, completed=2)]
    build = reduce_all(Build(started=1.0), [*events, Finished(at=3, outcome="built")])
    assert build_text(build) == "(no name) · built in 2.0 s · 0 of 1 step reused\nRUN a  ran 1.0 s"


def test_one_line_for_a_step_that_is_over() -> None:
    build = samples.platforms()
    step = build.steps["linux/arm64:builder/7"]
    assert without_times(step_text(build, step)).startswith("[linux/arm64 builder 5/5] RUN CGO_")
    assert step_text(build, step).endswith(": ran 24.2 s")


def test_builds_side_by_side() -> None:
    assert compare_text([samples.cold(), samples.warm(), samples.failing()]) == (
        "colors:first   0 of 5 steps reused, 5 ran          12.6 s\n"
        "colors:second  3 of 5 steps reused, 2 ran          1.3 s\n"
        "colors:broken  1 of 5 steps reused, 1 ran, failed  3.2 s"
    )
    assert compare_text([]) == ""


def test_no_control_characters_in_samples() -> None:
    for sample in samples.SAMPLES.values():
        assert_printable(build_text(sample()))


@given(st.lists(strings, min_size=6, max_size=6))
def test_no_control_characters_whatever_a_build_says(texts: list[str]) -> None:
    instruction, message, hint, log, tag, name = texts
    build = reduce_all(
        Build(tags=(tag,), plan=Plan(name, (), source=instruction)),
        [
            StepUpdate(at=0, step="a/1", kind="run", instruction=instruction, stage=tag),
            Log(at=0, step="a/1", text=log),
            Failure(at=1, code="x", message=message, hint=hint, step="a/1", lines=(1, 1)),
            Finished(at=1, outcome="failed"),
        ],
    )
    for text in (
        build_text(build),
        step_text(build, build.steps["a/1"]),
        compare_text([build]),
    ):
        assert_printable(text)


def assert_printable(text: str) -> None:
    """No control characters, and none that turn the direction of writing (CVE-2021-42574)."""
    controls = {c for c in text if unicodedata.category(c) == "Cc"} - set("\n\t")
    assert not controls
    assert not set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


# Two engines and one Dockerfile

INSTRUCTIONS = ("RUN make", "COPY a b", "ADD c d", "WORKDIR /app", "ENV A=1", "LABEL b=2", "USER 1")


@st.composite
def dockerfiles(draw: st.DrawFn) -> Plan:
    """Up to three stages of up to six instructions."""
    lines = []
    for number in range(draw(st.integers(1, 3))):
        lines.append(f"FROM debian AS s{number}" if draw(st.booleans()) else "FROM debian")
        lines += draw(st.lists(st.sampled_from(INSTRUCTIONS), max_size=6))
        if number:
            lines.append(f"COPY --from={number - 1} a b")
    return plan("\n".join(lines), "Dockerfile")


@dataclass
class Told:
    """What both engines do with a plan: the fate of each step, and where they fail, if they do."""

    plan: Plan
    fates: list[Fate]
    fails: int | None
    platforms: Sequence[str | None]

    def end(self, at: float) -> list[Event]:
        if self.fails is None:
            return [Finished(at=at, outcome="built")]
        step = self.plan.steps[self.fails]
        why = Failure(at=at, code="run-failed", message="No.", lines=step.lines, hint="Try.")
        return [why, Finished(at=at, outcome="failed")]


@st.composite
def tellings(draw: st.DrawFn) -> Told:
    """A plan and what becomes of it."""
    intended = draw(dockerfiles())
    count = len(intended.steps)
    counted = [place for place, step in enumerate(intended.steps) if step.n and step.kind != "from"]
    fate: st.SearchStrategy[Fate] = st.sampled_from(["cached", "executed"])
    return Told(
        intended,
        draw(st.lists(fate, min_size=count, max_size=count)),
        draw(st.sampled_from([None, *counted])),
        draw(st.sampled_from([(None,), ("linux/amd64", "linux/arm64")])),
    )


def update(step: PlannedStep, platform: str | None, **news: object) -> StepUpdate:
    told = {
        name: getattr(step, name) for name in ("kind", "stage", "n", "m", "instruction", "lines")
    }
    id_ = f"{platform}:{step.id}" if platform else step.id
    return StepUpdate(step=id_, platform=platform, **{"at": 0.0, **told, **news})


def like_buildkit(told: Told) -> list[Event]:
    """Shares steps between platforms, is silent about metadata, works on things of its own."""
    events: list[Event] = [update(step, told.platforms[0]) for step in told.plan.steps]
    own = StepUpdate(at=0, step="internal:load", kind="internal", started=0, completed=1)
    events.append(own)
    for place, step in enumerate(told.plan.steps):
        if step.kind == "metadata":
            continue
        events.append(update(step, told.platforms[0], started=1.0 + place))
        if place == told.fails:
            events.append(update(step, told.platforms[0], completed=2.0 + place, error="No."))
            break
        cached = told.fates[place] == "cached"
        events.append(update(step, told.platforms[0], completed=1.25 + place, cached=cached))
    return events + told.end(90.0)


def like_buildah(told: Told) -> list[Event]:
    """One platform after the other; the second reuses what the first has made."""
    events: list[Event] = [update(s, p) for p in told.platforms for s in told.plan.steps]
    for again, platform in enumerate(told.platforms):
        for place, step in enumerate(told.plan.steps):
            start = 7.0 + 100 * again + place
            if place == told.fails:
                events.append(update(step, platform, started=start, completed=start, error="No."))
                break
            cached = told.fates[place] == "cached" or again > 0
            events.append(
                update(step, platform, started=start, completed=start + 11.5, cached=cached)
            )
        if told.fails is not None:
            break
    return events + told.end(1234.5)


@given(tellings())
def test_two_engines_that_do_the_same_say_the_same(told: Told) -> None:
    texts = [
        build_text(
            reduce_all(
                Build(id=str(number), engine=engine, tags=("a:b",), plan=told.plan),
                events,
            )
        )
        for number, (engine, events) in enumerate(
            [("docker", like_buildkit(told)), ("buildah", like_buildah(told))]
        )
    ]
    assert without_times(texts[0]) == without_times(texts[1])
