"""Which tests may run here: a missing engine is a skip that says so, in CI it is a failure."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from functools import cache

import pytest
from _pytest.terminal import TerminalReporter
from hypothesis import HealthCheck, settings

from layerlab.engines import detect
from layerlab.engines.base import EngineName

REQUIRED = frozenset(filter(None, os.environ.get("LAYERLAB_REQUIRE_ENGINES", "").split(",")))
"""The engines that must be there. In CI that is all of them, and then Chromium must be too."""

# A loaded machine is no fault. With engines required, in CI, examples are the same in every run.
settings.register_profile(
    "layerlab",
    deadline=None,
    derandomize=bool(REQUIRED),
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("layerlab")

# Started in the background, a process is told to ignore interrupts; some tests make them.
signal.signal(signal.SIGINT, signal.default_int_handler)

_engine_of: dict[str, str] = {}
_outcomes: Counter[tuple[str, str]] = Counter()


@cache
def _trouble(name: EngineName) -> str:
    """Why an engine cannot be tested here; empty when it can."""
    report = detect.make(name, os.environ).probe()
    return "" if report.works else f"{name}: {report.reason} {report.fix}"


def _absent(needed: str, why: str, *, required: bool) -> None:
    if required:
        pytest.fail(f"{needed} is required here, but: {why}", pytrace=False)
    pytest.skip(why)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail or skip where what a test needs is missing."""
    marker = item.get_closest_marker("engine")
    if marker:
        name = marker.args[0]
        _engine_of[item.nodeid] = name
        if why := _trouble(name):
            _absent(name, why, required=name in REQUIRED)
    if item.get_closest_marker("browser") and not shutil.which("chromium"):
        why = "there is no program named chromium (on Debian: apt-get install chromium)"
        _absent("Chromium", why, required=bool(REQUIRED))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count for the summary."""
    engine = _engine_of.get(report.nodeid)
    if engine and (report.when == "call" or not report.passed):
        _outcomes[engine, report.outcome] += 1


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """One line for each engine."""
    engines = sorted({engine for engine, _ in _outcomes})
    if engines:
        terminalreporter.section("engines")
    for engine in engines:
        passed, failed, skipped = (
            _outcomes[engine, outcome] for outcome in ("passed", "failed", "skipped")
        )
        terminalreporter.write_line(
            f"{engine}: tests run {passed + failed}, failed {failed}, skipped {skipped}"
        )
