"""Random projects and random edits of them, for the agreement run. All of them build."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st

from layerlab.engines.base import Option

BASE = "docker.io/library/busybox:1.37.0-glibc"
FILES = ("a.txt", "b.txt", "d/c.txt", "d/e.txt", "d/sub/f.txt")
FOLDERS = ("d", "d/sub")
ARCHIVE = "p.tar"
LINK = "d/link"
IGNORABLE = ("b.txt", "d/e.txt", "d/sub", "*.log", "**/f.txt", "!d/sub/f.txt", "d")
BUILDKIT = ("docker", "nerdctl")
ANY = ""
"""No engine: what all of them understand."""
STAGES = ("one", "two", "three")


class File(NamedTuple):
    """One file: a letter of its text, its mode, when it was changed as a count, and its owner."""

    text: str
    mode: int = 0o644
    time: int = 0
    owner: int = 0


@dataclass(frozen=True)
class Project:
    """One state of a project.

    `stages` holds the lines after each FROM; `from_stage` says which of them build on the stage
    before; SALT in a line becomes the project's own name; `folders` are modes.
    """

    stages: tuple[tuple[str, ...], ...]
    from_stage: tuple[bool, ...]
    files: dict[str, File]
    folders: dict[str, int] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    build_args: dict[str, str] = field(default_factory=dict)
    comment: str = "a comment"
    target: str | None = None
    fresh: tuple[Option, ...] = ()

    def dockerfile(self, salt: str) -> str:
        out = [f"# {self.comment}", "ARG GLOBAL=g"]
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
        for name, file in self.files.items():
            path = context / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name == LINK:
                path.symlink_to(f"{file.text}.txt")
                continue
            text = f"{salt} {file.text}\n".encode()
            path.write_bytes(_archive(text) if name == ARCHIVE else text)
            path.chmod(file.mode)
            if os.geteuid() == 0:
                os.chown(path, file.owner, file.owner)
            # Each project has times of its own: nerdctl has one copy of all contexts.
            at = 10**9 + int(salt.strip("p")) % 10**6 * 100 + file.time
            os.utime(path, (at, at))
        for name, mode in self.folders.items():
            (context / name).chmod(mode)

    def options(self) -> tuple[Option, ...]:
        given = [Option("--build-arg", f"{k}={v}") for k, v in self.build_args.items()]
        target = [Option("--target", self.target)] if self.target else []
        return (*given, *target, *self.fresh)

    def describe(self, salt: str) -> str:
        files = {name: f"{f.text} {f.mode:o} {f.time} {f.owner}" for name, f in self.files.items()}
        options = " ".join(f"{option.flag} {option.value or ''}" for option in self.options())
        return (
            f"--- {options} files={files} folders={self.folders} "
            f"ignored={self.ignored}\n{self.dockerfile(salt)}"
        )


def _archive(text: bytes) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        member = tarfile.TarInfo("packed")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    return data.getvalue()


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
    st.builds("ADD p.tar {}/".format, WORDS),
    st.builds("COPY d/link {}".format, WORDS),
    st.builds("COPY --from={} /bin/true {}/".format, st.just(BASE), WORDS),
    st.builds("ONBUILD RUN echo {} > /triggered".format, WORDS),
    st.builds('SHELL ["/bin/sh", "-{}"]'.format, st.sampled_from(["c", "ec"])),
    st.builds("STOPSIGNAL {}".format, st.sampled_from(["TERM", "INT"])),
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
FOLDER_MODES = st.sampled_from([0o755, 0o755, 0o700])


def lines(*, engine: str) -> st.SearchStrategy[str]:
    """Lines that the engines of a dialect understand."""
    rare = BOTH_MOUNTS + (ONLY_BUILDKIT if engine in BUILDKIT else [])
    return LINES | st.sampled_from(rare)


@st.composite
def projects(draw: st.DrawFn, *, engine: str = ANY) -> Project:
    count = draw(st.integers(1, 3))
    stages = tuple(
        tuple(draw(st.lists(lines(engine=engine), min_size=1, max_size=4 if count > 1 else 9)))
        for _ in range(count)
    )
    from_stage = (False, *(draw(st.booleans()) for _ in range(count - 1)))
    files = {name: File(draw(TEXTS), draw(MODES)) for name in FILES}
    files |= {ARCHIVE: File(draw(TEXTS)), LINK: File(draw(st.sampled_from("ce")))}
    folders = {name: draw(FOLDER_MODES) for name in FOLDERS}
    ignored = tuple(draw(st.lists(st.sampled_from(IGNORABLE), max_size=2)))
    return Project(stages, from_stage, files, folders, _harmless(ignored))


def _harmless(ignored: tuple[str, ...]) -> tuple[str, ...]:
    # A source that is ignored as a whole would make the build fail.
    return tuple(pattern for pattern in ignored if pattern != "d")


EDITS = (
    *["line"] * 8,
    *["content"] * 6,
    *("mode", "owner", "touch", "sly", "folder", "file", "rename", "link", "archive"),
    *("ignore", "arg", "comment", "target", "no-cache", "none"),
)
"""`sly` leaves size and time as they were."""


@st.composite
def edits(draw: st.DrawFn, project: Project, *, engine: str) -> Project:
    project = replace(project, fresh=())
    match kind := draw(st.sampled_from(EDITS)):
        case "line":
            return draw(_line_edits(project, lines(engine=engine)))
        case "ignore":
            ignored = tuple(draw(st.lists(st.sampled_from(IGNORABLE), max_size=2)))
            return replace(project, ignored=_harmless(ignored))
        case "arg":
            return replace(project, build_args={draw(NAMES): draw(WORDS)})
        case "comment" | "none":
            changed = f"{project.comment}, changed" if kind == "comment" else project.comment
            return replace(project, comment=changed)
        case "target":
            stages = STAGES[: len(project.stages)]
            return replace(project, target=draw(st.sampled_from([None, *stages])))
        case "no-cache":
            some = [Option("--no-cache-filter", STAGES[0])] if engine == "docker" else []
            return replace(project, fresh=(draw(st.sampled_from([Option("--no-cache"), *some])),))
        case "folder":
            name = draw(st.sampled_from(FOLDERS))
            return replace(project, folders={**project.folders, name: draw(FOLDER_MODES)})
    return replace(project, files=draw(_file_edits(project.files, kind)))


@st.composite
def _file_edits(draw: st.DrawFn, files: dict[str, File], kind: str) -> dict[str, File]:
    time = 1 + max(file.time for file in files.values())
    plain = sorted(files.keys() - {ARCHIVE, LINK})
    name = {"archive": ARCHIVE, "link": LINK}.get(kind) or draw(st.sampled_from(plain))
    file = files[name]
    match kind:
        case "content" | "archive":
            return {**files, name: file._replace(text=draw(TEXTS), time=time)}
        case "sly":
            return {**files, name: file._replace(text=draw(TEXTS))}
        case "touch":
            return {**files, name: file._replace(time=time)}
        case "mode":
            return {**files, name: file._replace(mode=draw(MODES))}
        case "owner":
            return {**files, name: file._replace(owner=draw(st.sampled_from([0, 1, 2])))}
        case "link":
            return {**files, LINK: File(draw(st.sampled_from("ce")))}
        case "rename" if name not in ("a.txt", "d/c.txt"):  # some lines name these
            others = {other: kept for other, kept in files.items() if other != name}
            return {**others, f"{name}.moved": file}
    new = draw(st.sampled_from(["new.txt", "d/new", "new.log", "d/sub/g"]))
    others = {other: kept for other, kept in files.items() if other != new}
    return others if new in files else {**files, new: File(draw(TEXTS), time=time)}


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
def sequences(draw: st.DrawFn, *, engine: str) -> list[Project]:
    """A project and one to three edits of it."""
    versions = [draw(projects(engine=engine))]
    for _ in range(draw(st.integers(1, 3))):
        versions.append(draw(edits(versions[-1], engine=engine)))
    # Coming back to the beginning is what people do.
    if draw(st.booleans()):
        versions.append(versions[0])
    return versions
