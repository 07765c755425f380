"""`python -m tests.golden.differences`: what two generations of a tool print differently.

Of each case that was recorded from both, the facts that a learner would see: a row for each that
differs, and a line that counts those that do not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from layerlab.views.tables import text_table
from tests.golden.recording import Recording, recordings

HEADINGS = ("tool", "case", "fact", "older", "newer")


def main() -> None:
    """Print the table."""
    rows, same = [], 0
    for (tool, case), pair in _pairs():
        older, newer = map(facts, pair)
        different = [
            (tool, case, name, older[name], newer[name])
            for name in older
            if older[name] != newer[name]
        ]
        rows += different
        same += len(older) - len(different)
    print(text_table(HEADINGS, rows))
    print(f"\n{len(rows)} facts differ, {same} are the same")


def facts(recording: Recording) -> dict[str, str]:
    """What a build came to, in short words."""
    build = recording.build()
    failure = build.failure
    return {
        "exit code": str(build.exit_code),
        "outcome": str(build.outcome),
        "states": " ".join(f"{row.text.split()[0]}:{row.state}" for row in build.counted),
        "failure": failure.code if failure else "",
        "failing lines": str(failure.lines) if failure else "",
        "warnings": str(len(build.warnings)),
        "log lines": str(
            sum(len(step.log.head) for step in build.steps.values() if step.in_dockerfile)
        ),
    }


def _pairs() -> Iterator[tuple[tuple[str, str], tuple[Recording, Recording]]]:
    by_tool: dict[tuple[str, str], list[Recording]] = defaultdict(list)
    for recording in recordings():
        tool = recording.folder.parent.name.rpartition("-")[0]
        by_tool[tool, recording.folder.name].append(recording)
    for key, found in by_tool.items():
        if len(found) == 2:
            older, newer = sorted(found, key=_version)
            yield key, (older, newer)


def _version(recording: Recording) -> tuple[int, ...]:
    words = recording.folder.parent.name.rpartition("-")[2].split(".")
    return tuple(int("".join(filter(str.isdigit, word)) or 0) for word in words)


if __name__ == "__main__":
    main()
