"""Stand-ins by hand: `python -m layerlab.bases make | fill HOST:PORT | start | stop`.

Learners type `layerlab bases ensure`; this is for CI, which fills a registry of its own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from layerlab.bases import catalogue, oci, provide, registry
from layerlab.errors import LayerlabError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m layerlab.bases", description=__doc__)
    parser.add_argument("--catalogue", type=Path, help="bases.toml (default: the nearest)")
    parser.add_argument("--only", action="append", default=[], help="part of a name")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("make", help="put stand-ins together")
    commands.add_parser("fill", help="push them to a registry").add_argument("registry")
    commands.add_parser("start", help="start the registry that learners' engines pull from")
    commands.add_parser("stop", help="stop it")
    args = parser.parse_args(argv)
    try:
        for line in _run(args):
            sys.stdout.write(f"{line}\n")
    except LayerlabError as error:
        lines = (error.message, error.hint, error.output)
        sys.stderr.write("".join(f"{line}\n" for line in lines if line))
        return 1
    return 0


def _run(args: argparse.Namespace) -> Iterable[str]:
    if args.command == "start":
        return [registry.start(_say).address]
    if args.command == "stop":
        return ["stopped" if registry.stop() else "none was running"]
    path = args.catalogue or catalogue.find(Path.cwd())
    bases = [
        base
        for base in catalogue.load(path)
        if not args.only or any(part in base.name for part in args.only)
    ]
    if args.command == "fill":
        reports = provide.fill(args.registry, bases, say=_say)
        return [f"{r.name}\t{','.join(r.platforms)}\t{r.note}" for r in reports]
    return [
        f"{made.base.short_name}\t{','.join(made.platforms)}\t"
        f"{oci.size(made.folder) / 1e6:.1f} MB\t{made.folder}"
        for made in provide.stand_ins(bases, say=_say)
    ]


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
