"""Recordings of real builds as the widget was given them while they ran."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

from layerlab.model.build import Build, reduce_all
from layerlab.model.wire import WireBuild, to_wire
from layerlab.session import INTERVAL, Sink
from tests.golden.recording import HERE, Recording, load


def recording(name: str) -> Recording:
    """One by its name, `TOOL-VERSION/CASE`."""
    return load(HERE / name)


def states(recorded: Recording) -> Iterator[tuple[Build, float]]:
    """The build at its start, after every read of the pipe, and at its end; with the time."""
    parser, begun = recorded.parser(), recorded.facts["begun"]
    build, at = _start(recorded), begun
    yield build, at
    for chunk in recorded.chunks:
        at = begun + chunk.at
        build = reduce_all(build, parser.feed(chunk.data, chunk.stream, at))
        yield build, at
    cancelled = recorded.facts["cancelled"]
    end = parser.close(recorded.facts["exit_code"], at, cancelled=cancelled)
    yield reduce_all(build, end), at


def snapshots(recorded: Recording) -> Iterator[WireBuild]:
    """What a view would have been sent, had it been sent everything."""
    return (to_wire(build, at) for build, at in states(recorded))


def play(name: str, sink: Sink) -> Build:
    """Show a recording as a session shows a build: as fast as it was, ten pictures a second."""
    recorded = recording(name)
    begun, shown = time.monotonic(), 0.0
    build = _start(recorded)
    sink.start(build, ())
    for build, at in states(recorded):
        offset = at - build.started
        time.sleep(max(0.0, begun + offset - time.monotonic()))
        if build.outcome is None and offset - shown >= INTERVAL:
            shown = offset
            sink.show(build, at)
    sink.finish(build)
    return build


def _start(recorded: Recording) -> Build:
    argv = recorded.facts["argv"]
    tags = [value for flag, value in pairwise(argv) if flag == "-t"]
    return Build(
        id=recorded.name,
        engine=argv[0],
        command=tuple(argv),
        tags=tuple(tags),
        plan=recorded.plan,
        started=recorded.facts["begun"],
        log_file=f"logs/{recorded.folder.name}.log",
    )
