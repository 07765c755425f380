"""skopeo, which brings images from registries, to them, and out of archives."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from layerlab.cache.key import platform_parts
from layerlab.engines import process, references
from layerlab.errors import CommandFailedError, LayerlabError
from layerlab.progress.failures import find_cause

_SAID = re.compile(r'^time="[^"]*" level=\w+ msg="(.*)"$')


class Reason(NamedTuple):
    """Why a command failed, told by a pattern that finds it in what skopeo said."""

    code: str
    pattern: str
    hint: str


@dataclass(frozen=True)
class Skopeo:
    """Its command lines.

    Args:
        program: None where it is missing.
        environ: its environment: it reads the same settings of registries as podman.
    """

    program: Path | None
    environ: Mapping[str, str]

    def command(self, *words: str, platform: str = "", limit: int = 0) -> tuple[str, ...]:
        """What to start.

        Args:
            words: its subcommand, and what follows.
            platform: whose image is meant where there are several; this machine's by default.
            limit: bytes that no file may grow beyond which it writes.

        Raises:
            LayerlabError: code `no-skopeo`.
        """
        if self.program is None:
            raise LayerlabError(
                "skopeo is missing, which fetches base images.",
                code="no-skopeo",
                hint="Type in a terminal: layerlab setup",
            )
        argv = ["prlimit", f"--fsize={limit}"] if limit else []
        argv += [str(self.program), *self._policy()]
        if settings := self.environ.get("CONTAINERS_REGISTRIES_CONF"):
            # podman and Buildah look there by themselves.
            argv += ["--registries-conf", settings]
        if platform:
            system, architecture, variant = platform_parts(platform)
            argv += ["--override-os", system, "--override-arch", architecture]
            argv += ["--override-variant", variant] if variant else []
        return (*argv, *words)

    def run(self, what: str, *words: str, limit: int = 0, reasons: Sequence[Reason] = ()) -> bytes:
        """What a command prints on its standard output; see `command` and `failed`."""
        done = process.run(self.command(*words, limit=limit), env=self.environ)
        if done.exit_code != 0:
            raise failed(what, done.argv, done.exit_code, done.output, reasons)
        return done.stdout

    def _policy(self) -> tuple[str, ...]:
        """Without a file that says whose images to trust, skopeo refuses all of them."""
        home = Path(self.environ.get("HOME", os.path.expanduser("~")))  # noqa: PTH111 - text
        places = (home / ".config/containers/policy.json", Path("/etc/containers/policy.json"))
        return () if any(place.exists() for place in places) else ("--insecure-policy",)


def tls(side: str, name: str) -> tuple[str, ...]:
    """The option for a registry on this machine, which needs no TLS.

    Args:
        side: `src-` or `dest-` of a copy; nothing where there is one image only.
        name: of the image.
    """
    return (f"--{side}tls-verify=false",) if references.on_loopback(name) else ()


def failed(
    what: str,
    argv: Sequence[str],
    exit_code: int,
    output: bytes,
    reasons: Sequence[Reason] = (),
) -> CommandFailedError:
    """The error for a command that ended with anything but 0.

    Args:
        what: could not be done, as a sentence begins that says why.
        argv, exit_code, output: the command, and how it ended.
        reasons: are looked at before those of builds.
    """
    lines = output.decode(errors="replace").strip().splitlines()
    plain = [_SAID.sub(r"\1", line).replace('\\"', '"') for line in lines]
    cause = find_cause([], plain)
    code, hint = next(
        ((one.code, one.hint) for one in reasons if re.search(one.pattern, "\n".join(plain))),
        (cause.code, cause.hint),
    )
    return CommandFailedError(
        f"{what}: {cause.message}",
        code=code,
        hint=hint,
        command=argv,
        exit_code=exit_code,
        output="\n".join(lines[-5:]),
    )
