"""The catalogues: one for each language, all with the same keys and placeholders."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from layerlab.language import preferred
from layerlab.model.wire import to_wire
from layerlab.views import texts, words
from layerlab.views.html import build_html
from layerlab.views.texts import LANGUAGES, catalogue, say
from tests.views import finished, samples
from tests.views.pages import Page
from tests.views.script import START

ROOT = Path(__file__).parents[2]
SOURCES = [
    *(ROOT / "extension" / "layerlab" / "views").rglob("*.py"),
    *(ROOT / "widgets" / "js").rglob("*.js"),
    *(ROOT / "extension" / "layerlab" / "cache").glob("*.py"),
]


@pytest.fixture
def german() -> Iterator[None]:
    texts.choose("de_DE")
    yield
    texts.choose("en")


def placeholders(text: str | dict[str, str]) -> list[set[str]]:
    every = text.values() if isinstance(text, dict) else [text]
    return [set(re.findall(r"\{(\w+)\}", one)) for one in every]


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_catalogues_have_the_same_keys_and_placeholders(language: str) -> None:
    first, other = catalogue(LANGUAGES[0]), catalogue(language)
    assert set(first) == set(other)
    for key, text in first.items():
        assert placeholders(other[key]) == placeholders(text), key
        assert isinstance(text, dict) == isinstance(other[key], dict), key


def test_every_text_is_used_and_every_used_text_is_there() -> None:
    """Keys that are put together, such as `fate.…`, are used by their first word."""
    source = "\n".join(path.read_text() for path in SOURCES)
    whole = set(re.findall(r"[\"']([a-z]+(?:[.-][a-z-]+)*)[\"']", source))
    families = "fate|outcome|expected|count|forecast|change|explain|reason"
    begun = set(re.findall(rf"[\"'`]((?:{families})\.)[\"'`$\{{]", source))
    for key in catalogue("en"):
        assert key in whole or key.startswith(tuple(begun)), key
    for key in re.findall(r"say\(\s*[\"']([^\"']+)[\"']\s*[,)]", source):
        assert key in catalogue("en"), key


UNITS = {"s", "min", "h", "B", "kB", "MB", "GB", "MiB"}


@pytest.mark.parametrize("name", [*finished.SAMPLES, *samples.SAMPLES])
def test_no_text_of_a_view_stands_outside_of_the_catalogue(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a catalogue that puts all its words in brackets, what is left is data or a unit.

    The widgets say the same in both languages: `tests/widgets` compares them.
    """
    marked = re.compile(r"((?:^|\})[^{]*)")

    def bracketed(text: str) -> str:
        return marked.sub(lambda found: re.sub(r"[^{}\s]+", "⟦\\g<0>⟧", found[1]), text)

    foreign = {
        key: {n: bracketed(t) for n, t in text.items()}
        if isinstance(text, dict)
        else text
        if key in ("decimal", "thousands")
        else bracketed(text)
        for key, text in catalogue("en").items()
    }
    monkeypatch.setattr(texts, "catalogue", lambda _: foreign)
    if name in finished.SAMPLES:
        view = finished.SAMPLES[name]
        data, html = view.data, view.html(view.data)
    else:
        data = to_wire(samples.SAMPLES[name](), START + 6.3)
        html = build_html(data)
    page = Page(html)
    # Tags become spaces: beside each other, cells make no word.
    bare = unescape(re.sub(r"(?s)<style>.*?</style>|<[^>]*>", " ", html))
    said = [bare, *(a.get("aria-label") or "" for _, a in page.elements)]
    assert "⟦" in page.text
    words_ = set(re.findall(r"[^\W\d_]+", re.sub(r"⟦[^⟧]*⟧", " ", "\n".join(said))))
    known = set(re.findall(r"[^\W\d_]+", repr(data).replace("\\n", " ")))
    # Lines of a changed file, an instruction's first word in capitals, a name without its end.
    known |= {word.upper() for word in known} | UNITS
    assert {word for word in words_ if word not in known} <= {"Dockerfile"}


def test_no_style_sheet_and_no_script_says_anything_itself() -> None:
    """Words in `content:`, and phrases in JavaScript, cannot be translated."""
    for sheet in [*(ROOT / "extension/layerlab/views").glob("*.css"),
                  *(ROOT / "widgets/js").glob("*.css")]:  # fmt: skip
        for value in re.findall(r"[\s{;]content:([^;}]*)", sheet.read_text()):
            assert not re.search(r"[A-Za-z]{2}", value.replace("attr(data-label)", "")), sheet
    for path in (ROOT / "widgets/js").rglob("*.js"):
        if path.name.endswith(".test.js"):
            continue
        code = re.sub(r"(?m)^\s*(//|/?\*).*|\s//.*$", "", path.read_text())
        for literal in re.findall(r"\"([^\"\n]*)\"|`([^`]*)`", code):
            text = re.sub(r"\$\{[^}]*\}", "", "".join(literal))
            named = "ll-" in text or text == "not reached"  # a class; a state on the wire
            assert named or not re.search(r"[A-Za-z]{2,} [a-z]{2,}", text), (path, text)


@pytest.mark.usefixtures("german")
def test_german() -> None:
    build = to_wire(samples.failing(), START + 6.3)
    text = Page(build_html(build)).text
    assert "Gescheitert nach 3,2 s" in text
    assert "1 von 5 Schritten übernommen" in text
    assert "Was hilft:" in text
    assert words.counted(12345, "line") == "12.345 Zeilen"
    assert words.at_lines((7, 7)) == "Zeile 7"
    assert words.size(12_300_000, 47_300_000) == "12,3 von 47,3 MB"
    view = finished.SAMPLES["compare-lab01"]
    assert "vorher ausgeführt, jetzt übernommen" in Page(view.html(view.data)).text


@pytest.mark.usefixtures("german")
def test_lengths_of_bars_are_no_texts() -> None:
    assert "width:10.32%" in finished.SAMPLES["compare-lab01"].html(
        finished.SAMPLES["compare-lab01"].data
    )


def test_a_value_that_looks_like_a_placeholder_is_text() -> None:
    assert say("build.gap.file", lines="{file}", file="{lines}").count("{") == 2


def test_a_language_without_a_catalogue_is_english() -> None:
    texts.choose("tlh")
    assert texts.language() == "en"


def test_the_variable_comes_before_jupyterlab_and_jupyterlab_before_nothing(tmp_path: Path) -> None:
    here = {"JUPYTER_CONFIG_DIR": str(tmp_path)}
    assert preferred(here) == ""
    setting = tmp_path / "lab/user-settings/@jupyterlab/translation-extension"
    setting.mkdir(parents=True)
    file = setting / "plugin.jupyterlab-settings"
    file.write_text('{\n  // Language\n  // the locale\n  "locale": "de_DE"\n}')
    assert preferred(here) == "de_DE"
    assert preferred({**here, "LAYERLAB_LANG": "en"}) == "en"
    file.write_text('{"locale": "default"}')
    assert preferred(here) == ""
    file.write_text("[")
    assert preferred(here) == ""
