from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.rules.mail import BadMail, Sender, compose
from channels.vocabulary import EmailMessage

SENDER = Sender("news@example.com", "The Shop")
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def mail(**changes: Any) -> EmailMessage:
    declared: dict[str, Any] = {"id": UUID(int=7), "to": "alice@example.com", "subject": "Hello", "text": "words"}
    return EmailMessage(**{**declared, **changes})


def parsed(message: EmailMessage) -> Any:
    return message_from_bytes(compose(message, sender=SENDER, now=NOW), policy=policy.default)


def test_a_mail_has_its_headers_and_our_id() -> None:
    found = parsed(mail(subject="Grüße 😀"))
    assert (found["From"], found["To"]) == ("The Shop <news@example.com>", "alice@example.com")
    assert found["Subject"] == "Grüße 😀"
    assert found["Message-ID"] == f"<{UUID(int=7)}@example.com>"
    assert found["Date"].datetime == NOW


def test_text_and_html_are_alternatives_with_the_better_last() -> None:
    found = parsed(mail(text="Grüße", html="<p>Grüße</p>"))
    assert found.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in found.iter_parts()] == ["text/plain", "text/html"]
    assert found.get_body(("html",)).get_content().strip() == "<p>Grüße</p>"


@pytest.mark.parametrize(("parts", "kind"), [({"html": "<p>x</p>", "text": ""}, "text/html"), ({}, "text/plain")])
def test_one_part_alone_is_no_multipart(parts: dict[str, str], kind: str) -> None:
    assert parsed(mail(**parts)).get_content_type() == kind


def test_list_unsubscribe_passes_through_unbroken() -> None:
    link = f"<https://example.com/u/{'t' * 300}>, <mailto:u@example.com?subject={'s' * 200}>"
    raw = compose(
        mail(headers={"List-Unsubscribe": link, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}),
        sender=SENDER,
        now=NOW,
    )
    assert f"\r\nList-Unsubscribe: {link}\r\n".encode() in raw
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"subject": "Hi\r\nBcc: eve@example.com"}, "header_injection"),
        ({"subject": "Hi\nBcc: eve@example.com"}, "header_injection"),
        ({"subject": "Hi\u2028Bcc: eve@example.com"}, "header_injection"),
        ({"subject": "Hi\x00"}, "header_injection"),
        ({"to": "alice@example.com\r\nBcc: eve@example.com"}, "header_injection"),
        ({"to": "alice@example.com, eve@example.com"}, "bad_address"),
        ({"to": "Alice <alice@example.com>"}, "bad_address"),
        ({"to": ""}, "bad_address"),
        ({"headers": {"X-A": "b\r\nBcc: eve@example.com"}}, "header_injection"),
        ({"headers": {"X-A\r\nBcc": "eve@example.com"}}, "forbidden_header"),
        ({"headers": {"X A": "b"}}, "forbidden_header"),
        ({"headers": {"bcc": "eve@example.com"}}, "forbidden_header"),
        ({"headers": {"FROM": "eve@example.com"}}, "forbidden_header"),
        ({"headers": {"Content-Type": "text/html"}}, "forbidden_header"),
        ({"headers": {"X-SMTPAPI": "{}"}}, "forbidden_header"),
        ({"headers": {"x-ses-configuration-set": "theirs"}}, "forbidden_header"),
        ({"headers": {"X-A": "b" * 2000}}, "header_too_long"),
        ({"text": "broken \ud800"}, "unencodable"),
        ({"html": "broken \ud800"}, "unencodable"),
        ({"subject": "broken \ud800"}, "unencodable"),
    ],
)
def test_what_would_break_out_or_break_is_refused(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(BadMail, match=f"^{code}$"):
        compose(mail(**changes), sender=SENDER, now=NOW)


@given(st.text(max_size=200), st.text(max_size=500), st.text(max_size=500))
def test_whatever_the_words_the_recipients_and_the_lines_stay_right(subject: str, text: str, html: str) -> None:
    try:
        raw = compose(mail(subject=subject, text=text, html=html), sender=SENDER, now=NOW)
    except BadMail:
        return
    found = message_from_bytes(raw, policy=policy.default)
    assert found["To"] == "alice@example.com"
    assert found["Cc"] is None
    assert found["Bcc"] is None
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    raw.decode("ascii")


#: What may stand in a header: everything but control characters and other line ends.
HEADER_TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=300)


def content_of(found: Any, kind: str) -> str:
    """The decoded text of a part, with the final line end our side adds taken off."""
    part = found if found.get_content_type() == f"text/{kind}" else found.get_body((kind,))
    text: str = part.get_payload(decode=True).decode().replace("\r\n", "\n")
    return text.removesuffix("\n")


@given(HEADER_TEXT, HEADER_TEXT.filter(bool))
def test_a_subject_and_a_name_are_read_as_they_were_written(subject: str, name: str) -> None:
    raw = compose(mail(subject=subject), sender=Sender("news@example.com", name), now=NOW)
    found = message_from_bytes(raw, policy=policy.default)
    assert found["Subject"] == subject
    assert found["From"].addresses[0].addr_spec == "news@example.com"
    # Python's parser puts a space between the encoded words of a name, which RFC 2047 6.2 forbids.
    assert "".join(found["From"].addresses[0].display_name.split()) == "".join(name.split())


@given(st.text(max_size=3000), st.text(min_size=1, max_size=3000))
def test_text_and_html_are_read_as_they_were_written(text: str, html: str) -> None:
    found = parsed(mail(text=text, html=html))
    for kind, written in (("plain", text), ("html", html)):
        if written:
            unified = written.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
            assert content_of(found, kind) == unified


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain words", "7bit"),
        ("x" * 2000, "quoted-printable"),
        ("mostly plain, one ü", "quoted-printable"),
        ("全部中文", "base64"),
        ("nul \0 byte", "quoted-printable"),
    ],
)
def test_a_part_has_the_encoding_that_suits_it(text: str, encoding: str) -> None:
    found = parsed(mail(text=text))
    assert found["Content-Transfer-Encoding"] == encoding
    assert content_of(found, "plain") == text
