"""Which tests may run here: a missing engine is a skip that says so, in CI it is a failure."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections import Counter
from functools import cache

import pytest
from _pytest.terminal import TerminalReporter
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from layerlab.cache.key import LINEAR
from layerlab.engines import detect
from layerlab.engines.base import ENGINES, EngineName

REQUIRED = frozenset(filter(None, os.environ.get("LAYERLAB_REQUIRE_ENGINES", "").split(",")))
"""The engines that must be there. In CI that is all of them, and then Chromium must be too."""

# A loaded machine is no fault. In CI, examples are the same in every run.
settings.register_profile(
    "layerlab",
    deadline=None,
    derandomize=bool(REQUIRED) or "CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("layerlab")

# Started in the background, a process is told to ignore interrupts; some tests make them.
signal.signal(signal.SIGINT, signal.default_int_handler)

_outcomes: Counter[tuple[str, str]] = Counter()
_said: list[str] = []
"""What tests have recorded as their property `say`: lines for the end of the run."""


@cache
def _trouble(name: EngineName) -> str:
    """Why an engine cannot be tested here; empty when it can."""
    report = detect.make(name, os.environ).probe()
    return "" if report.works else f"{name}: {report.reason} {report.fix}"


def _absent(needed: str, why: str, *, required: bool) -> None:
    if required:
        pytest.fail(f"{needed} is required here, but: {why}", pytrace=False)
    pytest.skip(why)


class Lanes(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Which tests may not run beside each other, for `--dist loadscope`.

    Podman and Buildah have one store, where both would give their images the same names. docker
    and nerdctl take turns since there are two cores; the embedded engine goes with either. Each
    file of other tests is a lane of its own.
    """

    def _split_scope(self, nodeid: str) -> str:
        return lane(nodeid)


def lane(nodeid: str) -> str:
    """The lane of a test: its engine is a word in the brackets at the end of its name."""
    words = set(re.split(r"[-\]]", nodeid.partition("[")[2]))
    if words & LINEAR:
        return "podman, buildah"
    if "embedded" in words:
        return "embedded"
    if words & set(ENGINES) or nodeid.startswith("tests/browser/"):
        return "docker, nerdctl"
    return nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Lanes | None:
    """Lanes where they are asked for; pytest-xdist's own ways otherwise."""
    return Lanes(config, log) if config.getoption("dist") == "loadscope" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Engines first, as they take longest.

    It is also the order that Playwright needs: in one process it does not go together with what
    asks a kernel, if that comes later.
    """
    items.sort(key=lambda item: item.get_closest_marker("engine") is None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail or skip where what a test needs is missing."""
    marker = item.get_closest_marker("engine")
    if marker:
        name = marker.args[0]
        item.user_properties.append(("engine", name))
        if why := _trouble(name):
            _absent(name, why, required=name in REQUIRED)
    if item.get_closest_marker("browser") and not shutil.which("chromium"):
        why = "there is no program named chromium (on Debian: apt-get install chromium)"
        _absent("Chromium", why, required=bool(REQUIRED))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count for the summary."""
    told = dict(report.user_properties)
    if report.when == "call" or not report.passed:
        if engine := told.get("engine"):
            _outcomes[f"{engine}", report.outcome] += 1
        if "say" in told:
            _said.append(f"{told['say']}")


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
    for line in _said:
        terminalreporter.write_line(line)
