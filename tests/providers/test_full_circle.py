"""A message out, and what its provider says about it back in: real adapters, real signatures, our own web process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.db import connection
from pytest_django.live_server_helper import LiveServer

from channels import conf, registry
from channels.rules.accounts import Account, SecretRef
from notify import receive
from preferences import store as people
from preferences.vocabulary import ContactKind, SuppressionReason
from tests.factories import Api, make_key, make_recipient, make_template, make_type
from tests.flow import receipts
from tests.flow.conftest import drain
from tests.providers.conftest import Lab
from tests.providers.gateways import sns, twilio, vonage
from tests.providers.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

#: Every callback comes three times, and out of order.
UNRULY = {"copies": 3, "shuffle": True, "delay_ms": 20.0}


@pytest.fixture
def shop(live_server: LiveServer, settings: Any) -> Iterator[Api]:
    """A caller whose ANY goes by mail and by text message, at a place that providers can call."""
    settings.CARILLON = {**settings.CARILLON, "PUBLIC_URL": live_server.url}
    wording = {"email": {"en": {"subject": "s", "body": "b"}}, "sms": {"en": {"body": "b"}}}
    api = Api(make_key())
    make_template("any", "ANY", channels=wording, variables={})
    make_type("ANY", template_id="any")
    yield api
    with connection.cursor() as cursor:
        # The stand-ins keep their connections to the server open, and its threads theirs to the database.
        cursor.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        )


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Declare the account that messages leave by."""

    def declare(account: Account) -> None:
        monkeypatch.setattr(conf, "accounts", lambda: (account, conf.INBOX))

    yield declare
    registry.close()


def sent(shop: Api, channel: str, **address: str) -> Callable[[], dict[str, Any]]:
    """Send to somebody at this address; the answer reads the delivery, once more receipts have been applied."""
    make_recipient(**address)  # type: ignore[arg-type] # an address, by the name of its kind
    body = {"type": "ANY", "user_id": "u_alice", "channels": [channel], "variables": {}}
    told = shop.post("/v1/notifications", body, Idempotency_Key="k").json()["notifications"][0]["id"]
    drain()

    def delivery() -> dict[str, Any]:
        receive.receive()
        found: dict[str, Any] = shop.get(f"/v1/notifications/{told}/status").json()["deliveries"][0]
        return found

    return delivery


def becomes(read: Callable[[], dict[str, Any]], **wanted: Any) -> None:
    """Wait until a delivery looks so."""

    def is_so() -> bool:
        seen = read()
        return all(seen[key] == value for key, value in wanted.items())

    eventually(is_so, within_seconds=20)


def reasons(kind: ContactKind, address: str) -> list[SuppressionReason]:
    receive.receive()
    return [one.reason for one in people.suppressions_of([people.index_of(kind, address)])]


def test_twilio_says_that_a_text_message_was_delivered(lab: Lab, shop: Api, use: Any) -> None:
    lab.at("twilio").tell("__faults", receipts=UNRULY)
    use(twilio(lab))
    becomes(sent(shop, "sms", phone="+15559876543"), status="delivered", provider="twilio-lab")


def test_a_stop_answered_to_twilio_closes_the_number(lab: Lab, shop: Api, use: Any) -> None:
    lab.at("twilio").tell("__faults", receipts=UNRULY)
    use(twilio(lab))
    number = "+15005554001"
    becomes(sent(shop, "sms", phone=number), status="delivered")
    eventually(lambda: reasons(ContactKind.PHONE, number) == [SuppressionReason.UNSUBSCRIBE], within_seconds=20)


def test_a_landline_that_twilio_cannot_reach_is_bounced(lab: Lab, shop: Api, use: Any) -> None:
    lab.at("twilio").tell("__faults", receipts=UNRULY)
    use(twilio(lab))
    becomes(sent(shop, "sms", phone="+15005553006"), status="bounced", reason_code="invalid_recipient")
    assert reasons(ContactKind.PHONE, "+15005553006") == [SuppressionReason.HARD_BOUNCE]


def test_sendgrid_tells_of_deliveries_and_bounces(lab: Lab, shop: Api, use: Any, live_server: LiveServer) -> None:
    control = lab.at("sendgrid")
    control.tell("__faults", receipts=UNRULY)
    control.tell("__webhook", url=f"{live_server.url}/v1/receipts/sendgrid-lab")
    use(lab.sendgrid())
    becomes(sent(shop, "email", email="alice@example.com"), status="delivered", provider="sendgrid-lab")


def test_a_mail_that_sendgrid_brings_back_closes_its_address(
    lab: Lab, shop: Api, use: Any, live_server: LiveServer
) -> None:
    control = lab.at("sendgrid")
    control.tell("__faults", receipts=UNRULY)
    control.tell("__webhook", url=f"{live_server.url}/v1/receipts/sendgrid-lab")
    use(lab.sendgrid())
    address = "lab-bounce@example.com"
    becomes(sent(shop, "email", email=address), status="bounced", reason_code="invalid_recipient")
    assert reasons(ContactKind.EMAIL, address) == [SuppressionReason.HARD_BOUNCE]


@pytest.fixture
def topic(lab: Lab, use: Any, shop: Api, live_server: LiveServer) -> Iterator[None]:
    """The SES stand-in's topic, whose invitation our own endpoint has confirmed."""
    control = lab.at("ses")
    use(lab.ses())
    control.tell("__faults", receipts=UNRULY)
    control.tell("__webhook", url=f"{live_server.url}/v1/receipts/ses-lab")
    eventually(lambda: control.ask("__webhook")["confirmed"], within_seconds=20)
    yield
    control.tell("__webhook", url="")


@pytest.mark.usefixtures("topic")
def test_ses_tells_of_a_delivery_by_its_topic(shop: Api) -> None:
    becomes(sent(shop, "email", email="alice@example.com"), status="delivered", provider="ses-lab")


@pytest.mark.usefixtures("topic")
def test_a_mail_that_ses_brings_back_closes_its_address(shop: Api) -> None:
    address = "lab-bounce@example.com"
    becomes(sent(shop, "email", email=address), status="bounced", reason_code="invalid_recipient")
    assert reasons(ContactKind.EMAIL, address) == [SuppressionReason.HARD_BOUNCE]


@pytest.mark.usefixtures("topic")
def test_a_complaint_told_by_ses_closes_the_address_to_marketing(shop: Api) -> None:
    address = "lab-complaint@example.com"
    becomes(sent(shop, "email", email=address), status="delivered")
    eventually(lambda: reasons(ContactKind.EMAIL, address) == [SuppressionReason.COMPLAINT], within_seconds=20)


@pytest.mark.parametrize("signed", [True, False])
def test_vonage_says_that_a_text_message_was_delivered(lab: Lab, shop: Api, use: Any, *, signed: bool) -> None:
    lab.at("vonage").tell("__faults", receipts=UNRULY)
    use(vonage(lab, signed=signed))
    becomes(sent(shop, "sms", phone="+15559876543"), status="delivered", provider="vonage-lab")


def test_a_stop_answered_to_vonage_closes_the_number(lab: Lab, shop: Api, use: Any) -> None:
    lab.at("vonage").tell("__faults", receipts=UNRULY)
    use(vonage(lab, signed=True))
    number = "+447946020001"
    becomes(sent(shop, "sms", phone=number), status="delivered")
    eventually(lambda: reasons(ContactKind.PHONE, number) == [SuppressionReason.UNSUBSCRIBE], within_seconds=20)


def test_a_number_that_vonage_says_is_dead_is_bounced(lab: Lab, shop: Api, use: Any) -> None:
    lab.at("vonage").tell("__faults", receipts=UNRULY)
    use(vonage(lab))
    becomes(sent(shop, "sms", phone="+447946010003"), status="bounced", reason_code="invalid_recipient")
    assert reasons(ContactKind.PHONE, "+447946010003") == [SuppressionReason.HARD_BOUNCE]


@pytest.mark.parametrize(("event", "status"), [("delivered", "delivered"), ("bounced", "bounced")])
def test_what_amazon_logs_of_a_text_message_is_handed_on(
    lab: Lab, shop: Api, use: Any, tmp_path: Path, event: str, status: str
) -> None:
    secret = tmp_path / "receipts-secret"
    secret.write_text(receipts.SECRET)
    account = sns(lab)
    use(
        msgspec.structs.replace(account, secrets={**account.secrets, "receipts_secret": SecretRef("file", str(secret))})
    )
    read = sent(shop, "sms", phone="+15559876543")
    becomes(read, status="sent", provider="sns-lab")
    told = read()
    words = receipts.event(event, told["id"], message_id=told["provider_message_id"])
    assert [receipts.Gateway("sns-lab").says(words) for _ in range(3)] == [200] * 3
    becomes(read, status=status)
