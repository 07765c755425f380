"""What the recorded bytes say themselves, read in the simplest way: a check on the parsers.

It looks at the whole output at once, knows no plan and shares no code with `layerlab.progress`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from layerlab.model.build import Step
from tests.golden.recording import Recording


@dataclass(frozen=True)
class Mention:
    """How a numbered step ended, as the tool said it last.

    Attributes:
        platform: as printed, `""` if none is.
        stage: its name, `""` where none is printed.
        text: the instruction as printed.
        state: `cached`, `executed`, `failed` or `cancelled`.
    """

    platform: str
    stage: str
    text: str
    state: str

    def is_about(self, step: Step) -> bool:
        """By platform, stage and the text up to the first variable, which tools may expand."""
        wanted = "FROM " if step.kind == "from" else step.instruction.partition("$")[0]
        return (
            self.platform == (step.platform or "")
            and self.stage in ("", step.stage)
            and "".join(self.text.split()).startswith("".join(wanted.split()))
        )


_VERTEX = re.compile(
    r"\[((?P<platform>\S+/\S+) )?((?P<stage>\S+) )? *\d+/\d+\] (ONBUILD |LINK )?(?P<text>.*)"
)
_STEP = re.compile(r"(\[(?P<platform>[a-z]\S+)\] )?(\[\d+/\d+\] )?STEP \d+/\d+: (?P<text>.*)")


def mentions(recording: Recording) -> list[Mention]:
    """Each step that began and ended."""
    states = {"rawjson": _rawjson, "plain": _plain, "buildah": _buildah}[recording.facts["format"]]
    pattern = _STEP if recording.facts["format"] == "buildah" else _VERTEX
    return [
        Mention(
            platform=name["platform"] or "",
            stage=name.groupdict().get("stage") or "",
            text=name["text"],
            state=state,
        )
        for printed, state in states(recording)
        if (name := pattern.fullmatch(printed))
    ]


def _text(recording: Recording, stream: str) -> str:
    data = b"".join(chunk.data for chunk in recording.chunks if chunk.stream == stream)
    return data.decode(errors="replace")


def _rawjson(recording: Recording) -> Iterator[tuple[str, str]]:
    """A stream of objects, and lines of text between and after them."""
    text, decoder = _text(recording, "stderr"), json.JSONDecoder()
    last: dict[str, tuple[str, str]] = {}
    for start in re.finditer(r"^\{", text, re.MULTILINE):
        status, _ = decoder.raw_decode(text, start.start())
        for vertex in status.get("vertexes") or ():
            if vertex.get("completed"):
                reused = "cached" if vertex.get("cached") else "executed"
                state = _broken(vertex["error"]) if vertex.get("error") else reused
                last[vertex["digest"]] = (vertex["name"], state)
    yield from last.values()


def _plain(recording: Recording) -> Iterator[tuple[str, str]]:
    names: dict[str, str] = {}
    # 20.10 ends no line for a command: `no newline#8 DONE 0.4s`.
    for index, body in re.findall(r"#(\d+) (.*?)(?=#\1 |$)", _text(recording, "stderr"), re.M):
        name = names.setdefault(index, body)
        if re.fullmatch(r"DONE \d+\.\ds", body):
            yield name, "executed"
        elif body == "CACHED":
            yield name, "cached"
        elif body == "CANCELED" or body.startswith("ERROR: "):
            yield name, _broken("context canceled" if body == "CANCELED" else body)


_RESULT = re.compile(r"^(?:--> Using cache (\w+)|.*--> ([0-9a-f]{11,12}))$", re.MULTILINE)


def _buildah(recording: Recording) -> Iterator[tuple[str, str]]:
    """Between a STEP line and the next stands how it ended; the last one may have failed.

    A step that waits for another stage is told of after that stage's last step.
    """
    text = _text(recording, "stdout").replace("STEP 9/9: not a step", "")  # a command printed it
    parts = re.split(r"^(?=(?:\[[^\]]+\] )*STEP \d)", text, flags=re.MULTILINE)[1:]
    waiting = ""
    for number, part in enumerate(parts, 1):
        name, _, rest = part.partition("\n")
        first, *others = _results(rest) or [""]
        following = parts[number] if number < len(parts) else ""
        if not first and "STEP 1/" in following and ": COPY --from=" in name:
            waiting = name
        elif first or following:
            yield name, first or "executed"
        else:
            yield name, _broken("context canceled" if recording.facts["cancelled"] else "")
        if others and waiting:
            yield waiting, others[0]


def _results(text: str) -> list[str]:
    """What a step came to; an image that was found is named in full, and then in short."""
    states: list[str] = []
    found = ""
    for whole, short in _RESULT.findall(text):
        if whole:
            states.append("cached")
            found = whole
        elif not found.startswith(short):
            states.append("executed")
    return states


def _broken(error: str) -> str:
    return "cancelled" if "context canceled" in error else "failed"
