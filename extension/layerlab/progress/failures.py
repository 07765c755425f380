"""From an engine's words to a stable code and a hint: the one place that reads error texts.

The first rule that matches wins. Each is covered by a recorded build or by a message
quoted in `tests/progress/test_failures.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec


class Cause(msgspec.Struct, frozen=True):
    """Why a build failed: `message` is the line of the engine that says so."""

    code: str
    message: str
    hint: str


class _Rule(msgspec.Struct, frozen=True):
    """`hint` may use the pattern's named groups."""

    code: str
    pattern: str
    hint: str = ""

    def apply(self, text: str, message: str) -> Cause | None:
        match = re.search(self.pattern, text)
        if match is None:
            return None
        groups = {name: value or "" for name, value in match.groupdict().items()}
        return Cause(self.code, message, self.hint.format(**groups))


# A command of the learner's failed: what it printed says more than the engine does.
_RUN_FAILED = re.compile(
    r'process ".*" did not complete successfully:(?: exit code: (?P<code>\d+))?'
    r"|executor failed running \[.*\]:(?: exit code: (?P<old>\d+))?"
    r"|while running runtime:(?: exit status (?P<status>\d+))?",
    re.DOTALL,
)

_NO_EMULATION = (
    "The image is for another processor than this machine has, and nothing here emulates it. "
    "Leave out --platform to build for your own, or install QEMU's emulation: "
    "docker run --privileged --rm tonistiigi/binfmt --install all"
)
_DISK_FULL = (
    "The disk is full. See what images and caches take with “docker system df” (or “podman system "
    "df”) and free some with “docker system prune” (“podman system prune”)."
)
_OFFLINE = (
    "The command could not reach the network. Is the machine online? Behind a proxy, pass it with "
    "--build-arg HTTPS_PROXY=… ."
)
_NO_SHELL = (
    "The image has no shell to run the command with: one that starts FROM scratch holds only what "
    "you copy into it. Run commands in an earlier stage and COPY --from it."
)

_IN_OUTPUT = (
    _Rule(
        "no-such-user",
        r"unable to find user (?P<name>\S+): no matching entries",
        "The image's /etc/passwd has no {name}. Add one with a RUN before, or write a number.",
    ),
    _Rule(
        "no-such-group",
        r"unable to find group (?P<name>\S+): no matching entries",
        "The image's /etc/group has no {name}. Add one with a RUN before, or write a number.",
    ),
    _Rule("run-failed", r'exec: "/bin/\w*sh": stat /bin/\w*sh: no such file', _NO_SHELL),
    _Rule("exec-format", r"(?i)exec format error", _NO_EMULATION),
    _Rule("disk-full", r"(?i)no space left on device|disk quota exceeded", _DISK_FULL),
    _Rule(
        "run-failed",
        r"(?i)could not resolve host|temporary failure (?:in name resolution|resolving)"
        r"|bad address|EAI_AGAIN|network is unreachable|ENOTFOUND",
        _OFFLINE,
    ),
    _Rule(
        "run-failed",
        r"(?m)(?P<command>[^\s:]+): (?:command )?not found$",
        "The image has no command {command}. Check its spelling, or install it in an earlier RUN.",
    ),
)
_BY_STATUS = {
    "126": _Rule("run-failed", "", "The file is there but cannot be run. Did you chmod +x it?"),
    "127": _Rule("run-failed", "", "Exit code 127 says that the image has no such command."),
    "137": _Rule(
        "out-of-memory",
        "",
        "The command was killed, most often because memory ran out. Give the engine more of it "
        "(in Docker Desktop: Settings, Resources), or let the command do less at a time.",
    ),
}
_RUN_HINT = (
    "A RUN fails when its command ends with anything but 0. Its output above says why; to try "
    "again by hand, run a container from the image that the step before it made."
)

LAYER_LOST = re.compile(r"parent snapshot \S+ does not exist|layer not known")
"""containerd collected a layer that BuildKit's cache still names; podman the same."""

_RULES = (
    _Rule(
        "cancelled",
        r"context canceled|operation was canceled|^interrupt$",
        "The build was stopped before its end. Nothing was tagged.",
    ),
    _Rule(
        "layer-lost",
        LAYER_LOST.pattern,
        "The engine has lost a layer of its cache, often after images were removed. Build again; "
        "if that does not help, build once with --no-cache.",
    ),
    _Rule("exec-format", r"exec format error", _NO_EMULATION),
    _Rule("disk-full", r"(?i)no space left on device|disk quota exceeded", _DISK_FULL),
    _Rule(
        "bad-reference",
        r"invalid (?:reference format|tag)|repository name .*must be lowercase"
        r"|invalid repository name",
        "An image's name is lower case: letters, digits, and . _ - / between them. A tag may "
        "follow a colon, as in colors:first.",
    ),
    _Rule(
        "unknown-flag",
        r"unknown (?:shorthand )?flag: (?:'\w' in )?(?P<flag>\S+)"
        r"|flag provided but not defined: (?P<other>\S+)",
        "This CLI has no option {flag}{other}. Its --help lists those that it has.",
    ),
    _Rule(
        "unknown-flag",
        r"flag needs an argument|invalid argument \".*\" for",
        "An option lacks its value, or has one that the CLI does not take. See its --help.",
    ),
    _Rule(
        "unknown-platform",
        # containerd: platforms/platforms.go; buildctl: frontend/dockerui/attr.go
        r"unknown operating system or architecture|invalid platform|cannot use platform",
        "A platform is written OS/ARCHITECTURE, as in linux/arm64. layerlab.platforms() lists "
        "those that the engine can build for.",
    ),
    _Rule(
        "permission-denied",
        r"permission denied while trying to connect to the [Dd]ocker"
        r"|(?:\.sock|sock(?:et)?\S*): connect: permission denied",
        "You may not talk to the engine. Join its group (sudo usermod -aG docker $USER), "
        "log out and in again; or use podman, which needs no group.",
    ),
    _Rule(
        "daemon-gone",
        r"Cannot connect to the Docker daemon|failed to ping to host unix|dial unix"
        r"|error reading from server|code = Unavailable|transport is closing"
        r"|cannot access containerd socket|no such file or directory.*containerd\.sock"
        r"|Cannot connect to Podman",
        "The engine does not answer, or went away in the middle. Start it again; "
        "“layerlab doctor” says how.",
    ),
    _Rule(
        "unsupported-multi-platform",
        r"(?i)multi-?platform build is not supported|multiple platforms feature is currently not"
        r"|does not currently support exporting manifest lists"
        r'|is an invalid component of ".*,.*": platform specifier',
        "This builder or image store takes one platform at a time. Build one --platform, or make a "
        "builder for several: docker buildx create --use",
    ),
    _Rule(
        "not-a-manifest-list",
        r"(?P<image>\S+): image is not a manifest list",
        "An image for one platform has this name already, and podman and buildah do not replace it "
        "by a list of several. Remove it first (podman rmi {image}), or choose another name.",
    ),
    _Rule(
        "file-not-found",
        r'failed to (?:calculate checksum of ref|compute cache key).*?"/?(?P<path>[^"]*)": '
        r"not found"
        r'|"/?(?P<old>[^"]*)" not found: not found'
        r'|copier: (?:get|stat): (?:globs? )?\[?"/?(?P<stat>[^"]+)"\]?: no such file'
        r'|no items matching glob "(?P<glob>[^"]+)" copied',
        "There is no {path}{old}{stat}{glob} in the build context: COPY sees only that folder, and "
        "not what .dockerignore leaves out. Compare the name, its case included, with the files "
        "there.",
    ),
    _Rule(
        "no-dockerfile",
        r"failed to read dockerfile|unable to evaluate symlinks in Dockerfile path"
        r"|no (?:Containerfile or Dockerfile|Dockerfile or Containerfile) specified or found"
        r"|the specified (?:Docker|Container)file .* not found",
        "No Dockerfile is where the build looks for it. Name it with -f.",
    ),
    _Rule(
        "no-context",
        r'unable to prepare context|^path "?.*"? not found$|context must be a directory',
        "The last argument of a build is the folder with the files for it, often just a dot.",
    ),
    _Rule(
        "unknown-instruction",
        r"(?i)unknown instruction: \"?(?P<word>[^\s\"]+)",
        "No instruction is called {word}. Check its spelling; if the line continues the one before "
        "it, that one must end with a backslash.",
    ),
    _Rule(
        "unknown-target",
        r"(?i)(?:target stage|the target) \"?(?P<name>[^\s\"]+)\"? (?:could not be found|was not)",
        "No FROM says “AS {name}”. --target takes the name of a stage.",
    ),
    _Rule(
        "dockerfile-syntax",
        r"(?i)dockerfile parse error|file with no instructions|no build stage in current context"
        r"|file .*cannot be empty|no contents in|unterminated heredoc|syntax error"
        r"|requires (?:at least|exactly|either) \w+|must have two arguments"
        r"|parsing main Dockerfile|source can't be a URL",
        "The Dockerfile cannot be understood at this line. Compare it with the reference: "
        "https://docs.docker.com/reference/dockerfile/",
    ),
    _Rule(
        "platform-not-found",
        r"no match for platform|does not match the specified platform"
        r"|no image found in (?:manifest list|image index) for architecture"
        r"|does not provide the specified platform",
        "The base image does not exist for this platform. Its page in the registry lists those "
        "that there are.",
    ),
    # BuildKit: `fsutil/copy`, `solver/llbsolver/file/backend.go`.
    _Rule(
        "no-folder",
        r"cannot copy to non-directory|(?:mkdir|lstat) \S+: not a directory",
        "In the image there is a file or a link where a folder is wanted. Copy to another place.",
    ),
    _Rule(
        "folder-in-the-way",
        r"cannot replace to directory \S+ with file",
        "A file cannot take the place of a folder. Copy to another place.",
    ),
    _Rule(
        "missing-secret",
        r"secret (?P<name>\S+): not found",
        "Add --secret id={name},src=FILE to the build command.",
    ),
    _Rule(
        "mount-refused",
        r"unsupported mount type|invalid mount target",
        "RUN --mount has the types bind, cache, tmpfs, secret and ssh, and a target below /.",
    ),
    _Rule(
        "add-failed",
        r"failed to load cache key: (?:invalid response status|Get \")",
        "Does the address work in a browser? Is this machine online?",
    ),
    _Rule(
        "bad-port",
        r"Invalid (?:containerPort|range format|proto)",
        "Write EXPOSE 8080, or EXPOSE 53/udp.",
    ),
    _Rule("bad-signal", r"(?i)invalid signal: ", "Write STOPSIGNAL SIGTERM."),
    _Rule(
        "unknown-target",
        r"invalid stage index (?P<number>\d+)",
        "Only {number} or fewer stages stand before this one; the first is number 0.",
    ),
    _Rule(
        "registry-limit",
        r"(?i)toomanyrequests|429 Too Many Requests|pull rate limit",
        "The registry allows only so many pulls an hour. Wait, or log in to have more.",
    ),
    _Rule(
        "registry-unreachable",
        r"(?i)no such host|i/o timeout|connection refused|network is unreachable|TLS handshake"
        r"|x509:|HTTP response to HTTPS client|temporary failure in name resolution"
        r"|connection reset|proxyconnect|dial tcp|server misbehaving|pinging container registry"
        r"|Client\.Timeout exceeded",
        "The registry that holds the base image cannot be reached from here. Is the machine "
        "online? Does it need a proxy? An image that is already here needs no registry.",
    ),
    _Rule(
        "image-not-found",
        r"pull access denied|repository does not exist|manifest unknown|name unknown"
        r"|(?i:failed to resolve source metadata).*not found|image not known"
        r"|access to the resource is denied|\S/\S+[:@]\S+: not found"
        r"|did not resolve to an alias|no stage or image found with that name|no such image",
        "No registry has this image, or it is private. Check name and tag; for a stage of your "
        "own, compare with its “AS name”.",
    ),
    _Rule(
        "permission-denied",
        r"(?i)permission denied|operation not permitted",
        "A file may not be read or written by the one who builds. Look at its owner and mode with "
        "ls -l.",
    ),
)
# Whatever the rules are looked for in must not hold the instruction itself: it may say anything.
_AT_STEP = re.compile(r'(?:error )?building at STEP ".*?": ', re.DOTALL)
MAX_TEXT = 4_000
"""Characters of a message that are looked at: patterns search it from every place in it."""
_WRAPPERS = re.compile(r"^(?:failed to build: |failed to solve(?: with frontend [\w.]+)?: )+")


def find_cause(errors: Sequence[str], lines: Sequence[str], output: str = "") -> Cause:
    """Say why a build failed.

    Args:
        errors: what the CLI called an error, first to last; those of a step included.
        lines: all its last words, for CLIs that print errors without saying so.
        output: the end of what the failing step printed.
    """
    for text in [*errors, *lines]:
        message = _shortened(_WRAPPERS.sub("", text))
        if run := _RUN_FAILED.search(message):
            return _run_failed(run, message, output)
        plain = _AT_STEP.sub("", message)
        for rule in _RULES:
            if cause := rule.apply(plain, message):
                return cause
    last = _shortened(_WRAPPERS.sub("", next(iter([*errors[:1], *lines[-1:]]), "")))
    if last:
        return Cause("unknown", last, "Layerlab does not know this error. Its text is above.")
    return Cause("unknown", "The build failed and the engine did not say why.", "")


def _shortened(text: str) -> str:
    """Beginning and end, where engines say what they did and what came of it."""
    half = MAX_TEXT // 2
    return text if len(text) <= MAX_TEXT else f"{text[:half]} … {text[-half:]}"


def _run_failed(run: re.Match[str], message: str, output: str) -> Cause:
    said = f"{message[run.end() :]}\n{output}"
    for rule in _IN_OUTPUT:
        if cause := rule.apply(said, message):
            return cause
    status = run["code"] or run["old"] or run["status"] or ""
    rule = _BY_STATUS.get(status, _Rule("run-failed", "", _RUN_HINT))
    return Cause(rule.code, message, rule.hint)
