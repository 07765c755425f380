"""Which RUN needs owners kept, and what fakeroot saves of them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerlab.engines.embedded.runners.ownership import Owner, gives_away, saved_owners


@pytest.mark.parametrize(
    "text",
    [
        "chown -R node:node /app",
        "mkdir /x && chgrp 33 /x",
        "apt-get update && apt-get install -y curl",
        "apt install curl",
        "adduser -D app",
        "install -o www-data -m 644 a b",
        "install -m 644 -g 33 a b",
        "install --owner=33 a b",
        "apk add curl",
        "cp -a /from /to",
        "tar --same-owner -xf x.tar",
    ],
)
def test_gives_away(text: str) -> None:
    assert gives_away(text)


@pytest.mark.parametrize(
    "text",
    [
        "npm ci",
        "npm install --omit=dev",
        "go build -o /app ./cmd",
        "pip install -r requirements.txt",
        "install -m 755 a b",
        "echo captain",
        "cp a b",
        "tar -xf x.tar",
        "rm -rf /var/lib/apt/lists/*",
    ],
)
def test_keeps(text: str) -> None:
    assert not gives_away(text)


numbers = st.integers(0, 2**32 - 1)


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)),
        st.builds(Owner, numbers, numbers, st.integers(0, 0o177777)),
    )
)
def test_saved_owners_are_read_as_fakeroot_writes_them(
    tmp_path_factory: pytest.TempPathFactory, owners: dict[tuple[int, int], Owner]
) -> None:
    saved = tmp_path_factory.mktemp("saved") / "owners"
    saved.write_text(
        "".join(
            f"dev={dev:x},ino={ino},mode={o.mode:o},uid={o.uid},gid={o.gid},nlink=1,rdev=0\n"
            for (dev, ino), o in owners.items()
        )
    )
    assert saved_owners(saved) == owners


def test_something_else_is_no_list_of_owners(tmp_path: Path) -> None:
    saved = tmp_path / "owners"
    saved.write_text("dev=1,ino=2\n")
    with pytest.raises(ValueError, match="without 'uid'"):
        saved_owners(saved)
