"""Why a step must run: what has changed since it was last built. It asks for texts, no more."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from layerlab.cache.context import FileRecord
from layerlab.cache.key import Key, file_record
from layerlab.cache.ledger import Ingredient, StepRecord

CauseKind = Literal[
    "first-build",
    "instruction",
    "order",
    "file",
    "arg",
    "env",
    "base",
    "platform",
    "user",
    "workdir",
    "shell",
    "mount",
    "no-cache",
    "pinned",
    "missing",
    "step",
    "output",
    "same-output",
    "unknown-base",
    "rivals",
    "remote",
    "forgotten",
    "already-there",
    "free",
    "stale",
    "stale-mount",
    "stale-copy",
]
"""`step`: another step is rebuilt. `output`: it depends on what a rebuilt stage writes;
`same-output`: that was the same. `order`: what stands before it has changed. `forgotten`: the
engine no longer had it. `already-there`: the engine had it, Layerlab did not know. `stale` and
those that begin with it: a hit that hides a change (see `stale`). `free`: costs nothing."""

ChangeKind = Literal[
    "added", "removed", "renamed", "content", "mode", "owner", "link", "type", "attributes"
]
MAX_LINES = 20
"""Changed lines of a file that a cause lists."""
MAX_FILES = 50
"""Changed files that a cause lists."""


class LineChange(msgspec.Struct, frozen=True):
    """One line of a file before and after; None where there is none. `line` is 1-based, of the
    new file, or of the old one where the line is gone."""

    line: int
    before: str | None
    after: str | None


class FileChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """One file of the context.

    Attributes:
        path: its name in the context, the new one when it was renamed.
        change: what happened to it.
        before, after: modes in octal, link targets, types, the old name; "" otherwise.
        lines: of a small text file whose earlier text the ledger has.
    """

    path: str
    change: ChangeKind
    before: str = ""
    after: str = ""
    lines: tuple[LineChange, ...] = ()


class Cause(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why one step is not, or may not be, taken from the cache.

    Attributes:
        kind: see `CauseKind`.
        name: which argument, image, stage, mount or source.
        before, after: its values; None where it was not there.
        files: for `file`, `stale-mount`, `stale-copy`: the changed ones, at most `MAX_FILES`.
        more: how many changed files are not listed.
    """

    kind: CauseKind
    name: str = ""
    before: str | None = None
    after: str | None = None
    files: tuple[FileChange, ...] = ()
    more: int = 0


@dataclass(frozen=True)
class Texts:
    """Where the text of a small file can be had, None where it cannot.

    Attributes:
        before: by the digest of its bytes, from the ledger.
        now: by its path in the context.
    """

    before: Callable[[str], str | None] = lambda _: None
    now: Callable[[str], str | None] = lambda _: None


_IN_ORDER: tuple[tuple[str, CauseKind], ...] = (
    ("base", "base"),
    ("platform", "platform"),
    ("uses-arg", "arg"),
    ("arg", "arg"),
    ("uses-env", "env"),
    ("env", "env"),
    ("shell", "shell"),
    ("user", "user"),
    ("workdir", "workdir"),
    ("mount", "mount"),
)


def compare(key: Key, earlier: StepRecord, texts: Texts) -> Cause | None:
    """What differs between a step and its earlier self; None where only its parents do."""
    was, now = _by_kind(earlier.ingredients), _by_kind(key.ingredients)
    # Spaces and case of the text alone change no key of BuildKit's; another image is another line.
    meant = was.get("instruction") != now.get("instruction")
    meant |= was.get("base", {}).keys() != now.get("base", {}).keys()
    if meant and earlier.instruction != key.step.instruction:
        return Cause("instruction", before=earlier.instruction, after=key.step.instruction)
    for kind, named in _IN_ORDER:
        if change := _changed(was.get(kind, {}), now.get(kind, {})):
            return Cause(named, *change)
    changes = list(file_changes(earlier.ingredients, key.ingredients, texts))
    if changes:
        return Cause(
            "file", files=tuple(changes[:MAX_FILES]), more=max(0, len(changes) - MAX_FILES)
        )
    if was.get("instruction") != now.get("instruction"):
        return Cause("instruction", before=earlier.instruction, after=key.step.instruction)
    return None


def _by_kind(ingredients: Iterable[Ingredient]) -> dict[str, dict[str, str]]:
    kinds: dict[str, dict[str, str]] = {}
    for ingredient in ingredients:
        values = kinds.setdefault(ingredient.kind, {})
        # Sources repeat a name: their values are joined.
        old = values.get(ingredient.name)
        values[ingredient.name] = ingredient.value if old is None else f"{old}\0{ingredient.value}"
    return kinds


def _changed(
    was: Mapping[str, str], now: Mapping[str, str]
) -> tuple[str, str | None, str | None] | None:
    for name in dict.fromkeys([*now, *was]):
        if was.get(name) != now.get(name):
            return name, was.get(name), now.get(name)
    return None


def file_changes(
    was: Iterable[Ingredient], now: Iterable[Ingredient], texts: Texts
) -> Iterator[FileChange]:
    """The files that differ, in the order of the new selection, removed ones last."""
    # Of 50,000 files few differ; only these are read.
    then = {i.name: i for i in was if i.kind == "file"}
    here = {i.name: i for i in now if i.kind == "file"}
    before = {name: file_record(i) for name, i in then.items() if here.get(name) != i}
    after = {name: file_record(i) for name, i in here.items() if then.get(name) != i}
    gone = {name: record for name, record in before.items() if name not in after}
    twins = {record.digest: name for name, record in gone.items() if record.digest}
    for name, record in after.items():
        old = before.get(name)
        if old is None:
            twin = twins.pop(record.digest, None)
            if twin is not None:
                del gone[twin]
                yield FileChange(name, "renamed", before=twin, after=name)
            else:
                yield FileChange(name, "added")
        elif old != record:
            yield _file_change(name, old, record, texts)
    for name in gone:
        yield FileChange(name, "removed")


def _file_change(name: str, old: FileRecord, new: FileRecord, texts: Texts) -> FileChange:
    if old.type != new.type:
        return FileChange(name, "type", before=old.type, after=new.type)
    if old.digest != new.digest:
        return FileChange(name, "content", lines=_line_changes(old.digest, name, texts))
    if old.mode != new.mode:
        return FileChange(name, "mode", before=f"{old.mode:04o}", after=f"{new.mode:04o}")
    if old.link != new.link:
        return FileChange(name, "link", before=old.link, after=new.link)
    if old.owner != new.owner:
        return FileChange(name, "owner", before=old.owner, after=new.owner)
    return FileChange(name, "attributes")


def _line_changes(old: str, path: str, texts: Texts) -> tuple[LineChange, ...]:
    before, after = texts.before(old), texts.now(path)
    if before is None or after is None:
        return ()
    return line_changes(before, after)


def line_changes(before: str, after: str) -> tuple[LineChange, ...]:
    """The lines that differ, paired as far as they can be, at most `MAX_LINES`."""
    old, new = before.splitlines(), after.splitlines()
    changes: list[LineChange] = []
    for tag, i, i2, j, j2 in difflib.SequenceMatcher(None, old, new).get_opcodes():
        if tag == "equal":
            continue
        for at in range(max(i2 - i, j2 - j)):
            was = old[i + at] if i + at < i2 else None
            now = new[j + at] if j + at < j2 else None
            changes.append(LineChange((i if now is None else j) + at + 1, was, now))
    return tuple(changes[:MAX_LINES])


def pair(keys: Sequence[Key], earlier: Sequence[StepRecord]) -> dict[str, StepRecord]:
    """The earlier self of each step, by its id: first by stage and platform, then by its text."""
    found: dict[str, StepRecord] = {}
    now: dict[tuple[str, str], list[Key]] = {}
    was: dict[tuple[str, str], list[StepRecord]] = {}
    for key in keys:
        if not key.free:
            now.setdefault((key.step.stage, key.platform), []).append(key)
    for record in sorted(earlier, key=lambda record: record.position):
        was.setdefault((record.stage, record.platform), []).append(record)
    for place, group in now.items():
        found.update(_align(group, was.get(place, [])))
    taken = {id(record) for record in found.values()}
    by_text: dict[str, list[StepRecord]] = {}
    for record in earlier:
        if id(record) not in taken:
            by_text.setdefault(record.instruction, []).append(record)
    for key in keys:
        if not key.free and key.id not in found and (same := by_text.get(key.step.instruction)):
            found[key.id] = same[0]
    return found


def _align(keys: Sequence[Key], records: Sequence[StepRecord]) -> Iterator[tuple[str, StepRecord]]:
    texts = [record.instruction for record in records], [key.step.instruction for key in keys]
    for tag, i, i2, j, j2 in difflib.SequenceMatcher(None, *texts, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from (
                (key.id, record) for key, record in zip(keys[j:j2], records[i:i2], strict=True)
            )
        elif tag == "replace":
            # An edited line is still the same step when it does the same thing.
            rest = list(records[i:i2])
            for key in keys[j:j2]:
                word = key.step.instruction.split(None, 1)[0].upper()
                same = [r for r in rest if r.instruction.split(None, 1)[0].upper() == word]
                if same:
                    rest.remove(same[0])
                    yield key.id, same[0]
