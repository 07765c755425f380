import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerlab.cache.words import expand

VARIABLES = {
    "A": "1",
    "EMPTY": "",
    "NAME": "debian",
    "TAG": "bookworm",
    "PATH_": "/usr/bin",
    "STAR": "a*",
}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("plain", "plain"),
        ("$A", "1"),
        ("${A}", "1"),
        ("x$A-y", "x1-y"),
        ("${NAME}:${TAG}-slim", "debian:bookworm-slim"),
        ("$MISSING", ""),
        ("${MISSING:-fallback}", "fallback"),
        ("${EMPTY:-fallback}", "fallback"),
        ("${EMPTY-fallback}", ""),
        ("${MISSING-fallback}", "fallback"),
        ("${A:+set}", "set"),
        ("${EMPTY:+set}", ""),
        ("${EMPTY+set}", "set"),
        ("${MISSING+set}", ""),
        ("${A:?needed}", "1"),
        ("${MISSING:-${NAME}-x}", "debian-x"),
        ('"$A"', "1"),
        ("'$A'", "$A"),
        ('"it\'s $A"', "it's 1"),
        (r"\$A", "$A"),
        ("a$", "a$"),
        ("a$.", "a$."),
        # a special parameter of the shell, never set
        ("$-", ""),
        ("${", "${"),
        ("${A", "1"),
        ("'open", "open"),
        ("${NAME#deb}", "ian"),
        ("${NAME#*b}", "ian"),
        ("${PATH_#*/}", "usr/bin"),
        ("${PATH_##*/}", "bin"),
        ("${PATH_%/*}", "/usr"),
        ("${PATH_%%/*}", ""),
        ("${NAME%i?n}", "deb"),
        ("${NAME%x}", "debian"),
        ("${PATH_/usr/opt}", "/opt/bin"),
        (r"${PATH_//\//-}", "-usr-bin"),
        (r"${PATH_/\/usr/}", "/bin"),
        ("${NAME/$A/x}", "debian"),
        ("${MISSING//a/b}", ""),
        (r"${STAR%\*}", "a"),
        (r'"a\b\"$A"', r"a\b" + '"1'),
        ("${A:?needed}x", "1x"),
        ("${MISSING:-'a b'}", "a b"),
        ("${MISSING:-${NAME#de}}", "bian"),
    ],
)
def test_expands_like_buildkit(word: str, expected: str) -> None:
    assert expand(word, VARIABLES) == expected


def test_the_escape_character_can_be_another() -> None:
    assert expand("`$A \\$A", VARIABLES, escape="`") == "$A \\1"


def test_quotes_stay_in_a_heredoc() -> None:
    assert expand('it\'s "$A"', VARIABLES, quotes=False) == 'it\'s "1"'


@given(st.lists(st.sampled_from([*"$${}AB:-+?#%/\\'\"* x", "${A"])).map("".join))
def test_no_word_is_too_strange(word: str) -> None:
    assert isinstance(expand(word, VARIABLES), str)
