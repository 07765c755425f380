"""What every notebook of the course promises, checked without running it."""

import itertools
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.magic import Magics
from IPython.testing.globalipapp import get_ipython

from layerlab.labs import STAMP, Course
from layerlab.magics import LayerlabMagics
from tests.course.refresh import METADATA, NOT_COMMITTED

COURSE = Course(Path(__file__).parents[2] / "course")
NOTEBOOKS = [lab.notebook for lab in COURSE.labs]
BASES = tomllib.loads((COURSE.folder / "bases.toml").read_text())["base"]

MAGIC = re.compile(r"(?m)^(?:\w+ = )?(%%?[a-z_]+)")
IN_TEXT = re.compile(r"`(%%?[a-z_]+)")
FROM = re.compile(r"(?m)^FROM (?:--platform=\S+ )?(\S+)")


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def code(path: Path) -> list[Any]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def texts(path: Path) -> list[str]:
    return [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]


def outputs(path: Path) -> Iterator[str]:
    """Every text that a reader of the saved notebook is shown."""
    for cell in code(path):
        for output in cell.outputs:
            yield output.get("text", "")
            yield from output.get("data", {}).values()


def magics_of(magics: type[Magics]) -> set[str]:
    """`%lab`, `%%dockerfile` and so on."""
    shell = get_ipython()
    registered = magics(shell=shell).magics
    return {"%" + name for name in registered["line"]} | {
        "%%" + name for name in registered["cell"]
    }


notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_the_list_of_labs_is_complete() -> None:
    assert sorted(COURSE.folder.glob("*.ipynb")) == sorted(NOTEBOOKS)
    contexts = {context for lab in COURSE.labs for context in lab.contexts}
    assert all(context.is_dir() for context in contexts)
    assert set((COURSE.folder / "contexts").glob("*/*")) == contexts


@notebook
def test_it_is_a_valid_notebook_of_format_4_5(path: Path) -> None:
    nbformat.validate(read(path))
    raw = json.loads(path.read_text())
    assert (raw["nbformat"], raw["nbformat_minor"]) == (4, 5)
    assert raw["metadata"] == METADATA


@notebook
def test_it_was_run_from_top_to_bottom(path: Path) -> None:
    """nbval compares nothing for a cell without an execution count."""
    assert [cell.execution_count for cell in code(path)] == list(range(1, len(code(path)) + 1))


@notebook
def test_outputs_hold_no_widget_no_error_and_no_path_of_the_machine(path: Path) -> None:
    kinds = {key for cell in code(path) for out in cell.outputs for key in out.get("data", {})}
    assert kinds <= {"text/plain", "text/html"}
    assert not [out for cell in code(path) for out in cell.outputs if out.output_type == "error"]
    machine = (str(COURSE.folder.parent), str(Path.home()) + "/", "/tmp/", "/var/tmp/", "0x7f")
    for text in outputs(path):
        assert not [word for word in machine if word in text]


@notebook
def test_cells_whose_outputs_are_not_compared_have_none(path: Path) -> None:
    for cell in code(path):
        if NOT_COMMITTED in cell.metadata.get("tags", []):
            assert not cell.outputs


@notebook
def test_every_result_has_a_text_beside_its_html(path: Path) -> None:
    for cell in code(path):
        for out in cell.outputs:
            if "text/html" in out.get("data", {}):
                assert out.data["text/plain"].strip()


@notebook
def test_headings_are_in_order_and_pictures_have_a_text(path: Path) -> None:
    lines = "\n".join(texts(path)).splitlines()
    levels = [len(line.split()[0]) for line in lines if re.match(r"#+ ", line)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in itertools.pairwise(levels))
    assert not re.findall(r"!\[\s*\]", "\n".join(lines))
    assert not re.findall(r"<img(?![^>]*\balt=\"[^\"]+\")", "\n".join(lines))


@notebook
def test_it_says_what_is_learnt_how_long_it_takes_and_what_to_notice(path: Path) -> None:
    whole = "\n".join(texts(path))
    assert re.search(r"\*\*About \d+ minutes", whole)
    for part in ("After this lab you can", "What do you expect?", "What to notice", "## Try it"):
        assert part in whole
    assert "## What you have learnt" in whole


@notebook
def test_every_magic_in_it_exists(path: Path) -> None:
    used = {name for cell in code(path) for name in MAGIC.findall(cell.source)}
    named = {name for text in texts(path) for name in IN_TEXT.findall(text)}
    assert used
    assert used | named <= magics_of(LayerlabMagics) | {"%load_ext"}


def test_the_course_uses_every_magic() -> None:
    used = {
        name
        for path in NOTEBOOKS
        for text in (*texts(path), *(cell.source for cell in code(path)))
        for name in (*MAGIC.findall(text), *IN_TEXT.findall(text))
    }
    assert magics_of(LayerlabMagics) <= used


def test_every_magic_has_help() -> None:
    for name in magics_of(LayerlabMagics):
        text = getattr(LayerlabMagics, name.lstrip("%")).__doc__
        assert text
        assert name in text


def dockerfiles() -> dict[str, str]:
    """All Dockerfiles of the course: those on disk and those that a cell writes."""
    found = {
        str(path.relative_to(COURSE.folder)): path.read_text()
        for path in (COURSE.folder / "contexts").rglob("Dockerfile*")
    }
    for path in NOTEBOOKS:
        for cell in code(path):
            if cell.source.startswith("%%dockerfile "):
                first, _, rest = cell.source.partition("\n")
                found[f"{path.name}: {first}"] = rest
    return found


def test_the_base_images_are_those_that_the_labs_use() -> None:
    names = {base["name"] for base in BASES}
    dockerfile_names = {name for text in dockerfiles().values() for name in FROM.findall(text)}
    assert dockerfile_names - {"scratch"} <= names
    cells = "\n".join(cell.source for path in NOTEBOOKS for cell in read(path).cells)
    assert {name for name in names if name in cells} | dockerfile_names - {"scratch"} == names


def test_each_stage_rests_on_a_folder_that_is_new_each_time_it_is_laid_out() -> None:
    for name, text in dockerfiles().items():
        stages = text.split("FROM ")[1:]
        assert stages
        for stage in stages:
            # What a stage takes from another one is as new as that one.
            first = re.search(r"(?ms)^(WORKDIR|COPY --from|COPY|RUN|ADD)\b.*", stage)
            assert first, name
            assert first[1] in ("WORKDIR", "COPY --from"), name
            assert STAMP in stage[: first.start() + first[0].index("\n")], name


@notebook
def test_no_stamp_is_left_in_an_output(path: Path) -> None:
    assert not [text for text in outputs(path) if STAMP in text]


def test_the_line_that_lab_01_edits_is_there_once() -> None:
    app = (COURSE.lab("01").contexts[0] / "app.js").read_text()
    assert app.splitlines().count('var APP_VERSION="1.0";') == 1


def test_the_dockerfile_of_lab_01_has_the_six_steps_in_the_classic_order() -> None:
    text = (COURSE.lab("01").contexts[0] / "Dockerfile").read_text()
    steps = re.findall(r"(?m)^(FROM|WORKDIR|COPY|RUN|ADD)\b", text)
    assert steps == ["FROM", "WORKDIR", "COPY", "RUN", "COPY", "COPY"]


def test_the_line_that_lab_02_edits_is_there_once() -> None:
    app = (COURSE.lab("02").contexts[0] / "main.go").read_text()
    assert app.splitlines().count('const appVersion = "1.0"') == 1
    assert app.count("appVersion =") == 1


def test_the_two_dockerfiles_of_lab_02_begin_alike() -> None:
    """So the stage `build` of the second one comes from the cache."""
    folder = COURSE.lab("02").contexts[0]
    single, _, end = (folder / "Dockerfile.single").read_text().partition("CMD")
    build, _, scratch = (folder / "Dockerfile").read_text().partition("\nFROM scratch")
    assert end
    assert scratch
    assert build.replace(" AS build", "") == single


def test_nothing_is_run_in_the_foreign_stage_of_lab_03() -> None:
    text = (COURSE.lab("03").contexts[0] / "Dockerfile.cross").read_text()
    native, foreign = text.split("FROM ")[1:]
    assert native.startswith("--platform=$BUILDPLATFORM ")
    assert "RUN" not in foreign
