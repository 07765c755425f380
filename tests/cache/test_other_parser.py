"""Two parsers that follow BuildKit's: ours wraps its Go code, the other is a port of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import e2b_dockerfile_utils as other
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerlab.cache.source import INSTRUCTIONS, Source
from layerlab.errors import DockerfileSyntaxError
from tests.cache import random_projects

ROOT = Path(__file__).parents[2]
FOLDERS = ("course/contexts", "tests/golden")


def texts() -> dict[str, str]:
    """Every Dockerfile of this project by its name; equal ones once."""
    paths = sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*Dockerfile*"))
    by_text = {p.read_text(encoding="utf-8"): str(p.relative_to(ROOT)) for p in paths}
    return {name: text for text, name in by_text.items()}


class Read(NamedTuple):
    """One instruction, as both tell it; of ONBUILD theirs has no words."""

    word: str
    lines: tuple[int, int]
    flags: tuple[str, ...]
    value: tuple[str, ...]
    json: bool
    documents: tuple[tuple[str, str, bool], ...]


def ours(text: str) -> list[Read]:
    return [
        Read(
            command.word,
            command.lines,
            command.flags,
            () if command.word == "ONBUILD" else command.value,
            command.json,
            tuple((d.name, d.content, d.expands) for d in command.documents),
        )
        for command in Source(text, "Dockerfile").commands
    ]


def theirs(text: str) -> Iterator[Read]:
    for node in other.parse_dockerfile_ast(text).instructions:
        yield Read(
            node.name,
            (node.start_line, node.end_line),
            tuple(node.flags),
            _without_delimiters(node) if node.name in ("ENV", "LABEL") else tuple(node.args),
            node.json,
            tuple((d.name, d.content, d.expand) for d in node.heredocs),
        )


def _without_delimiters(node: other.DockerfileInstruction) -> tuple[str, ...]:
    """Theirs has triples of name, value and `=`; ours has pairs."""
    return tuple(word for at, word in enumerate(node.args) if at % 3 < 2)


@pytest.mark.parametrize("text", texts().values(), ids=texts())
def test_they_agree_on_every_dockerfile_here(text: str) -> None:
    try:
        expected = ours(text)
    except DockerfileSyntaxError:
        return  # one that is meant to be wrong
    assert list(theirs(text)) == expected


PIECES = st.sampled_from(
    [
        *(f"{word} " for word in INSTRUCTIONS if word != "ONBUILD"),
        *(
            "FROM a AS b\n",
            "\n",
            " \\\n",
            "\\",
            "# x\n",
            "# escape=`\n",
            "`\n",
            "--flag=x ",
            "--x ",
        ),
        # Ours ignores what comes after a list in JSON, as Go's decoder does; the other does not.
        *('["a", "b"]\n', "[", '"q r"', "'s'", "a", "A=1 ", "$X", "${X:-y}", "=", "\t"),
        *("<<EOF\n", "<<-'E'\n", "EOF\n", "E\n", "\tE\n"),
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_they_agree_on_the_lines_of_what_is_made_up(text: str) -> None:
    """But for the words themselves: strange quotes and backslashes they take apart otherwise."""
    text = f"FROM x\n{text}"
    try:
        expected = ours(text)
    except DockerfileSyntaxError:
        return
    without = [[read._replace(value=()) for read in reads] for reads in (theirs(text), expected)]
    assert without[0] == without[1]


@given(random_projects.projects(engine="docker"))
def test_they_agree_on_the_projects_of_the_agreement_run(project: random_projects.Project) -> None:
    text = project.dockerfile("salt")
    assert list(theirs(text)) == ours(text)
