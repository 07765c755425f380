"""What is made of repo2docker's Dockerfile: two steps are others, none is missed silently."""

from __future__ import annotations

import pytest

from tests.slow.repo2docker import BASE, adapted

TEXT = """\
FROM registry.invalid/library/buildpack-deps:24.04
RUN echo first && \\
    echo second
COPY --chown=1000:1000 build_script_files/-2fx-environment-2elock-e02aaa /tmp/env/environment.lock
COPY --chown=1000:1000 build_script_files/-2fx-install-d4e9fa /tmp/install-base-env.bash
RUN TIMEFORMAT='time: %3R' \\
bash -c 'time /tmp/install-base-env.bash' && \\
rm -rf /tmp/install-base-env.bash /tmp/env

RUN mkdir -p ${NPM_DIR}
COPY --chown=1000:1000 src/ ${REPO_DIR}/
RUN chmod +x binder/postBuild
RUN ./binder/postBuild
# Add start script
ENTRYPOINT ["/usr/local/bin/repo2docker-entrypoint"]
"""


def test_all_other_steps_stay_word_for_word() -> None:
    made = adapted(TEXT, {"NAME": "value"})
    gone = set(TEXT.splitlines()) - set(made.splitlines())
    assert {line.split()[0] for line in gone} == {"FROM", "COPY", "RUN", "bash", "rm"}
    assert len(gone) == 7
    assert made.startswith(f"FROM {BASE}\n")
    assert "NAME=value ./binder/postBuild\n" in made
    assert "install-base-env" not in made
    assert "python3 -m venv ${NB_PYTHON_PREFIX}" in made


STEPS = ("FROM ", "build_script_files", "bash -c", "RUN ./binder", "# Add")


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_is_not_found_is_told(step: str) -> None:
    text = "".join(line for line in TEXT.splitlines(keepends=True) if step not in line)
    with pytest.raises(ValueError, match="repo2docker"):
        adapted(text, {})
