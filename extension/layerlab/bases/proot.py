"""Build PRoot from Debian's source, for those who cannot install it, in some seconds.

Debian 12 and 13 have 5.1.0, which misses system calls of today; unstable's 5.4.0 is built without
its seccomp filter and then leaves the root file system. So upstream's source, as Debian's mirrors
have it, is built with the filter on. None of Debian's patches is taken: one turns the filter off,
the others are for cross-building, and for arm64 what upstream has too.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from layerlab.bases import sources, tools
from layerlab.bases.tools import Say
from layerlab.engines import process
from layerlab.errors import CommandFailedError, CommandNotFoundError

VERSION: Final = "5.4.0"
ARCHIVE: Final = f"pool/main/p/proot/proot_{VERSION}.orig.tar.gz"
_SHA256: Final = "29248aac2a7ce10c3bd5ee5602742ec33b2532310ff9cf73b79f3c133e5a5f68"
HELPER: Final = "/usr/lib/apt/apt-helper"
"""Fetches as apt does, with this machine's proxies and certificates, and checks the digest."""
COMPILER: Final = ("gcc", "libc6-dev", "make", "pkg-config", "libtalloc-dev")
"""The packages of what builds it."""
_PATIENCE: Final = 600.0

CHANGES: Final = (
    # Threads are started by clone3 since glibc 2.34. PRoot does not know it, so that each thread
    # had its own idea of where the heap ends that all of them share; about one run of Node.js in
    # a hundred died of that. It is number 435 everywhere, and its flags come first (clone(2)).
    (
        "src/tracee/tracee.c",
        "\t\tclone_flags = peek_reg(parent, CURRENT, SYSARG_1);\n",
        """\
	else if (status >= 0 && peek_reg(parent, CURRENT, SYSARG_NUM) == 435)
		clone_flags = peek_word(parent, peek_reg(parent, CURRENT, SYSARG_1));
""",
    ),
    # It declares `peek_word`: GCC 14, which Debian 13 has, refuses what nobody declares.
    ("src/tracee/tracee.c", '#include "tracee/reg.h"\n', '#include "tracee/mem.h"\n'),
    # Whoever kills PRoot kills what runs in it: else that would go on, outside of its root.
    (
        "src/tracee/event.c",
        "\t\t\t\tPTRACE_O_TRACESYSGOOD\t|\n",
        "\t\t\t\tPTRACE_O_EXITKILL\t|\n",
    ),
    # A command that a signal ends is told as a shell does it: PRoot would exit with 255.
    (
        "src/tracee/event.c",
        "\t\tcheck_architecture(tracee);\n",
        """\
		if (tracee->killall_on_exit)
			last_exit_status = 128 + WTERMSIG(tracee_status);
""",
    ),
    # What the dynamic loader is told is meant for the command alone (`ladder.PRoot.own`).
    (
        "src/tracee/event.c",
        "\t\t\t(void) enable_syscall_filtering(tracee);\n",
        """\
		for (char **name = environ; *name != NULL; name++)
			if (strncmp(*name, "PROOT_LD_", strlen("PROOT_LD_")) == 0)
				*name += strlen("PROOT_");
		unsetenv("PROOT_NO_SECCOMP");
""",
    ),
    # A command that begins a session may run on every processor, even if PRoot may not: else Linux
    # 6.18 lets it starve, as soon as PRoot and another command hand the only one to each other.
    (
        "src/syscall/seccomp.c",
        "\t{ PR_prlimit64,\t\tFILTER_SYSEXIT },\n",
        "\t{ PR_setsid, FILTER_SYSEXIT },\n",
    ),
    ("src/syscall/exit.c", "#include <errno.h>       /* errno(3), E* */\n", "#include <sched.h>\n"),
    (
        "src/syscall/exit.c",
        "\tswitch (syscall_number) {\n",
        """\
	case PR_setsid: {
		cpu_set_t all;
		memset(&all, 0xff, sizeof(all));
		(void) sched_setaffinity(tracee->pid, sizeof(all), &all);
		goto end;
	}
""",
    ),
)
"""Of a file, a line, and what is added after it, wherever it is. The path of what is built is to
change with these (`tools.own_proot`)."""


def ensure(target: Path, env: Mapping[str, str], say: Say) -> None:
    """Make sure that PRoot is at `target`. A build that fails or is interrupted leaves nothing.

    Raises:
        sources.NoMirrorError: this machine knows no Debian mirror.
        CommandNotFoundError: code `bases-tools`: a compiler is missing, and we are not root.
        CommandFailedError: code `proot-source`: the mirror does not have the source any more, or
            cannot be reached; or `proot-build`.
    """
    with tools.alone(target.parent / "lock"):
        if target.exists():
            return
        for left in target.parent.glob("build-*"):  # by somebody who was killed
            shutil.rmtree(left)
        need_compiler(say)
        say(f"PRoot {VERSION}: fetching its source and building it")
        with tempfile.TemporaryDirectory(prefix="build-", dir=target.parent) as scratch:
            archive = Path(scratch) / "proot.tar.gz"
            fetch(sources.find(env).main, archive)
            build(archive, Path(scratch)).rename(target)


def need_compiler(say: Say) -> None:
    """Make sure of what builds it: root installs that, anyone else is told how.

    Raises:
        CommandNotFoundError: code `bases-tools`.
    """
    if not has_compiler():
        tools.install(["What builds PRoot"], COMPILER, say)


def has_compiler() -> bool:
    """Whether what builds it is there."""
    argv = ["gcc", "-fsyntax-only", "-include", "talloc.h"]
    try:
        return all(
            process.run(words, timeout=_PATIENCE).exit_code == 0
            for words in ([*argv, "-xc", os.devnull], ["pkg-config", "talloc"], ["make", "-v"])
        )
    except CommandNotFoundError:
        return False


def fetch(mirror: str, target: Path) -> None:
    """Get the source from a Debian mirror.

    Raises:
        CommandFailedError: code `proot-source`; also when what came is something else.
    """
    options = ("-o", "APT::Sandbox::User=root")  # it warns of what another user may not read
    wanted = (f"{mirror}/{ARCHIVE}", str(target), f"SHA256:{_SHA256}")
    argv = [HELPER, *options, "download-file", *wanted]
    done = process.run(argv, timeout=_PATIENCE)
    if done.exit_code != 0:
        raise CommandFailedError(
            "The source of PRoot could not be fetched from this machine's Debian mirror.",
            code="proot-source",
            hint="Try `apt-get update`: if that fails too, this machine reaches no Debian mirror.",
            command=argv,
            exit_code=done.exit_code,
            output=done.output.decode(errors="replace")[-2000:],
        )


def build(archive: Path, folder: Path) -> Path:
    """Unpack and build in a folder; gives the program.

    Raises:
        CommandFailedError: code `proot-build`.
    """
    top = folder / "source"
    top.mkdir()
    # Not by tarfile: the Python of Debian 12 knows no filter, later ones warn without.
    _run(["tar", "-xzf", str(archive), "-C", str(top), "--strip-components=1", "--no-same-owner"])
    for name, line, added in CHANGES:
        text = (top / name).read_text(encoding="utf-8")
        (top / name).write_text(text.replace(line, line + added), encoding="utf-8")
    # GIT: it would look for a version in whatever repository is around. SWIG: for extensions.
    _run(
        ["make", "-C", str(top / "src"), "loader.elf", "build.h", "proot", "GIT=false", "HAS_SWIG="]
    )
    return top / "src" / "proot"


def _run(argv: Sequence[str]) -> None:
    done = process.run(argv, timeout=_PATIENCE)
    if done.exit_code != 0:
        raise CommandFailedError(
            "PRoot could not be built.",
            code="proot-build",
            command=argv,
            exit_code=done.exit_code,
            output=done.output.decode(errors="replace")[-2000:],
        )
