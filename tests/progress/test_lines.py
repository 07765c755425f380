"""Bytes to lines: whatever the chunks, every character comes out once, in order and whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from layerlab.progress.lines import MAX_HELD, ByteLines, TextLines

chunk_lists = st.lists(st.binary(max_size=12) | st.sampled_from([b"\n", b"\xc3", b"\xa9"]))


@given(chunks=chunk_lists)
def test_text_is_what_decoding_all_at_once_gives(chunks: list[bytes]) -> None:
    lines = TextLines()
    pieces = [lines.feed(chunk) for chunk in chunks]
    assert all(piece.endswith("\n") for piece in pieces if piece)
    assert "".join(pieces) + lines.close() == b"".join(chunks).decode(errors="replace")
    assert lines.close() == ""


@given(chunks=chunk_lists)
def test_byte_lines_are_what_splitting_all_at_once_gives(chunks: list[bytes]) -> None:
    lines = ByteLines()
    found = [line for chunk in chunks for line in lines.feed(chunk)] + lines.close()
    whole = b"".join(chunks).split(b"\n")
    assert found == (whole if whole[-1] else whole[:-1])
    assert lines.close() == []


def test_a_character_cut_in_two_comes_out_whole() -> None:
    lines = TextLines()
    assert [lines.feed(part) for part in (b"half of \xf0\x9f", b"\x8c", b"\x8d\n")] == [
        "",
        "",
        "half of 🌍\n",
    ]


def test_an_endless_line_comes_out_in_pieces() -> None:
    """Or else a progress bar of a week would be held in memory and never be seen."""
    lines = TextLines()
    pieces = [lines.feed(b"x" * 1000) for _ in range(200)]
    assert max(map(len, pieces)) <= MAX_HELD + 1000
    assert "".join(pieces) + lines.close() == "x" * 200_000
