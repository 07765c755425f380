"""Small helpers that tests of the cache model share: contexts and ledgers in memory."""

from collections.abc import Mapping, Sequence
from hashlib import sha256

from msgspec.structs import replace

from layerlab.cache.context import FileRecord, MissingSourceError
from layerlab.cache.dockerfile import plan
from layerlab.cache.explain import Explanation, explain, records
from layerlab.cache.ignore import Dialect
from layerlab.cache.key import Base, Key, Options
from layerlab.cache.keys import step_keys
from layerlab.cache.ledger import StepRecord
from layerlab.cache.predict import Forecast, predict
from layerlab.model.build import Build, Step

ENGINES: dict[Dialect, str] = {"buildkit": "docker", "buildah": "buildah"}
BASES = {"busybox": Base("sha256:1"), "debian": Base("sha256:2")}


class Context:
    """Files in memory. A source is a file's name, a folder, or `.` for all."""

    def __init__(self, files: Mapping[str, str] | None = None) -> None:
        self.files = dict(files or {})
        self.modes: dict[str, int] = {}

    def __call__(
        self, sources: Sequence[str], *, exclude: Sequence[str] = (), whole: bool = False
    ) -> tuple[FileRecord, ...]:
        assert not (whole and exclude)  # no engine asks for both
        found: list[FileRecord] = []
        for source in sources:
            name = source.strip("/").removeprefix("./").rstrip(".").rstrip("/")
            chosen = [
                path
                for path in sorted(self.files)
                if (not name or path == name or path.startswith(f"{name}/")) and path not in exclude
            ]
            if not chosen and name:
                raise MissingSourceError(source)
            found += [self._record(path, name) for path in chosen]
        return tuple(found)

    def _record(self, path: str, name: str) -> FileRecord:
        text = self.files[path]
        return FileRecord(
            path=path.removeprefix(name).lstrip("/"),
            type="file",
            mode=self.modes.get(path, 0o644),
            size=len(text),
            digest=sha256(text.encode()).hexdigest(),
            source=path,
        )


class Memory:
    """A ledger in a dictionary."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], StepRecord] = {}
        self.texts: dict[str, str] = {}
        self.last: dict[tuple[str, str], tuple[StepRecord, ...]] = {}

    def find(self, engine: str, key: str) -> StepRecord | None:
        return self.records.get((engine, key))

    def previous(self, engine: str, dockerfile: str) -> Sequence[StepRecord]:
        return self.last.get((engine, dockerfile), ())

    def text(self, digest: str) -> str | None:
        return self.texts.get(digest)

    def record(self, records: Sequence[StepRecord]) -> None:
        for record in records:
            self.records[record.engine, record.key] = record
        if records:
            self.last[records[0].engine, records[0].dockerfile] = tuple(records)


class Project:
    """A Dockerfile with its context on one engine, built again and again."""

    def __init__(
        self, dockerfile: str, files: Mapping[str, str] | None = None, *, dialect: Dialect
    ) -> None:
        self.dockerfile = dockerfile
        self.context = Context(files)
        self.dialect: Dialect = dialect
        self.engine = ENGINES[dialect]
        self.memory = Memory()
        self.bases = dict(BASES)
        self.builds = 0

    def keys(self, options: Options = Options(), target: str | None = None) -> tuple[Key, ...]:  # noqa: B008 - a frozen value
        made = plan(self.dockerfile, "Dockerfile", target=target, build_args=options.build_args)
        return step_keys(made, self.dialect, select=self.context, options=options, bases=self.bases)

    def predict(
        self,
        options: Options = Options(),  # noqa: B008 - a frozen value
        target: str | None = None,
    ) -> tuple[Forecast, ...]:
        return predict(
            self.keys(options, target),
            self.memory,
            engine=self.engine,
            dockerfile="Dockerfile",
            options=options,
            now=self.context.files.get,
        )

    def build(
        self,
        options: Options = Options(),  # noqa: B008 - a frozen value
        target: str | None = None,
        *,
        otherwise: Mapping[int, bool] | None = None,
        fails: int | None = None,
    ) -> tuple[Explanation, ...]:
        """As if the engine did what was predicted; `otherwise` says of some n whether they hit.

        What is unknown is rebuilt. At the n of `fails` the build comes to its end.
        """
        keys, predicted = self.keys(options, target), self.predict(options, target)
        self.builds += 1
        hits = {f.id: (otherwise or {}).get(f.n, f.fate == "hit") for f in predicted}
        steps = {
            key.id: Step(id=key.id, started=1.0, completed=2.0, cached=hits[key.id]) for key in keys
        }
        if fails:
            steps = {f.id: steps[f.id] for f in predicted if f.n <= fails}
            failed = predicted[fails - 1].id
            steps[failed] = replace(steps[failed], error="no")
        build = Build(
            id=str(self.builds),
            engine=self.engine,
            outcome="failed" if fails else "built",
            steps=steps,
        )
        told = explain(
            keys,
            predicted,
            build,
            self.memory,
            dockerfile="Dockerfile",
            now=self.context.files.get,
        )
        self.memory.record(
            records(keys, build, self.memory, dockerfile="Dockerfile", options=options)
        )
        for text in self.context.files.values():
            self.memory.texts[sha256(text.encode()).hexdigest()] = text
        return told


def fates(forecasts: Sequence[Forecast]) -> str:
    """One letter for each step: h, r or u."""
    return "".join(forecast.fate[0] for forecast in forecasts)
