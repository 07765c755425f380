"""A learner's build arguments: read, and written again for each CLI. Pure.

Layerlab always asks the engine for its machine-readable progress and draws the picture itself.
So `--progress` and `--quiet` are choices of view: they are kept in the request, where a face can
see them (`%build --progress plain` prints the log), and never reach the CLI.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from layerlab.engines import references
from layerlab.engines.base import BuildRequest, Option
from layerlab.errors import BuildInputError

VALUE_FLAGS = frozenset(
    f"--{name}"
    for name in """
    add-host allow annotation arch attest authfile build-arg build-context builder buildkit-host
    cache-from cache-to cache-ttl call cap-add cap-drop cert-dir cgroup-parent cgroupns cpp-flag
    cpu-period cpu-quota cpu-shares cpuset-cpus cpuset-mems creds cw decryption-key device dns
    dns-option dns-search env file format from group-add hooks-dir iidfile ignorefile ipc isolation
    jobs label layer-label logfile manifest memory memory-swap metadata-file network
    no-cache-filter os os-feature os-version output pid platform policy print progress provenance
    retry retry-delay root runtime runtime-flag sbom sbom-image-output sbom-image-purl-output
    sbom-merge-strategy sbom-output sbom-purl-output sbom-scanner-command sbom-scanner-image secret
    security-opt server-config shm-size sign-by source-date-epoch source-policy-file ssh tag target
    timestamp ulimit unsetannotation unsetenv unsetlabel userns userns-gid-map userns-gid-map-group
    userns-uid-map userns-uid-map-user uts variant volume
    """.split()  # noqa: SIM905 - a hundred quotation marks would hide the words
)
"""Options that take a value, of `docker buildx build`, `docker build`, `nerdctl build`, `podman
build` and `buildah build` together. `tests/live/test_flags.py` compares it with their --help."""

_LONG = {
    "-t": "--tag",
    "-f": "--file",
    "-o": "--output",
    "-m": "--memory",
    "-c": "--cpu-shares",
    "-v": "--volume",
    "-q": "--quiet",
}
_SHORT = {"--tag": "-t", "--file": "-f"}
"""Long names that everyone writes in their short form."""
_URL = re.compile(r"[a-z][a-z0-9+.-]*://|git@|github\.com/")
_USAGE = "For example: -t colors:first nodejs"


class Dialect(msgspec.Struct, frozen=True):
    """What distinguishes the build command of one CLI from docker's.

    Attributes:
        name: of the CLI, for notes.
        loads: what it builds is always among its images, so that it knows no `--load`.
        manifests: several platforms need `--manifest NAME`, and `--platform` needs `linux/`.
        files: names that it looks for where no `--file` is given, in order.
        platform: what to build for where the learner did not say; None leaves it to the CLI.
    """

    name: str
    loads: bool = False
    manifests: bool = False
    files: tuple[str, ...] = ("Dockerfile",)
    platform: str | None = None


def parse(args: Sequence[str], cwd: Path) -> BuildRequest:
    """Read the arguments of a build command; the context may stand anywhere among them.

    Args:
        args: one per word, without the CLI's own name.
        cwd: the folder that relative paths start from.

    Raises:
        BuildInputError: no context, or several; one that is no folder; a value is missing.
    """
    options: list[Option] = []
    contexts: list[str] = []
    words = iter(args)
    for word in words:
        if word == "--":
            contexts += words
        elif word.startswith("--"):
            options.append(_long(word, words))
        elif word.startswith("-") and word != "-":
            options += _shorts(word, words)
        else:
            contexts.append(word)
    if len(contexts) != 1:
        raise _wrong_number(contexts, options)
    _check_context(contexts[0], options)
    return BuildRequest(context=contexts[0], options=tuple(options), cwd=cwd)


def render(head: Sequence[str], request: BuildRequest, dialect: Dialect) -> tuple[str, ...]:
    """The argument list that builds a request.

    Args:
        head: the CLI with its subcommand and our own options.
        request: what the learner wants.
        dialect: how this CLI differs.

    Raises:
        BuildInputError: code `bad-reference` or `one-name-only`.
    """
    for name in request.tags:
        references.check(name)
    options, _ = _translate(request, dialect)
    context = request.context if request.context[:1] != "-" else f"./{request.context}"
    return (*head, *(word for option in options for word in _words(option)), context)


def notes(request: BuildRequest, dialect: Dialect) -> tuple[str, ...]:
    """What `render` has changed and why, one sentence each, for learners."""
    return _translate(request, dialect)[1]


def _long(word: str, words: Iterator[str]) -> Option:
    flag, equals, value = word.partition("=")
    if equals:
        return Option(flag, value)
    return Option(flag, _value(flag, words) if flag in VALUE_FLAGS else None)


def _shorts(word: str, words: Iterator[str]) -> Iterator[Option]:
    """`-t x`, `-tx`, `-t=x`, and several in one word: `-qt x`."""
    for place, letter in enumerate(word[1:], 2):
        flag = _LONG.get(f"-{letter}", f"-{letter}")
        if flag not in VALUE_FLAGS:
            yield Option(flag)
            continue
        rest = word[place:].removeprefix("=")
        yield Option(flag, rest or _value(f"-{letter}", words))
        return


def _value(flag: str, words: Iterator[str]) -> str:
    try:
        return next(words)
    except StopIteration:
        raise BuildInputError(
            f"The option {flag} needs a value after it.", code="usage", hint=_USAGE
        ) from None


def _wrong_number(contexts: Sequence[str], options: Sequence[Option]) -> BuildInputError:
    if not contexts:
        return BuildInputError(
            "The build context is missing: the folder with the files for the image.",
            code="no-context",
            hint=f"It is the last word of the command, often just a dot. {_USAGE}",
        )
    unknown = [o.flag for o in options if o.value is None and o.flag.startswith("--")]
    hint = f"Which of them is the folder with your files? {_USAGE}"
    if unknown:
        hint = f"If one of them is the value of {unknown[-1]}, write it with =. {hint}"
    named = " and ".join(f"“{context}”" for context in contexts)
    return BuildInputError(
        f"A build has one context, but there are {len(contexts)}: {named}.",
        code="several-contexts",
        hint=hint,
    )


def _check_context(context: str, options: Sequence[Option]) -> None:
    if context == "-" or any(o.flag == "--file" and o.value == "-" for o in options):
        raise BuildInputError(
            "Layerlab cannot read a Dockerfile or a context from standard input.",
            code="context-not-a-folder",
            hint="Write the Dockerfile to a file (%%dockerfile PATH) and name its folder.",
        )
    if _URL.match(context) or context.endswith(".git"):
        raise BuildInputError(
            f"Layerlab builds from folders only; “{context}” is an address.",
            code="context-not-a-folder",
            hint="Get the files first, for example with git clone, then name the folder.",
        )


def _translate(
    request: BuildRequest, dialect: Dialect
) -> tuple[tuple[Option, ...], tuple[str, ...]]:
    options: list[Option] = []
    notes: list[str] = []
    several = dialect.manifests and len(set(request.platforms)) > 1
    if several and len(request.tags) > 1:
        raise BuildInputError(
            f"{dialect.name} gives an image for several platforms one name only.",
            code="one-name-only",
            hint=f"Leave out all -t but one, and add names afterwards: {dialect.name} tag",
        )
    for option in request.options:
        if option.flag in ("--progress", "--quiet"):
            continue
        if option.flag == "--load" and dialect.loads:
            notes.append(f"--load is left out: {dialect.name} always keeps what it builds.")
        elif option.flag == "--jobs":
            notes.append("--jobs is left out: steps that run at once could not be told apart.")
        elif option.flag == "--tag" and several:
            options.append(Option("--manifest", option.value))
            notes.append(f"-t becomes --manifest: so {dialect.name} names a list of platforms.")
        elif option.flag == "--platform" and dialect.manifests:
            options.append(_full(option, notes))
        else:
            options.append(option)
    if dialect.platform and not request.platforms:
        options.insert(0, Option("--platform", dialect.platform))
    options[:0] = _file(request, dialect)
    return tuple(options), tuple(notes)


def _full(option: Option, notes: list[str]) -> Option:
    given = [name.strip() for name in (option.value or "").split(",")]
    full = [name if "/" in name or not name else f"linux/{name}" for name in given]
    if full != given:
        notes.append(f"--platform {option.value} is spelled out: {','.join(full)}.")
    return Option(option.flag, ",".join(full))


def _file(request: BuildRequest, dialect: Dialect) -> list[Option]:
    """Name the Dockerfile where the CLI would take another one, or none."""
    if request.values("--file"):
        return []
    there = [name for name in dialect.files if (request.context_path / name).exists()]
    wanted = request.dockerfile_path.name
    if there[:1] == [wanted] or not request.dockerfile_path.exists():
        return []
    return [Option("--file", str(Path(request.context) / wanted))]


def _words(option: Option) -> tuple[str, ...]:
    flag = _SHORT.get(option.flag, option.flag)
    if option.value is None:
        return (flag,)
    if option.flag in VALUE_FLAGS:
        return flag, option.value
    return (f"{flag}={option.value}",)
