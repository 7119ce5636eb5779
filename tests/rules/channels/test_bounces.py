from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.rules.bounces import DEAD, bounce_kind, enhanced_in
from channels.rules.smtp_replies import meaning_of
from channels.vocabulary import ReceiptKind, SendOutcome


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("5.1.1", ReceiptKind.BOUNCED),
        ("smtp; 550 5.1.1 user unknown", ReceiptKind.BOUNCED),
        ("550-5.1.1 The account does not exist.", ReceiptKind.BOUNCED),
        ("5.1.10 null MX", ReceiptKind.BOUNCED),
        ("5.2.1 disabled", ReceiptKind.BOUNCED),
        ("5.2.2 full", ReceiptKind.SOFT_BOUNCED),
        ("4.2.2 full", ReceiptKind.SOFT_BOUNCED),
        ("4.4.7 expired", ReceiptKind.SOFT_BOUNCED),
        ("5.4.4 unable to route", ReceiptKind.SOFT_BOUNCED),
        ("5.2.3 too large", ReceiptKind.FAILED),
        ("5.3.4 too large", ReceiptKind.FAILED),
        ("5.6.0 content", ReceiptKind.FAILED),
        ("5.7.1 policy", ReceiptKind.FAILED),
        ("5.7.26 DMARC", ReceiptKind.FAILED),
        ("4.7.0 reputation", ReceiptKind.FAILED),
        ("5.1.8 bad sender", ReceiptKind.FAILED),
        ("5.0.0 who knows", None),
        ("2.0.0 OK", None),
        ("550 no such user", None),
        ("", None),
        ("from 5.1.1.20", None),
        ("version 15.1.1", None),
    ],
)
def test_the_enhanced_code_says_what_the_mailbox_is(text: str, kind: ReceiptKind | None) -> None:
    assert bounce_kind(enhanced_in(text)) is kind


@given(st.sampled_from([4, 5]), st.integers(0, 999), st.integers(0, 999), st.text(max_size=20))
def test_only_a_dead_mailbox_is_ever_given_up(first: int, subject: int, detail: int, words: str) -> None:
    text = f"{first}.{subject}.{detail} {words}"
    kind = bounce_kind(enhanced_in(text))
    assert (kind is ReceiptKind.BOUNCED) is (first == 5 and f"{subject}.{detail}" in DEAD)
    if kind is ReceiptKind.BOUNCED:
        assert meaning_of(550, text).outcome is SendOutcome.BAD_RECIPIENT


@given(st.text())
def test_any_text_can_be_asked(text: str) -> None:
    assert bounce_kind(enhanced_in(text)) in {
        None,
        ReceiptKind.BOUNCED,
        ReceiptKind.SOFT_BOUNCED,
        ReceiptKind.FAILED,
    }
