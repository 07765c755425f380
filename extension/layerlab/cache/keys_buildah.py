"""Keys as Buildah makes them: the history of the parent image, and one line of text for a step.

Read in Buildah v1.28.2 (also in Podman 4.3) and v1.43.1 (Podman 5.8):
`imagebuildah/stage_executor.go` (`intermediateImageExists`, `historyAndDiffIDsMatch`,
`getCreatedBy`, `getBuildArgsKey`, `getBuildArgsResolvedForRun`), `add.go`, and
openshift/imagebuilder's `dispatchers.go`.

- Every instruction is an entry in the history, LABEL and CMD too: a changed line rebuilds all
  that follow in its stage, and what is built FROM it.
- The text is the instruction as written. `ENV X=$ARG`, `WORKDIR $ARG` or `COPY f $ARG` therefore
  hit although the value has changed (containers/buildah#5501, #5575). Such a hit is stale: the
  ingredient `expanded` tells.
- ARG counts by the names that have a value, RUN by names and values. Its mounts count as they are
  written, and since v1.39 by what a bind mount shows of the context, the ignore file or not
  (`generatePathChecksum`). What it shows of another stage counts since v1.44.
- COPY and ADD count by the content that they copy, after `--chown` and `--chmod`, and the last
  word as written; not by the names of the sources, not by `--from`.
- `--label` adds a last step, which is in no Dockerfile and rebuilds nothing else.
- `--no-cache` holds for every step. Of two images that match, the older was taken, and since
  v1.41 it is the newer one: see `key.NEWEST_WINS`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping

import msgspec

from layerlab.cache import program as read
from layerlab.cache.key import (
    Base,
    Doubt,
    Key,
    Options,
    Selection,
    file_ingredient,
    file_record,
)
from layerlab.cache.ledger import Ingredient
from layerlab.cache.program import Line, Program
from layerlab.cache.source import Command
from layerlab.cache.variables import PROXIES, Variables
from layerlab.cache.walk import Inputs, StageState, Walk
from layerlab.cache.words import expand


def buildah_keys(
    program: Program, options: Options, select: Selection, bases: Mapping[str, Base]
) -> Iterator[Key]:
    """One key for each needed instruction and target platform, in file order."""
    for target in options.targets:
        walk = Walk("buildah", program, options, select, bases, target, Variables)
        yield from walk.run(_step)


def _step(walk: Walk, state: StageState, line: Line) -> Key:
    command, scope = line.command, state.variables.scope
    inputs = Inputs()
    match command.word:
        case "ARG":
            state.variables.declare(command)
            inputs.add("instruction", "arg", " ".join(sorted(_arguments(state))))
        case "RUN":
            _run(walk, state, inputs, command)
        case "COPY" | "ADD":
            _copy(walk, state, inputs, line)
        case _:
            inputs.add("instruction", "text", command.text)
            if command.word in _EXPANDED:
                inputs.note_variables(command.value, state.variables)
                inputs.add("expanded", "", " ".join(expand(w, scope) for w in command.value))
            _apply(state, command)
    return walk.key(state, line.step, inputs, fresh=state.fresh)


_LOOKS_INTO_MOUNTS = (1, 39)
"""Since this version of Buildah."""
_EXPANDED = ("ENV", "LABEL", "EXPOSE", "VOLUME", "USER", "WORKDIR", "STOPSIGNAL")
"""Instructions whose words are expanded (`replaceEnvAllowed` in imagebuilder's `evaluator.go`)."""


def _apply(state: StageState, command: Command) -> None:
    match command.word:
        case "ENV":
            state.variables.set(command)
        case "WORKDIR":
            folder = expand(command.value[0], state.variables.scope)
            state.cwd = posixpath.normpath(posixpath.join("/", state.cwd, folder))
        case "USER":
            state.user = expand(command.value[0], state.variables.scope)


def _run(walk: Walk, state: StageState, inputs: Inputs, command: Command) -> None:
    inputs.add("instruction", "text", command.text[4:])
    for document in command.documents:
        inputs.add("instruction", f"<<{document.name}", document.content)
    env = state.variables.env
    for name, value in sorted(_arguments(state).items()):
        if name not in PROXIES or name in state.variables.args:
            inputs.add("arg", name, env.get(name, value))
    kind = "file" if walk.options.buildah >= _LOOKS_INTO_MOUNTS else "shown"
    for mount in read.mounts(command, state.variables.scope):
        if mount.type == "bind" and not mount.origin:
            shown = Inputs()
            walk.take_files(shown, [mount.source or "/"], whole=True)
            inputs.missing = inputs.missing or shown.missing
            inputs.ingredients += (Ingredient(kind, i.name, i.value) for i in shown.ingredients)


def _copy(walk: Walk, state: StageState, inputs: Inputs, line: Line) -> None:
    command, scope = line.command, state.variables.scope
    inputs.note_variables((*command.value, *command.flags), state.variables)
    inputs.add("instruction", "kind", command.word)
    inputs.add("instruction", "destination", command.value[-1])
    inputs.add("expanded", "", read.destination(read.target(command, scope), state.cwd))
    owner = expand(read.flag(command, "chown") or "", scope)
    inputs.add("instruction", "chown", "" if owner in _ROOT else owner)
    mode = expand(read.flag(command, "chmod") or "", scope)
    sources = read.local_sources(command, scope)
    origin = expand(read.flag(command, "from") or "", scope)
    if origin:
        inputs.add("instruction", "chmod", mode)
        walk.take_from(inputs, state, origin, sources)
    elif sources:
        first = len(inputs.ingredients)
        walk.take_files(inputs, sources)
        inputs.ingredients[first:] = [_chmod(i, mode) for i in inputs.ingredients[first:]]
    for url in read.remote_sources(command, scope):
        inputs.add("instruction", "address", url)
        inputs.doubts.append(Doubt("remote", url))


_ROOT = ("", "0", "0:0", "root", "root:root")


def _chmod(ingredient: Ingredient, mode: str) -> Ingredient:
    record = file_record(ingredient)
    try:
        changed = msgspec.structs.replace(record, mode=int(mode, 8), source=ingredient.name)
    except ValueError:
        return ingredient
    # A link has no mode of its own to change.
    return ingredient if record.type == "link" else file_ingredient(changed)


def _arguments(state: StageState) -> dict[str, str]:
    """What `Builder.Args` and `AllowedArgs` have in common."""
    given = state.variables.build_args
    # These need no ARG (`builtinAllowedBuildArgs`); there is no all_proxy among them.
    proxies = {k: v for k, v in given.items() if k in PROXIES and k.lower() != "all_proxy"}
    return {**proxies, **state.variables.args}
