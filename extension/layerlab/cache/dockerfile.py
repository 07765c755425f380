"""From a Dockerfile's text to the `Plan`: stages, their instructions, their numbers.

Naming and counting follow BuildKit's `frontend/dockerfile/dockerfile2llb/convert.go`.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from layerlab.cache.source import Command, Source
from layerlab.cache.words import expand
from layerlab.errors import BuildInputError
from layerlab.model.plan import Plan, PlannedStep, Stage, StepKind

SCRATCH = "scratch"

_KINDS: dict[str, StepKind] = {
    "FROM": "from",
    "RUN": "run",
    "COPY": "copy",
    "ADD": "add",
    "WORKDIR": "workdir",
}
_STAGE_NAME = re.compile(r"[a-z][a-z0-9_.-]*")
# What BuildKit sets by itself before the first FROM (dockerfile2llb/platform.go).
_PLATFORM_ARGS = tuple(
    side + part for side in ("BUILD", "TARGET") for part in ("PLATFORM", "OS", "ARCH", "VARIANT")
)


@dataclass
class _Draft:
    """A stage while it is read. `bases`: what FROM says, one per target platform."""

    index: int
    name: str
    bases: tuple[str, ...]
    commands: list[Command] = field(default_factory=list)


def plan(
    source: str,
    dockerfile: str,
    *,
    target: str | None = None,
    build_args: Mapping[str, str] | None = None,
    platforms: Sequence[str] = (),
) -> Plan:
    """What a build of this Dockerfile will do.

    Args:
        source: the whole text.
        dockerfile: its path as the learner knows it, for messages.
        target: the stage to build; the last one when None.
        build_args: `--build-arg`s, as they matter to FROM.
        platforms: target platforms (`linux/arm64`) where the learner chose any.

    Raises:
        DockerfileSyntaxError: it cannot be parsed; with the line, its text and a hint.
        BuildInputError: code `unknown-target`, when there is no such stage.
    """
    file = Source(source, dockerfile)
    drafts = _stages(file, _global_args(file, build_args or {}, platforms))
    needed = _needed(drafts, _find_target(drafts, target, file))
    stages = tuple(
        _stage(draft, id_, drafts, draft.index in needed)
        for draft, id_ in zip(drafts, _ids(drafts), strict=True)
    )
    return Plan(dockerfile=dockerfile, stages=stages, source=source)


def _global_args(
    file: Source, build_args: Mapping[str, str], platforms: Sequence[str]
) -> list[dict[str, str]]:
    """The variables that FROM may use, once per target platform (`buildMetaArgs`)."""
    scopes = []
    for platform in platforms or ("",):
        scope = _platform_args(platform)
        for command in file.commands:
            if command.word != "ARG":
                break
            for word in command.value:
                name, equals, default = word.partition("=")
                if name in build_args:
                    scope[name] = build_args[name]
                elif equals:
                    scope[name] = expand(default, scope)
        scopes.append(scope)
    return scopes


def _platform_args(platform: str) -> dict[str, str]:
    # What is not known here stays as it is written: see `_needed`.
    scope = {name: f"${name}" for name in _PLATFORM_ARGS}
    if platform:
        system, _, architecture = platform.partition("/")
        architecture, _, variant = architecture.partition("/")
        scope.update(
            TARGETPLATFORM=platform,
            TARGETOS=system,
            TARGETARCH=architecture,
            TARGETVARIANT=variant,
        )
    return scope


def _stages(file: Source, scopes: Sequence[Mapping[str, str]]) -> list[_Draft]:
    drafts: list[_Draft] = []
    for command in file.commands:
        word = command.word
        if word == "FROM":
            name = _stage_name(file, command)
            bases = tuple(expand(command.value[0], scope) for scope in scopes)
            if not all(bases):
                raise file.error(
                    command.lines[0],
                    f"the image's name is empty: {command.value[0]} has no value.",
                    "Give the ARG before this FROM a default, or build with --build-arg.",
                )
            drafts.append(_Draft(len(drafts), name, bases))
        elif not drafts:
            if word == "ARG":
                continue
            raise file.error(
                command.lines[0],
                f"{word} comes before the first FROM.",
                "A build starts from an image: put a FROM above this line. "
                "Only ARG may stand before it.",
            )
        drafts[-1].commands.append(command)
    if not drafts:
        raise file.error(
            None, "there is no FROM.", "Add one: it names the image that the build starts from."
        )
    return drafts


def _stage_name(file: Source, command: Command) -> str:
    """The lower-cased name after AS, or nothing (`parseBuildStageName`)."""
    match command.value:
        case (_,):
            return ""
        case (_, middle, name) if middle.lower() == "as":
            if _STAGE_NAME.fullmatch(name.lower()):
                return name.lower()
            raise file.error(
                command.lines[0],
                f"a stage cannot be called {name}.",
                "A stage's name begins with a letter; letters, digits, and - _ . may follow.",
            )
    raise file.error(
        command.lines[0],
        "FROM takes an image, and AS with a name for the stage if you like.",
        "For example: FROM golang:1.24 AS builder",
    )


def _find_target(drafts: Sequence[_Draft], target: str | None, file: Source) -> int:
    if target is None:
        return len(drafts) - 1
    found = _lookup(target, drafts)
    if found is None:
        names = [draft.name for draft in drafts if draft.name]
        close = difflib.get_close_matches(target.lower(), names, n=1)
        raise BuildInputError(
            f"{file.name} has no stage called {target}.",
            code="unknown-target",
            hint=(f"Did you mean {close[0]}? " if close else "")
            + (f"Its named stages: {', '.join(names)}." if names else "None of its FROMs has AS."),
        )
    return found


def _lookup(name: str, drafts: Sequence[_Draft]) -> int | None:
    """A stage by its number or name, as `COPY --from` finds it; the last one of a name wins."""
    if name.isascii() and name.isdigit():
        return int(name) if int(name) < len(drafts) else None
    return next((d.index for d in reversed(drafts) if d.name and d.name == name.lower()), None)


def _needed(drafts: Sequence[_Draft], target: int) -> set[int]:
    """The target and all that it is made from."""
    needed: set[int] = set()
    queue = [target]
    while queue:
        index = queue.pop()
        if index not in needed:
            needed.add(index)
            queue += _dependencies(drafts[index], drafts[:index])
    return needed


def _dependencies(draft: _Draft, earlier: Sequence[_Draft]) -> set[int]:
    found: set[int] = set()
    for base in draft.bases:
        if "$" in base:
            # It depends on something that only the engine knows: any stage may be meant.
            found.update(other.index for other in earlier)
        found.update(_stage_of_base(base, earlier))
    for command in draft.commands:
        for name in _sources(command):
            index = _lookup(name, earlier)
            if index is not None:
                found.add(index)
    return found


def _stage_of_base(base: str, earlier: Sequence[_Draft]) -> set[int]:
    # Unlike elsewhere, case counts here: `addState` compares as written.
    return {draft.index for draft in earlier if draft.name and draft.name == base}


def _sources(command: Command) -> Iterable[str]:
    """Stages or images that an instruction takes files from."""
    for flag in command.flags:
        name, _, value = flag.partition("=")
        if name == "--from":
            yield value
        elif name == "--mount":
            for option in next(csv.reader([value]), []):
                key, _, source = option.partition("=")
                if key.strip().lower() == "from":
                    yield source


def _ids(drafts: Sequence[_Draft]) -> list[str]:
    """A different name for each stage, for the steps' ids: a Dockerfile may repeat names."""
    ids: list[str] = []
    for draft in drafts:
        name = draft.name or f"stage-{draft.index}"
        while name in ids:
            name = f"{name}-{draft.index}"
        ids.append(name)
    return ids


def _stage(draft: _Draft, id_: str, drafts: Sequence[_Draft], needed: bool) -> Stage:
    name = (draft.name or f"stage-{draft.index}") if len(drafts) > 1 else ""
    base = draft.bases[0]
    from_counts = base != SCRATCH and not _stage_of_base(base, drafts[: draft.index])
    kinds = [_kind(command) for command in draft.commands]
    total = kinds.count("run") + kinds.count("copy") + kinds.count("add") + kinds.count("workdir")
    steps, n = [], 0
    for position, (command, kind) in enumerate(zip(draft.commands, kinds, strict=True), start=1):
        counts = from_counts if kind == "from" else kind != "metadata" and not _is_root(command)
        n += counts
        steps.append(
            PlannedStep(
                id=f"{id_}/{position}",
                stage=name,
                position=position,
                n=n if counts else None,
                m=total + from_counts,
                kind="metadata" if _is_root(command) else kind,
                instruction=command.text,
                lines=command.lines,
            )
        )
    return Stage(draft.index, name, base, tuple(steps), needed)


def _kind(command: Command) -> StepKind:
    return _KINDS.get(command.word, "metadata")


def _is_root(command: Command) -> bool:
    """`WORKDIR /` makes no layer. BuildKit counts it in m, but never runs or numbers it."""
    return command.word == "WORKDIR" and not command.value[0].strip("/")
