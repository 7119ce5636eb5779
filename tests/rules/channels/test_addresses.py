from __future__ import annotations

import base64
import json

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.errors import BadAddress
from channels.rules import addresses
from channels.rules.phones import is_plain
from channels.vocabulary import Platform

KEYS = {
    "p256dh": base64.urlsafe_b64encode(b"\x04" + bytes(64)).rstrip(b"=").decode(),
    "auth": base64.urlsafe_b64encode(bytes(16)).rstrip(b"=").decode(),
}
SUBSCRIPTION = {"endpoint": "https://push.example.com/send/abcdef", "expirationTime": None, "keys": KEYS}


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("alice@example.com", "alice@example.com"),
        ("  Alice@EXAMPLE.com ", "Alice@example.com"),
        ("user@exämple.com", "user@xn--exmple-cua.com"),
        ("sandbox-bounced@example.com", "sandbox-bounced@example.com"),
    ],
)
def test_an_email_is_kept_with_its_domain_in_ascii_and_lower_case(given_: str, kept: str) -> None:
    assert addresses.normalise_email(given_) == kept


@pytest.mark.parametrize(
    "text", ["", "bob", "a b@example.com", "a@b@example.com", "a@localhost", "x@y.com\r\nBcc: z@y.com"]
)
def test_what_is_not_one_email_address_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(BadAddress) as refusal:
        addresses.normalise_email(text)
    assert refusal.value.code == "invalid_email"
    assert not text or text not in str(refusal.value)


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("+15559876543", "+15559876543"),
        ("+1 (555) 987-6543", "+15559876543"),
        (" +44 7700 900123", "+447700900123"),
    ],
)
def test_a_phone_is_kept_as_e164(given_: str, kept: str) -> None:
    assert addresses.normalise_phone(given_) == kept


@pytest.mark.parametrize("text", ["5559876543", "07700 900123", "0044 7700 900123", ""])
def test_a_phone_without_country_code_is_refused_with_a_cure(text: str) -> None:
    with pytest.raises(BadAddress, match="start with \\+ and the country code"):
        addresses.normalise_phone(text)


@pytest.mark.parametrize("text", ["+", "+999123", "+4412", "+1555987654321", "+15559876543 ext. 5", "+1;drop"])
def test_a_phone_that_cannot_exist_is_refused(text: str) -> None:
    with pytest.raises(BadAddress) as refusal:
        addresses.normalise_phone(text)
    assert refusal.value.code == "invalid_phone"


def test_an_app_token_is_kept_as_it_is() -> None:
    token = "APA91b:c0FFEE_-x" * 10
    assert addresses.normalise_token(Platform.ANDROID, token) == token
    assert addresses.normalise_token(Platform.IOS, "ab" * 32) == "ab" * 32


@pytest.mark.parametrize("token", ["", "ab", "with space", "line\nbreak", "x" * 4097, {"endpoint": "x"}, "émoji"])
def test_an_app_token_of_another_shape_is_refused(token: object) -> None:
    with pytest.raises(BadAddress, match="exactly as"):
        addresses.normalise_token(Platform.ANDROID, token)  # type: ignore[arg-type]  # what callers may send


def test_a_web_token_is_the_same_whether_given_as_object_or_text() -> None:
    kept = addresses.normalise_token(Platform.WEB, SUBSCRIPTION)
    assert kept == addresses.normalise_token(Platform.WEB, json.dumps(SUBSCRIPTION))
    assert json.loads(kept) == {"endpoint": SUBSCRIPTION["endpoint"], "keys": KEYS}


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "http://push.example.com/x"},
        {"endpoint": "https://user@push.example.com/x"},
        {"endpoint": "https://"},
        {"endpoint": "https://[broken"},
        {"endpoint": 5},
        {"keys": None},
        {"keys": {**KEYS, "auth": "short"}},
        {"keys": {**KEYS, "p256dh": "not base64!"}},
        {"keys": {"auth": KEYS["auth"]}},
    ],
)
def test_a_web_token_of_another_shape_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(BadAddress, match="PushSubscription"):
        addresses.normalise_token(Platform.WEB, {**SUBSCRIPTION, **change})


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "null", '"x"'])
def test_a_web_token_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(BadAddress, match="PushSubscription"):
        addresses.normalise_token(Platform.WEB, text)


def test_hints_show_just_enough() -> None:
    web = addresses.normalise_token(Platform.WEB, SUBSCRIPTION)
    assert addresses.email_hint("alice@example.com") == "a…@example.com"
    assert addresses.phone_hint("+15559876543") == "…6543"
    assert addresses.token_hint("0123abcdef") == "…cdef"
    assert addresses.token_hint(web) == "…cdef"


def test_two_spellings_of_a_mailbox_compare_equal() -> None:
    assert addresses.comparable_email("Alice@example.com") == addresses.comparable_email("aLICE@example.com")


@given(st.text(max_size=60))
def test_no_text_breaks_the_checks(text: str) -> None:
    for check in (
        addresses.normalise_email,
        addresses.normalise_phone,
        lambda value: addresses.normalise_token(Platform.WEB, value),
        lambda value: addresses.normalise_token(Platform.IOS, value),
    ):
        try:
            kept = check(text)
        except BadAddress:
            continue
        assert check(kept) == kept


def _parsed(text: str) -> str:
    """What the parser makes of a number, or nothing."""
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return ""
    possible = not number.extension and phonenumbers.is_possible_number(number)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if possible else ""


@settings(max_examples=3_000)
@given(
    st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)),
    st.text("0123456789", max_size=14),
    st.sampled_from(["", "0", "1", "8", "9", "15", "044"]),
)
def test_a_number_taken_at_a_glance_is_what_the_parser_makes_of_it(code: int, rest: str, start: str) -> None:
    text = f"+{code}{start}{rest}"
    kept = _parsed(text)
    if is_plain(text):
        assert kept == text
    if kept:
        assert addresses.normalise_phone(text) == kept
    else:
        with pytest.raises(BadAddress):
            addresses.normalise_phone(text)


def test_the_usual_numbers_are_taken_at_a_glance() -> None:
    numbers = ["+447700900123", "+15559876543", "+4915112345678", "+33612345678", "+918123456789", "+5511987654321"]
    assert all(map(is_plain, numbers))
    assert not is_plain("+4407700900123")
    assert not is_plain("+999123456789")


_DOMAINS = [
    "example.com",
    "EXAMPLE.com",
    "localhost",
    "xn--exmple-cua.com",
    "exämple.com",
    "a..b",
    "test",
    "x.test",
    "",
]


def _validated(text: str) -> str:
    try:
        checked = validate_email(text.strip(), check_deliverability=False)
    except EmailNotValidError:
        return ""
    return f"{checked.local_part}@{checked.ascii_domain}"


@settings(max_examples=2_000)
@given(
    st.one_of(st.text("aB.+_-@\"\\ ä'", max_size=12), st.sampled_from(["Info", "POSTMASTER", "x" * 64, "x" * 250])),
    st.one_of(st.sampled_from(_DOMAINS), st.text("aB.-@1 [ä", max_size=20)),
)
def test_an_email_taken_at_a_glance_is_what_the_validator_makes_of_it(local: str, domain: str) -> None:
    kept = _validated(f"{local}@{domain}")
    if kept:
        assert addresses.normalise_email(f"{local}@{domain}") == kept
    else:
        with pytest.raises(BadAddress):
            addresses.normalise_email(f"{local}@{domain}")
