"""What of a file's owner on the host goes into a key: for most engines nothing.

Both engines give what they copy to root. But Buildah before 1.42 left the owner's names in the
archive that it digests (`hdr.Uname` in `copier/copier.go`), and since 1.39 it counts what a bind
mount shows with all of its owner (`generatePathChecksum` in `imagebuildah/util.go`).
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


def names(info: os.stat_result) -> str:
    """The names of user and group; empty for a number that has none."""
    return f"{_user(info.st_uid)}:{_group(info.st_gid)}"


def everything(info: os.stat_result) -> str:
    """Numbers and names."""
    return f"{info.st_uid}:{info.st_gid} {names(info)}"


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
