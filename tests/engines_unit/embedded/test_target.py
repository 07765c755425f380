"""Whose fault an error is: that of the step in which it came up."""

from __future__ import annotations

import pytest

from layerlab.engines.embedded.build.target import StepError, _failing
from layerlab.errors import LayerlabError


def raised(error: Exception) -> StepError:
    with pytest.raises(StepError) as found, _failing("step"):
        raise error
    return found.value


def test_an_error_is_that_of_its_step() -> None:
    error = LayerlabError("no", code="some-code")
    failed = raised(error)
    assert (failed.step, failed.error) == ("step", error)


def test_what_may_not_be_read_is_said() -> None:
    failed = raised(PermissionError(13, "Permission denied", "/there/secret"))
    assert failed.step == "step"
    assert failed.error.code == "permission-denied"
    assert "/there/secret" in failed.error.message
    assert failed.error.hint


def test_a_fault_of_ours_is_none_of_the_steps() -> None:
    with pytest.raises(ZeroDivisionError), _failing("step"):
        raise ZeroDivisionError
