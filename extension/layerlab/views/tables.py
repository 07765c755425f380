"""Plain tables of engines, builds, images and containers: rows in, text or HTML out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Protocol

from layerlab.model.build import Build
from layerlab.model.text import printable

Row = Sequence[str]


def text_table(header: Row, rows: Iterable[Row]) -> str:
    """Columns as wide as they must be; no lines, so that a screen reader reads words only."""
    lines = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in lines
    )


def html_table(caption: str, header: Row, rows: Iterable[Row]) -> str:
    """A table with a caption and column headings; every cell is escaped."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(printable(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return (
        f'<table class="layerlab-table"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


class _Report(Protocol):
    """The part of `engines.base.EngineReport` that is shown; views know no engines."""

    @property
    def engine(self) -> str: ...
    @property
    def found(self) -> bool: ...
    @property
    def works(self) -> bool: ...
    @property
    def version(self) -> str: ...
    @property
    def builder(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def fix(self) -> str: ...


class _Image(Protocol):
    """The part of `engines.base.Image` that is shown."""

    @property
    def name(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def architecture(self) -> str: ...


class _Container(Protocol):
    """The part of `engines.base.Container` that is shown."""

    @property
    def name(self) -> str: ...
    @property
    def image(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def command(self) -> str: ...


ENGINES = ("engine", "state", "version", "builder", "what is wrong", "what to do")
BUILDS = ("", "image", "engine", "outcome", "reused", "ran", "time", "when (UTC)")
IMAGES = ("image", "architecture", "size", "id")
CONTAINERS = ("container", "image", "state", "command")


def engine_rows(reports: Iterable[_Report]) -> list[Row]:
    """One row an engine, in words: `works`, `does not work`, `not found`."""
    return [
        (
            report.engine,
            "works" if report.works else "does not work" if report.found else "not found",
            report.version,
            report.builder,
            report.reason,
            report.fix,
        )
        for report in reports
    ]


def build_rows(builds: Iterable[Build]) -> list[Row]:
    """One row a build, numbered from 1."""
    return [
        (
            str(number),
            ", ".join(build.tags) or "(no name)",
            build.engine,
            build.outcome or "not finished",
            str(build.hits),
            str(build.executed),
            f"{build.seconds():.1f} s",
            f"{datetime.fromtimestamp(build.started, UTC):%Y-%m-%d %H:%M}",
        )
        for number, build in enumerate(builds, 1)
    ]


def image_rows(images: Iterable[_Image]) -> list[Row]:
    """One row an image; sizes in MiB, unpacked."""
    return [
        (image.name, image.architecture, f"{image.size / 2**20:.1f} MiB", short_id(image.id))
        for image in images
    ]


def small(size: int) -> str:
    """Bytes in the unit that leaves a short number: `46 B`, `1.2 KiB`, `20.0 MiB`."""
    if size < 2**10:
        return f"{size} B"
    return f"{size / 2**10:.1f} KiB" if size < 2**20 else f"{size / 2**20:.1f} MiB"


def container_rows(containers: Iterable[_Container]) -> list[Row]:
    """One row a container."""
    return [(c.name, c.image, c.state, c.command) for c in containers]


def short_id(digest: str) -> str:
    """The first twelve digits, as the CLIs show them."""
    return digest.removeprefix("sha256:")[:12]
