from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.rules.opt_out import START_WORDS, STOP_WORDS, is_start, is_stop

NOISE = st.text(st.sampled_from(" .,!?-_\t\n'\"*"), max_size=6)


@given(word=st.sampled_from(sorted(STOP_WORDS)), before=NOISE, after=NOISE, is_lower=st.booleans())
def test_a_word_is_an_opt_out_however_it_is_dressed(*, word: str, before: str, after: str, is_lower: bool) -> None:
    text = before + (word.lower() if is_lower else word) + after
    assert is_stop(text)
    assert not is_start(text)


@given(word=st.sampled_from(sorted(START_WORDS)), before=NOISE, after=NOISE)
def test_a_start_is_no_stop(word: str, before: str, after: str) -> None:
    assert is_start(before + word + after)
    assert not is_stop(before + word + after)


@pytest.mark.parametrize(
    "text", ["", "please stop", "stop by tomorrow", "the end", "endless", "HELP", "ok", "STOP " * 20, "\u0660"]
)
def test_a_sentence_is_none(text: str) -> None:
    assert not is_stop(text)


@given(st.text())
def test_no_text_is_both(text: str) -> None:
    assert not (is_stop(text) and is_start(text))
