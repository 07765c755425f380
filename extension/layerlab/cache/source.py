"""A Dockerfile's text as a list of instructions, and errors that point into it.

Parsing is BuildKit's own (the `dockerfile` package wraps `frontend/dockerfile/parser`); the
checks after it are those of `frontend/dockerfile/instructions` that learners run into.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

import dockerfile as parser

from layerlab.errors import DockerfileSyntaxError

INSTRUCTIONS = (
    *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK"),
    *("LABEL", "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
)


@dataclass(frozen=True)
class Document:
    """The body of one heredoc; `expands` unless its word was quoted.

    Attributes:
        chomps: after `<<-`, where tabs at the beginning of lines are no part of it.
    """

    name: str
    content: str
    expands: bool
    chomps: bool = False

    @property
    def text(self) -> str:
        """What it means (`ChompHeredocContent` in BuildKit's parser)."""
        return re.sub(r"(?m)^\t+", "", self.content) if self.chomps else self.content


@dataclass(frozen=True)
class Command:
    """One instruction as it was parsed: `word` in upper case, `text` as written, on one line.

    `json` tells the form with brackets from the shell's; `documents` are heredocs, in order.
    """

    word: str
    text: str
    lines: tuple[int, int]
    flags: tuple[str, ...]
    value: tuple[str, ...]
    json: bool = False
    documents: tuple[Document, ...] = ()


class Source:
    """The parsed text.

    Args:
        text: the whole Dockerfile.
        name: its path as the learner knows it.

    Raises:
        DockerfileSyntaxError: it cannot be parsed, or an instruction is unknown or incomplete.
    """

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self._lines = text.split("\n")
        self.commands = self._parse(text)
        for command in self.commands:
            self._check(command)

    def error(self, line: int | None, what: str, hint: str) -> DockerfileSyntaxError:
        """An error at a 1-based line, with the line and its neighbours as `output`."""
        if line is None:
            return DockerfileSyntaxError(f"{self.name}: {what}", line=None, hint=hint)
        rows = range(max(1, line - 2), min(len(self._lines), line + 2) + 1)
        frame = (
            f"{row:4} | {'>>>' if row == line else '   '} {self._lines[row - 1].rstrip()}"
            for row in rows
        )
        return DockerfileSyntaxError(
            f"{self.name}, line {line}: {what}", line=line, hint=hint, output="\n".join(frame)
        )

    def _parse(self, text: str) -> tuple[Command, ...]:
        # The parser stops at a NUL and brings the whole process down on half a surrogate pair.
        if bad := re.search("[\0\ud800-\udfff]", text):
            line = text.count("\n", 0, bad.start()) + 1
            raise self.error(
                line,
                f"there is a character that text cannot have (U+{ord(bad[0]):04X}).",
                "A Dockerfile is a text file in UTF-8; was this one saved as something else?",
            )
        try:
            parsed = parser.parse_string(text)
        except parser.GoParseError as error:
            raise self._explained(str(error)) from error
        except UnicodeDecodeError as error:
            # The parser cuts some words (`HEALTHCHECK Ņ`) in the middle of a character.
            raise self.error(
                self._failing_line(),
                "there is a letter that cannot stand there.",
                "Instructions and the words that belong to them are written in plain letters, a-z.",
            ) from error
        return tuple(
            Command(
                # A lone backslash parses as an instruction without a name.
                word=(node.cmd or "\\").upper(),
                # A heredoc's body is left to `lines`.
                text=(node.original or "").partition("\n")[0].strip(),
                lines=(node.start_line, node.end_line),
                flags=node.flags,
                value=node.value,
                json=node.json,
                documents=tuple(
                    _document(doc.name, doc.content, node.original or "") for doc in node.heredocs
                ),
            )
            for node in parsed
        )

    def _explained(self, words: str) -> DockerfileSyntaxError:
        if "no instructions" in words:
            return self.error(
                None,
                "it has no instructions.",
                "A Dockerfile needs at least a FROM, which names the image to start from, "
                "for example:\n\nFROM debian:bookworm-slim",
            )
        hint = next((hint for part, hint in _PARSER_HINTS.items() if part in words), "")
        return self.error(self._failing_line(), f"{words}.", hint)

    def _failing_line(self) -> int:
        """Where the parser stopped: it names no line, but a text that ends before it parses."""
        for count in range(len(self._lines) - 1, 0, -1):
            try:
                parser.parse_string("\n".join(self._lines[:count]))
            except UnicodeDecodeError:
                continue
            except parser.GoParseError as error:
                if "no instructions" not in str(error):
                    continue
            return count + 1
        return 1

    def _check(self, command: Command) -> None:
        """What BuildKit's `instructions.Parse` refuses and learners really write."""
        word = command.word
        if word not in INSTRUCTIONS:
            close = difflib.get_close_matches(word, INSTRUCTIONS, n=1, cutoff=0.5)
            hint = f"Did you mean {close[0]}? " if close else ""
            raise self.error(
                command.lines[0],
                f"there is no instruction {word}.",
                f"{hint}Every line begins with an instruction ({', '.join(INSTRUCTIONS)}), unless "
                "the line before it ends with a backslash.",
            )
        minimum, example = _ARGUMENTS.get(word, (0, ""))
        if len(command.value) < minimum:
            count = {0: "nothing follows it", 1: "only one argument follows it"}
            raise self.error(
                command.lines[0],
                f"{word} is incomplete: {count[len(command.value)]}.",
                f"Complete it, for example: {example}",
            )


def _document(name: str, content: str, original: str) -> Document:
    """A heredoc: its word stands bare or quoted, after `<<` or `<<-` (`parser.ParseHeredoc`)."""
    first = original.partition("\n")[0]
    expands = re.search(rf"<<-?{re.escape(name)}(?!\S)", first) is not None
    chomps = re.search(rf"<<-[\"']?{re.escape(name)}[\"']?(?!\S)", first) is not None
    return Document(name, content, expands, chomps)


_PARSER_HINTS = {
    "unterminated heredoc": "A heredoc ends with a line that holds its word (often EOF) and "
    "nothing else. It is missing or has spaces around it.",
    "escape token": "The escape character is either \\ or `.",
    "ENV must have two arguments": "Write ENV NAME=value.",
    "LABEL must have two arguments": 'Write LABEL name="value".',
    "array": "In the form with brackets every part is a string in double quotes: "
    '["node", "app.js"].',
}
_ARGUMENTS = {
    "COPY": (2, "COPY package.json ./"),
    "ADD": (2, "ADD app.tar.gz /app/"),
    "WORKDIR": (1, "WORKDIR /app"),
    "USER": (1, "USER node"),
    "EXPOSE": (1, "EXPOSE 8080"),
    "ARG": (1, "ARG VERSION=1.0"),
    "LABEL": (1, 'LABEL language="NodeJS"'),
    "ONBUILD": (1, "ONBUILD COPY . ."),
}
