from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any
from urllib.parse import parse_qsl

import pytest

from channels.rules import vonage as rules
from channels.rules.accounts import Account
from channels.vocabulary import SendOutcome, SendResult, SmsMessage
from config.lab.ledger import content_hash
from tests.providers.conformance import build, soon
from tests.providers.conftest import Lab
from tests.providers.gateways import PUBLIC, hush, sms, vonage
from tests.providers.peers import HttpPeer, http_answer
from tests.providers.sms_conformance import SmsConformance

TAKEN = http_answer(200, b'{"message-count":"1","messages":[{"status":"0","message-id":"0A"}]}')


@pytest.fixture(autouse=True)
def _no_callbacks(lab: Lab) -> None:
    hush(lab, "vonage")


class TestVonage(SmsConformance):
    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        return vonage(lab)


class TestVonageSigned(SmsConformance):
    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        return vonage(lab, signed=True, base_url=lab.places["vonage"]["plain_url"])


def send(account: Account, *messages: SmsMessage) -> list[SendResult]:
    return build(account).send_many(messages, deadline=soon())


def form_sent(lab: Lab, message: SmsMessage, **changes: Any) -> dict[str, str]:
    peer = HttpPeer(lambda _: TAKEN)
    send(vonage(lab, base_url=peer.base_url, **changes), message)
    peer.close()
    (body,) = peer.requests
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


def answered(lab: Lab, body: bytes) -> SendResult:
    peer = HttpPeer(lambda _: http_answer(200, body))
    (result,) = send(vonage(lab, base_url=peer.base_url), sms(1))
    peer.close()
    return result


def test_the_ledger_has_each_delivery_once_with_its_words(lab: Lab) -> None:
    control = lab.at("vonage")
    page = [sms(number, text=f"Code {number}") for number in range(200)]
    results = send(vonage(lab), *page)
    ledger = control.ledger()
    assert {one.outcome for one in results} == {SendOutcome.ACCEPTED}
    assert ledger[str(page[5].id)][:3] == [1, page[5].to, content_hash("", "Code 5")]
    assert len(ledger) == 200


@pytest.mark.parametrize(
    ("word", "outcome", "code"),
    [
        ("throttled", SendOutcome.THROTTLED, "status_1"),
        ("missing", SendOutcome.BAD_MESSAGE, "status_2"),
        ("invalid", SendOutcome.BAD_MESSAGE, "status_3"),
        ("bad_credentials", SendOutcome.MISCONFIGURED, "status_4"),
        ("internal", SendOutcome.TRANSIENT, "status_5"),
        ("unroutable", SendOutcome.BAD_MESSAGE, "status_6"),
        ("barred", SendOutcome.BAD_RECIPIENT, "status_7"),
        ("account_barred", SendOutcome.MISCONFIGURED, "status_8"),
        ("quota", SendOutcome.MISCONFIGURED, "status_9"),
        ("too_many_binds", SendOutcome.THROTTLED, "status_10"),
        ("not_enabled", SendOutcome.MISCONFIGURED, "status_11"),
        ("too_long", SendOutcome.BAD_MESSAGE, "status_12"),
        ("bad_signature", SendOutcome.MISCONFIGURED, "status_14"),
        ("bad_sender", SendOutcome.BAD_MESSAGE, "status_15"),
        ("bad_network", SendOutcome.BAD_MESSAGE, "status_22"),
        ("bad_callback", SendOutcome.MISCONFIGURED, "status_23"),
        ("not_whitelisted", SendOutcome.MISCONFIGURED, "status_29"),
        ("signature_and_secret", SendOutcome.MISCONFIGURED, "status_32"),
        ("deactivated", SendOutcome.BAD_RECIPIENT, "status_33"),
        ("unknown_status", SendOutcome.TRANSIENT, "status_77"),
        ("mixed", SendOutcome.AMBIGUOUS, "partly_sent"),
        ("no_parts", SendOutcome.AMBIGUOUS, "unreadable_answer"),
        ("html", SendOutcome.AMBIGUOUS, "unreadable_answer"),
        ("bad_gateway", SendOutcome.AMBIGUOUS, "unreadable_answer"),
        ("unavailable", SendOutcome.TRANSIENT, "unreadable_answer"),
    ],
)
def test_each_status_of_vonage_has_its_class(lab: Lab, word: str, outcome: SendOutcome, code: str) -> None:
    lab.at("vonage").tell("__faults", faults=[{"answer": word}])
    (result,) = send(vonage(lab), sms(1))
    assert (result.outcome, result.code) == (outcome, code)


def test_its_limit_by_the_second_is_waited_for_a_second(lab: Lab) -> None:
    lab.at("vonage").tell("__faults", faults=[{"answer": "throttled"}])
    (result,) = send(vonage(lab), sms(1))
    assert result.retry_after_seconds == 1.0


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b'{"messages":[{"status":0,"message-id":"0A"}]}', SendOutcome.ACCEPTED),
        (b'{"messages":[{"status":"0"}]}', SendOutcome.AMBIGUOUS),
        (b'{"messages":[{"status":"5"},{"status":"0","message-id":"0A"}]}', SendOutcome.AMBIGUOUS),
        (b'{"messages":[{"status":"5"},{"status":"1"}]}', SendOutcome.TRANSIENT),
        (
            b'{"messages":[{"status":"what is this, and why is it so long as no status ever was"}]}',
            SendOutcome.TRANSIENT,
        ),
        (b'{"messages":[{}]}', SendOutcome.AMBIGUOUS),
    ],
)
def test_an_answer_counts_by_its_parts(lab: Lab, body: bytes, outcome: SendOutcome) -> None:
    result = answered(lab, body)
    assert result.outcome is outcome
    assert len(result.code) <= 32


def test_a_text_of_several_parts_is_billed_as_those(lab: Lab) -> None:
    results = send(vonage(lab), sms(1, text="a" * 161), sms(2, text="я" * 71), sms(3))
    assert [one.segments for one in results] == [2, 2, 1]


@pytest.mark.parametrize(("text", "kind"), [("plain €", None), ("Ünïcödé", "unicode"), ("Привет", "unicode")])
def test_what_is_no_gsm_is_said_to_be_unicode(lab: Lab, text: str, kind: str | None) -> None:
    assert form_sent(lab, sms(1, text=text)).get("type") == kind


def test_without_a_signature_secret_the_api_secret_is_the_password(lab: Lab) -> None:
    message = sms(1)
    form = form_sent(lab, message)
    assert (form["to"], form["client-ref"]) == (message.to[1:], str(message.id))
    assert {"api_secret"} <= form.keys()
    assert {"sig", "timestamp"}.isdisjoint(form.keys())


def test_with_a_signature_secret_the_api_secret_stays_at_home(lab: Lab) -> None:
    form = form_sent(lab, sms(1), signed=True)
    assert {"sig", "timestamp"} <= form.keys()
    assert "api_secret" not in form


def test_the_callback_names_the_delivery_and_proves_it(lab: Lab, settings: Any) -> None:
    settings.CARILLON = {**settings.CARILLON, "PUBLIC_URL": PUBLIC}
    message = sms(1)
    form = form_sent(lab, message)
    url, _, query = form["callback"].partition("?")
    assert url == f"{PUBLIC}/v1/receipts/vonage-lab"
    assert dict(parse_qsl(query)).keys() == {"d", "t"}
    assert len(dict(parse_qsl(query))["t"]) == 32


@pytest.mark.parametrize(("left", "ttl"), [(-5, 20_000), (60, 60_000), (10**9, 604_800_000)])
def test_the_time_to_live_is_within_what_vonage_takes(lab: Lab, left: float, ttl: int) -> None:
    assert abs(int(form_sent(lab, sms(1, expires_at=time.time() + left))["ttl"]) - ttl) <= 1000


def test_a_signature_is_the_one_vonage_documents() -> None:
    # https://developer.vonage.com/en/getting-started/concepts/signing-messages: sorted, joined by "&", with a leading
    # "&", and "&" and "=" in values turned into "_".
    fields = {"to": "441632960960", "text": "You & Me = Love", "api_key": "K", "timestamp": "1461605396"}

    signed = "&api_key=K&text=You _ Me _ Love&timestamp=1461605396&to=441632960960"
    right = hmac.new(b"secret", signed.encode(), hashlib.sha256).hexdigest()
    assert rules.signature("secret", fields.items()) == right
