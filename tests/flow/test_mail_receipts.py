"""SendGrid's events, signed as SendGrid signs them, from the callback to the delivery and the address."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client

from channels import registry
from preferences import store as people
from preferences.vocabulary import ContactKind, SuppressionReason
from tests.factories import make_recipient
from tests.flow.conftest import Send, drain
from tests.flow.receipts import apply
from tests.providers.peers import HttpPeer, http_answer

pytestmark = pytest.mark.django_db

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = base64.b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
ADDRESS = "alice@example.com"


@pytest.fixture(autouse=True)
def sendgrid(tmp_path: Path, settings: Any) -> Iterator[HttpPeer]:
    """A SendGrid that takes everything, and the one account that carries mail."""
    peer = HttpPeer(lambda _: http_answer(202, b"", "X-Message-Id: abc"))
    (tmp_path / "key").write_text("SG.key")
    file = tmp_path / "providers.toml"
    file.write_text(
        f'[[provider]]\nname = "mails"\nadapter = "sendgrid"\nchannel = "email"\nbase_url = "{peer.base_url}"\n'
        f'options = {{from_email = "news@example.com", webhook_public_key = "{PUBLIC}"}}\n'
        f'secrets = {{api_key = "file:{tmp_path}/key"}}\n'
    )
    settings.CARILLON = {**settings.CARILLON, "HOME": tmp_path, "PROVIDERS_FILE": file}
    yield peer
    registry.close()
    peer.close()


def sent_mail(send: Send, peer: HttpPeer) -> tuple[str, str]:
    """(notification, delivery) of a mail that SendGrid took; the delivery's id is what SendGrid was told."""
    make_recipient("u_alice", email=ADDRESS)
    told = send("u_alice", channels=["email"])["notifications"][0]["id"]
    drain()
    (person,) = json.loads(peer.requests[-1])["personalizations"]
    return told, person["custom_args"]["delivery_id"]


def posted(delivery_id: str, *events: dict[str, Any]) -> int:
    """The status of the answer to SendGrid's callback."""
    told = [
        {
            "email": ADDRESS,
            "delivery_id": delivery_id,
            "sg_event_id": f"e{number}",
            "timestamp": int(time.time()),
            **one,
        }
        for number, one in enumerate(events)
    ]
    body = json.dumps(told).encode() + b"\r\n"
    stamp = str(int(time.time()))
    signature = base64.b64encode(KEY.sign(stamp.encode() + body, ec.ECDSA(SHA256()))).decode()
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": signature,
        "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
    }
    path = "/v1/receipts/mails"
    answer = Client().generic("POST", path, body, content_type="application/json", headers=headers)
    return int(answer.status_code)


def suppressions() -> list[SuppressionReason]:
    return [one.reason for one in people.suppressions_of([people.index_of(ContactKind.EMAIL, ADDRESS)])]


def test_a_bounce_ends_the_delivery_and_the_address(send: Send, status: Any, sendgrid: HttpPeer) -> None:
    told, delivery_id = sent_mail(send, sendgrid)
    assert posted(delivery_id, {"event": "processed"}, {"event": "bounce", "type": "bounce", "status": "5.1.1"}) == 200
    apply()
    (delivery,) = status(told)["deliveries"]
    assert (delivery["id"], delivery["status"]) == (delivery_id, "bounced")
    assert suppressions() == [SuppressionReason.HARD_BOUNCE]


def test_an_open_of_a_proxy_is_no_opening(send: Send, status: Any, sendgrid: HttpPeer) -> None:
    told, delivery_id = sent_mail(send, sendgrid)
    assert posted(delivery_id, {"event": "delivered"}, {"event": "open", "sg_machine_open": True}) == 200
    apply()
    assert status(told)["deliveries"][0]["status"] == "delivered"
    assert suppressions() == []


def test_a_mail_dropped_for_an_earlier_complaint_was_not_delivered(send: Send, status: Any, sendgrid: HttpPeer) -> None:
    told, delivery_id = sent_mail(send, sendgrid)
    assert posted(delivery_id, {"event": "dropped", "reason": "Spam Reporting Address"}) == 200
    apply()
    assert status(told)["deliveries"][0]["status"] != "delivered"
    assert suppressions() == [SuppressionReason.COMPLAINT]
