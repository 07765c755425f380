"""The shape that DESIGN promises, kept by walking the source: who imports whom, and how long."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "extension" / "layerlab"
WIDGETS = ROOT / "widgets" / "layerlab_widgets"
MODULES = sorted([*PACKAGE.rglob("*.py"), *WIDGETS.rglob("*.py")])

MAX_MODULE = 400
MAX_FUNCTION = 50

STDLIB_FOR_ALL = frozenset({"layerlab.errors"})
# Which of ours, and which libraries, a part may import beyond the standard library.
ALLOWED: dict[str, frozenset[str]] = {
    "layerlab.errors": frozenset(),
    "layerlab.model": frozenset({"layerlab.model", "msgspec", "rich"}),  # rich: SGR in output
    "layerlab.progress": frozenset({"layerlab.progress", "layerlab.model", "msgspec"}),
    "layerlab.cache": frozenset(
        {
            "layerlab.cache",
            "layerlab.model",
            "layerlab.views.texts",  # the catalogue: no view
            "docker",
            "dockerfile",
            "msgspec",
        }
    ),
    "layerlab.views": frozenset({"layerlab.views", "layerlab.model"}),
    "layerlab.engines": frozenset(
        {
            "layerlab.engines",
            "layerlab.progress",
            "layerlab.cache",
            "layerlab.model",
            "docker",
            "msgspec",
            "sh",
        }
    ),
    "layerlab.bases": frozenset({"layerlab.bases", "layerlab.engines", "msgspec"}),
    "layerlab_widgets": frozenset(
        {
            "layerlab_widgets",
            "layerlab.model.wire",
            "layerlab.model.wire_guess",
            "anywidget",
            "traitlets",
        }
    ),
}
PURE = (
    "layerlab.model",
    "layerlab.progress",
    "layerlab.cache",
    "layerlab.views",
)
IMPURE_NAMES = {("os", "environ"), ("os", "getenv"), ("time", "time"), ("time", "monotonic")}


def dotted(path: Path) -> str:
    """`layerlab.model.build` for its file."""
    top = PACKAGE.parent if path.is_relative_to(PACKAGE) else WIDGETS.parent
    parts = path.relative_to(top).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST) -> Iterator[str]:
    """Every imported module, with `from a import b` as `a.b` where b is a module of ours."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            names = {dotted(path) for path in MODULES}
            yield from (name if name in names else node.module for name in whole)


def is_ours_or_library(name: str) -> bool:
    """False for the standard library."""
    return name.partition(".")[0] not in sys.stdlib_module_names


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_only_what_its_part_may(path: Path) -> None:
    name = dotted(path)
    part = next((p for p in ALLOWED if name == p or name.startswith(f"{p}.")), None)
    if part is None:
        return  # the outer ring: session, render, magics, command line, course
    allowed = ALLOWED[part] | STDLIB_FOR_ALL
    for imported in imports(ast.parse(path.read_text())):
        if is_ours_or_library(imported):
            assert any(imported == a or imported.startswith(f"{a}.") for a in allowed), (
                f"{name} imports {imported}"
            )


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_widgets_are_imported_only_where_the_widget_sink_is_built(path: Path) -> None:
    if dotted(path) != "layerlab.render" and not path.is_relative_to(WIDGETS):
        found = list(imports(ast.parse(path.read_text())))
        assert not [name for name in found if name.startswith("layerlab_widgets")]


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_only_child_starts_processes(path: Path) -> None:
    if dotted(path) == "layerlab.engines.child":
        return
    found = list(imports(ast.parse(path.read_text())))
    assert not {"subprocess", "sh", "pty", "multiprocessing"} & set(found)


@pytest.mark.parametrize("path", [p for p in MODULES if dotted(p).startswith(PURE)], ids=dotted)
def test_pure_parts_read_no_environment_and_no_clock(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in IMPURE_NAMES


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_nothing_grows_too_long(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_MODULE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            assert length <= MAX_FUNCTION, f"{node.name} has {length} lines"


def test_nothing_that_is_tracked_is_ignored() -> None:
    """What git is told to ignore, hatchling leaves out of the wheel, tracked or not."""
    argv = ("git", "ls-files", "--cached", "--ignored", "--exclude-standard")
    done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == ""
