import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from layerlab.bases import catalogue, contents, oci, rootfs, settings, sources, standin, tools
from layerlab.engines import process

CATALOGUE = Path(__file__).with_name("bases.toml")
BASES = {base.short_name.partition(":")[0]: base for base in catalogue.load(CATALOGUE)}
PEM = "-----BEGIN CERTIFICATE-----\nb3Vycw==\n-----END CERTIFICATE-----\n"
USUAL = "-----BEGIN CERTIFICATE-----\ndXN1YWw=\n-----END CERTIFICATE-----\n"
PLAIN = settings.HostSettings(sources.Mirrors("http://m.example/debian"))
SPECIAL = replace(
    PLAIN,
    apt=(("Acquire::http::Proxy", "http://proxy.example:3128"),),
    npm=(("registry", "https://r.example/"),),
    go=(("GOPROXY", "https://g.example"),),
    certificates=(PEM,),
)
ROOTFS = {
    "./etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
    "./etc/ssl/certs/ca-certificates.crt": USUAL,
    "./etc/hostname": "this-machine\n",
    "./usr/share/man/man1/sh.1": "manual",
    "./usr/share/doc/bash/copyright": "free",
    "./usr/bin/busybox": "#!/bin/sh\necho sh\necho ls\n",
}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """A machine where mmdebstrap makes a tiny root file system; the commands that were run."""
    ran: list[tuple[str, ...]] = []
    real = process.run

    def run(argv: Any, **options: Any) -> process.Completed:
        ran.append(tuple(argv))
        if argv[0] != "mmdebstrap":
            return real(argv, **options)
        assert options["env"]["SOURCE_DATE_EPOCH"]
        target = next(word for word in argv if word.endswith("rootfs.tar"))
        with tarfile.open(target, "w") as tar:
            for name, text in ROOTFS.items():
                member = tarfile.TarInfo(name)
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
        return process.Completed(tuple(argv), 0, b"", b"", b"")

    monkeypatch.setattr(process, "run", run)
    monkeypatch.setattr(tools, "need", lambda *_: None)
    monkeypatch.setattr(tools, "can_run", lambda *_: True)
    monkeypatch.setattr(tools, "host_platform", lambda: "linux/amd64")
    return ran


Assemble = Callable[..., standin.StandIn]


@pytest.fixture
def assemble(machine: list[tuple[str, ...]], tmp_path: Path) -> Iterator[Assemble]:
    def one(name: str, host: settings.HostSettings = PLAIN) -> standin.StandIn:
        return standin.assemble(BASES[name], host, print, cache=tmp_path)

    yield one
    assert machine is not None


def config(made: standin.StandIn, platform: str = "linux/amd64") -> Any:
    def read(digest: str) -> Any:
        return json.loads((made.folder / "blobs/sha256" / digest[7:]).read_bytes())

    index = read(oci.index_digest(made.folder))
    arch = platform.rpartition("/")[2]
    for manifest in index["manifests"]:
        if manifest["platform"]["architecture"] == arch:
            parts = read(manifest["digest"])
            return read(parts["config"]["digest"]) | {"layers": parts["layers"]}
    raise AssertionError(platform)


def files(made: standin.StandIn, platform: str = "linux/amd64") -> dict[str, str]:
    """The files of an image, the upper layers' over the lower ones'."""
    found: dict[str, str] = {}
    for layer in config(made, platform)["layers"]:
        with tarfile.open(made.folder / "blobs/sha256" / layer["digest"][7:]) as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isreg() else None
                if content:
                    found[member.name] = content.read().decode()
    return found


def test_a_stand_in_says_what_it_is(assemble: Assemble) -> None:
    made = assemble("debian", SPECIAL)
    labels = config(made)["config"]["Labels"]
    assert labels["org.layerlab.stand-in"] == "true"
    assert labels["org.layerlab.stand-in.for"] == "docker.io/library/debian:trixie-slim"
    assert labels["org.layerlab.stand-in.made-from"] == made.note
    text = files(made)["etc/layerlab-stand-in"]
    assert "This is not the official image debian:trixie-slim" in text
    assert made.note in text
    assert "http://proxy.example:3128" in text
    assert "packages of Debian trixie" in made.note


def test_all_platforms_are_in_it_ours_first(assemble: Assemble) -> None:
    made = assemble("debian")
    assert made.platforms == oci.platforms(made.folder) == ("linux/amd64", "linux/arm64")
    assert config(made, "linux/arm64")["config"]["Cmd"] == ["bash"]


def test_the_second_time_nothing_is_done(
    assemble: Assemble, machine: list[tuple[str, ...]]
) -> None:
    first = assemble("debian")
    done = len(machine)
    second = assemble("debian")
    assert (first.made, second.made, first.folder) == (True, False, second.folder)
    assert len(machine) == done


def test_other_settings_make_another_image_of_the_same_bottom_layer(
    assemble: Assemble, machine: list[tuple[str, ...]]
) -> None:
    first, second = assemble("debian"), assemble("debian", SPECIAL)
    assert first.folder != second.folder
    assert config(first)["layers"][0] == config(second)["layers"][0]
    assert len([argv for argv in machine if argv[0] == "mmdebstrap"]) == 2  # one per platform


def test_the_bottom_layer_holds_nothing_of_this_machine(assemble: Assemble) -> None:
    found = files(assemble("debian"))
    assert "etc/hostname" not in found
    assert "usr/share/man/man1/sh.1" not in found
    assert "usr/share/doc/bash/copyright" in found


def test_settings_go_where_the_tools_look(assemble: Assemble) -> None:
    found = files(assemble("debian", SPECIAL))
    assert found["etc/apt/apt.conf.d/95host"] == (
        'Acquire::http::Proxy "http://proxy.example:3128";\n'
    )
    assert "URIs: http://m.example/debian\n" in found["etc/apt/sources.list.d/debian.sources"]
    assert found["etc/ssl/certs/ca-certificates.crt"] == USUAL + PEM
    assert found["usr/local/share/ca-certificates/layerlab-host-1.crt"] == PEM


def test_a_plain_machine_leaves_only_its_mirror(assemble: Assemble) -> None:
    found = files(assemble("debian"))
    assert "etc/apt/apt.conf.d/95host" not in found
    assert found["etc/ssl/certs/ca-certificates.crt"] == USUAL
    assert not [name for name in found if "layerlab-host" in name or "npmrc" in name]


def test_busybox_is_one_program_and_the_notice(assemble: Assemble) -> None:
    made = assemble("busybox", SPECIAL)
    found = files(made)
    assert set(found) == {"bin/busybox", "etc/passwd", "etc/group", "etc/layerlab-stand-in"}
    assert "settings of the machine" not in found["etc/layerlab-stand-in"]
    assert config(made)["config"]["Cmd"] == ["sh"]


def test_node_is_told_of_added_authorities() -> None:
    recipe = BASES["node"].recipe
    named = "NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt"
    assert named in contents.environment(recipe, SPECIAL)
    assert named not in contents.environment(recipe, PLAIN)
    assert contents.environment(recipe, PLAIN)[0].startswith("PATH=")


def test_npm_gets_its_settings() -> None:
    nothing = Path()
    bottom = rootfs.Rootfs(oci.Layer("", 0, "", ""), nothing, {rootfs.BUNDLE: USUAL.encode()}, {})
    made = {e.path: e.data for e in contents.top_layer(BASES["node"], SPECIAL, bottom, "note")}
    assert made["usr/local/etc/npmrc"].decode().splitlines() == [
        "registry=https://r.example/",
        "cafile=/etc/ssl/certs/ca-certificates.crt",
    ]


class TestNote:
    def test_a_platform_that_is_not_there_is_said(self) -> None:
        text = contents.note(BASES["golang"], ["linux/amd64"])
        assert "no C compiler" in text
        assert "only for linux/amd64" in text

    def test_a_platform_that_is_only_unpacked_is_said(self) -> None:
        both = ("linux/amd64", "linux/arm64")
        text = contents.note(BASES["debian"], both, ["linux/arm64"])
        assert "for linux/arm64 nothing can be installed with apt-get" in text


class TestWithoutEmulation:
    def test_packages_are_unpacked_and_the_difference_is_kept_apart(
        self, assemble: Assemble, machine: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        full = assemble("debian")
        monkeypatch.setattr(tools, "can_run", lambda name, _: name == "linux/amd64")
        made = assemble("debian")
        assert made.folder != full.folder
        assert "nothing can be installed" in made.note
        argv = next(argv for argv in machine if "--variant=extract" in argv)
        assert "--architectures=arm64" in argv
        assert "--include=ca-certificates,?essential,apt" in argv

    def test_what_scripts_would_have_written_is_made(self) -> None:
        made = rootfs.unwritten(
            {
                "usr/share/base-passwd/passwd.master": b"root:*:0:0:root:/root:/bin/bash\n",
                "usr/share/base-passwd/group.master": b"root:*:0:\n",
                "usr/share/ca-certificates/mozilla/a.crt": USUAL.encode(),
                "usr/share/ca-certificates/mozilla/b.crt": PEM.encode(),
            }
        )
        assert set(made) == {"etc/passwd", "etc/group", rootfs.BUNDLE}
        assert made[rootfs.BUNDLE].decode() == USUAL + PEM
        assert not rootfs.unwritten({"etc/passwd": b"x"})


@pytest.mark.parametrize(
    ("name", "out"),
    [
        ("etc/hostname", True),
        ("etc/hosts", False),
        ("dev", False),
        ("dev/null", True),
        ("usr/share/man/man1", False),
        ("usr/share/man/man1/sh.1.gz", True),
        ("usr/share/doc/bash/copyright", False),
        ("usr/share/doc/bash/changelog.gz", True),
        ("usr/share/locale/de/LC_MESSAGES", True),
        ("etc/apt/apt.conf.d/99mmdebstrap", True),
        ("etc/apt/apt.conf.d/01autoremove", False),
        ("var/lib/dpkg/status", False),
        ("var/lib/dpkg/status-old", True),
        ("run/lock", True),
    ],
)
def test_what_stays_out_of_the_layer(name: str, out: bool) -> None:
    assert rootfs.dropped(name) is out
