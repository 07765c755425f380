"""BuildKit's vertex names, which are all that ties a vertex to a line of the Dockerfile."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerlab.progress.names import OtherName, StepName, parse, platform_name, same_instruction


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("[2/3] RUN make", (None, None, "", 2, 3, "RUN make", False)),
        ("[ 2/12] RUN make", (None, None, "", 2, 12, "RUN make", False)),
        ("[builder  9/12] COPY a b", (None, None, "builder", 9, 12, "COPY a b", False)),
        (
            "[linux/arm64 builder 2/4] RUN a",
            ("linux/arm64", "linux/arm64", "builder", 2, 4, "RUN a", False),
        ),
        (
            "[linux/amd64->arm64 build 4/4] RUN a",
            ("linux/amd64->arm64", "linux/arm64", "build", 4, 4, "RUN a", False),
        ),
        (
            "[linux/amd64->linux/arm/v7 1/1] FROM a",
            ("linux/amd64->linux/arm/v7", "linux/arm/v7", "", 1, 1, "FROM a", False),
        ),
        ("[stage-1 2/2] ONBUILD RUN a", (None, None, "stage-1", 2, 2, "RUN a", True)),
        ("[2/2] LINK COPY a b", (None, None, "", 2, 2, "COPY a b", False)),
        ("[2/2] RUN <<EOT (one\ntwo)", (None, None, "", 2, 2, "RUN <<EOT (one\ntwo)", False)),
    ],
)
def test_steps(name: str, parts: tuple[Any, ...]) -> None:
    assert parse(name) == StepName(*parts)


@pytest.mark.parametrize(
    ("name", "id_"),
    [
        ("[internal] load build context", "internal:load build context"),
        (
            "[linux/arm64 internal] load metadata for a",
            "internal:linux/arm64 load metadata for a",
        ),
        ("exporting to image", "export:exporting to image"),
        ("importing cache manifest from a", "internal:importing cache manifest from a"),
        ("[0/x] RUN what is this", "internal:[0/x] RUN what is this"),
        ("", "internal:"),
    ],
)
def test_others(name: str, id_: str) -> None:
    other = parse(name)
    assert isinstance(other, OtherName)
    assert other.id == id_


@pytest.mark.parametrize(
    ("written", "printed", "same"),
    [
        ("COPY  a   b", "COPY a b", True),
        ('RUN echo "$A"', "RUN echo 1", True),
        ("WORKDIR ${DIR:-/a}/b", "WORKDIR /srv/b", True),
        ("WORKDIR ${DIR:-${OTHER}}/b", "WORKDIR /b", True),
        ("WORKDIR ${DIR}/b", "WORKDIR /srv/c", False),
        ("RUN a", "RUN ab", False),
        ("RUN ab", "RUN a", False),
        ("run a", "RUN a", True),
        ("COPY $A $A", "COPY x y", True),
        ("COPY $A.txt b", "COPY a.txt.txt b", True),
        ("RUN <<EOT", "RUN <<EOT (make)", True),
        ("RUN <<EOT", "RUN <<END (make)", False),
        ("RUN <<EOT", "RUN <<EOT", True),
        ("COPY <<EOT $F", "COPY <<EOT /a (what)", True),
    ],
)
def test_same_instruction(written: str, printed: str, same: bool) -> None:
    assert same_instruction(written, printed) is same


@pytest.mark.timeout(5)
def test_two_long_commands_that_begin_alike_are_told_apart_at_once() -> None:
    command = f"RUN tool {' '.join(f'--option=$VALUE{n}' for n in range(60))} {'$A ' * 40}"
    assert same_instruction(f"{command} one", f"{command} one")
    assert not same_instruction(f"{command} one", f"{command} two")


parts = st.text("ab(<", max_size=4)


@given(parts=st.lists(parts, min_size=1, max_size=6), values=st.lists(parts, min_size=5))
def test_whatever_the_values_are(parts: list[str], values: list[str]) -> None:
    """An instruction matches what its variables may have been expanded to."""
    written = "RUN " + "$X-".join(parts)
    printed = "RUN " + "".join(
        part + value + "-" for part, value in zip(parts[:-1], values, strict=False)
    )
    assert same_instruction(written, printed + parts[-1])


def test_platforms_are_called_as_engines_print_them() -> None:
    written = ["linux/x86_64", "Linux/aarch64", "linux/arm", "linux/arm64/v8", "linux/riscv64"]
    printed = ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/arm64", "linux/riscv64"]
    assert [platform_name(name) for name in written] == printed
