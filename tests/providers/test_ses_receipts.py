from __future__ import annotations

import base64
import datetime as dt
import json
import time
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels import registry
from channels.errors import ConfigurationFault, NotGenuine, Refusal, UnreadableReceipt
from channels.rules.accounts import Account
from channels.vocabulary import EmailMessage, Receipt, ReceiptCall, ReceiptKind
from config.lab.ses import FATES
from tests.providers.conformance import build, delivery_id, soon
from tests.providers.conftest import Control, Lab
from tests.providers.peers import HttpPeer, http_answer

TYPE = "x-amz-sns-message-type"
FOREIGN = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Subscriber:
    """Somebody the stand-in's topic posts to."""

    def __init__(self, lab: Lab, stand_in: Control) -> None:
        self.lab, self.stand_in = lab, stand_in
        self.peer = HttpPeer(lambda _: http_answer(200))
        stand_in.tell("__faults", receipts={"delay_ms": 1})
        stand_in.tell("__webhook", url=f"{self.peer.base_url}/v1/receipts/ses")

    def calls(self, count: int) -> list[ReceiptCall]:
        """What was posted, as soon as there is so much."""
        pause, until = Event(), time.monotonic() + 10
        while len(self.peer.calls) < count and time.monotonic() < until:
            pause.wait(0.02)
        assert len(self.peer.calls) >= count
        return [ReceiptCall(url="", headers=headers, body=body) for headers, body in list(self.peer.calls)]

    def close(self) -> None:
        self.stand_in.tell("__webhook", url="")
        self.peer.close()


@pytest.fixture
def stand_in(lab: Lab) -> Control:
    return lab.at("ses")


@pytest.fixture
def subscriber(lab: Lab, stand_in: Control) -> Iterator[Subscriber]:
    found = Subscriber(lab, stand_in)
    yield found
    found.close()


@pytest.fixture
def account(lab: Lab) -> Account:
    return lab.ses()


def read(account: Account, call: ReceiptCall) -> list[Receipt]:
    return registry.receipt_reader(account).read(call)


@pytest.fixture
def delivered(account: Account, subscriber: Subscriber) -> ReceiptCall:
    """A genuine notification that a mail was delivered."""
    (invitation,) = subscriber.calls(1)
    assert read(account, invitation) == []
    build(account).send_many(
        [EmailMessage(id=delivery_id(1), to="alice@example.com", subject="s", text="t")], deadline=soon()
    )
    told = subscriber.calls(3)[1:]
    return next(call for call in told if b"Delivery" in call.body)


def test_a_subscription_is_confirmed_and_events_come(account: Account, delivered: ReceiptCall) -> None:
    (receipt,) = read(account, delivered)
    assert (receipt.delivery_id, receipt.kind) == (delivery_id(1), ReceiptKind.DELIVERED)
    assert receipt.event_id == json.loads(delivered.body)["MessageId"]
    assert receipt.occurred_at == pytest.approx(time.time(), abs=60)


def test_without_a_confirmation_nothing_is_published(account: Account, subscriber: Subscriber) -> None:
    subscriber.calls(1)
    message = EmailMessage(id=delivery_id(1), to="alice@example.com", subject="s", text="t")
    build(account).send_many([message], deadline=soon())
    Event().wait(0.2)
    assert len(subscriber.calls(1)) == 1


def test_the_signature_is_one_that_openssl_itself_accepts(lab: Lab, delivered: ReceiptCall) -> None:
    """The judge knows nothing of ours: the text is put together here, by AWS's page."""
    told = json.loads(delivered.body)
    text = "".join(f"{name}\n{told[name]}\n" for name in ("Message", "MessageId", "Timestamp", "TopicArn", "Type"))
    pem = lab._session.get(told["SigningCertURL"], verify=lab.places["ca_file"], timeout=5).content
    key: Any = x509.load_pem_x509_certificate(pem).public_key()
    key.verify(base64.b64decode(told["Signature"]), text.encode(), padding.PKCS1v15(), SHA256())


def test_every_fate_of_the_lab_is_told(account: Account, delivered: ReceiptCall, subscriber: Subscriber) -> None:
    page = [
        EmailMessage(id=delivery_id(at), to=f"{word}@example.com", subject="s", text="t")
        for at, word in enumerate(FATES, start=10)
    ]
    build(account).send_many(page, deadline=soon())
    calls = subscriber.calls(3 + sum(1 + len(fate) for fate in FATES.values()))
    told = {(one.delivery_id, one.kind) for call in calls for one in read(account, call)}
    numbers = {word: delivery_id(at) for at, word in enumerate(FATES, start=10)}
    assert {
        (numbers["lab-bounce"], ReceiptKind.BOUNCED),
        (numbers["lab-full"], ReceiptKind.SOFT_BOUNCED),
        (numbers["lab-listed"], ReceiptKind.BOUNCED),
        (numbers["lab-large"], ReceiptKind.FAILED),
        (numbers["lab-virus"], ReceiptKind.FAILED),
        (numbers["lab-deferred"], ReceiptKind.DEFERRED),
        (numbers["lab-complaint"], ReceiptKind.COMPLAINED),
        (numbers["lab-reader"], ReceiptKind.CLICKED),
    } <= told
    assert not [kind for _, kind in told if kind is ReceiptKind.UNKNOWN]


def changed(call: ReceiptCall, **fields: Any) -> ReceiptCall:
    return msgspec.structs.replace(call, body=json.dumps({**json.loads(call.body), **fields}).encode())


def resigned(call: ReceiptCall) -> ReceiptCall:
    """By somebody else."""
    told = json.loads(call.body)
    text = "".join(f"{name}\n{told[name]}\n" for name in ("Message", "MessageId", "Timestamp", "TopicArn", "Type"))
    signature = base64.b64encode(FOREIGN.sign(text.encode(), padding.PKCS1v15(), SHA256())).decode()
    return changed(call, Signature=signature)


OLD = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=2)).isoformat()


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda call: changed(call, Message="{}"), id="other words"),
        pytest.param(lambda call: changed(call, MessageId="another"), id="another id"),
        pytest.param(lambda call: changed(call, Subject="new"), id="a subject more"),
        pytest.param(lambda call: changed(call, Signature=""), id="no signature"),
        pytest.param(lambda call: changed(call, Signature="not base64"), id="no base64"),
        pytest.param(lambda call: changed(call, SignatureVersion="1"), id="version 1"),
        pytest.param(lambda call: changed(call, TopicArn="arn:aws:sns:eu-central-1:1:else"), id="another topic"),
        pytest.param(lambda call: changed(call, Timestamp=OLD), id="another time"),
        pytest.param(lambda call: changed(call, SigningCertURL="https://evil.example/a.pem"), id="evil host"),
        pytest.param(lambda call: changed(call, SigningCertURL="https://127.0.0.1:1/a.pem"), id="another port"),
        pytest.param(lambda call: changed(call, Type="UnsubscribeConfirmation", Token="t"), id="another type"),
        pytest.param(resigned, id="foreign signer"),
    ],
)
def test_what_amazon_did_not_sign_is_not_genuine(
    account: Account, delivered: ReceiptCall, forge: Callable[[ReceiptCall], ReceiptCall]
) -> None:
    with pytest.raises(NotGenuine):
        read(account, forge(delivered))


def test_the_labs_own_host_is_believed_on_this_machine_alone(lab: Lab, delivered: ReceiptCall) -> None:
    for base_url in ("", "https://email.example.com"):
        with pytest.raises(NotGenuine, match="not at Amazon's"):
            read(lab.ses(base_url=base_url), delivered)


def test_a_certificate_that_cannot_be_had_makes_sns_call_again(account: Account, delivered: ReceiptCall) -> None:
    url = json.loads(delivered.body)["SigningCertURL"].replace("-lab.pem", "-gone.pem")
    with pytest.raises(Refusal) as refused:
        read(account, changed(delivered, SigningCertURL=url))
    assert refused.value.status == 503


def test_a_subscription_elsewhere_is_not_confirmed(account: Account, subscriber: Subscriber) -> None:
    (invitation,) = subscriber.calls(1)
    with pytest.raises(NotGenuine):
        read(account, changed(invitation, SubscribeURL="https://evil.example/?Token=1"))


def test_a_confirmation_that_fails_makes_sns_call_again(account: Account, subscriber: Subscriber) -> None:
    (invitation,) = subscriber.calls(1)
    subscriber.stand_in.tell("__webhook", url=f"{subscriber.peer.base_url}/again")
    with pytest.raises(Refusal) as refused:
        read(account, invitation)
    assert refused.value.status == 503


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=300))
def test_any_bytes_are_refused_in_our_own_words(account: Account, body: bytes) -> None:
    with pytest.raises(NotGenuine):
        read(account, ReceiptCall(url="", headers={}, body=body))


@pytest.mark.parametrize("message", ["", "not json", "[" * 5000])
def test_a_genuine_notification_that_is_no_event_is_unreadable(
    account: Account, delivered: ReceiptCall, subscriber: Subscriber, message: str
) -> None:
    subscriber.stand_in.tell("__publish", message=message)
    with pytest.raises(UnreadableReceipt):
        read(account, subscriber.calls(4)[-1])


def test_an_account_without_a_topic_takes_no_receipts(lab: Lab) -> None:
    account = lab.ses()
    del account.options["topic_arn"]
    with pytest.raises(ConfigurationFault, match=r"options\.topic_arn: is missing"):
        registry.receipt_reader(account)
