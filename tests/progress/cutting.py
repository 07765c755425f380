"""Recorded bytes, cut at other places than the pipe happened to cut them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise

from hypothesis import strategies as st

from tests.golden.recording import Chunk, Recording


def runs(recording: Recording) -> list[Chunk]:
    """As few chunks as keep the order in which the two streams took turns."""
    whole = []
    for stream, group in groupby(recording.chunks, key=lambda chunk: chunk.stream):
        chunks = list(group)
        whole.append(Chunk(chunks[-1].at, stream, b"".join(chunk.data for chunk in chunks)))
    return whole


def cut(chunk: Chunk, borders: Sequence[int]) -> list[Chunk]:
    """One chunk as several, cut before the bytes that `borders` count."""
    places = [0, *sorted(borders), len(chunk.data)]
    return [
        Chunk(chunk.at, chunk.stream, chunk.data[first:last]) for first, last in pairwise(places)
    ]


@st.composite
def other_cuts(draw: st.DrawFn, recording: Recording) -> list[Chunk]:
    """The same bytes in other pieces, some of them empty."""
    return [
        piece
        for chunk in runs(recording)
        for piece in cut(chunk, draw(st.lists(st.integers(0, len(chunk.data)), max_size=30)))
    ]
