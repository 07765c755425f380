from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerlab.bases import sources

DEB822 = """\
# the archive
Types: deb deb-src
URIs: http://ann:pw@m.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
# a comment inside
Signed-By: /usr/share/keyrings/x.gpg

Types: deb
URIs: https://s.example/debian-security
Suites:
 bookworm-security
Components: main

Types: deb
Enabled: no
URIs: https://off.example/debian
Suites: trixie
Components: main
"""


def test_deb822_is_read_without_logins() -> None:
    found = sources.mirrors(sources.parse(DEB822, deb822=True))
    assert found == sources.Mirrors("http://m.example/debian", "https://s.example/debian-security")


def test_one_line_style_is_read_with_options_and_comments() -> None:
    text = """
    # deb http://off.example/debian trixie main
    deb-src http://src.example/debian trixie main
    deb [arch=amd64 signed-by=/x] http://other.example/node nodistro main
    deb [arch=amd64] cdrom:[Debian]/ trixie main
    deb [ signed-by=/x ] http://m.example/debian trixie main # ours
    deb http://s.example/debian-security trixie-security main
    """
    found = sources.mirrors(sources.parse(text, deb822=False))
    assert found == sources.Mirrors("http://m.example/debian", "http://s.example/debian-security")


@pytest.mark.parametrize("line", ["deb http://u.example/ubuntu noble main", "", "deb", "garbage"])
def test_no_debian_mirror_is_none(line: str) -> None:
    assert sources.mirrors(sources.parse(line, deb822=False)) is None


def test_a_machine_without_one_is_told_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(sources.NoMirrorError) as caught:
        sources.find({}, tmp_path)
    assert sources.MIRROR_VARIABLE in caught.value.hint
    named = sources.find({sources.MIRROR_VARIABLE: "https://u:p@m.example/debian"}, tmp_path)
    assert named == sources.Mirrors("https://m.example/debian")


def test_what_is_written_reads_back_the_same() -> None:
    made = sources.Mirrors("http://m.example/debian", "http://m.example/debian-security")
    assert sources.mirrors(sources.parse(made.deb822("trixie"), deb822=True)) == made
    lines = "\n".join(made.lines("trixie"))
    assert sources.mirrors(sources.parse(lines, deb822=False)) == made


@given(st.text(), st.booleans())
def test_no_text_breaks_the_parser(text: str, deb822: bool) -> None:
    sources.mirrors(sources.parse(text, deb822=deb822))
