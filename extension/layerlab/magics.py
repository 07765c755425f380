"""The magics. Thin: each parses its line, asks the session, shows what came back."""

from __future__ import annotations

import os
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class

from layerlab.api import doctor, session
from layerlab.engines import argv
from layerlab.errors import LayerlabError
from layerlab.labs import STAMP, Course, Lab, edit, lay_out, scratch, stamp
from layerlab.model.build import Build
from layerlab.model.text import printable
from layerlab.render import Picture, notebook_sink, teach_ipython
from layerlab.views import tables
from layerlab.views.changes import sentence


@magics_class
class LayerlabMagics(Magics):
    """`%engine %lab %%dockerfile %edit %change %predict %build %explain %ctr %builds`."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        # The notebook's folder: `%lab` changes the working directory, the course stays.
        self._start = Path.cwd()
        self._laid_out = datetime.now(UTC)
        self._lab: tuple[Lab, Path] | None = None

    @line_magic
    def engine(self, line: str) -> Picture | None:
        """Show or choose the engine that builds.

        %engine            the one in use
        %engine podman     use podman from now on
        %engine list       all of them: what works, what does not, how to mend it
        """
        name = line.strip()
        if name == "list":
            return doctor()
        chosen = session().use(name) if name else session().engine
        report = chosen.probe()
        say(f"engine: {chosen.name} {report.version}, builds with {report.builder}")
        return None

    @line_magic
    def lab(self, line: str) -> None:
        """Lay out a fresh copy of a lab's files and work there.

        %lab 01            an earlier copy is replaced
        %lab               what labs there are
        """
        # A fifth of what loading the extension takes.
        from layerlab.bases import catalogue, provide

        course = Course.around(self._start)
        if not line.strip():
            for entry in course.labs:
                say(f"%lab {entry.id}   {entry.title}")
            return
        lab = course.lab(line.strip())
        self._laid_out = datetime.now(UTC)
        folder = lay_out(lab, scratch(course, os.environ), self._laid_out)
        self._lab = (lab, folder)
        session().foresight.forget(folder)
        os.chdir(folder)
        say(f"Lab {lab.id}: {lab.title}. A fresh copy to work on:")
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            say(f"  {path.relative_to(folder)}")
        wanted = [base for base in catalogue.load(course.bases) if base.image in lab.bases]
        engine = session().engine
        for report in provide.ensure(engine, wanted, say=lambda text: say(f"note: {text}")):
            if report.note:
                say(f"note: {report.name}: {report.note}")

    @cell_magic
    def dockerfile(self, line: str, cell: str) -> None:
        """Write the cell to a file; @LAID_OUT@ becomes the time of the last %lab.

        %%dockerfile nodejs/Dockerfile
        FROM …
        """
        names = words(line)
        if len(names) != 1:
            raise LayerlabError(
                "%%dockerfile takes one path.",
                code="usage",
                hint="For example: %%dockerfile nodejs/Dockerfile",
            )
        path = Path(names[0])
        if not path.parent.is_dir():
            raise LayerlabError(
                f"There is no folder {path.parent} to write {path.name} into.",
                code="no-folder",
                hint="Have you run the %lab cell above?",
            )
        path.write_text(cell.replace(STAMP, stamp(self._laid_out)), encoding="utf-8")
        count = len(cell.splitlines())
        say(f"Wrote {path}, {count} lines.")

    @line_magic
    def edit(self, line: str) -> None:
        """Change one value in a file.

        %edit nodejs/app.js APP_VERSION=1.1
        """
        file, _, rest = line.strip().partition(" ")
        name, equals, value = rest.strip().partition("=")
        if not (file and name and equals):
            raise LayerlabError(
                "%edit takes a file and NAME=VALUE.",
                code="usage",
                hint="For example: %edit nodejs/app.js APP_VERSION=1.1",
            )
        number, before, after = edit(Path(file), name.strip(), value.strip())
        say(f"{file}, line {number}:")
        say(f"  - {before}")
        say(f"  + {after}")

    @line_magic
    def change(self, line: str) -> Picture | None:
        """Try one of twelve small edits on the project of lab 04: what does it rebuild?

        %change                      the twelve
        %change edit                 build the lab as it was laid out, edit it, build it again
        %change edit --guess 9,10    say first which steps will run
        %change table                what all of them rebuild, without building
        """
        from layerlab import changes, foretold, trial

        guess, names = taken(words(line), "--guess")
        if not names:
            for each in changes.CHANGES:
                say(f"%change {each.name:8} {sentence(each.name)}")
            return None
        if names == ["table"]:
            lab = Course.around(self._start).lab(changes.LAB)
            return trial.table(foretold.foretell_all(lab, datetime.now(UTC)))
        chosen = changes.find(" ".join(names))
        if self._lab is None or self._lab[0].id != changes.LAB:
            raise LayerlabError(
                f"%change works on the files of lab {changes.LAB}, which are not laid out yet.",
                code="not-laid-out",
                hint=f"Run %lab {changes.LAB} first.",
            )
        return trial.attempt(
            session(),
            trial.Copy(*self._lab, self._laid_out),
            chosen,
            notebook_sink(os.environ, plain=False),
            guess=None if guess is None else numbers(guess),
            report=say,
        ).picture()

    @line_magic
    def build(self, line: str) -> Build:
        """Build an image, with the arguments of the CLI's own build command.

        %build -t colors:first nodejs
        %build -t colors:arm --platform arm64 --no-cache nodejs

        The exact command is shown. The result is a Build.
        """
        request = argv.parse(words(line), Path.cwd())
        plain = request.values("--progress")[-1:] == ("plain",)
        return session().build(request, notebook_sink(os.environ, plain=plain))

    @line_magic
    def predict(self, line: str) -> Picture:
        """Say what will become of each step before anything is built; guess first, if you like.

        %predict -t colors:first nodejs              the arguments of %build
        %predict --guess 4,5 -t colors:first nodejs  the steps you expect to run

        A guess hides the answer: the next %build of the same Dockerfile scores it.
        """
        guess, rest = taken(words(line), "--guess")
        marked = None if guess is None else numbers(guess)
        foreseen = session().predict(argv.parse(rest, Path.cwd()), marked)
        if marked is None:
            return Picture.forecast(foreseen.steps)
        return Picture.guess(foreseen.steps, marked)

    @line_magic
    def explain(self, _line: str) -> Picture:
        """Say what became of each step of the last build, and why.

        %explain
        """
        return Picture.explanation(session().explained())

    @line_magic
    def ctr(self, line: str) -> None:
        """Any other subcommand of the chosen engine's CLI.

        %ctr image ls
        %ctr run --rm busybox uname -a
        """
        for command, output in session().engine.ctr(words(line)):
            say(f"$ {shlex.join(command)}")
            for text in output.splitlines():
                say(printable(text, limit=None))

    @line_magic
    def builds(self, line: str) -> Build | Picture:
        """Earlier builds, those of earlier kernels included.

        %builds            a list, the newest first
        %builds 2          the second newest in full
        """
        found = list(reversed(session().workspace.builds()))
        if not line.strip():
            return Picture.table("Earlier builds", tables.BUILDS, tables.build_rows(found))
        if not line.strip().isdigit() or not 1 <= int(line) <= len(found):
            raise LayerlabError(
                f"There is no build {line.strip()}; {len(found)} are remembered.",
                code="no-such-build",
                hint="%builds shows them, numbered from the newest.",
            )
        return found[int(line) - 1]


def load(shell: InteractiveShell) -> None:
    """Register the magics and the way our types are drawn."""
    shell.register_magics(LayerlabMagics)
    teach_ipython(shell)


def words(line: str) -> list[str]:
    """Split a magic's line as a shell would, without a shell."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise LayerlabError(
            "A quotation mark in this line has no partner.",
            code="usage",
            hint='Quote a value with spaces like this: --label "note=two words"',
            output=str(error),
        ) from error


def taken(words: list[str], flag: str) -> tuple[str | None, list[str]]:
    """The value of one option of ours, and the other words."""
    for at, word in enumerate(words):
        if word == flag and at + 1 < len(words):
            return words[at + 1], words[:at] + words[at + 2 :]
        if word.startswith(f"{flag}="):
            return word.partition("=")[2], words[:at] + words[at + 1 :]
    return None, words


def numbers(text: str) -> tuple[int, ...]:
    """`4,5` as numbers; `none` is a guess, too."""
    if text == "none":
        return ()
    if not re.fullmatch(r"\d+(,\d+)*", text):
        raise LayerlabError(
            f"A guess is a list of step numbers; “{text}” is none.",
            code="usage",
            hint="For example: %predict --guess 4,5 nodejs, or --guess none.",
        )
    return tuple(int(number) for number in text.split(","))


def say(text: str) -> None:
    """A line of the cell's output."""
    print(text)
