"""Patterns, held against the real Go matchers of BuildKit and Buildah."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerlab.cache.patterns import (
    BadPatternError,
    BuildahMatcher,
    BuildkitMatcher,
    clean,
    glob,
    has_wildcards,
)
from tests.cache.go.matchers import Matchers, running

# Few letters, so that patterns and paths meet; every character that either syntax minds.
PATTERN = st.lists(
    st.sampled_from(
        [
            *"abcdé1///**??[]^-!\\.+(){}|$",
            *("**", "**/", "[a-c]", "[^a]", "\\d", "[[:digit:]]", "a{1,2}", " "),
        ]
    ),
    max_size=9,
).map("".join)
NAME = st.text("abcdé1.-+([]^$ \n\\", min_size=1, max_size=4).filter(lambda n: n not in (".", ".."))
PATH = st.lists(NAME, min_size=1, max_size=4).map("/".join)
MANY = settings(max_examples=2500, deadline=None)


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matchers]:
    with running(tmp_path_factory.mktemp("go")) as matchers:
        yield matchers


def ours_buildkit(patterns: list[str], path: str) -> bool | None:
    """None where a pattern is bad."""
    try:
        matcher = BuildkitMatcher(patterns)
    except BadPatternError:
        return None
    parts = path.split("/")
    matched, info = False, ()
    for at in range(len(parts)):
        matched, info = matcher.match("/".join(parts[: at + 1]), info)  # type: ignore[assignment]  # grows
    return matched


def ours_buildah(patterns: list[str], path: str) -> bool | None:
    """None where a pattern is bad."""
    try:
        return BuildahMatcher(patterns).match(path)
    except BadPatternError:
        return None


@MANY
@given(PATTERN.map(lambda pattern: pattern.replace("/", "")), NAME)
def test_glob_is_gos_match(go: Matchers, pattern: str, path: str) -> None:
    answer = go.ask(op="glob", text=pattern, path=path)
    try:
        found = glob(pattern).fullmatch(path) is not None
    except BadPatternError:
        # Go reads a pattern only as far as the path fits: it may not notice, but never matches.
        assert answer["error"] or not answer["matches"]
    else:
        assert (found, "") == (answer["matches"], answer["error"])


@MANY
@given(st.text("ab./!", max_size=12))
def test_clean_is_gos_clean(go: Matchers, path: str) -> None:
    assert clean(path) == go.ask(op="clean", path=path)["text"]


@MANY
@given(st.lists(st.tuples(st.sampled_from(["", "", "!"]), PATTERN).map("".join), max_size=5), PATH)
def test_buildkit_matches_as_its_own_matcher(go: Matchers, patterns: list[str], path: str) -> None:
    answer = go.ask(op="buildkit", patterns=patterns, path=path)
    ours = ours_buildkit(patterns, path)
    # Go reads a pattern only as far as a path fits. One that is bad further on it may use all the
    # same; we refuse each of them, and promise nothing more.
    if ours is not None:
        assert (ours, "") == (answer["matches"], answer["error"])


@MANY
@given(st.lists(st.tuples(st.sampled_from(["", "", "!"]), PATTERN).map("".join), max_size=5), PATH)
def test_buildah_matches_as_its_own_matcher(go: Matchers, patterns: list[str], path: str) -> None:
    answer = go.ask(op="buildah", patterns=patterns, path=path)
    matched = ours_buildah(patterns, path)
    if matched is not None:
        assert (matched, "") == (answer["matches"], answer["error"])


@pytest.mark.parametrize(
    ("path", "expected"),
    [("a*", True), ("a[b", True), ("a?", True), (r"a\*", False), (r"a\\*", True), ("ab]", False)],
)
def test_wildcards_are_the_unescaped_ones(path: str, expected: bool) -> None:
    assert has_wildcards(path) is expected


def test_a_folder_hands_its_match_down() -> None:
    matcher = BuildkitMatcher(["node_modules", "!node_modules/keep"])
    matched, info = matcher.match("node_modules", ())
    assert matched
    assert matcher.match("node_modules/x", info)[0]
    assert not matcher.match("node_modules/keep", info)[0]


def test_posix_classes_and_digits_mean_what_go_means() -> None:
    assert BuildahMatcher(["[[:digit:]]"]).match("1")
    assert not BuildahMatcher(["[[:digit:]]"]).match(":]")
    assert BuildkitMatcher([r"a\d"]).match("a7", ())[0]


def test_alternatives_are_buildahs_alone() -> None:
    assert BuildahMatcher(["(a|b)"]).match("b")
    assert not BuildkitMatcher(["(a|b)"]).match("b", ())[0]
