"""What `RUN --mount` makes: folders and files of this machine, where and how they are bound."""

from __future__ import annotations

import os
from pathlib import Path
from socket import AF_UNIX, socket

import pytest

from layerlab.cache.program import Mount
from layerlab.engines.embedded.build.copying import Copying, groups
from layerlab.engines.embedded.build.crew import Crew
from layerlab.engines.embedded.build.mounting import SHOWN, Mounting, agents, secrets
from layerlab.engines.embedded.runners.job import Bind
from layerlab.engines.embedded.store.layout import Store
from layerlab.errors import LayerlabError
from tests.engines_unit.embedded.test_copying import record

OWNERS = os.geteuid() == 0


def mount(kind: str, target: str = "/t", source: str = "", origin: str = "", **more: str) -> Mount:
    return Mount(kind, target, source, origin, tuple(sorted(more.items())))


def fill(_: Mount, copying: Copying) -> None:
    (group,) = groups("d", (record("", "dir"), record("file")))
    copying.put(group, SHOWN, lambda _: b"x")


@pytest.fixture
def mounting(tmp_path: Path) -> Mounting:
    (tmp_path / "scratch").mkdir()
    return Mounting(
        Store(tmp_path / "store"),
        tmp_path / "kept",
        Crew().pause,
        fill,
        {"token": b"hush"},
        {"default": tmp_path / "agent"},
        owners=OWNERS,
        now=1_700_000_000,
    )


def test_a_bind_shows_files_and_is_shut(mounting: Mounting, tmp_path: Path) -> None:
    with mounting.made([mount("bind", "here")], "/work", tmp_path / "scratch") as (bind,):
        assert bind[1:] == ("/work/here", True)
        assert (bind.host / "file").read_bytes() == b"x"
    assert not bind.host.exists()


@pytest.mark.parametrize("name", ["rw", "readwrite"])
def test_a_bind_may_be_opened(mounting: Mounting, tmp_path: Path, name: str) -> None:
    with mounting.made([mount("bind", **{name: ""})], "/", tmp_path / "scratch") as (bind,):
        assert not bind.read_only


def test_a_cache_lasts(mounting: Mounting, tmp_path: Path) -> None:
    kept: list[Bind] = []
    for number, more in enumerate(({}, {"id": "other"}, {"sharing": "locked"})):
        scratch = tmp_path / f"scratch-{number}"
        scratch.mkdir()
        with mounting.made([mount("cache", **more)], "/", scratch) as (bind,):
            assert not bind.read_only
            (bind.host / "found").touch()
        kept.append(bind)
    assert kept[0].host == kept[2].host != kept[1].host
    assert (kept[0].host / "found").exists()


def test_a_cache_begins_with_files_and_goes_its_own_way(mounting: Mounting, tmp_path: Path) -> None:
    asked, plain = mount("cache", origin="stage"), mount("cache")
    for number in (1, 2):
        scratch = tmp_path / f"scratch-{number}"
        scratch.mkdir()
        with mounting.made([asked, plain], "/", scratch) as (begun, other):
            assert not begun.read_only
            assert begun.host != other.host
            found = {path.name: path.read_bytes() for path in begun.host.iterdir()}
            assert found == {"file": b"x" * number}
            (begun.host / "file").write_bytes(b"xx")


def test_agents_are_where_docker_has_them(mounting: Mounting, tmp_path: Path) -> None:
    asked = [mount("ssh", ""), mount("ssh", "", id="absent"), mount("ssh", "own", id="default")]
    with mounting.made(asked, "/work", tmp_path / "scratch") as made:
        assert made == [
            Bind(tmp_path / "agent", "/run/buildkit/ssh_agent.0"),
            Bind(tmp_path / "agent", "/work/own"),
        ]


def test_agents_come_from_sockets_and_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "agent"
    with socket(AF_UNIX) as own:
        own.bind(str(path))
        values = ["default", "other=agent"]
        assert agents(values, tmp_path, {"SSH_AUTH_SOCK": str(path)}) == {
            "default": path,
            "other": path,
        }
        for value in ("default", f"key={__file__}"):
            with pytest.raises(LayerlabError) as raised:
                agents([value], tmp_path, {})
            assert raised.value.code == "bad-ssh"


def test_a_tmpfs_is_empty_and_goes(mounting: Mounting, tmp_path: Path) -> None:
    with mounting.made([mount("tmpfs")], "/", tmp_path / "scratch") as (bind,):
        assert list(bind.host.iterdir()) == []
        assert bind.host.stat().st_mode & 0o7777 == 0o1777
    assert not bind.host.exists()


def test_a_secret_is_where_docker_has_it(mounting: Mounting, tmp_path: Path) -> None:
    asked = [mount("secret", "", id="token"), mount("secret", "/etc/token", mode="0440")]
    with mounting.made(asked, "/work", tmp_path / "scratch") as (first, second):
        assert first[1:] == ("/run/secrets/token", True)
        assert first.host.read_bytes() == second.host.read_bytes() == b"hush"
        assert [one.host.stat().st_mode & 0o777 for one in (first, second)] == [0o400, 0o440]
    assert not first.host.exists()


def test_a_secret_that_nobody_gives_is_left_out(mounting: Mounting, tmp_path: Path) -> None:
    with mounting.made([mount("secret", id="absent")], "/", tmp_path / "scratch") as made:
        assert made == []


@pytest.mark.skipif(not OWNERS, reason="only root gives files away")
@pytest.mark.parametrize("kind", ["cache", "secret"])
def test_owners(mounting: Mounting, tmp_path: Path, kind: str) -> None:
    asked = mount(kind, id="token", uid="7", gid="8", mode="0750")
    with mounting.made([asked], "/", tmp_path / "scratch") as (bind,):
        info = bind.host.stat()
        assert (info.st_uid, info.st_gid, info.st_mode & 0o777) == (7, 8, 0o750)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (mount("else"), "mount-refused"),
        (mount("ssh", id="absent", required=""), "missing-ssh"),
        (mount("tmpfs", "/"), "mount-refused"),
        (mount("secret", id="absent", required="true"), "missing-secret"),
        (mount("secret", id="absent", required=""), "missing-secret"),
    ],
)
def test_refused(mounting: Mounting, tmp_path: Path, asked: Mount, code: str) -> None:
    with (
        pytest.raises(LayerlabError) as raised,
        mounting.made([asked], "/", tmp_path / "scratch"),
    ):
        raise AssertionError
    assert raised.value.code == code


def test_secrets_come_from_files_and_variables(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\x00one")
    values = ["id=a,src=file", "id=b,env=B", "id=C"]
    assert secrets(values, tmp_path, {"B": "two", "C": "three"}) == {
        "a": b"\x00one",
        "b": b"two",
        "C": b"three",
    }


@pytest.mark.parametrize("value", ["id=a,src=missing", "id=a,env=MISSING", "id=MISSING"])
def test_secrets_that_cannot_be_read(tmp_path: Path, value: str) -> None:
    with pytest.raises(LayerlabError) as raised:
        secrets([value], tmp_path, {})
    assert raised.value.code == "bad-secret"
