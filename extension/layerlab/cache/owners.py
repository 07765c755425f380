"""What of a file's owner on the host goes into a key: for most engines nothing.

Both engines give what they copy to root. But Buildah before 1.42 leaves the owner's names in the
archive that it digests (`archive/tar` fills them in; `copier/copier.go` does not clear them). The
part of it that reads is shut into the context, where no name but root's is known: measured with
1.28.2. And since 1.39 it counts what a bind mount shows with all of its owner
(`generatePathChecksum` in `imagebuildah/util.go`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from functools import cache

Owner = Callable[[os.stat_result], str]


def nobody(_: os.stat_result) -> str:
    """Nothing counts."""
    return ""


def root(info: os.stat_result) -> str:
    """Whether user and group are root: `root:root`, `root:`, `:root`, `:`."""
    return f"{'' if info.st_uid else 'root'}:{'' if info.st_gid else 'root'}"


def everything(info: os.stat_result) -> str:
    """Numbers and names."""
    return f"{info.st_uid}:{info.st_gid} {_user(info.st_uid)}:{_group(info.st_gid)}"


@cache
def _user(uid: int) -> str:
    with contextlib.suppress(ImportError, KeyError):
        import pwd  # noqa: PLC0415 - Windows has none

        return pwd.getpwuid(uid).pw_name
    return ""


@cache
def _group(gid: int) -> str:
    with contextlib.suppress(ImportError, KeyError):
        import grp  # noqa: PLC0415 - Windows has none

        return grp.getgrgid(gid).gr_name
    return ""
