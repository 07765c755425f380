"""Predicting and explaining for real: the cache model with files, an engine and a ledger.

Knowledge only: whatever goes wrong here costs a prediction, never a build.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from pathlib import Path

import msgspec

from layerlab.cache.digests import Digests
from layerlab.cache.explain import Explanation, explain, records
from layerlab.cache.goregexp import BadPatternError
from layerlab.cache.ignore import Dialect
from layerlab.cache.key import LINEAR, Base, Key, Options, Selection, file_record
from layerlab.cache.keys import base_names, step_keys
from layerlab.cache.ledger import Ledger, StepRecord
from layerlab.cache.predict import Forecast, predict
from layerlab.cache.selection import Files
from layerlab.cache.sent import Copy, Sending, copy_name
from layerlab.cache.sentences import why
from layerlab.engines.base import BuildRequest, Engine
from layerlab.engines.options import options as options_of
from layerlab.errors import LayerlabError
from layerlab.model.build import Build, Outlook
from layerlab.model.plan import Plan

MAX_TEXT = 32 * 1024
"""Bytes of a file whose lines are remembered, so that a later explanation can show them."""
MAX_TEXTS = 300
"""Files of one build whose lines are remembered."""
FORESEEABLE = (LayerlabError, BadPatternError, OSError)
"""What may keep anyone from predicting: the engine will say the same in its own words."""


@dataclass(frozen=True)
class Foreseen:
    """One build before it begins.

    Attributes:
        engine, request, plan: what was asked.
        options: of the request, as the cache model has them.
        keys, steps: see `cache.keys.step_keys` and `cache.predict.predict`.
        select: the build context as the engine sees it.
        foreign: a base image on this machine is for another platform than the build.
        digests: of the files of the build context.
    """

    engine: Engine
    request: BuildRequest
    plan: Plan
    options: Options
    keys: tuple[Key, ...]
    steps: tuple[Forecast, ...]
    select: Selection
    foreign: bool
    digests: Digests

    @property
    def dockerfile(self) -> str:
        """Its identity in the ledger."""
        return identity(self.request)

    @property
    def unsettled(self) -> bool:
        """The build may bring in base images: another platform's, or one that is not here."""
        return self.foreign or bool(self.request.platforms) or any(key.doubts for key in self.keys)


class Foresight:
    """What a workspace knows of earlier builds, and what follows from it.

    Args:
        root: the folder of the ledger and of the digests of files.
        environ: gives `--build-arg NAME` its value, as the CLIs do.
    """

    def __init__(self, root: Path, environ: Mapping[str, str] = os.environ) -> None:
        self._ledger = Ledger(root / "ledger.sqlite")
        self._remembered = root / "digests.sqlite"
        self._latest: Digests | None = None
        self._environ = environ

    def foresee(self, engine: Engine, request: BuildRequest, plan: Plan) -> Foreseen:
        """The fate of each step, were it built now.

        Raises:
            BadPatternError: the engine would refuse a pattern of the ignore file.
            OSError: something in the context cannot be read.
            LayerlabError: a variable in the Dockerfile cannot be expanded.
        """
        options = options_of(request, self._environ, engine.buildah)
        digests = self._digests(request.context_path)
        # What the engine has to tell may take longer than to look at all files.
        with ThreadPoolExecutor(2, thread_name_prefix="layerlab-questions") as pool:
            shelf = pool.submit(lambda: _Shelf(self._ledger, engine.cache))
            bases = pool.submit(_bases, engine, plan, options)
            select = _selection(engine, request, options, digests, shelf.result)
            found, foreign = bases.result()
            keys = _keys(engine, plan, options, select, found)
            steps = predict(
                keys,
                shelf.result(),
                engine=engine.name,
                dockerfile=identity(request),
                options=options,
                now=partial(_text, request.context_path),
            )
        digests.save()
        return Foreseen(engine, request, plan, options, keys, steps, select, foreign, digests)

    def explain(self, foreseen: Foreseen, build: Build) -> tuple[Explanation, ...]:
        """What became of each step and why; the ledger then knows of the build."""
        dockerfile, shelf = foreseen.dockerfile, _Shelf(self._ledger, foreseen.engine.cache)
        told = explain(
            foreseen.keys,
            foreseen.steps,
            build,
            shelf,
            dockerfile=dockerfile,
            now=partial(_text, foreseen.request.context_path),
        )
        keys = foreseen.keys
        if foreseen.unsettled:
            # The next prediction will see the base images as they are now.
            with contextlib.suppress(*FORESEEABLE):
                asked = foreseen.engine, foreseen.plan, foreseen.options
                keys = _keys(*asked, foreseen.select, _bases(*asked)[0])
        made = records(keys, build, shelf, dockerfile=dockerfile, options=foreseen.options)
        self._ledger.record(shelf.own(made), dict(_texts(foreseen)))
        if isinstance(foreseen.select, Sending):
            name = copy_name(build.engine, foreseen.request.context_path)
            self._ledger.keep_copy(foreseen.engine.cache, name, foreseen.select.copy())
        foreseen.digests.save()  # of what no step had asked for before
        return told

    def forget(self, folder: Path) -> None:
        """A folder begins anew: what was built in it before is no one's earlier self."""
        self._ledger.forget(str(folder.resolve()))

    def close(self) -> None:
        """Give the files back."""
        self._ledger.close()

    def _digests(self, context: Path) -> Digests:
        """What is remembered of a folder's files: most predictions ask for one again."""
        latest = self._latest
        if latest is None or not latest.serves(context):
            self._latest = latest = Digests(self._remembered, context)
        return latest


@dataclass(frozen=True)
class _Shelf:
    """The ledger as one build cache sees it: an engine may have several, and each knows its own."""

    ledger: Ledger
    cache: str

    def copy(self, engine: str, context: Path) -> Copy:
        """What the engine has of a context."""
        return self.ledger.copy(self.cache, copy_name(engine, context))

    def find(self, _engine: str, key: str) -> StepRecord | None:
        return self.ledger.find(self.cache, key)

    def previous(self, _engine: str, dockerfile: str) -> Sequence[StepRecord]:
        return self.ledger.previous(self.cache, dockerfile)

    def text(self, digest: str) -> str | None:
        return self.ledger.text(digest)

    def own(self, made: Sequence[StepRecord]) -> tuple[StepRecord, ...]:
        """Records as they are kept: under the cache's name."""
        return tuple(msgspec.structs.replace(record, engine=self.cache) for record in made)


class Hunch:
    """A prediction that is made while the engine is already at work, so that nobody waits."""

    def __init__(
        self, foresight: Foresight, engine: Engine, request: BuildRequest, plan: Plan
    ) -> None:
        self._foresight = foresight
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="layerlab-foresight")
        self._future: Future[Foreseen] = self._pool.submit(foresight.foresee, engine, request, plan)
        self._pool.shutdown(wait=False)

    def on(self, build: Build) -> Build:
        """The running build with what is foreseen of it, as soon as that is known."""
        if build.outlooks or not self._future.done() or self._foreseen() is None:
            return build
        return msgspec.structs.replace(build, outlooks=outlooks(self._future.result().steps))

    def after(self, build: Build) -> tuple[Build, tuple[Explanation, ...]]:
        """The build with its reasons, and the reasons; a build that was stopped is not waited on.

        Nothing is explained where nothing could be foreseen.
        """
        foreseen = None if build.outcome == "cancelled" else self._foreseen()
        if foreseen is None:
            return build, ()
        told = self._foresight.explain(foreseen, build)
        return msgspec.structs.replace(build, outlooks=outlooks(told)), told

    def _foreseen(self) -> Foreseen | None:
        try:
            return self._future.result()
        except FORESEEABLE:
            return None
        except Exception as error:  # what is wrong with us must not cost a build
            warnings.warn(
                f"Layerlab could not foresee this build, by a fault of its own: {error!r}. "
                "The build itself is not harmed. Please report it.",
                RuntimeWarning,
                stacklevel=2,
            )
            return None


def outlooks(steps: Sequence[Forecast]) -> dict[str, Outlook]:
    """Fates and reasons for a view, by the id of the step; no word of what costs nothing."""
    return {step.id: Outlook(step.fate, reason(step, steps)) for step in steps}


def reason(step: Forecast, all_: Sequence[Forecast]) -> str:
    """The sentence that belongs beside a step: why it runs, or may run."""
    if step.kind in ("from", "metadata"):
        return ""
    unspoken = isinstance(step, Explanation) and step.actual not in ("hit", "rebuild", "failed")
    return "" if unspoken else why(step, all_)


def identity(request: BuildRequest) -> str:
    """A Dockerfile's name in the ledger: where it is, and which of its stages is wanted."""
    return "#".join((str(request.dockerfile_path.resolve()), *request.values("--target")[-1:]))


def _dialect(engine: Engine) -> Dialect:
    return "buildah" if engine.name in LINEAR else "buildkit"


def _selection(
    engine: Engine,
    request: BuildRequest,
    options: Options,
    digests: Digests,
    shelf: Callable[[], _Shelf],
) -> Selection:
    context = request.context_path
    files = Files.of(context, request.dockerfile_path, _dialect(engine), digests, options.buildah)
    # The embedded engine reads the context itself: it has no copy that may be stale.
    if engine.name in LINEAR or engine.name == "embedded":
        return files
    return Sending(context, files, cache(lambda: shelf().copy(engine.name, context)))


def _keys(
    engine: Engine, plan: Plan, options: Options, select: Selection, bases: Mapping[str, Base]
) -> tuple[Key, ...]:
    return step_keys(plan, _dialect(engine), select=select, options=options, bases=bases)


def _bases(engine: Engine, plan: Plan, options: Options) -> tuple[dict[str, Base], bool]:
    """What each base image is just now, as far as this machine's images tell.

    An engine that asks the registry may find a newer one; the build's reasons then say so. The
    second answer: podman and buildah have a name for one platform only, and one of these is not
    for the engine's own, so that the build will bring in another.
    """
    found: dict[str, Base] = {}
    foreign = False
    for name in base_names(plan, options):
        with contextlib.suppress(LayerlabError):
            if "@sha256:" in name:
                found[name] = Base(name)
                continue
            image = engine.identify(name)
            found[name] = Base(image.id, image.triggers)
            foreign |= options.native.split("/")[1] not in image.architectures
    return found, foreign


def _text(context: Path, path: str) -> str | None:
    """The text of a small file as it is now; None for a large or binary one."""
    try:
        with (context / path).open("rb") as file:
            data = file.read(MAX_TEXT + 1)
        return data.decode() if len(data) <= MAX_TEXT and b"\0" not in data else None
    except (OSError, UnicodeDecodeError):
        return None


def _texts(foreseen: Foreseen) -> Iterator[tuple[str, str]]:
    """Small files of the context by the digest that the build had them under."""
    files = {
        ingredient.name: file_record(ingredient)
        for key in foreseen.keys
        for ingredient in key.ingredients
        if ingredient.kind == "file"
    }
    small = [(path, r.digest) for path, r in files.items() if r.digest and r.size <= MAX_TEXT]
    for path, digest in small[:MAX_TEXTS]:
        text = _text(foreseen.request.context_path, path)
        # It may have been edited since.
        if text is not None and sha256(text.encode()).hexdigest() == digest:
            yield digest, text
