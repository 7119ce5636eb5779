"""What every adapter for text messages must do beside the rest: numbers, and texts no longer than providers take."""

from __future__ import annotations

from typing import Any

import pytest

from channels.vocabulary import SendOutcome, SmsMessage
from tests.providers.conformance import HttpConformance, soon
from tests.providers.gateways import sms


class SmsConformance(HttpConformance):
    """The shared suite, with text messages."""

    private = ("+4915112", "4915112", "plain words")

    def message(self, number: int, text: str = "plain words") -> SmsMessage:
        return sms(number, text=text)

    @pytest.mark.parametrize("text", ["¡Olé! Ünïcödé 😀 中文", "\u202eright to left", "line\nbreak", "x" * 1600, "."])
    def test_any_text_is_carried(self, provider: Any, text: str) -> None:
        (result,) = provider.send_many([self.message(1, text)], deadline=soon())
        assert result.outcome is SendOutcome.ACCEPTED

    @pytest.mark.parametrize("text", ["a&To=%2B1&x=y", "+ % = & ;", "100 % & more = fun\r\n", "&", '{"a": "b"}', "<b>"])
    def test_a_text_that_looks_like_the_wire_stays_a_text(self, provider: Any, text: str) -> None:
        (result,) = provider.send_many([self.message(1, text)], deadline=soon())
        assert result.outcome is SendOutcome.ACCEPTED
