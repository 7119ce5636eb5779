from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from channels.errors import ConfigurationFault
from channels.rules.accounts import Account, SecretRef
from channels.vocabulary import (
    Channel,
    EmailMessage,
    Message,
    Platform,
    PushMessage,
    ReceiptKind,
    SendOutcome,
    SendResult,
)
from config.lab.http_sink import MAGIC
from config.lab.ledger import content_hash
from tests.providers.callbacks import Mailbox
from tests.providers.conformance import HttpConformance, build, delivery_id, soon
from tests.providers.conftest import Lab
from tests.providers.gateways import PUBLIC, gateway, hush, sms
from tests.providers.peers import HttpPeer, http_answer

TAKEN = http_answer(202, b'{"id": "gw-1"}')


def email(number: int, **changes: Any) -> EmailMessage:
    declared: dict[str, Any] = {
        "id": delivery_id(number),
        "to": f"alice{number}@example.com",
        "subject": "Hello",
        "text": "plain words",
        "headers": {"List-Unsubscribe": "<https://x.example>"},
    }
    return EmailMessage(**{**declared, **changes})


def push(number: int, **changes: Any) -> PushMessage:
    declared: dict[str, Any] = {
        "id": delivery_id(number),
        "token": f"token-of-alice-{number}",
        "platform": Platform.WEB,
        "title": "Hello",
        "body": "plain words",
        "data": {"order": "7"},
        "actions": [{"id": "open", "title": "Open"}],
    }
    return PushMessage(**{**declared, **changes})


@pytest.fixture(autouse=True)
def _no_callbacks(lab: Lab) -> None:
    hush(lab, "http")


class TestGatewayForSms(HttpConformance):
    private = ("+4915112", "plain words", "whsec_")

    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        return gateway(lab)

    def message(self, number: int, text: str = "plain words") -> Message:
        return sms(number, text=text)


class TestGatewayForEmail(HttpConformance):
    private = ("alice", "plain words", "whsec_")

    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        return gateway(lab, channel=Channel.EMAIL, base_url=lab.places["http"]["plain_url"])

    def message(self, number: int, text: str = "plain words") -> Message:
        return email(number, text=text)


class TestGatewayForPush(HttpConformance):
    private = ("token-of-alice", "plain words", "whsec_")

    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        return gateway(lab, channel=Channel.PUSH)

    def message(self, number: int, text: str = "plain words") -> Message:
        return push(number, body=text)


def send(account: Account, *messages: Message) -> list[SendResult]:
    return build(account).send_many(messages, deadline=soon())


def request_sent(lab: Lab, message: Message, channel: Channel, **changes: Any) -> tuple[dict[str, str], bytes]:
    """Headers and body of one request, as it came."""
    with Mailbox(b'{"id": "gw-1"}') as mailbox:
        send(gateway(lab, channel=channel, base_url=f"{mailbox.url}/hook", **changes), message)
        call = mailbox.wait_for(1)[0]
    return call.headers, call.body


@pytest.mark.parametrize(
    ("message", "channel", "expected"),
    [
        (sms(1), Channel.SMS, {"to": "+4915112000001", "text": "plain words"}),
        (
            email(1),
            Channel.EMAIL,
            {
                "to": "alice1@example.com",
                "subject": "Hello",
                "text": "plain words",
                "html": "",
                "headers": {"List-Unsubscribe": "<https://x.example>"},
            },
        ),
        (
            push(1),
            Channel.PUSH,
            {
                "to": "token-of-alice-1",
                "platform": "web",
                "title": "Hello",
                "body": "plain words",
                "image_url": "",
                "action_url": "",
                "actions": [{"id": "open", "title": "Open"}],
                "data": {"order": "7"},
                "sound": "",
                "badge": None,
                "action_category": "",
                "collapse_key": "",
                "urgent": False,
            },
        ),
    ],
)
def test_the_body_is_the_one_the_page_documents(
    lab: Lab, settings: Any, message: Message, channel: Channel, expected: dict[str, Any]
) -> None:
    settings.CARILLON = {**settings.CARILLON, "PUBLIC_URL": PUBLIC}
    headers, body = request_sent(lab, message, channel)
    always = {
        "id": str(message.id),
        "category": "",
        "trace_id": "",
        "expires_at": None,
        "receipts_url": f"{PUBLIC}/v1/receipts/http-lab",
        "channel": channel.value,
    }
    assert json.loads(body) == always | expected
    secret = Path(lab.places["http"]["signing_secret_file"]).read_text()
    assert Webhook(secret).verify(body, headers) == always | expected
    assert headers["webhook-id"] == str(message.id)


def test_a_gateway_without_receipts_is_told_of_no_address(lab: Lab) -> None:
    secrets = {"signing_secret": gateway(lab).secrets["signing_secret"]}
    assert json.loads(request_sent(lab, sms(1), Channel.SMS, secrets=secrets)[1])["receipts_url"] == ""


def test_declared_headers_and_the_secret_one_are_sent(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_KEY", "Bearer sesame")
    secrets = {**gateway(lab).secrets, "authorization": SecretRef("env", "GATEWAY_KEY")}
    options = {"headers": {"X-Team": "growth", "X-Stage": "live"}}
    headers, _ = request_sent(lab, sms(1), Channel.SMS, secrets=secrets, options=options)
    assert (headers["x-team"], headers["x-stage"], headers["authorization"]) == ("growth", "live", "Bearer sesame")


@pytest.mark.parametrize(
    "declared",
    [
        {"Webhook-Id": "1"},
        {"Authorization": "Bearer x"},
        {"Content-Length": "5"},
        {"Host": "elsewhere.example"},
        {"Transfer-Encoding": "chunked"},
        {"X A": "1"},
        {"X\r\nY": "1"},
        {"X": "1\r\nY: 2"},
        {"X": "ü"},
        {"X": ""},
        {"X": 5},
        {"": "1"},
    ],
)
def test_a_header_that_could_break_a_request_is_a_fault(lab: Lab, declared: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationFault, match=r"options\.headers"):
        build(gateway(lab, options={"headers": declared}))


@pytest.mark.parametrize("secret", ["whsec_", "plain", "whsec_c2hvcnQ="])
def test_a_signing_secret_that_is_none_is_a_fault(lab: Lab, monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("SIGNING", secret)
    account = gateway(lab, secrets={"signing_secret": SecretRef("env", "SIGNING")})
    with pytest.raises(ConfigurationFault, match=r"secrets\.signing_secret: is no signing secret"):
        build(account)


@pytest.mark.parametrize("value", ["Bearer x\r\nX: y", "Bearer ü"])
def test_an_authorization_that_is_no_header_is_a_fault(lab: Lab, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("GATEWAY_KEY", value)
    secrets = {**gateway(lab).secrets, "authorization": SecretRef("env", "GATEWAY_KEY")}
    broken = gateway(lab, secrets=secrets)
    with pytest.raises(ConfigurationFault, match=r"secrets\.authorization"):
        build(broken)


@pytest.mark.parametrize(
    ("word", "outcome", "code"),
    [
        ("invalid_recipient", SendOutcome.BAD_RECIPIENT, "invalid_recipient"),
        ("opted_out", SendOutcome.BAD_RECIPIENT, "opted_out"),
        ("rejected", SendOutcome.BAD_MESSAGE, "rejected"),
        ("not_here", SendOutcome.TRANSIENT, "not_here"),
        ("unauthorized", SendOutcome.MISCONFIGURED, "unauthorized"),
        ("bad_signature", SendOutcome.MISCONFIGURED, "unauthorized"),
        ("throttled", SendOutcome.THROTTLED, "throttled"),
        ("unavailable", SendOutcome.TRANSIENT, "unavailable"),
        ("own_word", SendOutcome.BAD_MESSAGE, "moon_too_low"),
        ("indiscreet", SendOutcome.BAD_MESSAGE, "http_400"),
        ("html", SendOutcome.AMBIGUOUS, "unreadable_answer"),
        ("no_id", SendOutcome.AMBIGUOUS, "unreadable_answer"),
    ],
)
def test_each_answer_of_a_gateway_has_its_class(lab: Lab, word: str, outcome: SendOutcome, code: str) -> None:
    lab.at("http").tell("__faults", faults=[{"answer": word}])
    (result,) = send(gateway(lab), sms(1))
    assert (result.outcome, result.code) == (outcome, code)
    assert (result.receipt is ReceiptKind.UNSUBSCRIBED) == (word == "opted_out")
    assert result.address_only == (word == "not_here")


@pytest.mark.parametrize(
    ("body", "outcome", "segments"),
    [
        (b'{"id": "1", "segments": 3}', SendOutcome.ACCEPTED, 3),
        (b'{"id": "1", "segments": -3}', SendOutcome.ACCEPTED, 0),
        (b'{"id": "1", "segments": 100000}', SendOutcome.ACCEPTED, 255),
        (b'{"id": ""}', SendOutcome.AMBIGUOUS, 0),
        (b'{"id": 1}', SendOutcome.AMBIGUOUS, 0),
        (b'{"id": "a\\u0000b"}', SendOutcome.AMBIGUOUS, 0),
        (b'{"id": "' + b"x" * 201 + b'"}', SendOutcome.AMBIGUOUS, 0),
    ],
)
def test_acceptance_is_an_id_that_can_be_kept(lab: Lab, body: bytes, outcome: SendOutcome, segments: int) -> None:
    peer = HttpPeer(lambda _: http_answer(200, body))
    (result,) = send(gateway(lab, base_url=peer.base_url), sms(1))
    peer.close()
    assert (result.outcome, result.segments) == (outcome, segments)


def test_the_ledger_has_each_delivery_once_with_its_words(lab: Lab) -> None:
    control = lab.at("http")
    page = [sms(number, text=f"Code {number}") for number in range(200)]
    results = send(gateway(lab), *page)
    ledger = control.ledger()
    assert {one.outcome for one in results} == {SendOutcome.ACCEPTED}
    assert ledger[str(page[5].id)][:3] == [1, page[5].to, content_hash("", "Code 5")]
    assert len(ledger) == 200


def test_every_word_of_the_labs_gateway_says_what_comes(lab: Lab) -> None:
    words = list(MAGIC)
    results = send(
        gateway(lab, channel=Channel.EMAIL), *(email(at, to=f"lab-{word}@example.com") for at, word in enumerate(words))
    )
    refused = {
        "invalid": "invalid_recipient",
        "opted-out": "opted_out",
        "rejected": "rejected",
        "not-here": "not_here",
    }
    assert {word: one.code for word, one in zip(words, results, strict=True) if one.code} == refused
