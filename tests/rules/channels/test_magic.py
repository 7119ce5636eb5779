from __future__ import annotations

import pytest

from channels.rules.addresses import normalise_email, normalise_phone, normalise_token
from channels.rules.magic import DELIVERED, FORTUNES, fortune_of
from channels.vocabulary import Platform


@pytest.mark.parametrize("word", FORTUNES)
def test_every_word_works_in_an_email_and_in_a_token(word: str) -> None:
    assert fortune_of(normalise_email(f"sandbox-{word}@example.com")) is FORTUNES[word]
    assert fortune_of(normalise_token(Platform.ANDROID, f"tok:sandbox-{word}-1")) is FORTUNES[word]


@pytest.mark.parametrize(("number", "word"), list(enumerate(FORTUNES)))
def test_every_word_has_a_phone_number_that_passes_the_address_check(number: int, word: str) -> None:
    assert fortune_of(normalise_phone(f"+1 500 555 00{number:02}")) is FORTUNES[word]


@pytest.mark.parametrize("address", ["alice@example.com", "+447700900123", "sandbox-deadline@example.com", ""])
def test_an_ordinary_address_is_delivered(address: str) -> None:
    assert fortune_of(address) is DELIVERED
