"""repo2docker's own Dockerfile for this repository, and the same steps on another base image.

Its base image (Ubuntu's `buildpack-deps`) and conda come from registries that a test machine may
not reach. So two steps are others here: what the image begins with, and where Python comes from.
All others are taken word for word; where one is no longer found, this says so.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
USER = ("--user-id", "1000", "--user-name", "jovyan")
"""As BinderHub says it."""
FILES = ("repo2docker-entrypoint", "python3-login")
BASE = "docker.io/library/debian:trixie-slim"
_FROM = re.compile(r"^FROM (\S+)$", re.MULTILINE)
_COPIED = re.compile(r"^COPY \S+ build_script_files/.*\n", re.MULTILINE)
_CONDA = re.compile(r"^RUN (?:.*\\\n)*?.*install-base-env\.bash.*\\\n(?:.*\\\n)*.*\n", re.MULTILINE)
# Of what buildpack-deps has, that which the later steps use; and a Python for the next step.
_BEGINNING = f"""\
FROM {BASE}
RUN apt-get -qq update && apt-get -qq install --yes --no-install-recommends \\
    ca-certificates git python3-venv wget >/dev/null && rm -rf /var/lib/apt/lists/*"""
# repo2docker's lock file brings the same two, and ends by giving the folder to the user.
_PYTHON = """\
RUN python3 -m venv ${NB_PYTHON_PREFIX} && \\
    ${NB_PYTHON_PREFIX}/bin/pip install --quiet --no-cache-dir jupyterlab notebook && \\
    chown -R ${NB_USER}:${NB_USER} ${CONDA_DIR}
"""
# A login shell starts everything, and Debian's forgets PATH; repo2docker activates conda there.
_START = "# Add start script\n"
_ACTIVATED = """\
USER root
RUN echo 'PATH=${NB_PYTHON_PREFIX}/bin:$PATH' >/etc/profile.d/activate.sh
USER ${NB_USER}
"""


def install(folder: Path) -> Path:
    """repo2docker in an environment of its own; gives the program."""
    if not (folder / "bin/jupyter-repo2docker").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = (folder / "bin/pip", "install", "--quiet", "jupyter-repo2docker")
        subprocess.run(pip, check=True)
    return folder / "bin/jupyter-repo2docker"


def dockerfile(program: Path) -> str:
    """What repo2docker would build from this repository."""
    argv = (program, *USER, "--no-build", "--debug", ".")
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.lstrip()


def adapted(text: str, build: Mapping[str, str]) -> str:
    """The same steps on Debian with its Python.

    Args:
        text: repo2docker's Dockerfile.
        build: variables that postBuild alone shall see; none of them stays in the image.

    Raises:
        ValueError: repo2docker has changed, and a step is not found.
    """
    for pattern, replacement in ((_FROM, _BEGINNING), (_COPIED, ""), (_CONDA, _PYTHON)):
        text, found = pattern.subn(replacement.replace("\\", r"\\"), text)
        if not found:
            raise ValueError(f"repo2docker's Dockerfile has nothing like {pattern.pattern}")
    post, words = "RUN ./binder/postBuild\n", " ".join(f"{k}={v}" for k, v in build.items())
    if post not in text or _START not in text:
        raise ValueError("repo2docker does not run binder/postBuild, or binder/start")
    secret = "--mount=type=secret,id=registries,target=/run/registries.conf,mode=0444"
    text = text.replace(post, f"RUN {secret} {words} ./binder/postBuild\n")
    return text.replace(_START, _ACTIVATED + _START)


def context(folder: Path, program: Path, text: str) -> None:
    """The build context as repo2docker would send it: the repository as `src`, its own files."""
    argv = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        target = folder / "src" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, target)
    (package,) = program.parents[1].glob("lib/python*/site-packages/repo2docker/buildpacks")
    for name in FILES:
        shutil.copy(package / name, folder / name)
    (folder / "Dockerfile").write_text(text, encoding="utf-8")
