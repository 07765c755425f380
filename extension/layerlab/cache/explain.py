"""What became of each step and why: the prediction joined with what the engine did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec

from layerlab.cache.causes import Cause, Texts
from layerlab.cache.key import LINEAR, NEWEST_WINS, Key, Options
from layerlab.cache.ledger import RIVALS, StepRecord
from layerlab.cache.predict import Forecast, Memory, Own, forecasts
from layerlab.model.build import Build, Fate, Step
from layerlab.model.forecasts import Actual


class Explanation(Forecast, frozen=True, kw_only=True):
    """A forecast, its cause told again with what is known now, and what happened.

    Attributes:
        actual: None where the engine has nothing to look up (FROM, BuildKit's metadata) or did
            not speak of the step.
        agrees: whether the fate came true; None where it was unknown or nothing is known of it.
    """

    actual: Actual | None = None
    agrees: bool | None = None


def explain(
    keys: Sequence[Key],
    predicted: Sequence[Forecast],
    build: Build,
    memory: Memory,
    *,
    dockerfile: str,
    now: Callable[[str], str | None] = lambda _: None,
) -> tuple[Explanation, ...]:
    """The same steps after the build.

    Must be asked before the build is recorded: causes are told against the build before it.

    Args:
        keys, predicted: of this build, made before it began.
        build: how it ended.
        memory, dockerfile, now: as for `predict`.
    """
    actuals = {key.id: actual(key, build) for key in keys}
    done_once = _shared(keys, actuals) if build.engine not in LINEAR else frozenset()
    fates: dict[str, Fate] = {
        f.id: "rebuild" if f.id in done_once else _happened(f.fate, actuals[f.id])
        for f in predicted
    }
    forgotten = frozenset(f.id for f in predicted if (f.fate, fates[f.id]) == ("hit", "rebuild"))
    texts = Texts(memory.text, now)
    own = Own(keys, partial(memory.previous, build.engine, dockerfile), texts, forgotten)
    stale = {f.id: f.cause for f in predicted if f.stale and f.cause and fates[f.id] == "hit"}
    told = forecasts(keys, fates, own, stale)
    return tuple(
        _joined(before, after, actuals[before.id], after.fate)
        for before, after in zip(predicted, told, strict=True)
    )


def _shared(keys: Sequence[Key], actuals: Mapping[str, Actual | None]) -> frozenset[str]:
    """Steps that ran once for several stages: the engine calls all but one of them cached."""
    ran = {key.key for key in keys if not key.free and actuals[key.id] == "rebuild"}
    return frozenset(key.id for key in keys if key.key in ran)


def actual(key: Key, build: Build) -> Actual | None:
    """What the engine did with a step."""
    step = build.steps.get(key.id)
    if key.free or key.step.kind == "from" or step is None:
        return None
    return _actual(step)


def _actual(step: Step) -> Actual | None:
    if step.cancelled:
        return "cancelled"
    if step.error is not None:
        return "failed"
    if step.completed is not None:
        return "hit" if step.cached else "rebuild"
    return "cancelled" if step.started is not None else "not reached"


def _happened(fate: Fate, happened: Actual | None) -> Fate:
    if happened is None or happened in ("cancelled", "not reached"):
        return fate
    return "hit" if happened == "hit" else "rebuild"


def _joined(before: Forecast, after: Forecast, happened: Actual | None, real: Fate) -> Explanation:
    cause, because_of = after.cause, after.because_of
    agrees = None
    if happened in ("hit", "rebuild", "failed"):
        agrees = None if before.fate == "unknown" else before.fate == real
        if real == "hit" and before.fate != "hit":
            told = before.cause
            same = before.fate == "unknown" and told is not None and told.kind == "output"
            cause = Cause("same-output", told.name) if same and told else Cause("already-there")
            because_of = before.because_of if same else None
    fields = msgspec.structs.asdict(before)
    fields.update(cause=cause, because_of=because_of, stale=after.stale)
    return Explanation(**fields, actual=happened, agrees=agrees)


def records(
    keys: Sequence[Key],
    build: Build,
    memory: Memory,
    *,
    dockerfile: str,
    options: Options = Options(),  # noqa: B008 - a frozen value
) -> tuple[StepRecord, ...]:
    """What the ledger should learn from a build: the steps that succeeded, with both their keys.

    After `--no-cache` Buildah has two images of a step, and until v1.41 took the older one from
    then on (`intermediateImageExists` walks `store.Images()`, which lists them as they came). So
    what was built on the newer one will not be found again, and is not recorded.
    """
    hidden: set[str] = set()
    done: list[StepRecord] = []
    made: dict[str | None, str] = {}
    linear = build.engine in LINEAR
    oldest_wins = linear and options.buildah < NEWEST_WINS
    succeeded = _succeeded(keys, build)
    for key in keys:
        if key.free:
            continue
        # BuildKit has each step once: there is nothing to ask.
        before = memory.find(build.engine, key.key) if linear else None
        if key.parent in hidden or (oldest_wins and key.fresh and before is not None):
            hidden.add(key.id)
        elif key.id in succeeded:
            made[key.id] = _execution(key, build, before)
            record = _record(key, build, dockerfile, made[key.id], made.get(key.parent, ""))
            done.append(record)
            if key.loose != key.key:
                # The loose key only has to be found.
                done.append(msgspec.structs.replace(record, key=key.loose, ingredients=()))
    return tuple(done)


def _execution(key: Key, build: Build, before: StepRecord | None) -> str:
    """See `StepRecord.made`."""
    own = f"{build.id} {key.id}"
    if before is None:
        return own
    if actual(key, build) != "rebuild":
        # The one that was taken now will be taken again.
        return own if before.made == RIVALS else before.made
    meanwhile = before.at > build.started and before.build_id != build.id
    return RIVALS if meanwhile else own


def _succeeded(keys: Sequence[Key], build: Build) -> set[str]:
    """Ids of the steps that were done or found, as far as the engine tells or it follows.

    Of a FROM that brings an ONBUILD with it nothing is told: it succeeded where the build did, or
    where a step that stands on it was come to.
    """
    done: set[str] = set()
    stood_on: set[str] = set()
    for key in reversed(keys):  # each after all that it depends on
        happened = actual(key, build)
        if happened is None and key.id in stood_on:
            happened = "hit"
        if happened in ("hit", "rebuild") or (happened is None and build.outcome == "built"):
            done.add(key.id)
        if key.parent and happened in ("hit", "rebuild", "failed"):
            stood_on.add(key.parent)
    return done


def _record(key: Key, build: Build, dockerfile: str, made: str, on: str) -> StepRecord:
    return StepRecord(
        engine=build.engine,
        dockerfile=dockerfile,
        stage=key.step.stage,
        position=key.step.position,
        instruction=key.step.instruction,
        platform=key.platform,
        key=key.key,
        ingredients=key.ingredients,
        build_id=build.id,
        at=build.finished or build.started,
        made=made,
        on=on,
    )
