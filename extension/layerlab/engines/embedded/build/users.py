"""Names of users and groups, as an image's own files tell them.

A name that is not there is root for `--chown` and WORKDIR, as BuildKit has it (`readUser` in
`solver/llbsolver/ops/user_linux.go`); a RUN as such a user is refused (moby's `sys/user`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from layerlab.engines.embedded.runners.job import User
from layerlab.errors import LayerlabError

Read = Callable[[str], str | None]
"""The text of a file of the image by its path; None where there is none."""


class Account(NamedTuple):
    """Who runs a program, and the folder that is home."""

    user: User
    home: str


def owner(written: str, read: Read) -> tuple[int, int]:
    """Numbers for `--chown=USER:GROUP`; a lone number stands for both."""
    name, colon, group = written.partition(":")
    if name.isdigit():
        uid = gid = int(name)
    else:
        row = _row(read("etc/passwd"), name) if name else ["", "", "0", "0"]
        uid, gid = (int(row[2]), int(row[3])) if row else (0, 0)
    found = _number(group, read) if colon and group else None
    return uid, gid if found is None else found


def account(written: str, read: Read) -> Account:
    """Who `USER written` is; root where nothing is written."""
    name, _, group = written.partition(":")
    row = _row(read("etc/passwd"), name or "0")
    if row is None and name and not name.isdigit():
        raise _unknown("user", name, "passwd")
    uid = int(row[2]) if row else int(name or 0)
    gid = _group(group, read) if group else int(row[3]) if row else 0
    home = (row[5] if row and len(row) > 5 else "") or "/"
    member = row[0] if row else ""
    further = () if group else tuple(_groups_of(read("etc/group"), member))
    # The first one is among them, too (`ensureAdditionalGids` in `executor/oci/user.go`).
    return Account(User(uid, gid, tuple(dict.fromkeys((gid, *further)))), home)


def _group(name: str, read: Read) -> int:
    found = _number(name, read)
    if found is None:
        raise _unknown("group", name, "group")
    return found


def _number(group: str, read: Read) -> int | None:
    if group.isdigit():
        return int(group)
    row = _row(read("etc/group"), group)
    return int(row[2]) if row else None


def _rows(text: str | None) -> Iterator[list[str]]:
    for line in (text or "").splitlines():
        fields = line.split(":")
        if len(fields) >= 3 and fields[2].isdigit():
            yield fields


def _row(text: str | None, name: str) -> list[str] | None:
    """The line of a name, or else of a number."""
    rows = [row for row in _rows(text) if len(row) > 3]
    named = next((row for row in rows if row[0] == name), None)
    return named or next((row for row in rows if row[2] == name), None)


def _groups_of(text: str | None, member: str) -> Iterator[int]:
    for row in _rows(text):
        if len(row) > 3 and member and member in row[3].split(","):
            yield int(row[2])


def _unknown(kind: str, name: str, file: str) -> LayerlabError:
    return LayerlabError(
        f"The image knows no {kind} {name}.",
        code=f"no-such-{kind}",
        hint=f"Its /etc/{file} lists those that it knows. Add one with a RUN before this line, or "
        "write a number.",
    )
