"""Builds to look at and to test with: handwritten events through the real plan and reducer."""

from __future__ import annotations

from collections.abc import Callable

from layerlab.model.build import Build
from layerlab.model.events import (
    Failure,
    Progress,
    StepUpdate,
    Warning,  # noqa: A004 - the engine's word for advice
)
from tests.views.script import START, Script

NODE = """\
FROM docker.io/library/node:24.19.0-trixie-slim
LABEL org.opencontainers.image.title="colors"
LABEL org.opencontainers.image.description="A page that shows which container answers"
LABEL language="Node.js"
ENV APPDIR=/app
WORKDIR ${APPDIR}
COPY package.json package-lock.json ./
RUN apt-get update \\
    && apt-get install --yes --no-install-recommends curl \\
    && rm -rf /var/lib/apt/lists/* \\
    && npm ci
COPY app.js app.js
COPY index.html index.html
CMD ["node", "app.js", "3000"]
EXPOSE 3000
USER node
"""

GO = """\
FROM --platform=$BUILDPLATFORM docker.io/library/golang:1.26.6-trixie AS builder
WORKDIR /src
COPY go.mod main.go ./
COPY templates templates
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \\
    go build -trimpath -ldflags="-s -w" -o /out/colors .

FROM scratch
LABEL language="Go"
WORKDIR /app
COPY --from=builder /out/colors .
CMD ["/app/colors", "3000"]
EXPOSE 3000
USER 1000
"""


APT = """\
Get:1 http://deb.debian.org/debian trixie InRelease [140 kB]
Get:2 http://deb.debian.org/debian trixie-updates InRelease [47.3 kB]
Get:3 http://deb.debian.org/debian trixie/main amd64 Packages [9670 kB]
Fetched 9,857 kB in 1s (9,214 kB/s)
Reading package lists...
Building dependency tree...
The following NEW packages will be installed:
  curl libcurl4t64 libnghttp2-14 libpsl5t64 librtmp1 libssh2-1t64
0 upgraded, 6 newly installed, 0 to remove and 0 not upgraded.
Setting up curl (8.14.1-2) ...
"""
NPM = "added 3 packages, and audited 4 packages in 2s\n\nfound 0 vulnerabilities\n"


def _loading(script: Script) -> None:
    script.announce()
    script.own("load build definition from Dockerfile", 0.0, 0.05)
    script.own("load metadata for docker.io/library/node:24.19.0-trixie-slim", 0.05, 0.4)
    script.own("load .dockerignore", 0.4, 0.45)
    context = script.own("load build context", 0.45, 0.5)
    script.events.append(
        Progress(at=START, step=context, item="transferring context:", current=6_412, done=True)
    )


def cold() -> Build:
    """The first build of lab 01."""
    script = Script(NODE, "colors:first")
    _loading(script)
    script.step(0, 0.5, 0.6)
    script.step(5, 0.6, 0.9)
    script.step(6, 0.9, 1.0)
    run = script.step(7, 1.0, 11.4)
    script.log(run, APT + NPM)
    script.step(8, 11.4, 11.5)
    script.step(9, 11.5, 11.6)
    script.own("exporting to image", 11.6, 12.5, "export")
    script.events.append(
        Warning(
            at=START,
            message="LegacyKeyValueFormat: use ENV key=value",
            lines=(5, 5),
            url="https://docs.docker.com/go/dockerfile/rule/legacy-key-value-format/",
        )
    )
    return script.end(12.6)


def warm() -> Build:
    """The second build of lab 01."""
    script = Script(NODE, "colors:second")
    _loading(script)
    for number in (0, 5, 6, 7):
        script.step(number, 0.5, 0.5, cached=True)
    script.step(8, 0.5, 0.8)
    script.step(9, 0.8, 0.95)
    script.own("exporting to image", 0.95, 1.2, "export")
    return script.end(1.3)


def running() -> Build:
    """In the middle of RUN."""
    script = Script(NODE, "colors:first")
    _loading(script)
    script.step(0, 0.5, 0.6)
    script.step(5, 0.6, 0.9)
    script.step(6, 0.9, 1.0)
    run = script.step(7, 1.0)
    script.log(run, APT)
    return script.now()


def pulling() -> Build:
    """The base image is on its way."""
    script = Script(NODE, "colors:first")
    _loading(script)
    base = script.step(0, 0.5)
    layers = [
        ("3b4d7a1c9e52", 28_230_112, 28_230_112),
        ("9f1c0a7e6d21", 3_312_640, 3_312_640),
        ("c02e8d5b7a90", 9_120_000, 49_871_204),
        ("17f4e2d1b8c3", 0, 1_712_337),
    ]
    script.add(
        Progress(
            at=START,
            step=base,
            item=f"sha256:{digest}{'0' * 52}",
            current=current,
            total=total,
            done=current == total,
        )
        for digest, current, total in layers
    )
    return script.now()


def failing() -> Build:
    """`npm ci` says no."""
    script = Script(NODE, "colors:broken")
    _loading(script)
    for number in (0, 5):
        script.step(number, 0.5, 0.5, cached=True)
    script.step(6, 0.5, 0.7)
    words = (
        'process "/bin/sh -c apt-get update && … && npm ci" did not complete successfully: '
        "exit code: 1"
    )
    run = script.step(7, 0.7, 3.1, error=words)
    script.log(run, APT)
    script.log(
        run,
        "npm error code EUSAGE\n"
        "npm error `npm ci` can only install packages when your package.json and "
        "package-lock.json are in sync.\n"
        "npm error Missing: left-pad@1.3.0 from lock file\n",
    )
    script.events.append(
        Failure(
            at=START + 3.1,
            code="run-failed",
            message=words,
            step=run,
            lines=(8, 11),
            hint="A command in RUN ended with exit code 1. Its own last words are below. "
            "Here the lock file does not know a package: run npm install in nodejs, build again.",
        )
    )
    return script.end(3.2, "failed")


def unplaced() -> Build:
    """A failure that belongs to no step."""
    script = Script(NODE, "colors:first", engine="nerdctl")
    script.own("load metadata for docker.io/library/node:24.19.0-trixie-slim", 0.0, 0.2)
    script.events.append(
        Failure(
            at=START,
            code="no-registry",
            message="failed to resolve source metadata: dial tcp: lookup docker.io: no such host",
            lines=(1, 1),
            hint="The registry cannot be reached. Is this computer online?",
        )
    )
    return script.end(0.3, "failed")


def stopped() -> Build:
    """Interrupted in RUN."""
    script = Script(NODE, "colors:first", engine="podman")
    script.announce()
    script.step(0, 0.0, 0.1)
    script.step(5, 0.1, 0.3)
    script.step(6, 0.3, 0.5)
    script.step(7, 0.5)
    return script.end(7.4, "cancelled")


def platforms() -> Build:
    """Lab 03: one compiler, two platforms."""
    script = Script(GO, "colors:cross", path="go")
    amd, arm = "linux/amd64", "linux/arm64"
    script.own("load build definition from Dockerfile.cross", 0.0, 0.05)
    for number, (start, end) in enumerate([(0.1, 0.2), (0.2, 0.4), (0.4, 0.5), (0.5, 0.6)]):
        script.step(number, start, end, platform=amd)
    script.step(4, 0.6, 0.6, platform=amd)
    script.step(5, 0.6, 0.6, platform=amd)
    for platform, end in ((amd, 21.3), (arm, 24.8)):
        script.step(6, 0.6, end, platform=platform)
        script.step(7, 0.1, 0.1, platform=platform)
        script.step(8, 0.1, 0.1, platform=platform)
        script.step(9, 0.1, 0.3, platform=platform)
        script.step(10, end, end + 0.1, platform=platform)
        for number in (11, 12, 13):
            script.step(number, end, end, platform=platform)
    script.own("exporting to image", 24.9, 25.9, "export")
    return script.end(26.0)


def long(count: int = 300, done: int | None = 142) -> Build:
    """Very many steps; `done` of them are over, all of them when it is None."""
    lines = [f"RUN make --directory module-{number:03}" for number in range(count - 1)]
    script = Script("\n".join(["FROM docker.io/library/debian:trixie-slim", *lines]), "big:latest")
    script.announce()
    for number in range(count if done is None else done):
        script.step(number, number / 10, number / 10 + 0.1, cached=number < count // 5)
        script.log(script.plan.steps[number].id, f"cc -c module-{number}.c\nok\n")
    if done is None:
        return script.end(count / 10)
    script.log(script.step(done, done / 10), "cc -O2 -c big.c\n")
    return script.now()


def flood() -> Build:
    """A step that printed a million lines."""
    script = Script(NODE, "colors:first")
    _loading(script)
    run = script.step(7, 0.5, 9.0)
    script.log(run, "".join(f"line {number}\n" for number in range(1, 1_000_001)))
    return script.end(9.5)


def colourful() -> Build:
    """A step that fails in many colours."""
    script = Script(NODE, "colors:broken")
    _loading(script)
    run = script.step(7, 0.5, 9.0, error="exit code: 1")
    plain = [f"\x1b[{number}m{number}\x1b[m" for number in (*range(30, 38), *range(90, 98))]
    ground = [f"\x1b[{number}m{number}\x1b[m" for number in (*range(40, 48), *range(100, 108))]
    script.log(run, " ".join(plain) + "\n" + " ".join(ground) + "\n")
    script.log(run, "\x1b[1mbold\x1b[0m \x1b[2mdim\x1b[0m \x1b[3mitalic\x1b[0m \x1b[4;31munder\n")
    script.log(run, "\x1b[7mreverse\x1b[0m \x1b[7;32mgreen\x1b[0m \x1b[8mconcealed\x1b[0m\n")
    script.log(run, "\x1b[38;5;208mof 256\x1b[0m \x1b[38;2;250;120;200mof all\x1b[0m\n")
    return script.end(9.1, "failed")


NASTY = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"' onmouseover='alert(1)",
    "</code></td></table></section><h1>out",
    "javascript:alert(1)",
    "]]><!--",
    "&lt;b&gt; &amp; &#60;",
    "\x1b[31mred\x1b[0m",
    "a\u202egnp.exe",
    "x" * 3000,
)


def hostile() -> Build:
    """Every text there is tries something."""
    script = Script(NODE, NASTY[0])
    script.announce()
    script.own(NASTY[3], 0.0, 0.1)
    base = script.step(0, 0.1, 0.2)
    script.events.append(
        Progress(at=START, step=base, item=NASTY[1], current=10, total=20, done=False)
    )
    script.events.append(
        StepUpdate(
            at=START,
            step="a/1",
            kind="run",
            stage=NASTY[3],
            platform=NASTY[2],
            instruction=NASTY[0],
        )
    )
    run = script.step(7, 0.2, 1.0, error=NASTY[1])
    script.log(run, "\n".join(NASTY) + "\n")
    script.events.append(Warning(at=START, message=NASTY[1], url=NASTY[4]))
    script.events.append(
        Failure(
            at=START, code="run-failed", message=NASTY[0], step=run, lines=(8, 11), hint=NASTY[3]
        )
    )
    return script.end(1.1, "failed")


SAMPLES: dict[str, Callable[[], Build]] = {
    sample.__name__: sample
    for sample in (
        cold,
        warm,
        running,
        pulling,
        failing,
        unplaced,
        stopped,
        platforms,
        long,
        flood,
        colourful,
        hostile,
    )
}
