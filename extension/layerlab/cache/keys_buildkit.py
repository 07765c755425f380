"""Keys as BuildKit makes them: a graph of operations, matched by definition or by content.

Read in BuildKit v0.13.2 (the one in Docker 26.1) and v0.18.2, which agree on all this:
`frontend/dockerfile/dockerfile2llb/convert.go` (which operation an instruction becomes),
`convert_runmount.go`, `solver/llbsolver/ops/file.go` and `exec.go` (`CacheMap`: what of an
operation is hashed, which inputs count by content), `solver/edge.go` (how the two are combined).

- Metadata (ENV, LABEL, CMD, USER…) is no operation. ENV, ARG, USER and SHELL enter the next RUN.
- RUN: arguments, environment with the ARGs so far, folder, user, mounts, platform. Proxy
  arguments, the source of a bind mount and the value of a secret are left out.
- COPY and ADD: destination, owner, mode, the last part of each source, and the content that the
  sources select. The parent counts by its key, the source by its content; so a stage that ran
  again and wrote the same keeps the hits of those who copy from it.
- `COPY --link` is made on an empty image, but what it is merged with is matched as for others;
  and a step is shown as cached only when its merge is.
- WORKDIR makes a folder; it never carries `--no-cache` itself, only what it stands on does.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from layerlab.cache import program as read
from layerlab.cache.key import Base, Key, Options, Selection
from layerlab.cache.program import Line, Mount, Program
from layerlab.cache.source import Command
from layerlab.cache.variables import PROXIES, LatestWins
from layerlab.cache.walk import Inputs, StageState, Walk
from layerlab.cache.words import expand

_SHELL = ("/bin/sh", "-c")


def buildkit_keys(
    program: Program, options: Options, select: Selection, bases: Mapping[str, Base]
) -> Iterator[Key]:
    """One key for each needed instruction and target platform, in file order."""
    keys = [
        key
        for target in options.targets
        for key in Walk("buildkit", program, options, select, bases, target, LatestWins).run(step)
    ]
    yield from _with_twins(keys)


def _with_twins(keys: Sequence[Key]) -> Iterator[Key]:
    """Equal operations are one, and `--no-cache-filter` of one stage then holds for all of them.

    `mergeMetadata` in `client/llb/marshal.go`.
    """
    fresh = {(key.key, key.step.instruction): key.id for key in reversed(keys) if key.fresh}
    for key in keys:
        twin = None if key.fresh or key.free else fresh.get((key.key, key.step.instruction))
        yield msgspec.structs.replace(key, twin=twin) if twin else key


def step(walk: Walk, state: StageState, line: Line) -> Key:
    """The key of one instruction after FROM; the state of its stage is then that after it."""
    match line.command.word:
        case "RUN":
            return _run(walk, state, line)
        case "COPY" | "ADD":
            return _copy(walk, state, line)
        case "WORKDIR":
            return _workdir(walk, state, line)
    _metadata(state, line.command)
    return _free(walk, state, line)


def _free(walk: Walk, state: StageState, line: Line) -> Key:
    return Key(id=walk.id(line.step), step=line.step, platform=state.platform)


def _metadata(state: StageState, command: Command) -> None:
    match command.word:
        case "ENV":
            state.variables.set(command)
        case "ARG":
            state.variables.declare(command)
        case "USER":
            state.user = expand(command.value[0], state.variables.scope)
        case "SHELL":
            state.shell = command.value
        case "ONBUILD":
            state.triggers = (*state.triggers, read.trigger(command))


def _workdir(walk: Walk, state: StageState, line: Line) -> Key:
    word = line.command.value[0]
    scope = state.variables.scope
    state.cwd = posixpath.normpath(posixpath.join("/", state.cwd, expand(word, scope)))
    if state.cwd == "/" or line.step.kind == "metadata":
        return _free(walk, state, line)
    inputs = Inputs()
    inputs.note_variables([word], state.variables)
    inputs.add("instruction", "folder", state.cwd)
    inputs.add("user", "", state.user)
    return walk.key(state, line.step, inputs, fresh=False, head="mkdir")


def _run(walk: Walk, state: StageState, line: Line) -> Key:
    command, scope = line.command, state.variables.scope
    inputs = Inputs()
    if command.json:
        inputs.add("instruction", "arguments", "\0".join(command.value))
    else:
        inputs.add("instruction", "command", "\n".join(command.value))
        inputs.add("shell", "", "\0".join(state.shell or _SHELL))
    for document in command.documents:
        inputs.add("instruction", f"<<{document.name}", document.content)
    for name in ("network", "security"):
        inputs.add("instruction", name, read.flag(command, name) or "")
    undeclared = PROXIES - state.variables.args.keys()
    environment = {k: v for k, v in scope.items() if k not in undeclared}
    for name, value in environment.items():
        inputs.add("env" if name in state.variables.env else "arg", name, value)
    inputs.add("workdir", "", state.cwd)
    inputs.add("user", "", state.user)
    inputs.add("platform", "", state.platform)
    for mount in read.mounts(command, scope):
        _mount(walk, state, inputs, mount)
    return walk.key(state, line.step, inputs, fresh=state.fresh, head="exec")


def _mount(walk: Walk, state: StageState, inputs: Inputs, mount: Mount) -> None:
    target = posixpath.normpath(posixpath.join("/", state.cwd, mount.target))
    parts = [mount.type]
    if mount.type == "cache":
        # An id or a way of sharing that is not the default is blanked
        # (`checkShouldClearCacheOpts`).
        default = (mount.option("id") or target) == target
        shared = (mount.option("sharing") or "shared") == "shared"
        parts.append("default" if default and shared else "named")
    for name, value in mount.options:
        if mount.type != "cache" or name not in ("id", "sharing"):
            parts.append(f"{name}={value}")
    inputs.add("mount", target, " ".join(parts))
    if mount.origin:
        walk.take_from(inputs, state, mount.origin, [mount.source])
    elif mount.type == "bind":
        walk.take_files(inputs, [mount.source or "/"])


def _copy(walk: Walk, state: StageState, line: Line) -> Key:
    command, scope = line.command, state.variables.scope
    inputs = Inputs()
    inputs.note_variables((*command.value, *command.flags), state.variables)
    inputs.add("instruction", "kind", command.word)
    inputs.add(
        "instruction", "destination", read.destination(read.target(command, scope), state.cwd)
    )
    for name in ("chown", "chmod", "parents", "keep-git-dir", "checksum", "link"):
        value = read.flag(command, name)
        inputs.add("instruction", name, "no" if value is None else "=" + expand(value, scope))
    exclude = [
        expand(text.partition("=")[2], scope)
        for text in command.flags
        if text.startswith("--exclude=")
    ]
    inputs.add("instruction", "exclude", "\0".join(exclude))
    _content(walk, state, inputs, line, exclude)
    return walk.key(state, line.step, inputs, fresh=state.fresh, head="copy")


def _content(
    walk: Walk, state: StageState, inputs: Inputs, line: Line, exclude: Sequence[str]
) -> None:
    command, scope = line.command, state.variables.scope
    sources = read.local_sources(command, scope)
    for source in sources:
        inputs.add("instruction", "source", posixpath.basename(_absolute(source)))
    origin = read.flag(command, "from")
    if origin:
        # An operation has each of its inputs once: where the step copies from what it stands on,
        # one only, and then it is another operation (`addInput` in `client/llb/fileop.go`).
        if walk.stands_on(state, origin):
            inputs.add("instruction", "inputs", "1")
        walk.take_from(inputs, state, origin, [_absolute(source) for source in sources])
    elif sources:
        # One digest for each source, sorted by path (`NewContentHashFunc`).
        for source in sorted(sources, key=_absolute):
            walk.take_files(inputs, [source], exclude)
    for document in command.documents:
        text = document.text
        if document.expands:
            text = expand(text, scope, quotes=False)
        inputs.add("instruction", f"<<{document.name}", text)
    for url in read.remote_sources(command, scope):
        walk.take_answer(inputs, url, checked=bool(read.flag(command, "checksum")))


def _absolute(source: str) -> str:
    return posixpath.normpath(posixpath.join("/", source.lstrip("/")))
