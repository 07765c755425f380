"""Names of users and groups, as an image's own files tell them."""

from __future__ import annotations

import pytest

from layerlab.engines.embedded.build.users import account, owner
from layerlab.engines.embedded.runners.job import User
from layerlab.errors import LayerlabError

FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nann:x:1234:1235::/home/ann:/bin/sh\n"
    "broken line\n77:x:5:6::/odd:/bin/sh\nbare:x:9:9\n",
    "etc/group": "root:x:0:\ncrew:x:777:bob,ann\nother:x:778:annabel\n",
}


@pytest.mark.parametrize(
    ("written", "numbers"),
    [
        ("ann", (1234, 1235)),
        ("ann:crew", (1234, 777)),
        ("ann:5", (1234, 5)),
        (":crew", (0, 777)),
        ("55", (55, 55)),
        ("55:66", (55, 66)),
        ("77", (77, 77)),  # digits are a number, though there is such a name
        ("nobody-knows", (0, 0)),
        ("ann:nobody-knows", (1234, 1235)),
    ],
)
def test_owner(written: str, numbers: tuple[int, int]) -> None:
    assert owner(written, FILES.get) == numbers


def test_owner_where_the_image_has_no_such_files() -> None:
    assert owner("ann:crew", lambda _: None) == (0, 0)


@pytest.mark.parametrize(
    ("written", "user", "home"),
    [
        ("", User(0, 0, (0,)), "/root"),
        ("ann", User(1234, 1235, (1235, 777)), "/home/ann"),
        ("1234", User(1234, 1235, (1235, 777)), "/home/ann"),
        ("ann:crew", User(1234, 777, (777,)), "/home/ann"),
        ("55", User(55, 0, (0,)), "/"),
        ("55:66", User(55, 66, (66,)), "/"),
        ("77", User(5, 6, (6,)), "/odd"),
        ("bare", User(9, 9, (9,)), "/"),
    ],
)
def test_account(written: str, user: User, home: str) -> None:
    assert account(written, FILES.get) == (user, home)


@pytest.mark.parametrize(
    ("written", "code"), [("bob", "no-such-user"), ("ann:bobs", "no-such-group")]
)
def test_nobody_runs_as_who_is_not_there(written: str, code: str) -> None:
    with pytest.raises(LayerlabError) as raised:
        account(written, FILES.get)
    assert raised.value.code == code
