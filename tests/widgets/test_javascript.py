"""The JavaScript: its own tests, and that what is committed is what its sources make."""

import filecmp
import re
from pathlib import Path

import pytest

from tests.widgets.conftest import STATIC, WIDGETS, need, node_modules, run

SOURCES = sorted((WIDGETS / "js").rglob("*.js"))


def test_its_own_tests_pass() -> None:
    printed = run(need("node"), "--test", "--test-reporter", "tap")
    count = re.search(r"(?m)^# pass (\d+)$", printed)
    assert count
    assert int(count[1]) > 20, printed


@pytest.mark.network
def test_committed_bundles_are_what_the_sources_make(tmp_path: Path) -> None:
    node_modules()
    run(need("npm"), "run", "build", "--", f"--outdir={tmp_path}")
    bundles = sorted(path.name for path in tmp_path.iterdir())
    assert bundles == ["build_view.css", "build_view.js", "guess_view.css", "guess_view.js"]
    assert sorted(path.name for path in STATIC.iterdir()) == bundles
    same, different, missing = filecmp.cmpfiles(STATIC, tmp_path, bundles, shallow=False)
    assert (same, different, missing) == (bundles, [], []), "run: npm --prefix widgets run build"


def test_the_lock_file_names_no_registry() -> None:
    assert "://" not in (WIDGETS / "package-lock.json").read_text()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_sources_never_parse_html_and_never_ask_the_network(path: Path) -> None:
    source = path.read_text()
    never = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\bfetch\(|XMLHttp|WebSocket|eval\("
    )
    assert not re.findall(never, source)
    assert len(source.splitlines()) <= 400


def test_only_the_views_touch_the_page() -> None:
    for path in SOURCES:
        if path.parent.name != "views" and not path.name.endswith(".test.js"):
            assert not re.findall(r"\b(document|window|navigator)\b", path.read_text()), path
