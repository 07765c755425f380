"""Stale hits: the engine reuses a step although what goes into it has changed.

No engine warns of these. There are three kinds, each from a place where an engine does not look:

- Buildah compares some lines as they are written, before variables are expanded
  (containers/buildah#5501): ingredients `expanded`.
- Buildah before 1.39 does not look at what a bind mount shows: ingredients `shown`.
- BuildKit keeps a copy of the build context and brings it up to date by names, sizes and times
  (see `sent`): ingredients `unseen` say what is in the context, `file` what the engine has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from layerlab.cache.causes import MAX_FILES, Cause, CauseKind, Texts, file_changes
from layerlab.cache.key import Key
from layerlab.cache.ledger import Ingredient, StepRecord


def hidden_change(key: Key, record: StepRecord, texts: Texts) -> Cause | None:
    """What a hit hides; None where it hides nothing.

    Args:
        key: of a step that will hit.
        record: the step that it hits, as it was built.
        texts: where lines of files can be had.
    """
    return _words(key, record) or _files(key, record, texts)


def _words(key: Key, record: StepRecord) -> Cause | None:
    was = {i.name: i.value for i in record.ingredients if i.kind == "expanded"}
    for ingredient in key.ingredients:
        if ingredient.kind != "expanded":
            continue
        before = was.get(ingredient.name)
        if before not in (None, ingredient.value):
            return Cause("stale", ingredient.name, before=before, after=ingredient.value)
    return None


def _files(key: Key, record: StepRecord, texts: Texts) -> Cause | None:
    now = list(_as_files(key.ingredients, "shown"))
    if changed := _changed("stale-mount", _as_files(record.ingredients, "shown"), now, texts):
        return changed
    unseen = list(_as_files(key.ingredients, "unseen"))
    names = {ingredient.name for ingredient in unseen}
    kept = (i for i in key.ingredients if i.kind == "file" and i.name in names)
    return _changed("stale-copy", kept, unseen, texts)


def _as_files(ingredients: Iterable[Ingredient], kind: str) -> Iterator[Ingredient]:
    return (Ingredient("file", i.name, i.value) for i in ingredients if i.kind == kind)


def _changed(
    kind: CauseKind, was: Iterable[Ingredient], now: Iterable[Ingredient], texts: Texts
) -> Cause | None:
    changes = list(file_changes(was, now, texts))
    if not changes:
        return None
    return Cause(kind, files=tuple(changes[:MAX_FILES]), more=max(0, len(changes) - MAX_FILES))
