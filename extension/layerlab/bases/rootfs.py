"""Make a Debian root file system with mmdebstrap, as the bottom layer of stand-ins.

The layer holds nothing of this machine: its settings come in a layer of their own, so every
stand-in of one Debian release shares this one, as official images share theirs.
"""

from __future__ import annotations

import json
import os
import re
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from layerlab.bases import oci, tools
from layerlab.bases.catalogue import Recipe
from layerlab.bases.settings import HostSettings
from layerlab.bases.tools import Say
from layerlab.engines import process
from layerlab.errors import CommandFailedError

SLIM: Final = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/man/*",
)
"""What dpkg leaves out, in the image and of what is installed there later."""

# Files of the machine or of the moment; and what the settings layer writes anew.
_DROP = re.compile(
    r"dev/.+|etc/(hostname|resolv\.conf|machine-id)|etc/apt/sources\.list"
    r"|etc/(apt/apt\.conf\.d|dpkg/dpkg\.cfg\.d)/99mmdebstrap"
    r"|var/(cache/ldconfig/aux-cache|log/.+\.log|log/apt/.+|cache/debconf/.+-old|lib/dpkg/.+-old)"
    r"|var/cache/apt/(archives/lock|.+\.bin)|run/.+|tmp/.+"
    r"|usr/share/(doc/(?!.*copyright$).+/.+|info/.+|locale/.+|man/.+/.+)"
)
# What the layers above build on.
BUNDLE: Final = "etc/ssl/certs/ca-certificates.crt"
_FILES: Final = (
    "etc/passwd",
    "etc/group",
    "etc/shadow",
    "etc/gshadow",
    BUNDLE,
    "usr/bin/busybox",
)
_MASTERS: Final = "usr/share/base-passwd/"
_AUTHORITIES: Final = "usr/share/ca-certificates/mozilla/"


@dataclass(frozen=True)
class Rootfs:
    """A finished bottom layer.

    Attributes:
        files: the content of some of its files.
        unwritten: files that it lacks, as nothing in it was configured, and little works without.
    """

    layer: oci.Layer
    blob: Path
    files: Mapping[str, bytes]
    unwritten: Mapping[str, bytes]

    def read(self, name: str) -> bytes:
        """A file's content, or nothing."""
        return self.files.get(name) or self.unwritten.get(name, b"")


@dataclass(frozen=True)
class Order:
    """What is asked of `make`.

    Attributes:
        complete: configure the packages. For a foreign platform that needs emulation; without
            it they are only unpacked, and dpkg knows nothing of them.
    """

    recipe: Recipe
    platform: str
    complete: bool
    epoch: int


def make(order: Order, host: HostSettings, cache: Path, say: Say) -> Rootfs:
    """The bottom layer of a recipe for one platform, from the cache or made now.

    Raises:
        LayerlabError: a tool is missing, or mmdebstrap failed.
    """
    recipe, platform, epoch = order.recipe, order.platform, order.epoch
    wanted = [recipe.kind == "busybox", recipe.suite, recipe.packages, platform, order.complete]
    parts = [4, *wanted, asdict(host.sources), epoch]
    folder = cache / f"rootfs-{tools.key(parts)}"
    if not (folder / "layer.json").exists():
        tools.need(["mmdebstrap"], say)
        if platform != tools.host_platform() and order.complete:
            tools.need(["arch-test"], say)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            archive = Path(scratch) / "rootfs.tar"
            say(f"Debian {recipe.suite} for {platform}: fetching and unpacking packages")
            _run(command(order, host, archive), epoch)
            _store(archive, Path(scratch) / "out", epoch, f"mmdebstrap {recipe.suite}")
            tools.publish(Path(scratch) / "out", folder)
    return _load(folder)


def command(order: Order, host: HostSettings, target: Path) -> tuple[str, ...]:
    """The mmdebstrap command for an order."""
    recipe, complete = order.recipe, order.complete and order.recipe.kind != "busybox"
    packages = list(recipe.packages)
    if not complete and recipe.kind != "busybox":
        packages += ["?essential", "apt"]  # `extract` takes nothing on its own
    return (
        "mmdebstrap",
        f"--variant={'minbase' if complete else 'extract'}",
        f"--architectures={order.platform.rpartition('/')[2]}",
        f"--include={','.join(packages)}",
        *(f"--dpkgopt={option}" for option in SLIM if complete),
        *(f'--aptopt={key} "{value}"' for key, value in host.apt),
        "--format=tar",
        recipe.suite,
        str(target),
        *host.sources.lines(recipe.suite),
    )


def unwritten(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files that maintainer scripts would have made of others."""
    made = {
        f"etc/{name.removeprefix(_MASTERS).removesuffix('.master')}": data
        for name, data in files.items()
        if name.startswith(_MASTERS)
    }
    single = [data.rstrip() for name, data in files.items() if name.startswith(_AUTHORITIES)]
    if single:
        made[BUNDLE] = b"\n".join([*single, b""])
    return {name: data for name, data in made.items() if name not in files}


def _run(argv: Sequence[str], epoch: int) -> None:
    env = os.environ | {"SOURCE_DATE_EPOCH": str(epoch), "LC_ALL": "C.UTF-8"}
    done = process.run(argv, env=env, timeout=1800)
    if done.exit_code != 0:
        raise CommandFailedError(
            "The packages for a stand-in could not be fetched or unpacked.",
            code="bases-rootfs",
            hint="Try `apt-get update`: if that fails too, this machine reaches no Debian mirror.",
            command=argv,
            exit_code=done.exit_code,
            output=done.stderr.decode(errors="replace")[-2000:],
        )


def _store(archive: Path, folder: Path, epoch: int, created_by: str) -> None:
    layout = oci.Layout(folder, epoch=epoch)
    layer = layout.add_tar(archive, drop=dropped, created_by=created_by)
    layout.blob(layer).rename(folder / "layer.tar.gz")
    files = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            if member.isreg() and (name in _FILES or name.startswith((_MASTERS, _AUTHORITIES))):
                content = tar.extractfile(member)
                files[name] = content.read() if content else b""
    missing = unwritten(files)
    kept = {name: data for name, data in files.items() if name in _FILES}
    for top, content_of in (("files", kept), ("unwritten", missing)):
        for name, data in content_of.items():
            path = folder / top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    (folder / "layer.json").write_text(json.dumps(asdict(layer)), encoding="utf-8")


def dropped(name: str) -> bool:
    """Whether a path of the root file system stays out of the layer."""
    return _DROP.fullmatch(name) is not None


def _load(folder: Path) -> Rootfs:
    layer = oci.Layer(**json.loads((folder / "layer.json").read_text(encoding="utf-8")))
    files, missing = _tree(folder / "files"), _tree(folder / "unwritten")
    return Rootfs(layer, folder / "layer.tar.gz", files, missing)


def _tree(top: Path) -> dict[str, bytes]:
    return {
        path.relative_to(top).as_posix(): path.read_bytes()
        for path in sorted(top.rglob("*"))
        if path.is_file()
    }
