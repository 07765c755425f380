"""What the embedded engine and docker build of the same: a context, and images as data."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from layerlab.engines.embedded.engine import EmbeddedEngine
from layerlab.engines.embedded.store.images import Settings, image
from layerlab.engines.embedded.store.layout import Store
from layerlab.engines.embedded.store.view import View

DOCKERFILES = Path(__file__).parent / "equal"
MANUAL = Path(__file__).parents[2] / "docs" / "embedded.md"


class Node(NamedTuple):
    """A path of an image, without its times.

    Attributes:
        names: of a file that has several, all of them.
    """

    type: str
    mode: str
    owner: str
    size: int
    link: str
    digest: str
    names: tuple[str, ...]
    xattrs: tuple[tuple[str, str], ...]
    device: tuple[int, int]


class Content(NamedTuple):
    """An image: its settings, who is named as its author, and its paths."""

    settings: Settings
    author: str
    nodes: Mapping[str, Node]


def lay_out(folder: Path) -> None:
    """The context that all Dockerfiles share."""
    for name, text in {
        "one.txt": "one\n",
        "two.txt": "two, and more\n",
        "given.txt": "given\n",
        "with space.txt": "space\n",
        "folder/leaf": "leaf\n",
        "folder/run.sh": "echo run\n",
        "folder/inner/leaf": "inner leaf\n",
        "folder/inner/other": "other\n",
        "folder/private/leaf": "private\n",
        "modes/700": "a",
        "modes/444": "b",
        "modes/4755": "c",
        "modes/0": "d",
        "links/target": "target\n",
        "hard/a": "hard\n",
        "not-a.tar": "this is only called so\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o644)
    for path in (folder / "modes").iterdir():
        path.chmod(int(path.name, 8))
    (folder / "folder/run.sh").chmod(0o755)
    (folder / "folder/private").chmod(0o700)
    (folder / "folder/inner").chmod(0o751)
    (folder / "empty/in/this").mkdir(parents=True)
    (folder / "links/to-file").symlink_to("target")
    (folder / "links/to-folder").symlink_to("../folder/inner")
    (folder / "links/inner").mkdir()
    (folder / "links/inner/dangling").symlink_to("/nowhere")
    (folder / "links/inner/absolute").symlink_to("/etc")
    (folder / "hard/b").hardlink_to(folder / "hard/a")
    _archives(folder)
    for path in DOCKERFILES.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())


def _archives(folder: Path) -> None:
    plain = _archive("")
    (folder / "archives").mkdir()
    for name in ("files.tar", "archives/files.tar"):
        (folder / name).write_bytes(plain)
    (folder / "files.tar.gz").write_bytes(gzip.compress(plain, mtime=0))
    (folder / "files.tar.bz2").write_bytes(bz2.compress(plain))
    (folder / "files.tar.xz").write_bytes(lzma.compress(plain))
    (folder / "dots.tar").write_bytes(_archive("./"))


def _archive(before: str) -> bytes:
    """An archive with owners, modes, links of both kinds; `./` in front brings its own top."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        if before:
            tar.addfile(_member(before, tarfile.DIRTYPE, 0o750, uid=9))
        tar.addfile(_member(f"{before}top", tarfile.DIRTYPE, 0o711, uid=7))
        tar.addfile(_member(f"{before}top/file", size=4, mode=0o4755, uid=7), io.BytesIO(b"data"))
        again = _member(f"{before}top/again", tarfile.LNKTYPE, 0o4755, uid=7)
        again.linkname = f"{before}top/file"
        tar.addfile(again)
        link = _member(f"{before}top/link", tarfile.SYMTYPE)
        link.linkname = "file"
        tar.addfile(link)
        tar.addfile(_member(f"{before}no/parents/named", size=1), io.BytesIO(b"x"))
    return made.getvalue()


def _member(
    name: str, kind: bytes = tarfile.REGTYPE, mode: int = 0o644, *, size: int = 0, uid: int = 0
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size = kind, mode, size
    info.uid, info.gid, info.mtime = uid, uid, 1_600_000_000
    return info


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The files of a folder at an address on loopback."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def call(*argv: str) -> bytes:
    """What a command prints; it must succeed."""
    done = subprocess.run(argv, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def docker(*args: str) -> bytes:
    """The same for a command of docker's."""
    return call("docker", *args)


def of_docker(name: str, folder: Path) -> Content:
    """An image of docker's, taken from its `docker save`."""
    saved = folder / "saved"
    with tarfile.open(fileobj=io.BytesIO(docker("save", name))) as tar:
        tar.extractall(saved, filter="data")
    (manifest,) = json.loads((saved / "manifest.json").read_bytes())
    store = Store(folder / "store")
    layers = [store.take_layer(saved / layer).digest for layer in manifest["Layers"]]
    made = image(json.loads((saved / manifest["Config"]).read_bytes()))
    assert made.rootfs.diff_ids == tuple(layers)
    return Content(made.config, made.author, nodes(store.view(layers)))


def of_embedded(engine: EmbeddedEngine, name: str) -> Content:
    """An image of the embedded engine's."""
    made = engine.configuration(name)
    return Content(made.config, made.author, nodes(engine.store.view(made.rootfs.diff_ids)))


def nodes(view: View) -> dict[str, Node]:
    """All paths of a view."""
    names: dict[tuple[str, int], list[str]] = {}
    for path, placed in view.items():
        if placed.entry.type == "file":
            names.setdefault((placed.layer, placed.entry.offset), []).append(path)
    found = {}
    for path, (layer, entry) in ((path, (one.layer, one.entry)) for path, one in view.items()):
        shared = names.get((layer, entry.offset), []) if entry.type == "file" else []
        found[path] = Node(
            entry.type,
            f"{entry.mode:o}",
            f"{entry.uid}:{entry.gid}",
            entry.size,
            entry.link,
            entry.digest,
            tuple(sorted(shared)) if len(shared) > 1 else (),
            entry.xattrs,
            entry.device,
        )
    return found


def differences(docker_has: Content, embedded_has: Content) -> dict[str, tuple[object, object]]:
    """What differs by its name (a path with `/`, or a setting): docker's, and the other's."""
    ours, theirs = docker_has.nodes, embedded_has.nodes
    found: dict[str, tuple[object, object]] = {
        f"/{path}": (ours.get(path), theirs.get(path))
        for path in sorted(ours.keys() | theirs.keys())
        if ours.get(path) != theirs.get(path)
    }
    for name in Settings.__struct_fields__:
        pair = getattr(docker_has.settings, name), getattr(embedded_has.settings, name)
        if pair[0] != pair[1]:
            found[name] = pair
    if docker_has.author != embedded_has.author:
        found["author"] = (docker_has.author, embedded_has.author)
    return found


def environment(folder: Path, engine: str) -> dict[str, str]:
    """For a session of its own on an engine: the embedded one gets a store of its own, too."""
    own = {"XDG_CACHE_HOME": str(folder / "cache")} if engine == "embedded" else {}
    return {
        **os.environ,
        "LAYERLAB_HOME": str(folder / engine),
        "LAYERLAB_ENGINE": engine,
        **own,
    }
