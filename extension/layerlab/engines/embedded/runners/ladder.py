"""How a RUN gets a root file system of its own: the ladder, the best way first.

1. bubblewrap: namespaces of the kernel. As real root nothing is missing; as anybody else there is
   one user only, so files cannot be given away.
2. PRoot with seccomp: it reads along what the command asks the kernel, and changes the paths.
3. PRoot without seccomp: the same, slower, where the kernel or the build has no seccomp filter.
4. None: then only what needs no RUN can be built (see `tools`).

`unshare` with an overlay mount is no rung: measured, it was slower than bubblewrap on the same
tree. chroot as real root is none either: what it mounts would outlive a kernel that is killed.
PRoot is no wall: a command that means to can reach this machine's files, as any program can that
a learner starts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from layerlab.engines.embedded.runners import enter, mounts
from layerlab.engines.embedded.runners.job import Bind, Command, Job, MountPoint, Owning
from layerlab.errors import LayerlabError

GRACE: Final = 0.2
"""Seconds that guests are given to end by themselves: a root file system is thrown away anyway."""
_CRASHES: Final = frozenset((134, 139))
"""128 + SIGABRT and SIGSEGV, as a shell counts."""
_CAPABILITIES: Final = (
    *("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"),
    *("NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT", "AUDIT_WRITE"),
)
"""What root in a container has by default (moby's `oci/caps/defaults.go`)."""
_KERNEL: Final = ("/dev", "/proc", "/sys")
# What fakeroot(1) does. That clears no environment, lets its daemon leave our process group, and
# waits for ever for it to be gone where nobody reaps, as in a container whose first process is
# Jupyter. The command speaks to the daemon through the library; the `ls` is answered when all that
# was said before has been heard.
_WITH_FAKED: Final = """
faked=$1 saved=$2 library=$3
shift 3
"$faked" --foreground --save-file "$saved" >"$saved.key" &
while [ ! -s "$saved.key" ]; do
  kill -0 $! || exit 125
  sleep 0.01
done
IFS=: read -r key daemon <"$saved.key"
rm "$saved.key"
env -i FAKEROOTKEY="$key" "$@"
code=$?
LD_PRELOAD="$library" FAKEROOTKEY="$key" ls -ld / >/dev/null
kill "$daemon"
wait "$daemon"
exit $code
"""


def is_crash(exit_code: int) -> bool:
    """Whether a command aborted, or touched memory that is not there.

    It may be the command's own fault; or that of a PRoot without our change for threads, under
    which about one run of Node.js in a hundred ends so. To try once more is fair.
    """
    return exit_code in _CRASHES


@dataclass(frozen=True)
class Bubblewrap:
    """bubblewrap, with a process id namespace: whatever the command leaves running ends with it.

    Attributes:
        root: we are real root, and need no user namespace.
        python: runs `enter`, as real root.
    """

    program: Path
    root: bool
    python: Path
    name: str = "bubblewrap"

    @property
    def keeps_owners(self) -> bool:
        """Only as real root."""
        return self.root

    def mount_points(self, job: Job) -> tuple[MountPoint, ...]:
        """The kernel's file systems, and what is bound."""
        return mounts.points(job.root, job.binds, _KERNEL)

    def command(self, job: Job) -> Command:
        """See `Runner`."""
        if job.owners and not self.keeps_owners:
            raise _cannot(self.name, "keep who owns a file without being root")
        argv = [str(self.program), "--die-with-parent", "--unshare-pid", "--unshare-ipc"]
        # As in other engines' containers the command is the first process.
        argv += ["--as-pid-1"]
        argv += ["--unshare-uts"]
        argv += ["--hostname", job.hostname] if job.hostname else []
        argv += [] if job.network else ["--unshare-net"]
        argv += self._as_root(job) if self.root else self._as_user(job)
        return Command(tuple(argv), {"PATH": os.defpath}, "disk" if self.root else "user")

    def _as_root(self, job: Job) -> Iterator[str]:
        yield from _capabilities()
        # The root stays a folder: only `enter` can become any user that the image knows. Of this
        # machine only what `enter` needs is there: bubblewrap fails when anything that is mounted
        # below goes while it looks, as containers of other engines do.
        for path in _entering():
            yield from ("--ro-bind", path, path)
        yield from ("--bind", str(job.root), str(job.root))
        yield from _mounted(job, str(job.root))
        yield from ("--", str(self.python), "-I", "-S", enter.__file__)
        uid, gid, groups = job.user
        yield from (str(job.root), job.cwd, f"{uid}:{gid}:{','.join(map(str, groups))}")
        yield from _variables(job.env)
        yield from ("--", *job.argv)

    def _as_user(self, job: Job) -> Iterator[str]:
        yield from ("--unshare-user", "--uid", str(job.user.uid), "--gid", str(job.user.gid))
        if job.user.uid == 0:
            yield from _capabilities()
        yield from ("--bind", str(job.root), "/")
        yield from _mounted(job, "")
        yield "--clearenv"
        for name, value in job.env.items():
            yield from ("--setenv", name, value)
        yield from ("--chdir", job.cwd, "--", *job.argv)


class Faked(NamedTuple):
    """fakeroot: its daemon, and what is loaded into a command so that it speaks to the daemon."""

    daemon: Path
    library: Path


@dataclass(frozen=True)
class PRoot:
    """PRoot 5.4 or newer. Without namespaces: the network, /proc and the host name are ours.

    Attributes:
        root: we are real root: owners are real.
        seccomp: it is told of those system calls only that it changes.
        own: Layerlab's own build, which loads nothing that is meant for the command. That it needs
            for `faked`: fakeroot's library in PRoot itself would wait for ever for a command that
            PRoot has stopped.
        faked: None where fakeroot is missing.
        pinned: keep PRoot and the command on one processor, as only one of the two ever runs: it
            takes a fifth to a third of the time off. Only with `own`: with another PRoot Linux 6.18
            lets a command starve that begins a session, as apt-get does with dpkg.
    """

    program: Path
    root: bool
    seccomp: bool = True
    own: bool = True
    faked: Faked | None = None
    pinned: bool = True

    @property
    def name(self) -> str:
        """Both kinds have one."""
        return "PRoot" if self.seccomp else "PRoot without seccomp"

    @property
    def keeps_owners(self) -> bool:
        """As real root, or with fakeroot in front."""
        return self.root or self.faked is not None

    def mount_points(self, job: Job) -> tuple[MountPoint, ...]:
        """What is bound: the mount points that PRoot makes itself, it may leave behind."""
        return mounts.points(job.root, self._binds(job), ())

    def command(self, job: Job) -> Command:
        """See `Runner`."""
        if not job.network:
            raise _cannot(self.name, "cut a command off from the network")
        if job.owners and not self.keeps_owners:
            raise _cannot(self.name, "keep who owns a file: fakeroot is missing")
        faked = self._faked(job)
        argv = ["taskset", "--cpu-list", _processor()] if self.pinned else []
        if faked and job.owners:
            argv += [
                "sh",
                "-c",
                _WITH_FAKED,
                "sh",
                *map(str, (faked.daemon, job.owners, faked.library)),
            ]
        else:
            argv += ["env", "-i"]
        argv += _variables(self._env(job))
        argv += [] if self.seccomp else ["PROOT_NO_SECCOMP=1"]
        argv += [str(self.program), "--kill-on-exit", "-r", str(job.root), "-w", job.cwd]
        if job.user.uid or job.user.gid:
            argv += ["-i", f"{job.user.uid}:{job.user.gid}"]
        elif not faked:
            # As real root, too: whoever then becomes somebody else, as apt-get does for what it
            # fetches, could not enter our folders. Owners are real all the same.
            argv.append("-0")
        argv += ["-q", str(job.emulator)] if job.emulator else []
        for bind in self._binds(job):
            argv += ["-b", f"{bind.host}:{bind.guest}"]
        return Command((*argv, *job.argv), {"PATH": os.defpath}, self._owning(job))

    def _env(self, job: Job) -> Mapping[str, str]:
        env = dict(job.env)
        if faked := self._faked(job):
            env["LD_PRELOAD"] = ":".join(filter(None, (str(faked.library), env.get("LD_PRELOAD"))))
        if not self.own:
            return env
        return {f"PROOT_{name}" if name.startswith("LD_") else name: env[name] for name in env}

    def _owning(self, job: Job) -> Owning:
        if self._faked(job):
            return "saved"
        return "disk" if self.root and not job.user.uid else "user"

    def _faked(self, job: Job) -> Faked | None:
        """None where nobody can give files away, or anybody does without."""
        return None if job.owners is None or self.root or job.user.uid else self.faked

    def _binds(self, job: Job) -> tuple[Bind, ...]:
        faked = self._faked(job)
        folders = [*map(Path, _KERNEL), *([faked.library.parent] if faked else [])]
        bound = {bind.guest for bind in job.binds}
        own = (Bind(folder, str(folder)) for folder in folders if str(folder) not in bound)
        return (*own, *job.binds)


def _entering() -> Iterator[str]:
    """What Python needs of this machine to run `enter`."""
    system = [path for path in ("/usr", "/lib", "/lib64", "/bin") if os.path.isdir(path)]  # noqa: PTH112 - text
    yield from dict.fromkeys(
        (*system, sys.base_prefix, sys.prefix, str(Path(enter.__file__).parent))
    )


def _processor() -> str:
    """One of those that we may use, not the same for every kernel."""
    ours = sorted(os.sched_getaffinity(0))
    return str(ours[os.getpid() % len(ours)])


def _mounted(job: Job, top: str) -> Iterator[str]:
    """Options of bubblewrap for all that is mounted; `top` is where the root is."""
    yield from ("--dev", f"{top}/dev", "--proc", f"{top}/proc", "--ro-bind", "/sys", f"{top}/sys")
    for bind in job.binds:
        yield "--ro-bind" if bind.read_only else "--bind"
        yield from (str(bind.host), f"{top}/{mounts.resolve(job.root, bind.guest)}")


def _capabilities() -> Iterator[str]:
    yield from ("--cap-drop", "ALL")
    for name in _CAPABILITIES:
        yield from ("--cap-add", f"CAP_{name}")


def _variables(env: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in env.items()]


def _cannot(runner: str, what: str) -> LayerlabError:
    return LayerlabError(
        f"This step cannot run here: {runner} cannot {what}.",
        code="runner-cannot",
        hint="docker, nerdctl, podman and buildah can.",
    )
