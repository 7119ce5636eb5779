from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

from channels.errors import ConfigurationFault
from channels.rules.accounts import Account, SecretRef
from channels.vocabulary import EmailMessage, SendOutcome, SendResult
from config.lab.ledger import content_hash
from tests.providers.conformance import HttpConformance, build, delivery_id, soon
from tests.providers.conftest import Control, Lab
from tests.providers.moto_aws import REGION, aws_that_checks
from tests.providers.peers import HttpPeer, http_answer

UNSUBSCRIBE = {"List-Unsubscribe": "<https://example.com/u/1>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def mail(number: int, **changes: Any) -> EmailMessage:
    declared: dict[str, Any] = {
        "id": delivery_id(number),
        "to": f"alice{number}@example.com",
        "subject": "Hello",
        "text": "plain words",
    }
    return EmailMessage(**{**declared, **changes})


class TestSes(HttpConformance):
    private = ("alice", "plain words")

    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        lab.at("ses")
        return lab.ses()

    def message(self, number: int, text: str = "plain words") -> EmailMessage:
        return mail(number, text=text)


class TestSesInCleartext(TestSes):
    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        lab.at("ses")
        return lab.ses(base_url=lab.places["ses"]["plain_url"])


@pytest.fixture
def stand_in(lab: Lab) -> Control:
    return lab.at("ses")


@pytest.fixture
def ses(lab: Lab, stand_in: Control) -> Iterator[Any]:
    adapter = build(lab.ses(timeout_seconds=1.0))
    yield adapter
    adapter.close()


def send(adapter: Any, *messages: EmailMessage) -> list[SendResult]:
    results: list[SendResult] = adapter.send_many(messages, deadline=soon())
    return results


def outcomes(results: list[SendResult]) -> list[tuple[SendOutcome, str]]:
    return [(one.outcome, one.code) for one in results]


ACCEPTED = (SendOutcome.ACCEPTED, "")


def test_the_ledger_has_each_delivery_once_with_its_words(ses: Any, stand_in: Control) -> None:
    page = [mail(number, subject=f"Grüße {number}", text=f"Ünï {number}") for number in range(60)]
    results = send(ses, *page)
    assert outcomes(results) == [ACCEPTED] * 60
    assert len({one.provider_message_id for one in results}) == 60
    assert {key: entry[:3] for key, entry in stand_in.ledger().items()} == {
        str(one.id): [1, one.to, content_hash(one.subject, one.text)] for one in page
    }


def body_of(lab: Lab, message: EmailMessage, **options: str) -> dict[str, Any]:
    """The body of the one request a mail makes."""
    peer = HttpPeer(lambda _: http_answer(200, b'{"MessageId": "1"}'))
    account = lab.ses(name="looked-at", base_url=peer.base_url)
    account.options.update(options)
    adapter = build(account)
    send(adapter, message)
    adapter.close()
    peer.close()
    found: dict[str, Any] = json.loads(peer.requests[0])
    return found


def test_a_mail_has_every_part_where_ses_looks(lab: Lab) -> None:
    message = mail(1, html="<b>ü</b>", headers={"X-Word": "Grüße", **UNSUBSCRIBE})
    sent = body_of(lab, message, from_name="Läden", configuration_set="events")
    headers = {line["Name"]: line["Value"] for line in sent["Content"]["Simple"].pop("Headers")}
    assert headers == {
        "X-Word": "=?utf-8?b?R3LDvMOfZQ==?=",
        **UNSUBSCRIBE,
        "X-Carillon-Delivery": str(delivery_id(1)),
    }
    assert sent == {
        "FromEmailAddress": "=?utf-8?b?TMOkZGVu?= <news@example.com>",
        "Destination": {"ToAddresses": ["alice1@example.com"]},
        "Content": {
            "Simple": {
                "Subject": {"Data": "Hello", "Charset": "UTF-8"},
                "Body": {
                    "Text": {"Data": "plain words", "Charset": "UTF-8"},
                    "Html": {"Data": "<b>ü</b>", "Charset": "UTF-8"},
                },
            }
        },
        "EmailTags": [{"Name": "delivery_id", "Value": str(delivery_id(1))}],
        "ConfigurationSetName": "events",
    }


def test_awss_own_model_finds_nothing_wrong_with_the_body(lab: Lab) -> None:
    model = boto3.client("sesv2", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x").meta
    shape = model.service_model.operation_model("SendEmail").input_shape
    sent = body_of(lab, mail(1, html="<b>x</b>", headers=UNSUBSCRIBE), configuration_set="events")
    assert not ParamValidator().validate(sent, shape).has_errors()
    assert set(sent) <= set(shape.members)


def test_moto_verifies_the_signature_and_keeps_the_mail(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    with aws_that_checks("ses:*") as aws:
        aws.client("sesv2").create_email_identity(EmailIdentity="news@example.com")
        monkeypatch.setenv("SES_SECRET", aws.secret_access_key)
        account = lab.ses(name="moto", base_url=aws.url, secrets={"secret_access_key": SecretRef("env", "SES_SECRET")})
        account.options["access_key_id"] = aws.access_key_id
        adapter = build(account)
        before = aws.client("ses").get_send_quota()["SentLast24Hours"]
        (result,) = send(adapter, mail(1))
        adapter.close()
        assert outcomes([result]) == [ACCEPTED]
        assert aws.client("ses").get_send_quota()["SentLast24Hours"] == before + 1
        monkeypatch.setenv("SES_SECRET", "another")
        account = lab.ses(
            name="forger", base_url=aws.url, secrets={"secret_access_key": SecretRef("env", "SES_SECRET")}
        )
        account.options["access_key_id"] = aws.access_key_id
        assert send(build(account), mail(1))[0].outcome is SendOutcome.MISCONFIGURED


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"to": "ünï@example.com"}, "smtputf8_not_offered"),
        ({"text": ""}, "no_content"),
        ({"subject": "Hi\r\nBcc: eve@example.com"}, "header_injection"),
        ({"headers": {"X-SES-CONFIGURATION-SET": "theirs"}}, "forbidden_header"),
        ({"headers": {f"X-{number}": "a" for number in range(15)}}, "too_many_headers"),
        ({"headers": {"X-Long": "ü" * 450}}, "header_too_long"),
        ({"headers": {"X-Empty": ""}}, "empty_header"),
        ({"to": "no address"}, "bad_address"),
    ],
)
def test_what_ses_would_refuse_is_not_sent(ses: Any, stand_in: Control, changes: dict[str, Any], code: str) -> None:
    results = send(ses, mail(1), mail(2, **changes), mail(3))
    assert outcomes(results) == [ACCEPTED, (SendOutcome.BAD_MESSAGE, code), ACCEPTED]
    assert stand_in.summary()["refusals"] == {}


@pytest.mark.parametrize(
    ("word", "outcome", "code"),
    [
        ("TooManyRequests", SendOutcome.THROTTLED, "TooManyRequestsException"),
        ("DailyQuota", SendOutcome.MISCONFIGURED, "TooManyRequestsException"),
        ("LimitExceeded", SendOutcome.MISCONFIGURED, "LimitExceededException"),
        ("AccountSuspended", SendOutcome.MISCONFIGURED, "AccountSuspendedException"),
        ("SendingPaused", SendOutcome.MISCONFIGURED, "SendingPausedException"),
        ("MailFromDomainNotVerified", SendOutcome.MISCONFIGURED, "MailFromDomainNotVerifiedException"),
        ("NotFound", SendOutcome.MISCONFIGURED, "NotFoundException"),
        ("AccessDenied", SendOutcome.MISCONFIGURED, "AccessDeniedException"),
        ("InvalidClientTokenId", SendOutcome.MISCONFIGURED, "UnrecognizedClientException"),
        ("SignatureDoesNotMatch", SendOutcome.MISCONFIGURED, "InvalidSignatureException"),
        ("MessageRejected", SendOutcome.BAD_MESSAGE, "MessageRejected"),
        ("NotVerified", SendOutcome.MISCONFIGURED, "MessageRejected"),
        ("BadRequest", SendOutcome.BAD_MESSAGE, "BadRequestException"),
        ("InternalFailure", SendOutcome.TRANSIENT, "InternalFailure"),
        ("ServiceUnavailable", SendOutcome.TRANSIENT, "ServiceUnavailable"),
        ("SomethingNew", SendOutcome.BAD_MESSAGE, "SomethingNewException"),
        ("html", SendOutcome.AMBIGUOUS, "unreadable_answer"),
        ("hang", SendOutcome.AMBIGUOUS, "timeout"),
    ],
)
def test_each_error_of_the_table_has_its_class(
    ses: Any, stand_in: Control, word: str, outcome: SendOutcome, code: str
) -> None:
    stand_in.tell("__faults", faults=[{"answer": word}])
    assert outcomes(send(ses, mail(1))) == [(outcome, code)]


def test_a_refused_mail_costs_itself_alone(ses: Any) -> None:
    results = send(ses, mail(1), mail(2, to="lab-rejected@example.com"), mail(3))
    assert outcomes(results) == [ACCEPTED, (SendOutcome.BAD_MESSAGE, "MessageRejected"), ACCEPTED]


def test_a_wrong_key_stops_the_page_early(lab: Lab, stand_in: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WRONG", "wrong")
    adapter = build(lab.ses(concurrency=2, secrets={"secret_access_key": SecretRef("env", "WRONG")}))
    results = send(adapter, *(mail(number) for number in range(100)))
    assert {one.outcome for one in results} == {SendOutcome.MISCONFIGURED}
    assert {one.code for one in results} == {"InvalidSignatureException", "given_up"}
    assert stand_in.summary()["refusals"]["SignatureDoesNotMatch"] < 20


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        (http_answer(400, b'{"__type": "com.amazon.coral#BadRequestException"}'), "bad_message", "BadRequestException"),
        (http_answer(400, b"{}", "x-amzn-ErrorType: alice@example.com"), "bad_message", "unreadable_answer"),
        (http_answer(200, b'{"MessageId": ""}'), "ambiguous", "unreadable_answer"),
        (http_answer(200, b'{"MessageId": 5}'), "ambiguous", "unreadable_answer"),
    ],
)
def test_an_answer_is_read_with_care(lab: Lab, answer: bytes, outcome: str, code: str) -> None:
    act: Callable[[int], bytes] = lambda _: answer  # noqa: E731 - the type is the point
    peer = HttpPeer(act)
    adapter = build(lab.ses(name="peer", base_url=peer.base_url))
    assert outcomes(send(adapter, mail(1))) == [(SendOutcome(outcome), code)]
    adapter.close()
    peer.close()


def test_a_region_that_is_none_is_a_fault(lab: Lab) -> None:
    account = lab.ses()
    account.options["region"] = "evil.example.com/"
    with pytest.raises(ConfigurationFault, match=r"options\.region: is no AWS region"):
        build(account)


@pytest.mark.parametrize(
    "address", ["The Shop <shop@example.com>", "shop", "a@example.com, b@example.com", "ü@example.com"]
)
def test_a_sender_that_is_no_address_is_a_fault_and_not_every_mails(lab: Lab, address: str) -> None:
    account = lab.ses()
    account.options["from_email"] = address
    with pytest.raises(ConfigurationFault, match=r"options\.from_email: must be one address"):
        build(account)
