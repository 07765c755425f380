"""What a CLI says beside the progress of the build: its errors, warnings and source frames."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator

from layerlab.model.events import Warning  # noqa: A004 - the field's word

KEPT = 60
"""Lines that are kept for finding out what went wrong."""

_ERROR = re.compile(r"(?:ERROR|Error|error): (?P<text>.*)")
_WARNING = re.compile(r"(?:WARNING: |WARN\[\d+\] |\[Warning\] )(?P<text>.*)")
_OWN_ARGUMENTS = re.compile(r"args were not consumed: \[(?: ?\b(?:BUILD|TARGET)[A-Z]+)+\]")
# logrus, as nerdctl, podman and buildah use it: time="…" level=fatal msg="…"
_LOGRUS = re.compile(r'time="[^"]*" level=(?P<level>\w+) msg=(?P<text>"(?:[^"\\]|\\.)*"|\S+).*')
# The summary of buildx: ` - RuleName: what is wrong (line 3)`
_LINTED = re.compile(r" - (?P<text>\w+: .* \(line (?P<line>\d{1,9})\))")
# BuildKit's solver/errdefs/source.go
_FRAME_ROW = re.compile(r" *(?P<line>\d{1,9}) \| (?P<mark>>>>|   )(?: .*)?")
_FRAME_RULE = "--------------------"
# BuildKit's util/progress/progressui/display.go, printErrorLogs
_LOG_RULE = "------"


class Console:
    """Collects the lines of one CLI.

    Attributes:
        errors: what it called an error, in its own words, first to last.
        marked: Dockerfile lines that it pointed at, first and last.
    """

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.marked: tuple[int, int] | None = None
        self._last: deque[str] = deque(maxlen=KEPT)
        self._warned: set[str] = set()
        self._in_log = False
        self._rules = 0

    @property
    def lines(self) -> tuple[str, ...]:
        """The last lines that were no part of a source frame or a repeated log."""
        return tuple(self._last)

    def add(self, line: str, at: float) -> Iterator[Warning]:
        """Take one line, without its newline. Warnings come out, each once."""
        if self._is_repetition(line) or self._is_frame(line) or not line.strip():
            return
        logrus = _LOGRUS.fullmatch(line)
        level, text = (logrus["level"], _unquoted(logrus["text"])) if logrus else ("", line)
        self._last.append(text)
        if level in ("fatal", "error", "panic"):
            self.errors.append(text)
        elif level == "warning":
            yield from self.warn(text, at)
        elif error := _ERROR.match(text):
            self.errors.append(error["text"])
        elif _OWN_ARGUMENTS.search(text):
            pass  # Buildah warns of arguments that it set itself, in every build for a platform
        elif warning := _WARNING.match(text):
            yield from self.warn(warning["text"], at)
        elif linted := _LINTED.fullmatch(text):
            line_number = int(linted["line"])
            yield from self.warn(linted["text"], at, (line_number, line_number))

    def warn(
        self, text: str, at: float, lines: tuple[int, int] | None = None, url: str | None = None
    ) -> Iterator[Warning]:
        """The warning, unless it was given before: CLIs repeat them in a summary."""
        if text not in self._warned:
            self._warned.add(text)
            yield Warning(at=at, message=text, lines=lines, url=url)

    def _is_repetition(self, line: str) -> bool:
        """The failed step's last output, printed once more between two rules."""
        if line == _LOG_RULE:
            self._in_log = not self._in_log
            return True
        return self._in_log

    def _is_frame(self, line: str) -> bool:
        if line == _FRAME_RULE:
            self._rules += 1
            if self._rules % 2 and self._last:
                self._last.pop()  # the frame's title, `Dockerfile:3`
            return True
        row = _FRAME_ROW.fullmatch(line)
        if row is None or not self._rules % 2:
            return False
        # A second frame belongs to what the first one was called from.
        if row["mark"] == ">>>" and self._rules == 1:
            number = int(row["line"])
            first = self.marked[0] if self.marked else number
            self.marked = (first, number)
        return True


def _unquoted(text: str) -> str:
    """Go's `%q` undone, as far as messages need it."""
    if not text.startswith('"'):
        return text
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), text[1:-1])
