"""Every cause in a learner's words; the words are in the catalogues of `views.texts`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from layerlab.cache.causes import Cause, FileChange, LineChange
from layerlab.cache.explain import Explanation
from layerlab.cache.predict import Forecast
from layerlab.model.text import printable
from layerlab.views.texts import say

_MAX = 60
_SHOWN_FILES = 3


def why(forecast: Forecast, all_: Sequence[Forecast]) -> str:
    """Why a step has its fate, as one sentence; "" for a plain hit.

    Args:
        forecast: a forecast or an explanation.
        all_: those of the whole build, to name the step that it is because of.
    """
    cause = forecast.cause
    if cause is None:
        return ""
    root = next((f for f in all_ if f.n == forecast.because_of), None)
    told = _root(root) if root else ""
    if special := _SENTENCES.get(cause.kind):
        return special(cause, told)
    return say(f"reason.{cause.kind}", name=short(cause.name), root=told)


def _root(step: Forecast) -> str:
    return say("reason.root", line=f"{step.lines[0]}", instruction=short(step.instruction))


def verdict(explanation: Explanation) -> str:
    """Where prediction and engine disagree, one sentence that says so; "" where they agree."""
    if explanation.agrees is not False:
        return ""
    return say("reason.surprise.ran" if explanation.fate == "hit" else "reason.surprise.reused")


def miss(step: Explanation, all_: Sequence[Forecast]) -> str:
    """What to say of a step that a learner guessed wrongly."""
    reused = step.actual == "hit"
    reason = why(step, all_) or (say("reason.unchanged") if reused else "")
    key = "reason.miss.reused" if reused else "reason.miss.ran"
    return say(key, n=f"{step.n}", instruction=short(step.instruction), reason=reason).rstrip()


def short(text: str) -> str:
    """A value that fits into a sentence."""
    line = printable(text.strip().replace("\n", "⏎").replace("\0", " "), limit=None)
    line = re.sub(r"\s+", " ", line)
    return line if len(line) <= _MAX else f"{line[: _MAX - 1]}…"


def _quoted(value: str | None) -> str:
    return say("reason.nothing") if value is None else f"`{short(value)}`"


def _change(key: str, cause: Cause, **more: str) -> str:
    return say(key, before=_quoted(cause.before), after=_quoted(cause.after), **more)


def _instruction(cause: Cause, _: str) -> str:
    if cause.before is None:
        return say("reason.instruction.new")
    if cause.before == cause.after:
        return say("reason.instruction.same")
    return _change("reason.instruction.changed", cause)


def _file(cause: Cause, _: str) -> str:
    return f"{_files(cause)}."


def _stale_files(cause: Cause, _: str) -> str:
    return say(f"reason.{cause.kind}", files=_files(cause))


def _files(cause: Cause) -> str:
    shown = [file_sentence(change) for change in cause.files[:_SHOWN_FILES]]
    rest = len(cause.files) - len(shown) + cause.more
    if rest:
        shown.append(say("reason.more-files", rest, count=f"{rest}"))
    return "; ".join(shown)


def file_sentence(change: FileChange) -> str:
    """One changed file, without a full stop."""
    values = {"path": short(change.path), "before": change.before, "after": change.after}
    if change.change != "mode":
        values |= {"before": short(change.before), "after": short(change.after)}
    if not change.lines:
        return say(f"reason.file.{change.change}", **values)
    first, *others = change.lines
    key = "reason.file.lines-more" if others else "reason.file.lines"
    return say(key, **values, line=_line(first), count=f"{len(others)}")


def _line(change: LineChange) -> str:
    key = "new" if change.before is None else "gone" if change.after is None else "changed"
    before, after = _quoted(change.before), _quoted(change.after)
    return say(f"reason.line.{key}", line=f"{change.line}", before=before, after=after)


def _value(cause: Cause, _: str) -> str:
    what = say(f"reason.what.{cause.kind}", name=short(cause.name)).strip()
    key = "new" if cause.before is None else "gone" if cause.after is None else "changed"
    return _change(f"reason.value.{key}", cause, what=what)


def _output(cause: Cause, root: str) -> str:
    return say("reason.output" if root else "reason.output.unmet", name=cause.name, root=root)


_SENTENCES: dict[str, Callable[[Cause, str], str]] = {
    "instruction": _instruction,
    "file": _file,
    "output": _output,
    **dict.fromkeys(
        ("arg", "env", "base", "platform", "user", "workdir", "shell", "mount"), _value
    ),
    **dict.fromkeys(("stale-mount", "stale-copy"), _stale_files),
    **dict.fromkeys(("order", "stale"), lambda cause, _: _change(f"reason.{cause.kind}", cause)),
}
"""Causes that are told in more than one way, or with values; the rest have one text each."""
