from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.errors import NotGenuine
from channels.rules.sns_envelope import envelope_of, is_amazons

PLAIN = {
    "Type": "Notification",
    "MessageId": "m-1",
    "TopicArn": "arn:aws:sns:eu-central-1:1:t",
    "Message": "hello",
    "Timestamp": "2027-04-15T12:00:00.000Z",
    "SignatureVersion": "2",
    "Signature": "AAAA",
    "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/a.pem",
    "UnsubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=Unsubscribe",
}


def envelope(**changes: Any) -> bytes:
    return json.dumps({**PLAIN, **changes}).encode()


def test_a_notification_is_signed_by_its_names_and_values() -> None:
    assert envelope_of(envelope(Subject="Hi")).signed_text == (
        b"Message\nhello\nMessageId\nm-1\nSubject\nHi\nTimestamp\n2027-04-15T12:00:00.000Z\n"
        b"TopicArn\narn:aws:sns:eu-central-1:1:t\nType\nNotification\n"
    )
    assert b"Subject" not in envelope_of(envelope()).signed_text


def test_a_confirmation_is_signed_with_its_token() -> None:
    body = envelope(Type="SubscriptionConfirmation", Token="t", SubscribeURL="https://x", Subject="ignored")
    assert envelope_of(body).signed_text == (
        b"Message\nhello\nMessageId\nm-1\nSubscribeURL\nhttps://x\nTimestamp\n2027-04-15T12:00:00.000Z\n"
        b"Token\nt\nTopicArn\narn:aws:sns:eu-central-1:1:t\nType\nSubscriptionConfirmation\n"
    )


@pytest.mark.parametrize("changes", [{"SignatureVersion": "1"}, {"Type": "Else"}, {"Message": 7}, {"TopicArn": None}])
def test_what_cannot_be_verified_is_not_genuine(changes: dict[str, Any]) -> None:
    with pytest.raises(NotGenuine):
        envelope_of(envelope(**changes))


@pytest.mark.parametrize("stamp", ["", "yesterday", "2027-04-15T12:00:00"])
def test_a_time_that_cannot_be_told_is_not_genuine(stamp: str) -> None:
    with pytest.raises(NotGenuine):
        envelope_of(envelope(Timestamp=stamp)).age_seconds(0.0)


@given(st.binary() | st.dictionaries(st.sampled_from([*PLAIN]), st.text() | st.none()).map(lambda d: envelope(**d)))
def test_any_bytes_are_an_envelope_or_not_genuine(body: bytes) -> None:
    try:
        found = envelope_of(body)
        assert found.signed_text
        found.age_seconds(0.0)
    except NotGenuine:
        return


LAB = "https://127.0.0.1:9443"


@pytest.mark.parametrize(
    ("url", "is_theirs"),
    [
        ("https://sns.eu-central-1.amazonaws.com/a.pem", True),
        ("https://sns.cn-north-1.amazonaws.com.cn/a.pem", True),
        ("https://sns.eu-central-1.amazonaws.com:443/a.pem", True),
        ("https://SNS.eu-central-1.amazonaws.com/a.pem", True),
        ("http://sns.eu-central-1.amazonaws.com/a.pem", False),
        ("https://sns.eu-central-1.amazonaws.com:8443/a.pem", False),
        ("https://sns.eu-central-1.amazonaws.com.evil.example/a.pem", False),
        ("https://sns.eu.central.amazonaws.com/a.pem", False),
        ("https://evil.amazonaws.com/a.pem", False),
        ("https://sns.eu-central-1.amazonaws.com@evil.example/a.pem", False),
        ("https://evil.example/sns.eu-central-1.amazonaws.com/a.pem", False),
        ("https://evil.example#.sns.eu-central-1.amazonaws.com/a.pem", False),
        ("https://evil.example\\@sns.eu-central-1.amazonaws.com/a.pem", False),
        ("https://s3.amazonaws.com/evil/a.pem", False),
        ("https://sns.eu-central-1.amazonaws.com\n.evil.example/a.pem", False),
        ("https://sns.eu-central-1.amazonaws.com:port/a.pem", False),
        ("https://[", False),
        ("file:///etc/passwd", False),
        ("", False),
        (f"{LAB}/ses/a.pem", False),
    ],
)
def test_only_amazons_hosts_may_be_asked(url: str, *, is_theirs: bool) -> None:
    assert is_amazons(url) is is_theirs


@pytest.mark.parametrize("url", [f"{LAB}/ses/a.pem", "https://sns.eu-central-1.amazonaws.com/a.pem"])
def test_a_stand_in_may_be_asked_where_it_is_ones_own(url: str) -> None:
    assert is_amazons(url, own_host=LAB)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9443/a.pem", "https://127.0.0.1:9444/a.pem", "https://127.0.0.1:9443@evil.example/a.pem"]
)
def test_a_stand_ins_host_is_that_host_alone(url: str) -> None:
    assert not is_amazons(url, own_host=LAB)


@given(st.text(), st.sampled_from(["", LAB]))
def test_any_text_can_be_asked(url: str, own_host: str) -> None:
    assert is_amazons(url, own_host=own_host) in {True, False}
