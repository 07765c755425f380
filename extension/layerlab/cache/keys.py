"""The keys of a whole build, in the dialect of its engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from layerlab.cache.dockerfile import SCRATCH
from layerlab.cache.ignore import Dialect
from layerlab.cache.key import Base, Key, Options, Selection
from layerlab.cache.keys_buildah import buildah_keys
from layerlab.cache.keys_buildkit import buildkit_keys
from layerlab.cache.program import origins, program
from layerlab.cache.variables import global_args, platform_args
from layerlab.cache.words import expand
from layerlab.model.plan import Plan

_DIALECTS = {"buildkit": buildkit_keys, "buildah": buildah_keys}


def step_keys(
    plan: Plan,
    dialect: Dialect,
    *,
    select: Selection,
    options: Options = Options(),  # noqa: B008 - a frozen value
    bases: Mapping[str, Base] | None = None,
) -> tuple[Key, ...]:
    """What the engine would look each needed step up by.

    Args:
        plan: the Dockerfile; `Plan.source` is parsed again.
        dialect: BuildKit (docker, nerdctl) or Buildah (podman, buildah).
        select: the build context behind its ignore file.
        options: of the command line.
        bases: each image of `base_names`; one that is missing makes the steps
            that depend on it uncertain.

    Returns:
        One key for each target platform and instruction, platforms outermost, in file order.
    """
    return tuple(_DIALECTS[dialect](program(plan), options, select, bases or {}))


def base_names(plan: Plan, options: Options) -> tuple[str, ...]:
    """The images that the build takes from elsewhere, as the Dockerfile names them."""
    return tuple(
        dict.fromkeys(n for target in options.targets for n in _names(plan, options, target))
    )


def _names(plan: Plan, options: Options, target: str) -> Iterator[str]:
    whole = program(plan)
    scope, _ = global_args(whole.heading, platform_args(target, options.native), options.build_args)
    for stage, lines in whole.stages:
        if not stage.needed:
            continue
        for line in lines:
            if line.command.word == "FROM":
                name = expand(line.command.value[0], scope)
                if name != SCRATCH and whole.base(name, stage.index) is None:
                    yield name
                continue
            yield from (
                name for name in origins(line.command) if whole.find(name, stage.index) is None
            )
