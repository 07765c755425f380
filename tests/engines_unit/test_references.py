"""The names that images can have."""

import pytest

from layerlab.engines import references
from layerlab.errors import BuildInputError

# From the tables of distribution/reference's own tests.
GOOD = [
    "colors",
    "colors:first",
    "test_com",
    "test.com:tag",
    "test:5000/repo",
    "test:5000/repo:tag",
    "docker.io/library/node:24.19.0-trixie-slim",
    "localhost/colors",
    "sub-dom1.foo.com/bar/baz/quux",
    "a^".replace("^", "__b"),
    "xn--7o8h.com/myimage:xn--7o8h.com",
    "[2001:db8::1]:5000/repo",
    "Foo/bar",
    "a" * 255,
    "x:" + "t" * 128,
]
BAD = {
    "": "empty",
    ":tag": "empty",
    "Colors": "capital letters are not allowed, “colors” is",
    "colors:": "nothing after the colon",
    "a b": "space",
    "a//b": "not allowed",
    "-a": "not allowed",
    "a..b": "not allowed",
    "a___b": "not allowed",
    "x:t/": "not allowed",
    "x:tä": "tag",
    "x:" + "t" * 129: "tag",
    "$(id)": "not allowed",
    "a" * 256: "longer than 255",
    "a" * 64: "id of an image",
    "x@sha256:" + "f" * 64: "digest",
}


@pytest.mark.parametrize("name", GOOD)
def test_good_names(name: str) -> None:
    references.check(name)


@pytest.mark.parametrize(("name", "words"), BAD.items())
def test_bad_names(name: str, words: str) -> None:
    with pytest.raises(BuildInputError, match=words) as raised:
        references.check(name)
    assert raised.value.code == "bad-reference"


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("docker.io/library/busybox:1", "busybox:1"),
        ("docker.io/me/app", "me/app:latest"),
        ("localhost/colors:first", "colors:first"),
        ("localhost:5000/colors", "localhost:5000/colors:latest"),
        ("ghcr.io/a/b:c", "ghcr.io/a/b:c"),
        ("x@sha256:abc", "x@sha256:abc"),
    ],
)
def test_short_names(name: str, short: str) -> None:
    assert references.short(name) == short
