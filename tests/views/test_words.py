"""Numbers as words, at the edges: the same table as `widgets/js/words.test.js` is tested with."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from layerlab.model.build import Outcome, StepState
from layerlab.views import parts, words

TABLE = json.loads((Path(__file__).parent / "words.json").read_text(encoding="utf-8"))
CASES = [(name, *case) for name, cases in TABLE.items() for case in cases]


@pytest.mark.parametrize(("name", "arguments", "told"), CASES)
def test_words(name: str, arguments: list[Any], told: str) -> None:
    function = parts.keywords if name == "keywords" else getattr(words, name)
    assert function(*arguments) == told


def test_every_state_and_every_outcome_has_a_word_and_a_sign() -> None:
    assert set(words.FATES) == set(get_args(StepState))
    assert set(words.OUTCOMES) == {None, *get_args(Outcome)}
    fates = set(get_args(words.Fate))
    assert set(words.SIGNS) == fates
    told = {words.word(fate) for fate in words.SIGNS}
    assert len(set(words.SIGNS.values())) == len(told) == len(fates)
