"""Every error Layerlab raises on purpose. A leaf: it imports nothing of ours.

An error speaks to a learner: what happened, what to try. What an engineer
needs (the command, its exit code, the last lines it printed) is kept beside.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence


class LayerlabError(Exception):
    """Something went wrong in a way that a learner can be told about.

    Args:
        message: one or two plain sentences: what happened.
        code: stable, kebab-case name of the kind of failure; tests and views switch on it.
        hint: what to try next; may be several lines; empty when there is nothing honest to say.
        command: the argument list that was run, empty when none was.
        exit_code: how that command ended, None when it never ran or never ended.
        output: the last lines it printed.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        hint: str = "",
        command: Sequence[str] = (),
        exit_code: int | None = None,
        output: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.command = tuple(command)
        self.exit_code = exit_code
        self.output = output

    def explain(self) -> str:
        """The whole story as text: message, hint, command, last output."""
        parts = [self.message]
        if self.hint:
            parts.append(self.hint)
        if self.command:
            ended = "" if self.exit_code is None else f"  (exit code {self.exit_code})"
            parts.append(f"$ {shlex.join(self.command)}{ended}")
        if self.output:
            parts.append(self.output.rstrip())
        return "\n\n".join(parts)

    def _render_traceback_(self) -> list[str]:
        # IPython's hook: a learner is shown what went wrong, not our source code.
        return [f"{type(self).__name__} [{self.code}]", *self.explain().splitlines()]

    def to_dict(self) -> dict[str, object]:
        """The same as plain data, for JSON and for the widgets."""
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "command": list(self.command),
            "exit_code": self.exit_code,
            "output": self.output,
        }


class CommandNotFoundError(LayerlabError):
    """A program that should be started is not installed, or not on the PATH."""


class CommandFailedError(LayerlabError):
    """A command ran and said no."""


class EngineUnavailableError(LayerlabError):
    """The chosen engine is unknown, missing, or does not work just now."""


class BuildInputError(LayerlabError):
    """What should be built is not there or cannot be read: context, Dockerfile, arguments."""


class DockerfileSyntaxError(BuildInputError):
    """The Dockerfile cannot be parsed. `line` is 1-based, None where the parser named none."""

    def __init__(self, message: str, *, line: int | None, hint: str = "", output: str = "") -> None:
        super().__init__(message, code="dockerfile-syntax", hint=hint, output=output)
        self.line = line


class BuildInterrupted(KeyboardInterrupt):
    """The learner stopped a build; everything that it had started has ended.

    A KeyboardInterrupt, so that the cells after it do not run.
    """

    def _render_traceback_(self) -> list[str]:
        return [str(self)]
