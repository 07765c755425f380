"""Recorded builds: how they are kept, replayed and written down as a table."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerlab.cache.dockerfile import plan
from layerlab.errors import LayerlabError
from layerlab.model.build import Build, Step, reduce_all
from layerlab.model.events import Event
from layerlab.model.plan import Plan
from layerlab.model.text import plain
from layerlab.progress.base import Parser, Stream
from layerlab.progress.buildah import BuildahParser
from layerlab.progress.plain import PlainParser
from layerlab.progress.rawjson import RawJsonParser

HERE = Path(__file__).parent
PARSERS: dict[str, Callable[[Plan, Sequence[str]], Parser]] = {
    "rawjson": RawJsonParser,
    "plain": PlainParser,
    "buildah": BuildahParser,
}


@dataclass(frozen=True)
class Chunk:
    """What one read of a pipe gave. `at` is in seconds since the build began."""

    at: float
    stream: Stream
    data: bytes


@dataclass(frozen=True)
class Recording:
    """One build of a real tool.

    Attributes:
        facts: what `case.json` says: argv, versions, platforms, exit code, when it began.
        dockerfile: its text as it was built.
    """

    folder: Path
    facts: dict[str, Any]
    dockerfile: str
    chunks: tuple[Chunk, ...]

    @property
    def name(self) -> str:
        """`TOOL-VERSION/CASE`."""
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def plan(self) -> Plan:
        """What the Dockerfile asks for; empty where Layerlab refuses it before any tool sees it."""
        try:
            return plan(self.dockerfile, "Dockerfile", platforms=self.facts["platforms"])
        except LayerlabError:
            return Plan("Dockerfile", (), self.dockerfile)

    def parser(self) -> Parser:
        """A new parser for its format."""
        return PARSERS[self.facts["format"]](self.plan, self.facts["platforms"])

    def events(self, chunks: Iterable[Chunk] | None = None) -> Iterator[Event]:
        """What the parser makes of it, or of the same bytes cut in another way."""
        parser, begun, at = self.parser(), self.facts["begun"], 0.0
        for chunk in self.chunks if chunks is None else chunks:
            at = chunk.at
            yield from parser.feed(chunk.data, chunk.stream, begun + at)
        cancelled = self.facts["cancelled"]
        yield from parser.close(self.facts["exit_code"], begun + at, cancelled=cancelled)

    def build(self, chunks: Iterable[Chunk] | None = None) -> Build:
        """The build as it ended."""
        return reduce_all(Build(plan=self.plan, started=self.facts["begun"]), self.events(chunks))


def recordings() -> list[Recording]:
    """All that there are, by name."""
    return [load(path.parent) for path in sorted(HERE.glob("*/*/case.json"))]


def load(folder: Path) -> Recording:
    """Read one back."""
    return Recording(
        folder=folder,
        facts=json.loads((folder / "case.json").read_text()),
        dockerfile=(folder / "Dockerfile").read_text(),
        chunks=tuple(map(_chunk, (folder / "chunks.jsonl").read_text().splitlines())),
    )


def save(recording: Recording) -> None:
    """Write one, with its table."""
    folder = recording.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "case.json").write_text(json.dumps(recording.facts, indent=2) + "\n")
    (folder / "Dockerfile").write_text(recording.dockerfile)
    (folder / "chunks.jsonl").write_text("".join(map(_line, recording.chunks)))
    (folder / "expected.txt").write_text(table(recording.build()))


def _line(chunk: Chunk) -> str:
    try:
        data = {"text": chunk.data.decode()}
    except UnicodeDecodeError:
        data = {"base64": base64.b64encode(chunk.data).decode()}
    return json.dumps({"at": round(chunk.at, 6), "stream": chunk.stream, **data}) + "\n"


def _chunk(line: str) -> Chunk:
    row = json.loads(line)
    data = row["text"].encode() if "text" in row else base64.b64decode(row["base64"])
    return Chunk(row["at"], row["stream"], data)


def table(build: Build) -> str:
    """The end state as text to review: everything but times."""
    rows = [f"outcome: {build.outcome}, exit code {build.exit_code}, image {build.image}"]
    for step in build.ordered:
        rows += _step(build, step)
    for warning in build.warnings:
        rows.append(
            f"warning {_lines(warning.lines)}: {warning.message} {warning.url or ''}".rstrip()
        )
    if failure := build.failure:
        rows.append(f"failure {failure.code} at {failure.step}, {_lines(failure.lines)}")
        rows += [f"    {part}" for part in (*failure.message.split("\n"), f"hint: {failure.hint}")]
    return "\n".join(rows) + "\n"


def _step(build: Build, step: Step) -> Iterator[str]:
    number = f"{step.n}/{step.m}" if step.n else "-"
    yield (
        f"{build.state(step):12}{number:5} {step.kind:9}{_lines(step.lines):13}{step.id}"
        f"  {step.platform or ''}".rstrip()
    )
    if not step.id.endswith(step.instruction):
        yield f"    {step.instruction}"
    if step.error:
        yield f"    error: {step.error}"
    for item in step.items:
        total = "?" if item.total is None else item.total
        yield f"    item {item.name}: {item.current}/{total}{' done' if item.done else ''}"
    log = step.log
    yield from (f"    | {plain(line)}" for line in log.head)
    if log.dropped:
        yield f"    | … {log.dropped} lines …"
    yield from (f"    | {plain(line)}" for line in log.last)


def _lines(lines: tuple[int, int] | None) -> str:
    return "no line" if lines is None else f"lines {lines[0]}-{lines[1]}"
