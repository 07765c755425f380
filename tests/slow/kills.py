"""`python -m tests.slow.kills [--times 50]`: the embedded engine, killed in the middle of a build.

Each time the build is begun by another process, that is killed by SIGKILL at a random moment; then
the same is built again. The image must be the right one, the store sound, and nothing may be left.
Prints one line; the exit status is 1 when anything was wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from layerlab.engines import argv
from layerlab.engines.embedded.engine import EmbeddedEngine
from layerlab.model.events import Finished
from layerlab.session import Session, read_plan
from tests.slow.interrupts import processes

DOCKERFILE = """\
FROM docker.io/library/busybox:1.37.0-glibc
WORKDIR /work
COPY files files
RUN cd files && for f in *; do echo {number} >> $f; done; sleep 0.3; mkdir made; cp [0-9]* made
RUN rm files/1*; mv files/2 moved; echo {mark} > mark; sleep 0.3; chmod 700 files
COPY files again
"""
_CLI = "import sys; from layerlab.cli import main; main(sys.argv[1:])"
LONGEST = 2.0
"""Seconds after which the kill comes at the latest."""


def main() -> int:
    """Kill, build again, look."""
    parser = argparse.ArgumentParser(prog="python -m tests.slow.kills", description=__doc__)
    parser.add_argument("--engine", required=True, choices=["embedded"])
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    wrong: Counter[str] = Counter()
    in_the_middle = 0
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        context = Path(name) / "context"
        (context / "files").mkdir(parents=True)
        for number in range(300):
            (context / "files" / str(number)).write_text(f"{number}\n" * 50, encoding="utf-8")
        temporary = Path(name) / "temporary"
        temporary.mkdir()
        own = {"LAYERLAB_HOME": f"{name}/home", "TMPDIR": str(temporary)}
        environ = {**os.environ, "LAYERLAB_ENGINE": "embedded", **own}
        engine = EmbeddedEngine(environ)
        store = engine.store.root
        for number in range(options.times):
            text = DOCKERFILE.format(number=number, mark=context)
            (context / "Dockerfile").write_text(text, encoding="utf-8")
            in_the_middle += _killed(context, environ, dice.uniform(0, LONGEST))
            wrong["processes"] += bool(_left(str(context)))
            wrong["images"] += not _right(context, environ, number)
            wrong["leftovers"] += len([*(store / "part").iterdir(), *temporary.iterdir()])
        wrong["blobs"] = _damaged(store)
        engine.remove_image("layerlab-killed")
    print(
        f"embedded: {options.times} kills, {in_the_middle} in the middle of a build; wrong: "
        + ", ".join(f"{number} {what}" for what, number in wrong.items()),
        flush=True,
    )
    return 1 if sum(wrong.values()) else 0


def _killed(context: Path, environ: dict[str, str], after: float) -> bool:
    """Begin a build and kill it; whether it had not ended by then."""
    words = ("build", "--engine", "embedded", "-t", "layerlab-killed", str(context))
    build = subprocess.Popen(
        [sys.executable, "-c", _CLI, *words],
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(after)
    running = build.poll() is None
    build.kill()
    build.wait()
    return running


def _left(mark: str) -> list[bytes]:
    """What is still there a second later."""
    deadline = time.monotonic() + 1.0
    while (found := processes(mark)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def _right(context: Path, environ: dict[str, str], number: int) -> bool:
    """Build it again, and look at every file of it."""
    session = Session(environ)
    request = argv.parse(["-t", "layerlab-killed", str(context)], context)
    plan = read_plan(request)
    engine = session.engine
    *_, last = engine.build(request, plan, time.time)
    if not isinstance(last, Finished) or last.outcome != "built":
        return False
    said = engine.run("layerlab-killed", ["sh", "-c", "find . -type f | sort | xargs md5sum"])
    return said == _expected(context, number)


def _expected(context: Path, number: int) -> str:
    """What `md5sum` says of the files of a sound image."""
    files: dict[str, bytes] = {"./mark": f"{context}\n".encode()}
    for path in (context / "files").iterdir():
        data, name = path.read_bytes(), path.name
        changed = data + f"{number}\n".encode()
        files[f"./again/{name}"] = data
        files[f"./files/made/{name}"] = changed
        if name == "2":
            files["./moved"] = changed
        elif not name.startswith("1"):
            files[f"./files/{name}"] = changed
    return "".join(
        f"{hashlib.md5(data, usedforsecurity=False).hexdigest()}  {name}\n"
        for name, data in sorted(files.items(), key=lambda item: item[0].encode())
    )


def _damaged(store: Path) -> int:
    """Blobs that are not what their names say."""
    return sum(
        hashlib.sha256(blob.read_bytes()).hexdigest() != blob.name
        for blob in (store / "blobs" / "sha256").iterdir()
    )


if __name__ == "__main__":
    sys.exit(main())
