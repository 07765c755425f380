"""What a stand-in holds beside Debian and its toolchain: settings, and what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from layerlab.bases import certificates, rootfs
from layerlab.bases.catalogue import Base, Recipe
from layerlab.bases.oci import Entry
from layerlab.bases.rootfs import Rootfs
from layerlab.bases.settings import HostSettings

LABEL: Final = "org.layerlab.stand-in"
NOTICE: Final = "etc/layerlab-stand-in"

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_APT: Final = """\
// As in the official images: keep no copies of packages, no translations. Unlike there, apt may
// use its binary cache while it runs: under emulation that saves a minute of each install.
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Acquire::Languages "none";
Acquire::GzipIndexes "true";
"""


def note(base: Base, made: Sequence[str], unpacked: Sequence[str] = ()) -> str:
    """What a stand-in is made from and how it differs, in one sentence each.

    Args:
        base: what it stands in for.
        made: its platforms.
        unpacked: those of them whose packages are not configured.
    """
    recipe = base.recipe
    parts = [f"packages of Debian {recipe.suite}"]
    if recipe.wheel:
        parts.append(f"the wheel {recipe.wheel.project} {recipe.wheel.version}")
    differs = [recipe.differs] if recipe.differs else []
    if len(made) < len(base.platforms):
        differs.append(f"only for {', '.join(made)}")
    if unpacked:
        differs.append(f"for {', '.join(unpacked)} nothing can be installed with apt-get")
    text = f"Made from {' and '.join(parts)}."
    return f"{text} Unlike the official image: {'; '.join(differs)}." if differs else text


def labels(base: Base, text: str) -> dict[str, str]:
    """The labels that mark an image as a stand-in; `text` is its note."""
    return {
        LABEL: "true",
        f"{LABEL}.for": base.name,
        f"{LABEL}.made-from": text,
        "org.opencontainers.image.title": f"Stand-in for {base.short_name}",
    }


def notice(base: Base, host: HostSettings, text: str) -> str:
    """The content of /etc/layerlab-stand-in; `text` is the note."""
    lines = [
        f"This is not the official image {base.short_name}. It is a stand-in that Layerlab",
        "put together because no image registry answered.",
        "",
        text,
    ]
    if base.recipe.kind != "busybox":
        lines += [
            "",
            "It carries settings of the machine it was made on (package mirrors, proxies,",
            "certificate authorities), so build images for others from the official image.",
        ]
        lines += [f"- {line}" for line in _carried(host)]
    return "\n".join(lines) + "\n"


def environment(recipe: Recipe, host: HostSettings) -> tuple[str, ...]:
    """The image's environment: PATH first, then what the recipe says."""
    env = {"PATH": _PATH} | dict(recipe.env)
    if recipe.kind == "node" and host.certificates:
        env["NODE_EXTRA_CA_CERTS"] = f"/{rootfs.BUNDLE}"  # Node.js reads no system bundle
    return tuple(f"{name}={value}" for name, value in env.items())


def top_layer(base: Base, host: HostSettings, bottom: Rootfs, text: str) -> Iterator[Entry]:
    """The notice, and what builds on this machine need."""
    yield Entry(NOTICE, data=notice(base, host, text).encode())
    if base.recipe.kind == "busybox":
        return
    yield Entry("etc/apt/apt.conf.d/90image", data=_APT.encode())
    if host.apt:
        rows = "".join(f'{key} "{value}";\n' for key, value in host.apt)
        yield Entry("etc/apt/apt.conf.d/95host", data=rows.encode())
    yield Entry("etc/dpkg/dpkg.cfg.d/90image", data=("\n".join(rootfs.SLIM) + "\n").encode())
    sources = host.sources.deb822(base.recipe.suite)
    yield Entry("etc/apt/sources.list.d/debian.sources", data=sources.encode())
    if host.certificates:
        usual = bottom.read(rootfs.BUNDLE).decode()
        bundle = certificates.joined(usual, host.certificates)
        yield Entry(rootfs.BUNDLE, data=bundle.encode())
    for number, pem in enumerate(host.certificates, 1):
        name = f"usr/local/share/ca-certificates/layerlab-host-{number}.crt"
        yield Entry(name, data=pem.encode())  # from here update-ca-certificates takes it again
    if base.recipe.kind == "node" and (npmrc := _npmrc(host)):
        yield Entry("usr/local/etc", "dir", mode=0o755)
        yield Entry("usr/local/etc/npmrc", data=npmrc.encode())


def _npmrc(host: HostSettings) -> str:
    rows = [f"{key}={value}\n" for key, value in host.npm]
    if host.certificates:
        rows.append(f"cafile=/{rootfs.BUNDLE}\n")
    return "".join(rows)


def _carried(host: HostSettings) -> Iterator[str]:
    yield f"Debian packages from {host.sources.main}"
    for key, value in (*host.apt, *host.npm, *host.go):
        yield f"{key} = {value}"
    if host.certificates:
        yield f"certificate authorities beyond the usual: {len(host.certificates)}"
