"""`python -m tests.golden.record [ENGINE] [CASE]`: record what the real tools print.

Needs CI's engines: `eval "$(python3 -m tests.engines env)"`. Review the tables that change.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import secrets
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from layerlab.progress.base import Stream
from tests.engines.daemons import DAEMONS, Daemon
from tests.engines.layout import RUN
from tests.golden.catalogue import CASES, NONCE, TOOLS, Case, Tool
from tests.golden.images import push
from tests.golden.old_docker import old_docker
from tests.golden.recording import HERE, Chunk, Recording, save

CONTEXT = "context"
REGISTRY = "registry.example:5000"
"""Stands for CI's registry in Dockerfiles and in what is kept."""
BEGUN = {
    "rawjson": re.compile(base64.b64encode(b"begun ")),
    "plain": re.compile(rb"#\d+ \d+\.\d* begun "),
    "buildah": re.compile(rb"^begun ", re.MULTILINE),
}
"""The command's output, not its text: then an interrupted build is interrupted in its RUN."""
NATIVE_BASE = ("--platform", "linux/amd64", "docker.io/library/busybox:1.37.0-glibc")
PATIENCE = 300.0
"""Seconds that a build may take."""


def main() -> None:
    """Record what the arguments choose."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden.record", description=__doc__)
    parser.add_argument("engine", nargs="?", choices=sorted({tool.name for tool in TOOLS}))
    parser.add_argument("case", nargs="?", choices=[case.name for case in CASES])
    chosen = parser.parse_args()
    for tool in TOOLS:
        if chosen.engine in (None, tool.name):
            with old_docker() if tool.old else nullcontext(dict(os.environ)) as environment:
                for case in CASES:
                    if chosen.case in (None, case.name) and case.only in (None, tool.format):
                        record(tool, case, environment)


def record(tool: Tool, case: Case, env: dict[str, str]) -> None:
    """Run one build and keep what it printed."""
    nonce = secrets.token_hex(4)
    with tempfile.TemporaryDirectory(prefix="golden-", dir="/tmp") as name:
        folder = Path(name)
        if case.context == "pull":
            push(f"golden-pull:{nonce}")
        for tag, context in case.before:
            stage(folder, context, nonce)
            # Of the two image formats, only Docker's has ONBUILD.
            other = tool.format == "buildah" and context != case.context
            argv = tool.command(tag, CONTEXT, ("--format", "docker") if other else ())
            subprocess.run(argv, cwd=folder, check=True, capture_output=True, env=env)
        stage(folder, case.context, nonce)
        if case.edit:
            file, old, new = case.edit
            path = folder / CONTEXT / file
            path.write_text(path.read_text().replace(old, new))
        argv = tool.command(case.tag.replace(NONCE, nonce), CONTEXT, case.options, *case.platforms)
        begun = time.time()
        chunks, exit_code = run(argv, folder, env, _watched(tool, case))
        if case.kill:
            subprocess.run([sys.executable, "-m", "tests.engines", "up"], check=True)
        dockerfile = (folder / CONTEXT / "Dockerfile").read_bytes()
    if case.platforms and tool.format == "buildah":
        # These let a name stand for the image of the platform that was built last.
        subprocess.run(
            [tool.argv[0], "pull", *NATIVE_BASE], check=True, capture_output=True, env=env
        )
    version = subprocess.run(
        tool.version, check=True, capture_output=True, env=env, text=True
    ).stdout
    number = next(word for word in version.split() if word[0].isdigit()).partition("+")[0]
    recording = Recording(
        folder=HERE / f"{tool.name}-{number}" / case.name,
        facts={
            "argv": argv,
            "format": tool.format,
            "version": version.strip(),
            "platforms": list(case.platforms),
            "begun": begun,
            "exit_code": exit_code,
            "cancelled": case.interrupt,
        },
        dockerfile=neutral(dockerfile, name).decode(),
        chunks=tuple(Chunk(c.at, c.stream, neutral(c.data, name)) for c in chunks),
    )
    save(recording)
    print(f"{recording.name}: exit code {exit_code}, {len(chunks)} chunks", flush=True)


def _watched(tool: Tool, case: Case) -> tuple[re.Pattern[bytes], Callable[[int], None]] | None:
    """What is waited for in the output, and what is done then to a running build."""
    if case.interrupt:
        return BEGUN[tool.format], lambda group: os.killpg(group, signal.SIGINT)
    if case.kill:
        (daemon,) = (one for one in DAEMONS if one.name == tool.daemon)
        return BEGUN[tool.format], lambda _group: _kill(daemon)
    return None


def _kill(daemon: Daemon) -> None:
    pid = daemon.pid()
    assert pid, f"{daemon.name} does not run"
    os.kill(pid, signal.SIGKILL)


def stage(folder: Path, context: str, nonce: str) -> None:
    """Lay a context out, the nonce filled in."""
    target = folder / CONTEXT
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(HERE / "cases" / context, target)
    path = target / "Dockerfile"
    text = path.read_text().replace(NONCE, nonce)
    path.write_text(text.replace(REGISTRY, os.environ["LAYERLAB_TEST_REGISTRY"]))


def run(
    argv: Sequence[str],
    cwd: Path,
    env: dict[str, str],
    watched: tuple[re.Pattern[bytes], Callable[[int], None]] | None,
) -> tuple[list[Chunk], int]:
    """Run to the end, reading both streams as they come; act when the pattern was printed."""
    begun, chunks, seen = time.monotonic(), list[Chunk](), b""
    process = subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    for stream, data in _read(process):
        chunks.append(Chunk(time.monotonic() - begun, stream, data))
        if watched:
            seen += data
            pattern, act = watched
            if pattern.search(seen):
                watched = None
                act(process.pid)
    return chunks, process.wait(PATIENCE)


def _read(process: subprocess.Popen[bytes]) -> Iterator[tuple[Stream, bytes]]:
    assert process.stdout is not None
    assert process.stderr is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, "stdout")
        selector.register(process.stderr, selectors.EVENT_READ, "stderr")
        while selector.get_map():
            for key, _ in selector.select(PATIENCE):
                data = os.read(key.fd, 65536)
                if data:
                    yield key.data, data
                else:
                    selector.unregister(key.fileobj)


def neutral(data: bytes, folder: str) -> bytes:
    """The same with this machine's folder, registry and name server called by other names.

    Raises:
        ValueError: something else of this machine is left.
    """
    data = data.replace(folder.encode(), b"/tmp/golden").replace(bytes(RUN), b"/run")
    data = data.replace(os.environ["LAYERLAB_TEST_REGISTRY"].encode(), REGISTRY.encode())
    configuration = os.environ["CONTAINERS_REGISTRIES_CONF"]
    data = data.replace(configuration.encode(), b"/etc/containers/registries.conf")
    data = re.sub(rb"on [0-9.]+:53\b", b"on 192.0.2.53:53", data)  # RFC 5737
    text = data.decode(errors="replace")
    for word in _private():
        if word in text:
            around = text[max(0, text.index(word) - 200) : text.index(word) + 200]
            raise ValueError(f"{word!r} would be recorded: {around!r}")
    return data


def _private() -> set[str]:
    """Words that say where this was recorded."""
    words = {socket.gethostname(), str(Path.home()), str(HERE.parents[1])}
    for name, value in os.environ.items():
        if name.lower().endswith(("_proxy", "index_url", "registry", "goproxy")):
            words.add(value.partition("//")[2].partition("/")[0].partition(":")[0])
    return {word for word in words if len(word) > 3 and word not in ("localhost", "127.0.0.1")}


if __name__ == "__main__":
    main()
