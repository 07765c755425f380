"""What `sanitize.cfg` makes of an output, read as nbval reads it."""

from __future__ import annotations

import re
from pathlib import Path

from nbval.plugin import get_sanitize_patterns

PATTERNS = Path(__file__).parents[2] / "course/sanitize.cfg"
ALONE = "PID   USER     COMMAND\n    1 root     ps\n"
AMONG_OTHERS = """\
PID   USER     COMMAND
    1 root     python3
   82 root     proot
   85 root     ps
"""


def sanitized(text: str) -> str:
    for pattern, replacement in get_sanitize_patterns(PATTERNS.read_text(encoding="utf-8")):
        text = re.sub(pattern, replacement, text)
    return text


def test_a_container_may_see_this_computers_processes() -> None:
    assert sanitized(AMONG_OTHERS) == sanitized(ALONE)
    assert sanitized(ALONE).splitlines()[1:] == ["·1 root·ps"]


def test_no_process_of_the_container_may_be_missing() -> None:
    missing = AMONG_OTHERS.replace("   85 root     ps\n", "")
    assert sanitized(missing) != sanitized(ALONE)


def test_nbval_reads_every_pattern() -> None:
    text = PATTERNS.read_text(encoding="utf-8")
    sections = re.findall(r"^\[.*\]$", text, re.MULTILINE)
    assert len(get_sanitize_patterns(text)) == len(sections)
    known = r"(?:#|\[|regex: |replace:|$)"
    assert [line for line in text.splitlines() if not re.match(known, line)] == []
