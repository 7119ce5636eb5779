from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.rules.smtp_replies import meaning_of
from channels.vocabulary import ReceiptKind, SendOutcome


@pytest.mark.parametrize(
    ("code", "text", "outcome"),
    [
        (550, "5.1.1 no such user", SendOutcome.BAD_RECIPIENT),
        (550, "5.1.0 rejected", SendOutcome.BAD_RECIPIENT),
        (556, "5.1.10 null MX", SendOutcome.BAD_RECIPIENT),
        (553, "5.1.3 bad syntax", SendOutcome.BAD_RECIPIENT),
        (550, "5.1.6 mailbox has moved", SendOutcome.BAD_RECIPIENT),
        (550, "5.2.1 disabled", SendOutcome.BAD_RECIPIENT),
        (550, "no such user", SendOutcome.BAD_MESSAGE),
        (552, "5.3.4 too large", SendOutcome.BAD_MESSAGE),
        (552, "5.2.3 too large", SendOutcome.BAD_MESSAGE),
        (554, "5.6.0 bad content", SendOutcome.BAD_MESSAGE),
        (554, "5.7.1 policy", SendOutcome.BAD_MESSAGE),
        (554, "blocked", SendOutcome.BAD_MESSAGE),
        (554, "5.4.6 routing loop", SendOutcome.TRANSIENT),
        (550, "5.7.1 Relaying denied", SendOutcome.MISCONFIGURED),
        (550, "5.7.26 DMARC", SendOutcome.MISCONFIGURED),
        (535, "5.7.8 bad credentials", SendOutcome.MISCONFIGURED),
        (530, "authentication required", SendOutcome.MISCONFIGURED),
        (534, "5.7.9 stronger mechanism needed", SendOutcome.MISCONFIGURED),
        (421, "closing", SendOutcome.THROTTLED),
        (451, "4.7.0 try later", SendOutcome.THROTTLED),
        (421, "4.7.28 rate", SendOutcome.THROTTLED),
        (450, "4.2.1 receiving mail too quickly", SendOutcome.THROTTLED),
        (450, "too many messages", SendOutcome.THROTTLED),
        (451, "4.3.0 try later", SendOutcome.TRANSIENT),
        (450, "4.7.1 greylisted", SendOutcome.TRANSIENT),
        (299, "strange", SendOutcome.AMBIGUOUS),
        (-1, "", SendOutcome.AMBIGUOUS),
    ],
)
def test_the_enhanced_code_decides(code: int, text: str, outcome: SendOutcome) -> None:
    assert meaning_of(code, text).outcome is outcome


@pytest.mark.parametrize(("code", "text"), [(452, "4.2.2 over quota"), (552, "5.2.2 mailbox full")])
def test_a_full_mailbox_is_a_soft_bounce_and_never_a_dead_address(code: int, text: str) -> None:
    meaning = meaning_of(code, text)
    assert meaning.receipt is ReceiptKind.SOFT_BOUNCED
    assert meaning.outcome is not SendOutcome.BAD_RECIPIENT


def test_the_code_holds_no_word_of_the_text() -> None:
    assert meaning_of(550, "5.1.1 <alice@example.com> unknown").code == "550 5.1.1"


@given(st.integers(-1, 999), st.text(max_size=80))
def test_a_text_without_an_enhanced_code_never_condemns_an_address(code: int, text: str) -> None:
    meaning = meaning_of(code, text.replace(".", ""))
    assert meaning.outcome is not SendOutcome.BAD_RECIPIENT
