"""Sinks: the ways to show a build. And how IPython is told to draw our types.

The text form is the default and the same on every engine; the widget is added
where a front end can show one. See `views/` for the pictures themselves.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, TextIO, TypeVar

from msgspec.structs import replace

from layerlab.cache.explain import Explanation
from layerlab.cache.predict import Forecast
from layerlab.cache.sentences import file_sentence, verdict
from layerlab.foresight import Foreseen, reason
from layerlab.guesses import OpenGuess
from layerlab.language import preferred
from layerlab.model.build import Build, Step
from layerlab.model.events import Event, Log, StepUpdate, to_json
from layerlab.model.text import printable
from layerlab.model.wire import to_wire
from layerlab.model.wire_explain import to_explain
from layerlab.model.wire_guess import to_end, to_questions
from layerlab.views import forecasts, tables, texts
from layerlab.views.explain import explain_html
from layerlab.views.html import build_html
from layerlab.views.markup import element
from layerlab.views.text import build_text, step_text

if TYPE_CHECKING:
    from IPython.core.formatters import DisplayFormatter
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.display import DisplayHandle

    from layerlab.session import Sink
    from layerlab_widgets import BuildView, GuessView

T = TypeVar("T")

KEPT = 4
"""Widgets of builds that are over, kept for pages that were reloaded while they ran."""


class Picture:
    """Something to look at: a text for terminals and screen readers, HTML for pages."""

    def __init__(self, text: str, html: str) -> None:
        self._text = text
        self._html = html

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return self._html

    @classmethod
    def forecast(cls, steps: Sequence[Forecast]) -> Picture:
        """What will become of each step."""
        reasons = [reason(step, steps) for step in steps]
        return cls(forecasts.forecast_text(steps, reasons), forecasts.forecast_html(steps, reasons))

    @classmethod
    def guess(cls, steps: Sequence[Forecast], marked: Collection[int]) -> Picture:
        """What the learner expects; not what Layerlab does."""
        return cls(forecasts.guess_text(steps, marked), forecasts.guess_html(steps, marked))

    @classmethod
    def explanation(cls, steps: Sequence[Explanation]) -> Picture:
        """What became of each step, and where Layerlab had expected otherwise."""
        reasons = [
            # Of what costs nothing there is nothing to say.
            "" if step.kind == "metadata" else f"{verdict(step)} {reason(step, steps)}".strip()
            for step in steps
        ]
        wire = to_explain(steps, reasons, lambda file: file_sentence(replace(file, lines=())))
        return cls(forecasts.explanation_text(steps, reasons), explain_html(wire))

    @classmethod
    def table(cls, caption: str, header: tables.Row, rows: Sequence[tables.Row]) -> Picture:
        """A table in both forms."""
        return cls(tables.text_table(header, rows), tables.html_table(caption, header, rows))


class Boxes(Picture):
    """Boxes to mark, where widgets live; the text and the HTML beside them are for elsewhere."""

    def __init__(self, text: str, html: str, view: GuessView) -> None:
        super().__init__(text, html)
        self.view = view

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, object], dict[str, object]]:
        # IPython adds the text and the HTML.
        data, metadata = self.view._repr_mimebundle_() or ({}, {})
        return {name: part for name, part in data.items() if name != "text/plain"}, metadata


class Listing(tuple[T, ...], Generic[T]):
    """A tuple of our types that a notebook shows as a table."""

    picture: Picture

    @classmethod
    def of(
        cls,
        caption: str,
        header: tables.Row,
        items: Iterable[T],
        rows: Callable[[Iterable[T]], Sequence[tables.Row]],
    ) -> Listing[T]:
        """The items, with `rows` saying how each is shown."""
        listing = cls(items)
        listing.picture = Picture.table(caption, header, rows(listing))
        return listing

    def __repr__(self) -> str:
        return repr(self.picture)

    def _repr_html_(self) -> str:
        return self.picture._repr_html_()


class Quiet:
    """Shows nothing; the other sinks say only where they differ."""

    def start(self, build: Build, notes: Sequence[str]) -> None:
        """See `session.Sink`; the same below."""

    def event(self, event: Event, build: Build) -> None:
        """Nothing."""

    def show(self, build: Build, now: float) -> None:
        """Nothing."""

    def finish(self, build: Build) -> None:
        """Nothing."""


class CommandLine(Quiet):
    """Prints the exact command and what was translated: all that notebooks commit of a run."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out

    def start(self, build: Build, notes: Sequence[str]) -> None:
        """One line for the command, one for each note."""
        print(f"$ {shlex.join(build.command)}", file=self._out)
        for note in notes:
            print(f"note: {note}", file=self._out)


class Lines(CommandLine):
    """Append-only text while it runs, for terminals and for `--progress plain`."""

    def __init__(self, out: TextIO | None = None, *, logs: bool) -> None:
        super().__init__(out)
        self._logs = logs
        self._said: set[str] = set()
        self._current = ""

    def event(self, event: Event, build: Build) -> None:
        """A line when a step begins to talk and one when it is done."""
        if isinstance(event, Log) and self._logs:
            self._say_log(event, build)
        elif isinstance(event, StepUpdate):
            step = build.steps[event.step]
            over = step.completed is not None and step.in_dockerfile
            if over and step.kind != "metadata" and step.id not in self._said:
                self._said.add(step.id)
                self._print(step_text(build, step))

    def _say_log(self, event: Log, build: Build) -> None:
        if event.step != self._current:
            self._current = event.step
            self._print(_title(build.steps[event.step]))
        for line in event.text.splitlines():
            self._print(f"      {printable(line)}")

    def _print(self, line: str) -> None:
        print(line, file=self._out)


class JsonLines(Quiet):
    """One normalised event a line, as it comes."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def event(self, event: Event, build: Build) -> None:  # noqa: ARG002 - the sink's signature
        """Write it; flushed, so that a pipe's reader is not behind."""
        self._out.write(to_json(event).decode() + "\n")
        self._out.flush()


class LiveView(CommandLine):
    """The widget: a live picture that makes way for the static one when the build is over.

    The picture that stays is the cell's result: it survives saving, reloading and GitHub. A page
    that was reloaded meanwhile hears of neither; the widget itself shows it how the build ended.
    """

    _kept: ClassVar[deque[BuildView]] = deque()
    _view: BuildView | None = None
    _handle: DisplayHandle | None = None

    def show(self, build: Build, now: float) -> None:
        """Send the whole snapshot; the first one opens the view."""
        if self._view is not None:
            self._view.show(to_wire(build, now))
            return
        from IPython.display import display

        from layerlab_widgets import BuildView

        self._view = BuildView(to_wire(build, now), texts.language())
        self._handle = display(self._view, display_id=True)

    def finish(self, build: Build) -> None:
        """Send the last snapshot, then hide: an empty model id is how ipywidgets says «gone»."""
        if self._view is None:
            return  # over before there was anything to see
        self._view.show(to_wire(build, time.time() if build.finished is None else build.finished))
        gone = {"application/vnd.jupyter.widget-view+json": {"model_id": ""}, "text/plain": ""}
        if self._handle is not None:
            self._handle.update(gone, raw=True)
        self._kept.append(self._view)
        if len(self._kept) > KEPT:
            self._kept.popleft().close()


def notebook_sink(environ: Mapping[str, str], *, plain: bool) -> Sink:
    """The sink for a notebook cell.

    `LAYERLAB_VIEW=text` asks for the deterministic text alone, as it is committed; `plain` is the
    learner's `--progress plain`. Without the widget package the text has to do.
    """
    if plain:
        return Lines(logs=True)
    return LiveView() if _shows_widgets(environ) else CommandLine()


def guess_picture(
    environ: Mapping[str, str], foreseen: Foreseen, guess: OpenGuess, arguments: Sequence[str]
) -> Picture:
    """The steps to guess, with boxes that mark them in `guess`.

    Args:
        environ: as for `notebook_sink`.
        foreseen: the build that is guessed about.
        guess: made from it, with nothing marked.
        arguments: those of the build, for the line that guesses without boxes.
    """
    steps, file = guess.questions, printable(foreseen.plan.dockerfile)
    if not steps:
        told = forecasts.no_question(file)
        return Picture(told, element("p", told))
    example = ",".join(f"{step.n}" for step in steps[:2])
    command = f"%predict --guess {example} {shlex.join(arguments)}"
    text, html = forecasts.question_text(steps, command), forecasts.question_html(steps, command)
    if not _shows_widgets(environ):
        return Picture(text, html)
    from layerlab_widgets import GuessView

    view = GuessView(to_questions(steps), file, texts.language())
    view.observe(lambda change: guess.mark(change["new"]), "marked")
    guess.on_end = lambda: view.show_end(to_end(guess.end, guess.marked))
    return Boxes(text, html, view)


def _shows_widgets(environ: Mapping[str, str]) -> bool:
    if environ.get("LAYERLAB_VIEW") == "text":
        return False
    try:
        import layerlab_widgets  # noqa: F401 - is it there?
    except ImportError:
        return False
    return True


def teach_ipython(shell: InteractiveShell) -> None:
    """Let IPython draw a `Build` as a cell's result; the model itself knows of no view."""
    texts.choose(preferred(os.environ))
    formatter: DisplayFormatter | None = shell.display_formatter
    if formatter is None:
        return
    formatter.formatters["text/plain"].for_type(
        Build, lambda build, printer, _cycle: printer.text(build_text(build))
    )
    formatter.formatters["text/html"].for_type(
        Build, lambda build: build_html(to_wire(build, build.finished or build.started))
    )


def stdout_sink(progress: str) -> Sink:
    """The sink for the command line: `text`, `plain` or `jsonl`."""
    if progress == "jsonl":
        return JsonLines(sys.stdout)
    return Lines(sys.stdout, logs=progress == "plain")


def _title(step: Step) -> str:
    where = f"{step.stage} {step.n}/{step.m}".strip() if step.n else step.kind
    return f"[{where}] {printable(step.instruction, limit=100)}"
