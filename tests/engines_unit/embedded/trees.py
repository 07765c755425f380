"""Random trees of files, and small ones by hand."""

from __future__ import annotations

import posixpath
from typing import get_args

from hypothesis import strategies as st

from layerlab.engines.embedded.store.entries import Entry, Type
from layerlab.engines.embedded.store.layers import Member

NAMES = ("a", "b", "c", "a-b", "ü", "\udcff", "long" * 40)
MODES = st.sampled_from([0o644, 0o755, 0o4755, 0o1777, 0])
TIMES = st.sampled_from([-5, 0, 1, 1_600_000_000, 1 << 33])
IDS = st.sampled_from([0, 1000, 1 << 21, (1 << 32) - 2])
KINDS: st.SearchStrategy[Type] = st.sampled_from(get_args(Type))
XATTRS = st.sampled_from([(), (("security.capability", "01000002ff"), ("user.ü", "c3bc"))])


def file(path: str, data: bytes = b"", mode: int = 0o644) -> Member:
    return Member(Entry(path, "file", mode, 0, 0, size=len(data)), data)


def folder(path: str, mode: int = 0o755) -> Member:
    return Member(Entry(path, "dir", mode, 0, 0))


def link(path: str, target: str) -> Member:
    return Member(Entry(path, "link", 0o777, 0, 0, link=target))


@st.composite
def member(draw: st.DrawFn, path: str, kind: Type) -> Member:
    data = draw(st.binary(max_size=600)) if kind == "file" else b""
    entry = Entry(
        path,
        kind,
        draw(MODES),
        draw(IDS),
        draw(IDS),
        size=len(data),
        mtime=draw(TIMES),
        link=draw(st.sampled_from(NAMES)) if kind == "link" else "",
        xattrs=draw(XATTRS),
        device=(8, 300) if kind in ("char", "block") else (0, 0),
    )
    return Member(entry, data)


@st.composite
def members(draw: st.DrawFn) -> list[Member]:
    """A tree that is whole: every parent is there and is a folder; with hard links, shuffled."""
    found: dict[str, Member] = {}
    paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4)
    for parts in draw(st.lists(paths, max_size=12)):
        for depth in range(1, len(parts)):
            above = "/".join(parts[:depth])
            if above not in found:
                found[above] = draw(member(above, "dir"))
            elif found[above].entry.type != "dir":
                break
        else:
            kind = draw(KINDS)
            found.setdefault("/".join(parts), draw(member("/".join(parts), kind)))
    # In a folder: of one that is no folder, nothing is there.
    for path, first in list(found.items()):
        if first.entry.type == "file" and draw(st.booleans()):
            second = posixpath.join(posixpath.dirname(path), draw(st.sampled_from(("y", "!"))))
            led = Entry(second, "file", 0, 0, 0, first=path)
            found.setdefault(second, Member(led))
    return draw(st.permutations(list(found.values())))
