"""What BuildKit calls its vertices, taken apart: `[linux/arm64 builder 2/4] RUN make`.

The names are made by `prefixCommand` in BuildKit's `dockerfile2llb/convert.go`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from layerlab.model.plan import StepKind

_STEP = re.compile(
    r"\["
    r"(?:(?P<platform>[\w.()]+/[\w./()+-]+?)(?:->(?P<target>\S+))? )?"
    r"(?:(?P<stage>[^\s\]]+) )?"
    r" *(?P<n>\d{1,6})/(?P<m>\d{1,6})\] "
    r"(?P<mark>ONBUILD |LINK )?(?P<text>.*)",
    re.DOTALL,
)
_INTERNAL = re.compile(r"\[(?:(?P<platform>\S+/\S+) )?internal\] (?P<text>.*)", re.DOTALL)
_EXPORT = re.compile(r"(exporting|importing to|pushing|sending|unpacking|resolving provenance)\b")
_ARCHITECTURES = {
    "aarch64": "arm64",
    "arm64/v8": "arm64",
    "arm": "arm/v7",
    "armhf": "arm/v7",
    "armel": "arm/v6",
    "i386": "386",
    "x86_64": "amd64",
    "x86-64": "amd64",
}
KINDS: dict[str, StepKind] = {
    "FROM": "from",
    "RUN": "run",
    "COPY": "copy",
    "ADD": "add",
    "WORKDIR": "workdir",
}


class StepName(msgspec.Struct, frozen=True):
    """The name of a numbered step.

    Attributes:
        platform: as printed, `linux/amd64->arm64` when cross-compiling; None in builds for one.
        target: the platform that it is built for.
        stage: `""` where BuildKit names none.
        text: the instruction, variables expanded.
        onbuild: it comes from the base image's ONBUILD, not from this Dockerfile.
    """

    platform: str | None
    target: str | None
    stage: str
    n: int
    m: int
    text: str
    onbuild: bool

    @property
    def base(self) -> str | None:
        """The platform that it runs on."""
        return self.platform.partition("->")[0] if self.platform else None

    @property
    def kind(self) -> StepKind:
        """What it does, after its first word."""
        return KINDS.get(self.text.partition(" ")[0].upper(), "internal")


class OtherName(msgspec.Struct, frozen=True):
    """The name of what BuildKit does of its own accord."""

    kind: StepKind
    platform: str | None
    text: str

    @property
    def id(self) -> str:
        """The step's id; see `events.StepUpdate`."""
        return f"{self.kind}:{self.platform + ' ' if self.platform else ''}{self.text}"


def parse(name: str) -> StepName | OtherName:
    """Take a vertex's name apart. Whatever is no step of a Dockerfile is an `OtherName`."""
    if step := _STEP.fullmatch(name):
        printed, target = step["platform"], step["target"]
        return StepName(
            platform=f"{printed}->{target}" if target else printed,
            target=_full(printed, target) if target else printed,
            stage=step["stage"] or "",
            n=int(step["n"]),
            m=int(step["m"]),
            text=step["text"],
            onbuild=step["mark"] == "ONBUILD ",
        )
    if internal := _INTERNAL.fullmatch(name):
        return OtherName("internal", internal["platform"], internal["text"])
    return OtherName("export" if _EXPORT.match(name) else "internal", None, name)


def _full(base: str, target: str) -> str:
    """`arm64` for `linux/amd64` is `linux/arm64` (`formatTargetPlatform` leaves out the system)."""
    system = base.partition("/")[0]
    return target if target.startswith(("linux/", "windows/")) else f"{system}/{target}"


def platform_name(written: str) -> str:
    """A platform as every engine prints it (containerd's `platforms.Normalize`)."""
    system, _, architecture = written.lower().partition("/")
    return f"{system}/{_ARCHITECTURES.get(architecture, architecture)}"


_VARIABLE = re.compile(r"\$(?:\w+|\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})")
_IGNORED = re.compile(r"[\s\"'\\]+")


def same_instruction(written: str, printed: str) -> bool:
    """True when BuildKit may have made `printed` out of an instruction of the Dockerfile.

    It expands variables, takes quotes away and adds what a heredoc holds.
    """
    parts = [_bare(part) for part in _VARIABLE.split(written)]
    text = _bare(printed)
    if _matches(parts, text):
        return True
    return "<<" in written and _matches([*parts[:-1], f"{parts[-1]}(", ""], text)


def _bare(text: str) -> str:
    return _IGNORED.sub("", text).lower()


def _matches(parts: Sequence[str], text: str) -> bool:
    """True when `text` is the parts in their order, with anything between them.

    Each part is taken at its first place; a regular expression would try them all.
    """
    first, *middle = parts
    last = middle.pop() if middle else None
    if last is None or not text.startswith(first):
        return text == first
    place = len(first)
    for part in middle:
        place = text.find(part, place)
        if place < 0:
            return False
        place += len(part)
    return text.endswith(last) and len(text) - len(last) >= place
