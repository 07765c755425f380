"""Why a CLI said no to something other than a build: from its words to a code and a hint. Pure.

Builds are explained by `progress.failures`, engines that do not work by `symptoms`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from layerlab.errors import CommandFailedError
from layerlab.progress.failures import find_cause

LIMITS = (
    "Put two lines into /etc/containers/containers.conf:\n[containers]\n"
    'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]'
)
"""What helps where podman may not raise a container's limits."""
MAX_OUTPUT = 2000
"""Characters of what it printed that an error keeps."""


class _Rule(msgspec.Struct, frozen=True):
    """`message` and `hint` may use the pattern's named groups."""

    code: str
    pattern: str
    message: str
    hint: str


_RULES = (
    _Rule(
        "no-such-program",
        # runc: libcontainer/standard_init_linux.go; crun: src/libcrun/linux.c
        r'(?:exec: \\?"|executable file `)(?P<program>[^"`\\]+)'
        r'(?:\\?": (?:executable file not found|stat .*no such file)|` not found)',
        "There is no program {program} in this image.",
        "An image has only what was put into it; one made from scratch has no shell either.",
    ),
    _Rule(
        "wrong-platform",
        r"exec format error",
        "The image is for another kind of processor, and nothing here emulates that.",
        "Install QEMU's emulation (on Debian: qemu-user-static and binfmt-support), or build the "
        "image for your own platform.",
    ),
    _Rule(
        "wrong-platform",
        r"no match for platform|no image found in (?:manifest list|image index) for architecture"
        r"|does not match the specified platform",
        "The image does not exist for this platform.",
        "layerlab.image(NAME).architectures tells for which it does.",
    ),
    _Rule(
        "name-taken",
        r"(?:container )?name \S+ is already (?:in use|used)",
        "Another container has this name, perhaps a dead one.",
        "Take another name, or remove it: layerlab.remove_containers(NAME)",
    ),
    _Rule(
        "image-in-use",
        r"image is being used|image used by|is in use by|must be forced|must force"
        r"|image is in use",
        "A container still uses this image.",
        "Remove the container first; dead ones count too: layerlab.containers() lists them.",
    ),
    _Rule(
        "broken-image",
        r"image with ID \\?\"(?P<id>[0-9a-f]{12})[0-9a-f]*\\?\" \(consider removing",
        "This version of the CLI cannot list images while it has one for several platforms.",
        "It is a known fault (podman issue 19757). layerlab.images() works; so does the CLI after "
        "“manifest rm {id}”.",
    ),
    _Rule(
        "no-tty",
        r"input device is not a TTY|not a terminal|inappropriate ioctl",
        "A notebook cell is no terminal, so the command cannot ask you anything.",
        "Leave out -t and -i.",
    ),
    _Rule(
        "no-such-image",
        r"(?i)no such image|image not known|tag not known|unable to find image"
        r"|failed to resolve reference"
        r"|initializing source docker://",
        "There is no image of this name here, and no registry gave one.",
        "layerlab.images() lists what is here. Is the name spelled right? Is the machine online?",
    ),
    _Rule(
        "no-such-container",
        r"(?i)no such container|no container with name|container not known",
        "There is no container of this name.",
        "layerlab.containers() lists them.",
    ),
    _Rule(
        "unknown-subcommand",
        r"is not a docker command|unknown (?:sub)?command|unrecognized command",
        "The engine has no such subcommand.",
        "%ctr --help lists those that it has.",
    ),
    _Rule(
        "limits-refused",
        # runc: libcontainer/process_linux.go; crun: src/libcrun/utils.c
        r"(?i)setting rlimit|setrlimit",
        "The engine could not start the container: it may not raise its limits here.",
        LIMITS,
    ),
    _Rule(
        "port-in-use",
        r"(?i)port is already allocated|address already in use",
        "Another program uses this port already.",
        "Stop it, or choose another port.",
    ),
)
_NETWORK = re.compile(
    r"(?i)cni plugin|iptables|netavark|needs CNI plugin|failed to (?:create|set up) network"
    r"|bridge.*(?:not found|no such)|operation not supported.*bridge|pasta|slirp4netns"
)
# What a CLI says about a container that ran, mixed with the container's own words.
_NOISE = re.compile(
    r"^(?:WARNING: (?:The requested image's platform|image platform)"
    # Podman runs health checks through systemd; where there is none, it says so and goes on.
    # nerdctl hands its container a signal that comes when the container has ended already.
    r'|time="[^"]*" level=(?:(?:warning|info) '
    r'|error msg="(?:unable to get systemd connection|forward signal child exited))).*\n?',
    re.MULTILINE,
)


def error(argv: Sequence[str], exit_code: int, output: str) -> CommandFailedError:
    """The error for a command that exited non-zero.

    Args:
        argv: the command.
        exit_code: how it ended.
        output: what it printed, both streams.
    """
    tail = output[-MAX_OUTPUT:]
    for rule in _RULES:
        if match := re.search(rule.pattern, tail):
            words = {key: value or "" for key, value in match.groupdict().items()}
            code, message, hint = rule.code, rule.message, rule.hint
            message, hint = message.format(**words), hint.format(**words)
            break
    else:
        code, message, hint = _other(exit_code, tail)
    return CommandFailedError(
        message, code=code, hint=hint, command=argv, exit_code=exit_code, output=tail
    )


def is_about_networks(output: str) -> bool:
    """Whether a container could not start because no network for it could be made."""
    return _NETWORK.search(output) is not None


def container_output(text: str) -> str:
    """What a container printed, without what its CLI said about it."""
    return _NOISE.sub("", text)


def _other(exit_code: int, tail: str) -> tuple[str, str, str]:
    cause = find_cause([], tail.splitlines())
    if cause.code in ("daemon-gone", "permission-denied", "registry-unreachable", "disk-full"):
        return cause.code, "The engine could not do it.", cause.hint
    return "command-failed", f"The command ended with exit code {exit_code}.", ""
