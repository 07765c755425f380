"""The command line `layerlab`. Thin: parse, call the session, hand to a sink."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from layerlab.errors import BuildInterrupted, LayerlabError

INPUT_ERROR = 2
"""Exit status when there was nothing to run, as argparse itself uses it."""
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options, rest = parser().parse_known_args(arguments)
    if rest and options.run not in (_build, _predict):
        parser().error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        status: int = options.run(options, rest)
    except LayerlabError as error:
        print(f"layerlab: {error.explain()}", file=sys.stderr)
        return error.exit_code or INPUT_ERROR
    except BuildInterrupted as stopped:
        print(f"layerlab: {stopped}", file=sys.stderr)
        return INTERRUPTED
    return status


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = argparse.ArgumentParser(prog="layerlab", description=__doc__.splitlines()[0])
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    doctor = commands.add_parser("doctor", help="what is installed, what works, how to mend it")
    doctor.add_argument("--json", action="store_true", help="a list of reports as JSON")
    doctor.set_defaults(run=_doctor)

    build = commands.add_parser(
        "build", help="build an image; takes the arguments of the CLI's own build command"
    )
    build.add_argument("--engine", metavar="NAME", help="which engine; else the first that works")
    build.add_argument(
        "--progress",
        choices=("text", "plain", "jsonl"),
        default="text",
        help="steps; steps and their output; or one normalised event a line",
    )
    build.set_defaults(run=_build)

    ctr = commands.add_parser("ctr", help="any other command of an engine: images, ps, run…")
    ctr.add_argument("--engine", metavar="NAME", help="which engine; else the first that works")
    ctr.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND …")
    ctr.set_defaults(run=_ctr)

    _add_foresight(commands)

    builds = commands.add_parser("builds", help="earlier builds")
    builds.set_defaults(run=_builds)

    bases = commands.add_parser("bases", help="the base images that the labs need")
    bases.add_argument("action", choices=("ensure",), help="pull them, or make stand-ins")
    bases.add_argument("--engine", metavar="NAME", help="which engine; else the first that works")
    bases.add_argument(
        "--registry",
        metavar="127.0.0.1:PORT",
        help="put stand-ins into this registry, which the engines mirror, instead of an engine",
    )
    bases.set_defaults(run=_bases)

    course = commands.add_parser("course", help="run labs without a browser and write a report")
    course.add_argument("--engine", metavar="NAME", help="which engine; else the first that works")
    course.add_argument("--lab", metavar="NN", help="one lab; else all")
    course.add_argument("--out", type=Path, default=None, help="where the report goes")
    course.set_defaults(run=_course)

    _add_lab(commands)
    return top


def _add_lab(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    setup = commands.add_parser("setup", help="get what the embedded engine stands on")
    setup.set_defaults(run=_setup)
    lab = commands.add_parser("lab", help="open the course in JupyterLab")
    lab.add_argument("--no-browser", action="store_true", help="print the address only")
    lab.set_defaults(run=_lab)


def _add_foresight(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    predict = commands.add_parser(
        "predict", help="what will become of each step; takes the arguments of build"
    )
    predict.add_argument("--engine", metavar="NAME", help="which engine; else the first that works")
    predict.add_argument("--json", action="store_true", help="steps with fates and causes as JSON")
    predict.set_defaults(run=_predict)
    explain = commands.add_parser("explain", help="what became of each step of the last build")
    explain.add_argument("--json", action="store_true", help="the same as JSON")
    explain.set_defaults(run=_explain)


def _doctor(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    from layerlab.engines import detect
    from layerlab.views import tables

    reports = detect.probe_all(os.environ)
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(reports)).decode())
    else:
        print(
            tables.text_table(tables.ENGINES[:4], [row[:4] for row in tables.engine_rows(reports)])
        )
        for report in reports:
            if report.reason:
                print(f"\n{report.engine}: {report.reason}\n{report.fix}".rstrip())
    return 0 if any(report.works for report in reports) else 1


def _setup(_options: argparse.Namespace, _rest: Sequence[str]) -> int:
    from layerlab.launch import set_up

    set_up()
    return 0


def _build(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from layerlab.engines import argv
    from layerlab.render import stdout_sink
    from layerlab.session import Session
    from layerlab.views.text import build_text

    session = Session()
    if options.engine:
        session.use(options.engine)
    build = session.build(argv.parse(rest, Path.cwd()), stdout_sink(options.progress))
    if options.progress != "jsonl":
        print(build_text(build))
    return build.exit_code or 0


def _predict(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from layerlab.cache.predict import to_json
    from layerlab.engines import argv
    from layerlab.render import Picture
    from layerlab.session import Session

    session = Session()
    if options.engine:
        session.use(options.engine)
    steps = session.predict(argv.parse(rest, Path.cwd())).steps
    print(to_json(steps).decode() if options.json else Picture.forecast(steps))
    return 0


def _explain(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    from layerlab.cache.predict import to_json
    from layerlab.render import Picture
    from layerlab.session import Session

    steps = Session().explained()
    print(to_json(steps).decode() if options.json else Picture.explanation(steps))
    return 0


def _ctr(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    from layerlab.engines import detect

    for _, output in detect.choose(options.engine, os.environ).ctr(options.words):
        print(output, end="")
    return 0


def _builds(_options: argparse.Namespace, _rest: Sequence[str]) -> int:
    from layerlab.session import Session
    from layerlab.views import tables

    found = list(reversed(Session().workspace.builds()))
    print(tables.text_table(tables.BUILDS, tables.build_rows(found)))
    return 0


def _bases(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    from layerlab.bases import catalogue
    from layerlab.launch import ensure_bases, fill_registry
    from layerlab.session import Session

    path = catalogue.find(Path.cwd())
    if options.registry:
        fill_registry(options.registry, path)
        return 0
    session = Session()
    if options.engine:
        session.use(options.engine)
    ensure_bases(session.engine, path)
    return 0


def _course(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    from layerlab.course import run_labs
    from layerlab.labs import Course
    from layerlab.session import Session

    course, session = Course.around(Path.cwd()), Session()
    if options.engine:
        session.use(options.engine)
    labs = (course.lab(options.lab),) if options.lab else course.labs
    passed = run_labs(labs, session.engine.name, options.out or course.folder / "report")
    return 0 if passed else 1


def _lab(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    from layerlab.launch import open_lab

    return open_lab(Path.cwd(), browser=not options.no_browser)
