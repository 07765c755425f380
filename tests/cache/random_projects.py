"""Random projects and random edits of them, for the agreement run. All of them build."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import strategies as st

from layerlab.engines.base import Option

BASE = "docker.io/library/busybox:1.37.0-glibc"
FILES = ("a.txt", "b.txt", "d/c.txt", "d/e.txt", "d/sub/f.txt")
IGNORABLE = ("b.txt", "d/e.txt", "d/sub", "*.log", "**/f.txt", "!d/sub/f.txt", "d")
STAGES = ("one", "two", "three")


@dataclass(frozen=True)
class Project:
    """One state of a project.

    `stages` holds the lines after each FROM; `from_stage` says which of them build on the stage
    before; SALT in a line becomes the project's own name.
    """

    stages: tuple[tuple[str, ...], ...]
    from_stage: tuple[bool, ...]
    files: dict[str, tuple[str, int]]
    ignored: tuple[str, ...] = ()
    build_args: dict[str, str] = field(default_factory=dict)
    no_cache: bool = False

    def dockerfile(self, salt: str) -> str:
        out = ["# a comment", "ARG GLOBAL=g"]
        for at, lines in enumerate(self.stages):
            base = STAGES[at - 1] if self.from_stage[at] else BASE
            out += [f"FROM {base} AS {STAGES[at]}", "WORKDIR /SALT", "RUN echo > kept", *lines]
        # BuildKit would leave out stages that nothing needs.
        out += [f"COPY --from={name} /SALT /from-{name}" for name in STAGES[: len(self.stages) - 1]]
        return "\n".join(out).replace("SALT", salt) + "\n"

    def write(self, context: Path, salt: str) -> None:
        shutil.rmtree(context, ignore_errors=True)
        context.mkdir(parents=True)
        (context / "Dockerfile").write_text(self.dockerfile(salt))
        if self.ignored:
            (context / ".dockerignore").write_text("\n".join(self.ignored) + "\n")
        for name, (text, mode) in self.files.items():
            path = context / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{salt} {text}\n")
            path.chmod(mode)

    def options(self) -> tuple[Option, ...]:
        given = [Option("--build-arg", f"{k}={v}") for k, v in self.build_args.items()]
        return (*given, *([Option("--no-cache")] if self.no_cache else []))

    def describe(self, salt: str) -> str:
        files = {name: f"{text} {mode:o}" for name, (text, mode) in self.files.items()}
        return (
            f"--- {self.build_args} no_cache={self.no_cache} files={files} "
            f"ignored={self.ignored}\n{self.dockerfile(salt)}"
        )


WORDS = st.sampled_from(["x", "y", "z"])
NAMES = st.sampled_from(["A", "B", "GLOBAL"])
LINES = st.one_of(
    st.builds("RUN echo {} > /out".format, WORDS),
    st.builds("RUN echo ${} {} > out".format, NAMES, WORDS),
    st.builds("RUN date > /noise && echo {}".format, WORDS),
    st.builds("COPY {} {}/".format, st.sampled_from(["a.txt", "./a.txt", "d", "."]), WORDS),
    st.builds("COPY a.txt d {}/".format, WORDS),
    st.builds("COPY --chmod=600 a.txt {}".format, WORDS),
    st.builds("COPY --chown=1:1 a.txt {}".format, WORDS),
    st.builds("COPY *.txt {}/".format, WORDS),
    st.builds("COPY a.txt ${}/".format, NAMES),
    st.builds("ADD a.txt {}".format, WORDS),
    st.builds("WORKDIR {}".format, WORDS),
    st.builds("WORKDIR /w/${}".format, NAMES),
    st.builds("ENV {}={}".format, NAMES, WORDS),
    st.builds("ENV {}=${}".format, NAMES, NAMES),
    st.builds("ARG {}={}".format, NAMES, WORDS),
    st.builds("ARG {}".format, NAMES),
    st.builds("LABEL l={}".format, WORDS),
    st.builds('CMD ["{}"]'.format, WORDS),
    st.builds("USER {}".format, st.sampled_from(["0", "root"])),
    st.builds("EXPOSE 80{}".format, st.sampled_from("01")),
)
BOTH_MOUNTS = [
    "RUN --mount=type=bind,source=d,target=/m cat /m/c.txt > mounted",
    "RUN --mount=type=cache,target=/c echo x > cached",
    "RUN --mount=type=tmpfs,target=/t echo x > tmp",
]
ONLY_BUILDKIT = [
    "COPY --link a.txt linked/",
    "COPY <<EOF here\nit's $A\nEOF",
    "COPY <<'EOF' here\nit's $A\nEOF",
    "RUN <<EOF\necho $A\nEOF",
    "RUN --mount=type=cache,target=/c,id=other echo x > cached",
    "RUN --mount=type=bind,source=d/sub,target=/m ls /m > mounted",
]
TEXTS = st.sampled_from(["1", "2", "3"])
MODES = st.sampled_from([0o644, 0o644, 0o755, 0o600])


def lines(*, buildkit: bool) -> st.SearchStrategy[str]:
    """Lines that the engines of a dialect understand."""
    rare = BOTH_MOUNTS + (ONLY_BUILDKIT if buildkit else [])
    return LINES | st.sampled_from(rare)


@st.composite
def projects(draw: st.DrawFn, *, buildkit: bool = False) -> Project:
    count = draw(st.integers(1, 3))
    stages = tuple(
        tuple(draw(st.lists(lines(buildkit=buildkit), min_size=1, max_size=4 if count > 1 else 9)))
        for _ in range(count)
    )
    from_stage = (False, *(draw(st.booleans()) for _ in range(count - 1)))
    files = {name: (draw(TEXTS), draw(MODES)) for name in FILES}
    ignored = tuple(draw(st.lists(st.sampled_from(IGNORABLE), max_size=2)))
    return Project(stages, from_stage, files, _harmless(ignored))


def _harmless(ignored: tuple[str, ...]) -> tuple[str, ...]:
    # A source that is ignored as a whole would make the build fail.
    return tuple(pattern for pattern in ignored if pattern != "d")


@st.composite
def edits(draw: st.DrawFn, project: Project, *, buildkit: bool) -> Project:
    project = replace(project, no_cache=False)
    kind = draw(
        st.sampled_from(
            ["line"] * 4 + ["content"] * 4 + ["mode", "file", "ignore", "arg", "none", "no-cache"]
        )
    )
    if kind == "line":
        return draw(_line_edits(project, lines(buildkit=buildkit)))
    if kind in ("content", "mode"):
        name = draw(st.sampled_from(sorted(project.files)))
        text, mode = project.files[name]
        new = (draw(TEXTS), mode) if kind == "content" else (text, draw(MODES))
        return replace(project, files={**project.files, name: new})
    if kind == "file":
        name = draw(st.sampled_from(["new.txt", "d/new", "new.log", "d/sub/g"]))
        files = dict(project.files)
        if files.pop(name, None) is None:
            files[name] = (draw(TEXTS), 0o644)
        return replace(project, files=files)
    if kind == "ignore":
        ignored = tuple(draw(st.lists(st.sampled_from(IGNORABLE), max_size=2)))
        return replace(project, ignored=_harmless(ignored))
    if kind == "arg":
        return replace(project, build_args={draw(NAMES): draw(WORDS)})
    return replace(project, no_cache=kind == "no-cache")


@st.composite
def _line_edits(draw: st.DrawFn, project: Project, line: st.SearchStrategy[str]) -> Project:
    at = draw(st.integers(0, len(project.stages) - 1))
    stage = list(project.stages[at])
    place = draw(st.integers(0, len(stage)))
    match draw(st.sampled_from(["insert", "delete", "replace", "swap"])):
        case "insert":
            stage.insert(place, draw(line))
        case "delete" if len(stage) > 1:
            stage.pop(place % len(stage))
        case "replace":
            stage[place % len(stage)] = draw(line)
        case "swap":
            other = draw(st.integers(0, len(stage) - 1))
            place %= len(stage)
            stage[place], stage[other] = stage[other], stage[place]
    return replace(project, stages=(*project.stages[:at], tuple(stage), *project.stages[at + 1 :]))


@st.composite
def sequences(draw: st.DrawFn, *, buildkit: bool) -> list[Project]:
    """A project and one to three edits of it."""
    versions = [draw(projects(buildkit=buildkit))]
    for _ in range(draw(st.integers(1, 3))):
        versions.append(draw(edits(versions[-1], buildkit=buildkit)))
    # Coming back to the beginning is what people do.
    if draw(st.booleans()):
        versions.append(versions[0])
    return versions
