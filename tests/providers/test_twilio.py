from __future__ import annotations

import logging
import time
from typing import Any
from urllib.parse import parse_qsl

import pytest
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from channels.errors import ConfigurationFault
from channels.rules.accounts import Account
from channels.vocabulary import ReceiptKind, SendOutcome, SendResult, SmsMessage
from config.lab.ledger import content_hash
from tests.providers.conformance import build, delivery_id, soon
from tests.providers.conftest import Lab
from tests.providers.gateways import PUBLIC, hush, sms, twilio
from tests.providers.peers import HttpPeer, http_answer
from tests.providers.sms_conformance import SmsConformance

CREATED = http_answer(201, b'{"sid": "SM1", "num_segments": "1"}')


@pytest.fixture(autouse=True)
def _no_callbacks(lab: Lab) -> None:
    hush(lab, "twilio")


class TestTwilio(SmsConformance):
    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        return twilio(lab)


class TestTwilioInCleartext(SmsConformance):
    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        return twilio(lab, base_url=lab.places["twilio"]["plain_url"])


class TestTwilioByService(SmsConformance):
    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        place = lab.places["twilio"]
        return twilio(lab, options={key: place[key] for key in ("account_sid", "messaging_service_sid")})


def send(account: Account, *messages: SmsMessage) -> list[SendResult]:
    return build(account).send_many(messages, deadline=soon())


def forms_sent(lab: Lab, *messages: SmsMessage, **changes: Any) -> list[dict[str, str]]:
    peer = HttpPeer(lambda _: CREATED)
    send(twilio(lab, base_url=peer.base_url, **changes), *messages)
    peer.close()
    return [dict(parse_qsl(body.decode(), keep_blank_values=True)) for body in peer.requests]


def test_the_ledger_has_each_delivery_once_with_its_words(lab: Lab) -> None:
    control = lab.at("twilio")
    page = [sms(number, text=f"Code {number}") for number in range(300)]
    results = send(twilio(lab), *page)
    ledger = control.ledger()
    assert {(one.outcome, one.segments) for one in results} == {(SendOutcome.ACCEPTED, 1)}
    assert {entry[0] for entry in ledger.values()} == {1}
    assert ledger[str(page[5].id)][1:3] == [page[5].to, content_hash("", "Code 5")]
    assert len({result.provider_message_id for result in results}) == 300


@pytest.mark.parametrize(
    ("word", "outcome", "code"),
    [
        ("too_many", SendOutcome.THROTTLED, "20429"),
        ("queue_full", SendOutcome.THROTTLED, "21611"),
        ("unauthenticated", SendOutcome.MISCONFIGURED, "20003"),
        ("suspended", SendOutcome.MISCONFIGURED, "20403"),
        ("not_found", SendOutcome.MISCONFIGURED, "20404"),
        ("no_sender", SendOutcome.MISCONFIGURED, "21603"),
        ("not_my_sender", SendOutcome.MISCONFIGURED, "21606"),
        ("bad_sender", SendOutcome.MISCONFIGURED, "21212"),
        ("bad_callback", SendOutcome.MISCONFIGURED, "21609"),
        ("invalid_number", SendOutcome.BAD_RECIPIENT, "21211"),
        ("not_mobile", SendOutcome.BAD_RECIPIENT, "21614"),
        ("no_permission", SendOutcome.BAD_MESSAGE, "21408"),
        ("unroutable", SendOutcome.BAD_MESSAGE, "21612"),
        ("opted_out", SendOutcome.BAD_RECIPIENT, "21610"),
        ("unknown_code", SendOutcome.BAD_MESSAGE, "21999"),
        ("internal", SendOutcome.TRANSIENT, "20500"),
        ("unavailable", SendOutcome.TRANSIENT, "20503"),
        ("bad_gateway", SendOutcome.AMBIGUOUS, "unreadable_answer"),
        ("html", SendOutcome.AMBIGUOUS, "unreadable_answer"),
    ],
)
def test_each_error_of_twilio_has_its_class(lab: Lab, word: str, outcome: SendOutcome, code: str) -> None:
    lab.at("twilio").tell("__faults", faults=[{"answer": word}])
    (result,) = send(twilio(lab), sms(1))
    assert (result.outcome, result.code) == (outcome, code)


@pytest.mark.parametrize(
    ("number", "outcome", "code"),
    [
        ("+15005550001", SendOutcome.BAD_RECIPIENT, "21211"),
        ("+15005550002", SendOutcome.BAD_MESSAGE, "21612"),
        ("+15005550003", SendOutcome.BAD_MESSAGE, "21408"),
        ("+15005550004", SendOutcome.BAD_RECIPIENT, "21610"),
        ("+15005550009", SendOutcome.BAD_RECIPIENT, "21614"),
        ("+0", SendOutcome.BAD_RECIPIENT, "21211"),
        ("not a number", SendOutcome.BAD_RECIPIENT, "21211"),
    ],
)
def test_twilios_test_numbers_do_what_twilio_documents(lab: Lab, number: str, outcome: SendOutcome, code: str) -> None:
    (result,) = send(twilio(lab), sms(1, to=number))
    assert (result.outcome, result.code) == (outcome, code)


def test_a_number_that_replied_stop_is_an_opt_out_and_no_bad_number(lab: Lab) -> None:
    (result,) = send(twilio(lab), sms(1, to="+15005550004"))
    assert (result.outcome, result.receipt) == (SendOutcome.BAD_RECIPIENT, ReceiptKind.UNSUBSCRIBED)


def test_a_text_over_1600_characters_is_refused_and_its_neighbours_are_not(lab: Lab) -> None:
    results = send(twilio(lab), sms(1), sms(2, text="x" * 1601), sms(3))
    assert [(one.outcome, one.code) for one in results] == [
        (SendOutcome.ACCEPTED, ""),
        (SendOutcome.BAD_MESSAGE, "21617"),
        (SendOutcome.ACCEPTED, ""),
    ]


def test_segments_are_what_twilio_counts(lab: Lab) -> None:
    results = send(twilio(lab), sms(1, text="a" * 161), sms(2, text="я" * 71), sms(3))
    assert [one.segments for one in results] == [2, 2, 1]


def test_a_service_that_has_not_picked_its_sender_counts_no_segments(lab: Lab) -> None:
    place = lab.places["twilio"]
    account = twilio(lab, options={key: place[key] for key in ("account_sid", "messaging_service_sid")})
    (result,) = send(account, sms(1))
    assert (result.outcome, result.segments) == (SendOutcome.ACCEPTED, 0)


@pytest.mark.parametrize(("told", "wait"), [("7", 7.0), (None, 60.0), ("soon", 60.0)])
def test_a_429_waits_as_long_as_it_says(lab: Lab, told: str | None, wait: float) -> None:
    lab.at("twilio").tell("__faults", faults=[{"answer": "too_many", "retry_after": told}])
    (result,) = send(twilio(lab), sms(1))
    assert (result.outcome, result.retry_after_seconds) == (SendOutcome.THROTTLED, wait)


def test_a_refused_token_ends_the_page_and_holds_the_rest(lab: Lab) -> None:
    control = lab.at("twilio")
    control.tell("__faults", faults=[{"answer": "unauthenticated"}])
    results = send(twilio(lab, concurrency=5), *(sms(number) for number in range(200)))
    assert {one.outcome for one in results} == {SendOutcome.MISCONFIGURED}
    assert {one.code for one in results} == {"20003", "given_up"}
    assert control.summary()["refusals"]["unauthenticated"] <= 10


def test_the_request_is_the_one_twilios_own_library_makes(lab: Lab, settings: Any) -> None:
    settings.CARILLON = {**settings.CARILLON, "PUBLIC_URL": PUBLIC}
    made: dict[str, Any] = {}

    class Listening(HttpClient):
        def __init__(self) -> None:
            super().__init__(logging.getLogger(), is_async=False)

        def request(self, method: str, url: str, *_: Any, data: Any = None, auth: Any = None, **__: Any) -> Response:
            made.update(method=method, url=url, data=data, auth=auth)
            return Response(201, '{"sid": "SM1"}')

    message = sms(1, text="Ünïcödé & = 😀", expires_at=time.time() + 600.9)
    account = twilio(lab)
    Client(account.options["account_sid"], "secret", http_client=Listening()).messages.create(
        to=message.to,
        from_=account.options["from"],
        body=message.text,
        status_callback=f"{PUBLIC}/v1/receipts/twilio-lab?d={message.id}",
        validity_period=600,
    )
    (form,) = forms_sent(lab, message)
    assert form == {name: str(value) for name, value in made["data"].items()}
    assert made["url"].endswith(f"/2010-04-01/Accounts/{account.options['account_sid']}/Messages.json")


def test_a_public_twilio_is_not_told_of_a_callback_on_a_laptop(lab: Lab, settings: Any) -> None:
    settings.CARILLON = {**settings.CARILLON, "PUBLIC_URL": "http://localhost:8000"}
    adapter: Any = build(twilio(lab, base_url="", ca_file=""))
    assert adapter._callback == ""


@pytest.mark.parametrize(("left", "validity"), [(-5, "1"), (0.5, "1"), (35_999.5, "35999"), (36_001, None)])
def test_the_validity_period_is_within_what_twilio_takes(lab: Lab, left: float, validity: str | None) -> None:
    (form,) = forms_sent(lab, sms(1, expires_at=time.time() + left))
    assert form.get("ValidityPeriod") == validity


@pytest.mark.parametrize("options", [{}, {"from": "+15005550006", "messaging_service_sid": "MG1"}])
def test_exactly_one_sender_must_be_declared(lab: Lab, options: dict[str, str]) -> None:
    account = twilio(lab, options={"account_sid": "AC1", **options})
    with pytest.raises(ConfigurationFault, match=r"options\.from: write either from or messaging_service_sid"):
        build(account)


def test_the_token_is_not_in_the_error_of_a_wrong_account(lab: Lab) -> None:
    (result,) = send(twilio(lab, options={"account_sid": "AC/../x", "from": "+15005550006"}), sms(1))
    assert (result.outcome, result.id) == (SendOutcome.MISCONFIGURED, delivery_id(1))
