"""What will become of each step, before the build: its fate, the cause, and whose fault it is.

How BuildKit and Buildah decide is in `keys_buildkit` and `keys_buildah`; here is only what both
do: a step hits when its own key is known and what it stands on hits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Protocol

import msgspec

from layerlab.cache.causes import Cause, Texts, compare, pair
from layerlab.cache.key import LINEAR, LOOSE, NEWEST_WINS, Key, Options
from layerlab.cache.ledger import RIVALS, Ingredient, StepRecord
from layerlab.cache.stale import hidden_change
from layerlab.model.build import Fate
from layerlab.model.plan import StepKind


class Memory(Protocol):
    """What the ledger is asked."""

    def find(self, engine: str, key: str) -> StepRecord | None:
        """The step that has this key, if it was ever built."""
        ...

    def previous(self, engine: str, dockerfile: str) -> Sequence[StepRecord]:
        """The steps of the last build of a Dockerfile."""
        ...

    def text(self, digest: str) -> str | None:
        """A small text file by the digest of its bytes."""
        ...


class Forecast(msgspec.Struct, frozen=True):
    """One step's fate; as JSON what `layerlab predict --json` prints of it.

    Attributes:
        n: 1-based place among the instructions of all needed stages, the same on every engine
            and platform; what `because_of` and a learner's guess refer to.
        id: as in `Build.steps`.
        stage, instruction, lines, kind: see `PlannedStep`.
        platform: what it runs on.
        fate: `unknown` says that nobody can know yet; the cause says why.
        cause: None for a plain hit.
        because_of: the n of the step where the rebuilding began, None where it began here.
        stale: a hit that hides a change: the image will be another one than a build from nothing
            would make; the cause says what has changed.
    """

    n: int
    id: str
    stage: str
    instruction: str
    lines: tuple[int, int]
    kind: StepKind
    platform: str
    fate: Fate
    cause: Cause | None = None
    because_of: int | None = None
    stale: bool = False


def predict(
    keys: Sequence[Key],
    memory: Memory,
    *,
    engine: str,
    dockerfile: str,
    options: Options = Options(),  # noqa: B008 - a frozen value
    now: Callable[[str], str | None] = lambda _: None,
) -> tuple[Forecast, ...]:
    """The fate of each step.

    Args:
        keys: of `keys.step_keys`.
        memory: the ledger.
        engine, dockerfile: as in the ledger's records.
        options: those that the keys were made with.
        now: the text of a small file of the context, for lines that differ.
    """
    known = _Known(keys, memory, engine, options)
    fates = decide(keys, known, linear=engine in LINEAR, unsure=known.unsure)
    texts = Texts(memory.text, now)
    own = Own(keys, partial(memory.previous, engine, dockerfile), texts)
    stale = {
        key.id: cause
        for key in keys
        if fates[key.id] == "hit"
        and (record := known.found.get(key.key))
        and (cause := hidden_change(key, record, texts))
    }
    return forecasts(keys, fates, own, stale)


class _Known:
    """Which keys the ledger has, and of which it is not sure that the engine will find them.

    podman and buildah may have a step twice: two builds made it at once, or one of them was told
    not to use the cache. What was built on one of the two is not found on the other.
    """

    def __init__(self, keys: Sequence[Key], memory: Memory, engine: str, options: Options) -> None:
        self.found = {key.key: memory.find(engine, key.key) for key in keys if not key.free}
        loose = (key.loose for key in keys if key.loose not in self.found)
        self._maybe = {name: memory.find(engine, name) for name in loose}
        self._linear = engine in LINEAR
        self._newest_wins = options.buildah >= NEWEST_WINS

    def __call__(self, name: str) -> bool:
        return (self.found.get(name) or self._maybe.get(name)) is not None

    def unsure(self, name: str) -> bool:
        """Whether it was built on one of two results, and the engine may take the other."""
        record = self.found.get(name)
        if record is None or not self._linear or record.made == RIVALS:
            return False
        below = _parent(record.ingredients)
        under = self.found.get(below.value) if below else None
        taken = under.made if under else record.on
        return RIVALS in (record.on, taken) or (self._newest_wins and taken != record.on)


def decide(
    keys: Sequence[Key],
    known: Callable[[str], bool],
    *,
    linear: bool,
    unsure: Callable[[str], bool] = lambda _: False,
) -> dict[str, Fate]:
    """The fate of each step by its id.

    Args:
        keys: each after all that it depends on.
        known: whether the ledger has a key.
        linear: the engine finds in a later stage what it has just built for an earlier one.
        unsure: whether a key was built on one of two results, and the other may be taken.
    """
    fates: dict[str, Fate] = {}
    made: set[str] = set()
    for key in keys:
        under: Fate = fates[key.parent] if key.parent else "hit"
        if key.free:
            fates[key.id] = under
        elif key.step.kind == "from" and key.parent is None and not key.triggered:
            # Nothing is looked up: what stands on another base has another key.
            fates[key.id] = "unknown" if key.doubts else "hit"
        elif key.fresh or key.twin or key.pinned or key.missing or under == "rebuild":
            fates[key.id] = "rebuild"
        else:
            sure = under == "hit" and not key.doubts
            sure = sure and all(fates[read] == "hit" for read in key.reads)
            if sure and unsure(key.key) and key.key not in made:
                fates[key.id] = "unknown"
            elif sure and (known(key.key) or (linear and key.key in made)):
                fates[key.id] = "hit"
            elif known(key.loose) and not (sure and key.loose == key.key):
                fates[key.id] = "unknown"
            else:
                fates[key.id] = "rebuild"
        made.add(key.key)
    return fates


@dataclass
class Own:
    """Finds a step's own reason to be rebuilt.

    Args:
        keys: of the whole build.
        previous: asked for the steps of the last build of the Dockerfile, if need be.
        texts: where lines of files can be had.
        forgotten: ids of steps that the ledger knew and the engine built all the same.
    """

    keys: Sequence[Key]
    previous: Callable[[], Sequence[StepRecord]]
    texts: Texts
    forgotten: frozenset[str] = frozenset()

    @cached_property
    def _records(self) -> list[StepRecord]:
        return [record for record in self.previous() if not record.key.startswith(LOOSE)]

    @cached_property
    def _earlier(self) -> dict[str, StepRecord]:
        return pair(self.keys, self._records)

    def __call__(self, key: Key) -> Cause:
        """The cause, if it is not another step that is rebuilt."""
        if key.fresh:
            return Cause("no-cache")
        if key.pinned:
            return Cause("pinned", key.platform)
        if key.missing:
            return Cause("missing", key.missing)
        if key.id in self.forgotten:
            return Cause("forgotten")
        if not self._records:
            return Cause("first-build")
        earlier = self._earlier.get(key.id)
        if earlier is None:
            return Cause("instruction", after=key.step.instruction)
        changed = compare(key, earlier, self.texts)
        return changed or self._before(key, earlier) or Cause("forgotten")

    def _before(self, key: Key, earlier: StepRecord) -> Cause | None:
        """It is the same; is what it stands on?"""
        parent, old = _parent(key.ingredients), _parent(earlier.ingredients)
        if parent is None or old is None or parent.value == old.value:
            return None
        if parent.name != old.name:
            return Cause("order", before=old.name, after=parent.name)
        # It reads the same, and is found somewhere in the cache, but it is another one.
        under = next((k for k in self.keys if k.id == key.parent), None)
        was = self._earlier.get(key.parent) if key.parent else None
        if under is None or was is None:
            return Cause("order", before=old.name, after=parent.name)
        return compare(under, was, self.texts) or self._before(under, was)


@dataclass
class _Story:
    """Causes as they are told in order.

    `roots` are the n where each step's rebuilding began; `made` the same by the key of a rebuilt
    step, for the stage that finds it again; `keys` those of the steps that were told.
    """

    numbers: Mapping[str, int]
    roots: dict[str, int | None] = field(default_factory=dict)
    causes: dict[str, Cause | None] = field(default_factory=dict)
    made: dict[str, int] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def tell(self, key: Key, fates: Mapping[str, Fate], own: Own) -> None:
        """The cause of one step; all that it depends on have been told."""
        cause, root = self._cause(key, fates, own)
        self.causes[key.id] = cause
        self.roots[key.id] = root
        self.keys[key.id] = key.key
        if fates[key.id] == "rebuild" and not key.free:
            self.made.setdefault(key.key, root or self.numbers[key.id])

    def _cause(
        self, key: Key, fates: Mapping[str, Fate], own: Own
    ) -> tuple[Cause | None, int | None]:
        fate = fates[key.id]
        if fate == "hit":
            return (Cause("free") if key.free else None), None
        if key.free and key.parent:
            return self._inherited(key.parent, fate)
        if fate == "unknown":
            return self._unknown(key, fates)
        if key.parent and fates[key.parent] == "rebuild" and not (key.fresh or key.missing):
            return self._inherited(key.parent, fate)
        if key.twin:
            return Cause("step"), self.numbers[key.twin]
        cause = own(key)
        if cause.kind == "order" and key.parent and self.keys[key.parent] in self.made:
            # What it stands on was rebuilt for another stage.
            return Cause("step"), self.made[self.keys[key.parent]]
        moved = next((read for read in key.reads if fates[read] != "hit"), None)
        if moved and cause.kind in ("forgotten", "order"):
            return Cause("output", _stage(moved)), self._root(moved)
        return cause, None

    def _inherited(self, parent: str, fate: Fate) -> tuple[Cause | None, int | None]:
        cause = self.causes[parent]
        if fate == "unknown" or (cause and cause.kind in ("first-build", "no-cache")):
            return cause, self.roots[parent]
        if cause and cause.kind in ("base", "platform"):
            # It is about the whole stage; which line was the first to notice says nothing.
            return cause, self._root(parent)
        return Cause("step"), self._root(parent)

    def _root(self, id_: str) -> int | None:
        return self.roots[id_] or self.numbers[id_]

    def _unknown(self, key: Key, fates: Mapping[str, Fate]) -> tuple[Cause, int | None]:
        if key.doubts:
            doubt = key.doubts[0]
            return Cause("unknown-base" if doubt.kind == "base" else "remote", doubt.name), None
        if key.parent and fates[key.parent] == "unknown" and (cause := self.causes[key.parent]):
            return cause, self.roots[key.parent]
        if not key.reads:
            return Cause("rivals"), None
        moved = next((read for read in key.reads if fates[read] != "hit"), None)
        if moved is None:
            return Cause("output", _stage(key.reads[0])), None
        return Cause("output", _stage(moved)), self._root(moved)


def forecasts(
    keys: Sequence[Key],
    fates: Mapping[str, Fate],
    own: Own,
    stale: Mapping[str, Cause],
) -> tuple[Forecast, ...]:
    """Fates with their causes, in the order of the keys; `stale` has those of stale hits."""
    places = {step: n for n, step in enumerate(dict.fromkeys(key.step.id for key in keys), 1)}
    story = _Story({key.id: places[key.step.id] for key in keys})
    out = []
    for key in keys:
        story.tell(key, fates, own)
        out.append(
            Forecast(
                n=story.numbers[key.id],
                id=key.id,
                stage=key.step.stage,
                instruction=key.step.instruction,
                lines=key.step.lines,
                kind=key.step.kind,
                platform=key.platform,
                fate=fates[key.id],
                cause=stale.get(key.id) or story.causes[key.id],
                because_of=story.roots[key.id],
                stale=key.id in stale,
            )
        )
    return tuple(out)


def _parent(ingredients: Iterable[Ingredient]) -> Ingredient | None:
    return next((one for one in ingredients if one.kind == "parent"), None)


def _stage(id_: str) -> str:
    return id_.rpartition(":")[2].rpartition("/")[0]


def to_json(steps: Sequence[Forecast]) -> bytes:
    """What `layerlab predict --json` prints: `{"steps": [...]}`; of explanations likewise."""
    return msgspec.json.encode({"steps": steps})
