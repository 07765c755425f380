"""Which engines there are, which of them work, and which one is taken."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from layerlab.engines import host
from layerlab.engines.base import ENGINES, Engine, EngineName, EngineReport
from layerlab.errors import EngineUnavailableError

VARIABLE = "LAYERLAB_ENGINE"
"""The environment variable that chooses an engine."""


def make(name: EngineName, environ: Mapping[str, str]) -> Engine:
    """An engine, whether it works or not.

    Each is loaded when it is asked for: together they are a third of the extension.
    """
    look = partial(host.look, environ)
    match name:
        case "docker":
            from layerlab.engines.docker import DockerEngine  # noqa: PLC0415

            return DockerEngine(look)
        case "nerdctl":
            from layerlab.engines.nerdctl import NerdctlEngine  # noqa: PLC0415

            return NerdctlEngine(look)
        case "podman":
            from layerlab.engines.podman import PodmanEngine  # noqa: PLC0415

            return PodmanEngine(look)
        case "buildah":
            from layerlab.engines.buildah import BuildahEngine  # noqa: PLC0415

            return BuildahEngine(look)
        case "embedded":
            from layerlab.engines.embedded.engine import EmbeddedEngine  # noqa: PLC0415

            return EmbeddedEngine(environ)


def probe(name: EngineName, environ: Mapping[str, str]) -> EngineReport:
    """Whether an engine works just now."""
    return make(name, environ).probe()


def probe_all(environ: Mapping[str, str]) -> tuple[EngineReport, ...]:
    """A report of every engine, in the order in which one is chosen. Takes a second or two."""
    return tuple(probe(name, environ) for name in ENGINES)


def choose(name: str | None, environ: Mapping[str, str]) -> Engine:
    """The engine to use: the one that is asked for, else the first that works.

    Args:
        name: what the learner chose; None leaves it to `LAYERLAB_ENGINE`, or else to us.
        environ: environment variables.

    Raises:
        EngineUnavailableError: code `unknown-engine`, `engine-unavailable`, or `no-engine`.
    """
    wanted = name or environ.get(VARIABLE)
    if wanted:
        return _named(wanted.lower(), environ)
    reports = []
    for candidate in ENGINES:
        engine = make(candidate, environ)
        reports.append(engine.probe())
        if reports[-1].works:
            return engine
    raise _none_works(reports)


def _named(wanted: str, environ: Mapping[str, str]) -> Engine:
    known = next((name for name in ENGINES if name == wanted), None)
    if known is None:
        raise EngineUnavailableError(
            f"Layerlab knows no engine named “{wanted}”.",
            code="unknown-engine",
            hint=f"Those that it knows: {', '.join(ENGINES)}.",
        )
    engine = make(known, environ)
    report = engine.probe()
    if not report.works:
        raise EngineUnavailableError(
            f"{known} cannot be used now. {report.reason}",
            code="engine-unavailable",
            hint=report.fix,
        )
    return engine


def _none_works(reports: list[EngineReport]) -> EngineUnavailableError:
    # One that is there is nearer to working than one that must be installed.
    nearest = next((report for report in reports if report.found), reports[0])
    return EngineUnavailableError(
        "No engine on this computer can build images now.",
        code="no-engine",
        hint=f"Nearest to it: {nearest.engine}. {nearest.reason}\n{nearest.fix}\n"
        "All of them: %engine list, or in a terminal: layerlab doctor",
    )
