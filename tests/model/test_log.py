"""What is kept of a step's output: a beginning and an end, whatever it prints."""

from __future__ import annotations

import time
from itertools import pairwise

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from layerlab.model.build import HEAD_LINES, TAIL_LINES, Build, LogWindow, reduce
from layerlab.model.events import Log
from layerlab.model.text import MAX_LINE, MAX_PIECES, Line, coloured, plain, printable

MILLION = 1_000_000
outputs = st.text(
    st.sampled_from(["a", "é", "\n", "\r", "\x1b", "[", "m", "\x00", "\u202e"]), max_size=60
)
parts = st.sampled_from(
    [
        "a",
        "\x00",
        "\r",
        "\x1b",
        "[31m",
        "\x1b[32m",
        "\x1b[m",
        "\x1b[1;44m",
        "\x1b]0;t\x07",
        "x" * 999,
    ]
)


def test_a_million_lines_keep_head_and_tail_only() -> None:
    build, largest, begun = Build(), 0, time.process_time()
    for first in range(0, MILLION, 500):
        text = "".join(f"line {number}\n" for number in range(first, first + 500))
        build = reduce(build, Log(at=0.0, step="a/1", text=text))
        largest = max(largest, len(msgspec.json.encode(build)))
    log = build.steps["a/1"].log
    assert log.head == tuple(f"line {number}" for number in range(HEAD_LINES))
    assert log.last == tuple(f"line {number}" for number in range(MILLION - TAIL_LINES, MILLION))
    assert log.lines == MILLION
    assert log.dropped == MILLION - HEAD_LINES - TAIL_LINES
    assert largest < 10_000
    assert time.process_time() - begun < 20


def test_a_line_of_many_megabytes_is_not_held() -> None:
    log = LogWindow()
    for _ in range(2000):
        log = log.add("x" * 10_000)
    assert len(msgspec.json.encode(log)) < 5 * MAX_LINE
    assert plain(log.last[0]).startswith("x" * MAX_LINE + "… (")


@given(outputs, st.lists(st.integers(0, 60)))
@example("a\r\r\n", [3])
@settings(max_examples=500)
def test_cutting_output_changes_nothing(text: str, borders: list[int]) -> None:
    log = LogWindow()
    for first, last in pairwise(sorted([0, *borders, 60])):
        log = log.add(text[first:last])
    whole = LogWindow().add(text)
    assert (log.head, log.last, log.lines) == (whole.head, whole.last, whole.lines)


@given(st.lists(st.integers(0, 120), max_size=6))
def test_head_and_tail_never_overlap_or_leave_gaps(sizes: list[int]) -> None:
    log, number = LogWindow(), 0
    for size in sizes:
        log = log.add("".join(f"{n}\n" for n in range(number, number + size)))
        number += size
    shown = [*log.head, *log.last]
    assert len(shown) + log.dropped == log.lines == number
    assert shown == [str(n) for n in range(number) if n < HEAD_LINES or n >= number - TAIL_LINES]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain\r\n", "plain"),
        ("10%\r20%\r30%", "30%"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]never ended", ""),
        ("\x1bPstring\x1b\\text", "text"),
        ("a\x00b", "a⟨U+0000⟩b"),
        ("safe\u202eevil", "safe⟨U+202E⟩evil"),
        ("tab\there", "tab\there"),
        ("Grüße 世界 🌍", "Grüße 世界 🌍"),
        ("x" * (MAX_LINE + 7), "x" * MAX_LINE + "… (7 more characters)"),
    ],
)
def test_printable(line: str, shown: str) -> None:
    assert printable(line) == shown


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | outputs)
@example("\x1b\x1b[31m[31m")
def test_nothing_printable_can_steer_a_terminal(text: str) -> None:
    shown = printable(text.replace("\n", ""))
    assert not any(character < " " and character != "\t" for character in shown)
    assert not set(shown) & {"\x7f", "\x9b", "\u202e", "\u2066", "\ufeff"}
    assert printable(shown) == shown


RED = ("red", "red")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("no colour", "no colour"),
        ("\x1b[31mred\x1b[0m", (RED,)),
        ("\x1b[31mred\x1b[m rest", (RED, (" rest", ""))),
        ("\x1b[31mred", (RED,)),
        ("\x1b[1;4m\x1b[94mx\x1b[39my", (("x", "bold underline blue"), ("y", "bold underline"))),
        ("\x1b[38;5;196mx\x1b[38;2;0;200;0my", (("x", "red"), ("y", "green"))),
        ("\x1b[48;5;21mx", (("x", "on-blue"),)),
        ("\x1b[31;7mx\x1b[27my", (("x", "on-red"), ("y", "red"))),
        ("\x1b[90mx\x1b[0;2my", (("x", "grey"), ("y", "grey"))),
        # What would hide text, or blink, is no style.
        ("\x1b[8mconcealed\x1b[5mblinks", "concealedblinks"),
        ("\x1b[30mblack\x1b[37;47mwhite on white", "blackwhite on white"),
        ("\x1b[31;41mred on red", (("red on red", "on-red"),)),
        # What is no colour goes, and does not take the colours with it.
        ("\x1b[31m\x1b[2Jr\x1b]0;title\x07ed\x1b[H", (RED,)),
        ("\x1b]8;;https://evil.invalid\x1b\\\x1b[31mred\x1b]8;;\x1b\\", (RED,)),
        ("\x1b[?31mx\x1b[>4;2my\x1b[38:5:9mz\x9b31m", "xyz"),
        ("\x1b[31\u202em\x1b[31mred", (("31⟨U+202E⟩m", ""), RED)),
        ("\x1b[31m\x1b[0m", ""),
        ("gone\r\x1b[31mred", (RED,)),
        ("\x1b[31mgone\rplain", "plain"),
        ("\x1b[" + "1;" * 200 + "31mx", "x"),
        ("\x1b[999999;31mred", (RED,)),
    ],
)
def test_colours_stay(line: str, shown: Line) -> None:
    assert coloured(line) == shown


@given(st.lists(parts, max_size=80).map("".join) | outputs)
@example("\x1b\x1b[31m[31m")
@settings(max_examples=500)
def test_colours_change_no_text_and_are_few(line: str) -> None:
    line = line.replace("\n", "")
    shown = coloured(line)
    assert plain(shown) == printable(line)
    if not isinstance(shown, str):
        assert len(shown) <= MAX_PIECES + 2
        words = {word for piece in shown for word in piece.style.split()}
        assert words <= {"red", "green", "bold", "on-blue"}


def test_what_is_cut_off_keeps_its_colour_up_to_there() -> None:
    shown = coloured("\x1b[31m" + "x" * (MAX_LINE + 7) + "\x1b[32my")
    assert shown == (("x" * MAX_LINE, "red"), ("… (8 more characters)", ""))


def test_a_flood_of_colours_costs_little() -> None:
    """A gradient, as some programs print: every letter has a colour of its own."""
    log, begun = LogWindow(), time.process_time()
    for first in range(0, 20_000, 200):
        log = log.add("".join(
            "".join(f"\x1b[38;2;{n % 256};{first % 256};{k}mx" for k in range(60)) + "\n"
            for n in range(200)
        ))  # fmt: skip
    assert time.process_time() - begun < 10
    assert len(msgspec.json.encode(log)) < 200 * (MAX_PIECES + 2) * 20 + 200 * 60
