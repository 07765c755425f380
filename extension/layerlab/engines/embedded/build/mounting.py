"""What `RUN --mount` puts into the tree for as long as the command runs.

After BuildKit's `frontend/dockerfile/dockerfile2llb/convert_runmount.go` and
`convert_secrets.go`.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from layerlab.cache.program import Mount
from layerlab.engines.embedded.build.copying import Copying
from layerlab.engines.embedded.build.rootfs import RootFilesystem
from layerlab.engines.embedded.runners.job import Bind
from layerlab.engines.embedded.store import disk
from layerlab.engines.embedded.store.layers import Member
from layerlab.engines.embedded.store.layout import Store
from layerlab.errors import LayerlabError

Fill = Callable[[Mount, Copying], None]
"""Copies what a bind mount shows, so that it lies at `/shown` of what is gathered."""
SHOWN = "/shown"


def secrets(values: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> dict[str, bytes]:
    """The secrets of the command line, by their ids.

    Args:
        values: of `--secret`: `id=NAME,src=FILE` or `id=NAME,env=VARIABLE`.
        cwd: where paths start.
        environ: environment variables.

    Raises:
        LayerlabError: code `bad-secret`.
    """
    found = {}
    for value in values:
        fields = dict(part.partition("=")[::2] for part in value.split(","))
        name = fields.get("id", "")
        path = fields.get("src") or fields.get("source")
        variable = fields.get("env") or (None if path else name)
        try:
            data = (cwd / path).read_bytes() if path else os.fsencode(environ[variable or ""])
        except (OSError, KeyError) as error:
            raise LayerlabError(
                f"The secret {name or value} cannot be read.",
                code="bad-secret",
                hint="Write --secret id=NAME,src=FILE, or id=NAME,env=VARIABLE.",
                output=str(error),
            ) from error
        found[name] = data
    return found


def agents(values: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> dict[str, Path]:
    """The sockets of SSH agents of the command line, by their ids.

    Args:
        values: of `--ssh`: `default` for the agent that SSH_AUTH_SOCK names, or `ID=SOCKET`.
        cwd: where paths start.
        environ: environment variables.

    Raises:
        LayerlabError: code `bad-ssh`.
    """
    found = {}
    for value in values:
        name, _, given = value.partition("=")
        socket = cwd / (given or environ.get("SSH_AUTH_SOCK", ""))
        if not socket.is_socket():
            raise LayerlabError(
                f"There is no SSH agent for --ssh {value}.",
                code="bad-ssh",
                hint="Start one, and give it your key: eval $(ssh-agent); ssh-add. Files with keys "
                "are nothing that the embedded engine takes.",
            )
        found[name] = socket
    return found


def ssh_targets(mounts: Sequence[Mount], cwd: str) -> list[str]:
    """Where a RUN finds its agents; SSH_AUTH_SOCK is the first (`ExecOp.Marshal` in `exec.go`)."""
    asked = [mount for mount in mounts if mount.type == "ssh"]
    return [
        posixpath.join("/", cwd, mount.target or f"/run/buildkit/ssh_agent.{number}")
        for number, mount in enumerate(asked)
    ]


class Mounting:
    """Makes the mounts of one RUN.

    Args:
        store: takes what bind mounts show.
        kept: the folder of the cache mounts, which last from build to build.
        pause: called again and again while another build has one that is locked.
        fill: see `Fill`.
        secrets, agents: see the functions of these names.
        owners: files get their owners on disk.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        kept: Path,
        pause: Callable[[], None],
        fill: Fill,
        secrets: Mapping[str, bytes],
        agents: Mapping[str, Path],
        *,
        owners: bool,
        now: int,
    ) -> None:
        self._store = store
        self._kept = kept
        self._pause = pause
        self._fill = fill
        self._secrets = secrets
        self._agents = agents
        self._owners = owners
        self._now = now

    @contextlib.contextmanager
    def made(self, mounts: Sequence[Mount], cwd: str, scratch: Path) -> Iterator[Sequence[Bind]]:
        """The mounts, in folders below `scratch` or kept ones, for as long as the block lasts.

        Raises:
            LayerlabError: code `mount-refused`, `missing-secret`, `missing-ssh`, or as of `fill`.
        """
        sockets = iter(ssh_targets(mounts, cwd))
        with contextlib.ExitStack() as stack:
            binds = []
            for number, mount in enumerate(mounts):
                folder = scratch / f"mount-{number}"
                folder.mkdir()
                stack.callback(disk.discard, folder)
                asked = next(sockets) if mount.type == "ssh" else mount.target
                target = posixpath.join("/", cwd, asked or self._default(mount))
                if posixpath.normpath(target) == "/":
                    raise _refused("RUN --mount without a target below /")
                if (host := self._one(mount, target, folder, stack)) is not None:
                    binds.append(Bind(host, posixpath.normpath(target), _is_shut(mount)))
            yield binds

    def _default(self, mount: Mount) -> str:
        return f"/run/secrets/{mount.option('id') or 'secret'}"

    def _one(
        self, mount: Mount, target: str, folder: Path, stack: contextlib.ExitStack
    ) -> Path | None:
        match mount.type:
            case "bind":
                return self._bind(mount, folder, stack)
            case "cache":
                return self._cache(mount, target, stack)
            case "tmpfs":
                folder.chmod(0o1777)
                return folder
            case "secret":
                return self._secret(mount, folder)
            case "ssh":
                return self._agent(mount)
        raise _refused(f"RUN --mount=type={mount.type}")

    def _bind(self, mount: Mount, folder: Path, stack: contextlib.ExitStack) -> Path:
        tree = RootFilesystem(folder, self._store, owners=self._owners)
        state = stack.enter_context(tree.at((self._shown(mount),)))
        return state.root / SHOWN.strip("/")

    def _shown(self, mount: Mount) -> str:
        """The digest of a layer that has what is mounted."""
        copying = Copying(self._store.view(()), None, None, self._now)
        self._fill(mount, copying)
        members: tuple[Member, ...] = copying.members()
        return self._store.add_layer(members, epoch=None).digest

    def _cache(self, mount: Mount, target: str, stack: contextlib.ExitStack) -> Path:
        self._kept.mkdir(parents=True, exist_ok=True)
        begin = self._shown(mount) if mount.origin else ""
        name = sha256(((mount.option("id") or target) + begin).encode()).hexdigest()
        folder = self._kept / name
        if begin:
            self._begin(folder, begin)
        else:
            folder.mkdir(exist_ok=True)
            self._dress(folder, mount, "755")
        if mount.option("sharing") == "locked":
            lock = self._kept / f"{name}.lock"
            stack.enter_context(disk.locked(lock, pause=self._pause))
        return folder

    def _begin(self, folder: Path, layer: str) -> None:
        """Make a cache that begins with files, where it is not there yet."""
        with (
            disk.locked(folder.with_suffix(".begin"), pause=self._pause),
            self._store.scratch() as made,
        ):
            if not folder.exists():
                tree = RootFilesystem(made, self._store, owners=self._owners)
                with tree.at((layer,)) as state:
                    shown = state.root / SHOWN.strip("/")
                shown.replace(folder)

    def _agent(self, mount: Mount) -> Path | None:
        name = mount.option("id") or "default"
        if name not in self._agents and _required(mount):
            raise LayerlabError(
                f"The SSH agent {name} is required, and the command line gives none.",
                code="missing-ssh",
                hint=f"Add --ssh {name} to the build command.",
            )
        return self._agents.get(name)

    def _secret(self, mount: Mount, folder: Path) -> Path | None:
        name = mount.option("id") or posixpath.basename(mount.target)
        if name not in self._secrets:
            if not _required(mount):
                return None
            raise LayerlabError(
                f"The secret {name} is required, and the command line gives none.",
                code="missing-secret",
                hint=f"Add --secret id={name},src=FILE to the build command.",
            )
        path = folder / "secret"
        path.write_bytes(self._secrets[name])
        self._dress(path, mount, "400")
        return path

    def _dress(self, path: Path, mount: Mount, mode: str) -> None:
        """Give it the mode and the owner that are asked for; `mode` where none is."""
        if self._owners:
            os.chown(path, int(mount.option("uid") or 0), int(mount.option("gid") or 0))
        path.chmod(int(mount.option("mode") or mode, 8))


def _refused(what: str) -> LayerlabError:
    return LayerlabError(
        f"The embedded engine has no {what}.",
        code="mount-refused",
        hint="It has bind, cache, tmpfs, secret and ssh.",
    )


def _required(mount: Mount) -> bool:
    value = mount.option("required")
    return value is not None and value.lower() not in ("false", "0")


def _is_shut(mount: Mount) -> bool:
    """Whether the command may not write to it."""
    options = dict(mount.options)
    shut = any(options.get(name, "false") != "false" for name in ("ro", "readonly"))
    opened = any(options.get(name) not in (None, "false") for name in ("rw", "readwrite"))
    return (mount.type in ("bind", "secret") and not opened) or shut
