"""Who owns what a RUN has made, where we are not root.

Then all files are ours on the disk. fakeroot notes what a command wanted, by device and inode.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

LOST = (
    "This step seems to give files to other users. Nothing here can keep that, so in the image "
    "they belong to whom the step runs as. docker, nerdctl, podman and buildah keep it."
)
"""For the learner, where a RUN `gives_away` and no runner `keeps_owners`."""

_GIVES_AWAY = re.compile(
    r"(?<![\w./-])(chown|chgrp|useradd|adduser|groupadd|addgroup|usermod|apt|apt-get|aptitude|dpkg|dnf|yum|"
    r"apk|setcap|mknod)(?![\w./-])"
    r"|\binstall\b[^;&|\n]*\s(-\w*[og]\b|--(owner|group)\b)"
    r"|\b(tar|rsync|cp)\b[^;&|\n]*\s(--same-owner|--numeric-owner|--owner|--group|--archive|"
    r"-\w*[ap])"
)
_LINE = re.compile(r"(\w+)=([0-9a-f]+)")


class Owner(NamedTuple):
    """What fakeroot noted of a file; `mode` with the file's type, as in `st_mode`."""

    uid: int
    gid: int
    mode: int


def gives_away(text: str) -> bool:
    """Whether a RUN is likely to need that files can belong to several users.

    Args:
        text: the instruction, or its arguments joined by spaces.
    """
    return _GIVES_AWAY.search(text) is not None


def saved_owners(path: Path) -> dict[tuple[int, int], Owner]:
    """What fakeroot's daemon has saved: owners by device and inode (`st_dev`, `st_ino`).

    A line of it is `dev=fe00,ino=1234,mode=100644,uid=33,gid=44,nlink=1,rdev=0`: the device is
    hexadecimal, the mode octal, the rest decimal (fakeroot 1.31, `faked.c`, `save_database`).

    Raises:
        OSError: the file cannot be read.
        ValueError: it is something else.
    """
    found = {}
    for line in path.read_text(encoding="ascii").splitlines():
        fields = dict(_LINE.findall(line))
        try:
            key = int(fields["dev"], 16), int(fields["ino"])
            owner = Owner(int(fields["uid"]), int(fields["gid"]), int(fields["mode"], 8))
        except KeyError as missing:
            raise ValueError(f"{path.name} has a line without {missing}: {line}") from None
        found[key] = owner
    return found
