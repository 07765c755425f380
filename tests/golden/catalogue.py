"""What is recorded: the cases, and the tools that are asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Format = Literal["rawjson", "plain", "buildah"]
NONCE = "@NONCE@"
"""Stands for a word that is new in every recording, so that what should run does run."""


@dataclass(frozen=True)
class Case:
    """One build to record.

    Attributes:
        context: folder in `cases/`.
        options: arguments besides the tag and the context.
        before: builds that run first and are not recorded: tag and context of each.
        edit: a file, a text in it and what replaces that, after `before`.
        interrupt: the build is interrupted as soon as its RUN has printed "begun".
        kill: the daemon that builds is killed then.
        tag: what the image is called.
        platforms: target platforms.
        only: the format of the tools for which the case means something; all when None.
    """

    name: str
    context: str = "app"
    options: tuple[str, ...] = ()
    before: tuple[tuple[str, str], ...] = ()
    edit: tuple[str, str, str] | None = None
    interrupt: bool = False
    kill: bool = False
    tag: str = "golden:1"
    platforms: tuple[str, ...] = ()
    only: Format | None = None


ITSELF = (("golden:1", "app"),)

BOTH = ("linux/amd64", "linux/arm64")

CASES = (
    Case("cold"),
    Case("warm", before=ITSELF),
    Case("partly-warm", before=ITSELF, edit=("app.js", "1.0", "2.0")),
    Case("no-cache", before=ITSELF, options=("--no-cache",)),
    Case("failing-run", "failing"),
    Case("missing-file", "missing"),
    Case("syntax-error", "syntax"),
    Case("parallel", "parallel"),
    Case("nested", "nested", only="buildah"),
    Case("nested-warm", "nested", before=(("golden:1", "nested"),), only="buildah"),
    Case("platforms", "platforms", tag="golden:@NONCE@", platforms=BOTH),
    Case("manifest-clash", "platforms", platforms=BOTH, before=ITSELF, only="buildah"),
    Case("pull", "pull"),
    Case("cancelled", "slow", interrupt=True),
    Case("daemon-killed", "slow", kill=True, only="rawjson"),
    Case("output", "output"),
    Case("label", options=("--label", "added=yes")),
    Case("onbuild", "onbuild", before=(("golden-onbuild:1", "onbuild-base"),)),
    Case("warning", "warning", options=("--build-arg", "UNUSED=1")),
    Case("no-image", "absent-image"),
    Case("no-tag", "absent-tag"),
    Case("unknown-flag", options=("--frobnicate",)),
    Case("bad-reference", tag="Golden:1"),
    Case("unknown-target", options=("--target", "nowhere")),
)


@dataclass(frozen=True)
class Tool:
    """One command line, the format that it prints, and what builds for it, if that is a daemon.

    `old`: see `old_docker.py`.
    """

    name: str
    argv: tuple[str, ...]
    format: Format
    version: tuple[str, ...]
    old: bool = False
    daemon: str = ""

    def command(
        self, tag: str, context: str, options: tuple[str, ...], *platforms: str
    ) -> list[str]:
        """The whole argument list of a build."""
        several = len(platforms) > 1 and self.format == "buildah"
        return [
            *self.argv,
            *(["--platform", ",".join(platforms)] if platforms else []),
            *(["--manifest", tag] if several else ["-t", tag]),
            *options,
            context,
        ]


_DOCKER_VERSION = ("docker", "version", "--format", "{{.Server.Version}}")

TOOLS = (
    Tool(
        "docker",
        ("docker", "buildx", "build", "--progress", "rawjson"),
        "rawjson",
        _DOCKER_VERSION,
        daemon="dockerd",
    ),
    Tool("docker-plain", ("docker", "build", "--progress", "plain"), "plain", _DOCKER_VERSION),
    Tool(
        "docker-old",
        ("docker", "build", "--progress", "plain", "--network", "none"),
        "plain",
        _DOCKER_VERSION,
        old=True,
    ),
    Tool(
        "nerdctl",
        ("nerdctl", "build", "--progress", "rawjson"),
        "rawjson",
        ("nerdctl", "--version"),
        daemon="buildkitd",
    ),
    Tool(
        "podman", ("podman", "build", "--layers", "--jobs", "1"), "buildah", ("podman", "--version")
    ),
    Tool(
        "buildah",
        ("buildah", "build", "--layers", "--jobs", "1"),
        "buildah",
        ("buildah", "--version"),
    ),
)
