from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from channels.errors import ConfigurationFault
from channels.rules.accounts import Account, SecretRef
from channels.vocabulary import Channel, ReceiptKind, SendOutcome, SendResult, SmsMessage
from tests.providers.conformance import build, soon
from tests.providers.conftest import Lab
from tests.providers.gateways import sms, sns
from tests.providers.moto_aws import REGION, Aws, aws_that_checks
from tests.providers.peers import HttpPeer, http_answer
from tests.providers.sms_conformance import SmsConformance

PUBLISHED = http_answer(
    200, b"<PublishResponse><PublishResult><MessageId>1-2</MessageId></PublishResult></PublishResponse>"
)


class TestSns(SmsConformance):
    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        return sns(lab)


class TestSnsInCleartext(SmsConformance):
    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        return sns(lab, base_url=lab.places["sns"]["plain_url"])


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with aws_that_checks("sns:Publish") as found:
        yield found


@pytest.fixture
def at_moto(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setenv("SNS_KEY", aws.secret_access_key)
    return Account(
        name="sns-moto",
        adapter="sns",
        channel=Channel.SMS,
        base_url=aws.url,
        options={"region": REGION, "access_key_id": aws.access_key_id, "sender_id": "Carillon"},
        secrets={"secret_access_key": SecretRef("env", "SNS_KEY")},
    )


def send(account: Account, *messages: SmsMessage) -> list[SendResult]:
    return build(account).send_many(messages, deadline=soon())


def form_sent(lab: Lab, message: SmsMessage, **options: Any) -> dict[str, str]:
    peer = HttpPeer(lambda _: PUBLISHED)
    account = sns(lab, base_url=peer.base_url)
    send(sns(lab, base_url=peer.base_url, options={**account.options, **options}), message)
    peer.close()
    (body,) = peer.requests
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


TEXTS = ["plain words", "Ünïcödé 😀 中文", "a&b=c d+e%20", "line\r\nbreak", "x" * 1600]


def test_moto_which_checks_signatures_takes_our_messages(at_moto: Account) -> None:
    results = send(at_moto, *(sms(number, text=text) for number, text in enumerate(TEXTS)))
    assert [one.outcome for one in results] == [SendOutcome.ACCEPTED] * len(TEXTS)
    assert len({one.provider_message_id for one in results}) == len(TEXTS)


def test_moto_refuses_the_same_with_another_key(at_moto: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNS_KEY", "another key")
    (result,) = send(at_moto, sms(1))
    assert (result.outcome, result.code) == (SendOutcome.MISCONFIGURED, "SignatureDoesNotMatch")


def test_moto_refuses_a_number_that_is_none(at_moto: Account) -> None:
    (result,) = send(at_moto, sms(1, to="nonsense"))
    assert result.outcome in {SendOutcome.BAD_MESSAGE, SendOutcome.BAD_RECIPIENT}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("scheme", ["base_url", "plain_url"])
def test_our_lab_takes_what_awss_own_library_signs(lab: Lab, text: str, scheme: str) -> None:
    place = lab.places["sns"]
    client = boto3.client(
        "sns",
        endpoint_url=f"{place[scheme]}/",
        verify=lab.places["ca_file"],
        region_name=place["region"],
        aws_access_key_id=place["access_key_id"],
        aws_secret_access_key=Path(place["secret_access_key_file"]).read_text(),
    )
    kind = {"DataType": "String", "StringValue": "Transactional"}
    answer = client.publish(PhoneNumber="+491511200", Message=text, MessageAttributes={"AWS.SNS.SMS.SMSType": kind})
    assert answer["MessageId"]


def test_the_form_is_the_one_awss_own_library_makes(lab: Lab) -> None:
    message = sms(1, text="Ünïcödé & = 😀")
    peer = HttpPeer(lambda _: PUBLISHED)
    client = Aws(peer.base_url, "AKIA1", "secret").client("sns")
    attributes = {
        "AWS.SNS.SMS.SMSType": ("String", "Transactional"),
        "AWS.SNS.SMS.SenderID": ("String", "Carillon"),
        "AWS.SNS.SMS.MaxPrice": ("Number", "0.50000"),
    }
    client.publish(
        PhoneNumber=message.to,
        Message=message.text,
        MessageAttributes={
            name: {"DataType": kind, "StringValue": value} for name, (kind, value) in attributes.items()
        },
    )
    peer.close()
    theirs = dict(parse_qsl(peer.requests[0].decode(), keep_blank_values=True))
    assert form_sent(lab, message, max_price_usd=0.5) == theirs


def test_libcurl_signs_what_botocore_signs(lab: Lab) -> None:
    heads: list[list[bytes]] = []

    class Listening(HttpPeer):
        def serve(self, connection: Any) -> None:
            stream = connection.makefile("rb")
            head = []
            while (line := stream.readline()) != b"\r\n":
                head.append(line.strip())
            heads.append(head)
            length = next(int(line[15:]) for line in head if line.lower().startswith(b"content-length:"))
            self.requests.append(stream.read(length))
            connection.sendall(PUBLISHED)

    peer = Listening(lambda _: PUBLISHED)
    account = sns(lab, base_url=peer.base_url)
    send(account, sms(1, text="Ünïcödé & = 😀"))
    peer.close()
    headers = dict(line.decode().split(": ", 1) for line in heads[0][1:])
    lower = {name.lower(): value for name, value in headers.items()}
    signed = lower["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request = AWSRequest("POST", f"{peer.base_url}/", data=peer.requests[0], headers={n: lower[n] for n in signed})
    request.context["timestamp"] = lower["x-amz-date"]
    secret = Path(lab.places["sns"]["secret_access_key_file"]).read_text()
    judge = SigV4Auth(Credentials(account.options["access_key_id"], secret), "sns", account.options["region"])
    right = judge.signature(judge.string_to_sign(request, judge.canonical_request(request)), request)
    assert lower["authorization"].endswith(f"Signature={right}")
    assert {"host", "x-amz-content-sha256", "x-amz-date"} <= set(signed)


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("Throttled", SendOutcome.THROTTLED),
        ("Throttling", SendOutcome.THROTTLED),
        ("InternalError", SendOutcome.TRANSIENT),
        ("ServiceUnavailable", SendOutcome.TRANSIENT),
        ("MissingAuthenticationToken", SendOutcome.MISCONFIGURED),
        ("InvalidClientTokenId", SendOutcome.MISCONFIGURED),
        ("SignatureDoesNotMatch", SendOutcome.MISCONFIGURED),
        ("RequestExpired", SendOutcome.MISCONFIGURED),
        ("AuthorizationError", SendOutcome.MISCONFIGURED),
        ("KMSDisabled", SendOutcome.MISCONFIGURED),
        ("SomethingNew", SendOutcome.BAD_MESSAGE),
    ],
)
def test_each_error_of_sns_has_its_class(lab: Lab, word: str, outcome: SendOutcome) -> None:
    lab.at("sns").tell("__faults", faults=[{"answer": word}])
    (result,) = send(sns(lab), sms(1))
    assert (result.outcome, result.code) == (outcome, word)


@pytest.mark.parametrize(
    ("changes", "outcome", "code", "receipt"),
    [
        ({"to": "+15005550001"}, SendOutcome.BAD_RECIPIENT, "InvalidParameter", None),
        ({"to": "12"}, SendOutcome.BAD_RECIPIENT, "InvalidParameter", None),
        ({"to": "+15005550004"}, SendOutcome.BAD_RECIPIENT, "OptedOut", ReceiptKind.UNSUBSCRIBED),
        ({"text": "x" * 1601}, SendOutcome.BAD_MESSAGE, "InvalidParameter", None),
        ({"text": ""}, SendOutcome.BAD_MESSAGE, "InvalidParameter", None),
    ],
)
def test_a_parameter_is_the_numbers_fault_only_when_sns_says_so(
    lab: Lab, changes: dict[str, str], outcome: SendOutcome, code: str, receipt: ReceiptKind | None
) -> None:
    (result,) = send(sns(lab), sms(1, **changes))
    assert (result.outcome, result.code, result.receipt) == (outcome, code, receipt)


@pytest.mark.parametrize(
    ("category", "kind"), [("marketing", "Promotional"), ("security", "Transactional"), ("", "Transactional")]
)
def test_only_marketing_takes_the_cheap_route(lab: Lab, category: str, kind: str) -> None:
    form = form_sent(lab, sms(1, category=category))
    assert form["MessageAttributes.entry.1.Value.StringValue"] == kind


@pytest.mark.parametrize("region", ["", "eu-central-1.evil.example/", "eu central 1", "EU-CENTRAL-1"])
def test_a_region_that_is_none_is_a_fault(lab: Lab, region: str) -> None:
    account = sns(lab, options={"region": region, "access_key_id": "AKIA1"})
    with pytest.raises(ConfigurationFault, match=r"options\.region"):
        build(account)


def test_the_address_follows_the_region(lab: Lab) -> None:
    adapter: Any = build(sns(lab, base_url="", ca_file="", options={"region": "us-gov-west-1", "access_key_id": "A"}))
    assert adapter._transport._base_url == "https://sns.us-gov-west-1.amazonaws.com"
