"""docs/adding-a-channel.md, carried out: its providers file, its gateway, a message through it, and the way back."""

from __future__ import annotations

import hmac
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import pytest
import requests
from django.test import Client
from standardwebhooks.webhooks import Webhook

from channels import conf, receipts, registry
from channels.providers import http
from channels.send import send_page
from channels.vocabulary import Channel, EmailMessage, Receipt, ReceiptKind, SendOutcome
from notify import receive
from tests.factories import make_recipient
from tests.flow.conftest import Send, drain
from tests.providers.callbacks import Called, Mailbox
from tests.providers.conformance import delivery_id, soon
from tests.providers.conftest import ROOT
from tests.providers.gateways import sms
from tests.providers.peers import dead_port

PAGE = (ROOT / "docs" / "adding-a-channel.md").read_text()
SECRETS = {
    "GATEWAY_SIGNING_SECRET": "whsec_" + "c2lnbmluZyBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXQ=",
    "GATEWAY_RECEIPTS_SECRET": "whsec_" + "cmVjZWlwdHMgc2VjcmV0IG9mIHRoaXJ0eS10d28gYnk=",
}


def block(language: str) -> str:
    """The first block of code in that language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


class Stage(NamedTuple):
    gateway: str
    #: Where receipts come in.
    carillon: Mailbox
    whatsapp: Mailbox
    slack: Mailbox


@pytest.fixture
def stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any, db: None, empty_redis: None
) -> Iterator[Stage]:
    """The page's gateway at work between this process and two networks."""
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    port = dead_port()
    script, file = tmp_path / "gateway.py", tmp_path / "providers.toml"
    script.write_text(block("python"))
    file.write_text(block("toml").replace("127.0.0.1:9100", f"127.0.0.1:{port}"))
    with Mailbox() as carillon, Mailbox(WHATSAPP_TOOK) as whatsapp, Mailbox(slack_answer) as slack:
        settings.CARILLON = {
            **settings.CARILLON,
            "PROVIDERS_FILE": str(file),
            "PUBLIC_URL": carillon.url,
            "HOME": str(tmp_path),
        }
        networks = {"WHATSAPP_URL": whatsapp.url, "SLACK_URL": slack.url}
        keys = dict.fromkeys(("WHATSAPP_TOKEN", "WHATSAPP_APP_SECRET", "SLACK_TOKEN"), "sesame")
        env = {**os.environ, **SECRETS, **networks, **keys, "WHATSAPP_PHONE_ID": "42", "PORT": str(port)}
        with subprocess.Popen([sys.executable, script], env=env) as process:
            gateway = f"http://127.0.0.1:{port}"
            wait_until(lambda: answers(gateway))
            registry.close()  # what other tests built leads to their gateways
            yield Stage(gateway, carillon, whatsapp, slack)
            registry.close()
            process.terminate()


WHATSAPP_TOOK = b'{"messages": [{"id": "wamid.1"}]}'


def slack_answer(path: str, body: bytes) -> bytes:
    if path.endswith("chat.postMessage"):
        return b'{"ok": true, "ts": "1700000000.000100"}'
    is_colleague = parse_qs(body.decode())["email"] == ["ada@example.com"]
    return b'{"ok": true, "user": {"id": "U1"}}' if is_colleague else b'{"ok": false, "error": "users_not_found"}'


def answers(url: str) -> bool:
    try:
        return requests.post(url, data=b"", timeout=1).status_code == 401
    except requests.ConnectionError:
        return False


def wait_until(fact: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not fact():
        assert time.monotonic() < end
        time.sleep(0.02)  # noqa: TID251 - a process starts up


def hand_in(call: Called) -> None:
    """What a gateway told, at the endpoint where it would have come in."""
    headers = {name: value for name, value in call.headers.items() if name.startswith("webhook-")}
    posted = Client().post(call.path, call.body, content_type="application/json", headers=headers)
    assert posted.status_code == 200


def read_back(call: Called) -> Receipt:
    """The same, as it is understood."""
    hand_in(call)
    (receipt,) = receipts.read(call.path.rpartition("/")[2], query="", headers=call.headers, body=call.body).receipts
    return receipt


def test_the_pages_providers_file_is_a_good_one(stage: Stage) -> None:
    names = [account.name for account in conf.accounts()]
    assert names == ["whatsapp", "sms", "slack", "mail", "inbox"]


def test_a_text_message_goes_by_whatsapp_and_its_reading_comes_back(stage: Stage) -> None:
    message = sms(1, to="+5511987654321", country="BR")
    (result,) = send_page(Channel.SMS, [message], deadline=soon())
    assert (result.outcome, result.provider, result.provider_message_id) == (
        SendOutcome.ACCEPTED,
        "whatsapp",
        "wamid.1",
    )
    asked = json.loads(stage.whatsapp.wait_for(1)[0].body)
    assert asked["to"] == "5511987654321"
    assert asked["template"]["components"][0]["parameters"] == [{"type": "text", "text": "plain words"}]
    status = {"id": "wamid.1", "status": "read", "biz_opaque_callback_data": asked["biz_opaque_callback_data"]}
    body = json.dumps({"entry": [{"changes": [{"value": {"statuses": [status]}}]}]}).encode()
    told = "sha256=" + hmac.new(b"sesame", body, "sha256").hexdigest()
    posted = requests.post(
        f"{stage.gateway}/whatsapp/status", data=body, headers={"x-hub-signature-256": told}, timeout=5
    )
    assert posted.status_code == 200
    receipt = read_back(stage.carillon.wait_for(1)[0])
    assert (receipt.kind, receipt.delivery_id, receipt.event_id) == (ReceiptKind.OPENED, message.id, "wamid.1:read")


def test_where_whatsapp_is_not_used_the_message_goes_as_a_text(stage: Stage) -> None:
    (result,) = send_page(Channel.SMS, [sms(1, country="DE")], deadline=soon())
    assert (result.outcome, result.provider) == (SendOutcome.ACCEPTED, "sms")
    assert stage.whatsapp.calls == []


def mail(number: int, to: str) -> EmailMessage:
    return EmailMessage(id=delivery_id(number), to=to, subject="Deployed", text="All is well.")


def test_a_colleague_gets_it_in_slack_and_everybody_else_by_mail(stage: Stage) -> None:
    page = [mail(1, "ada@example.com"), mail(2, "customer@example.com")]
    results = send_page(Channel.EMAIL, page, deadline=soon())
    assert [(one.outcome, one.provider) for one in results] == [
        (SendOutcome.ACCEPTED, "slack"),
        (SendOutcome.ACCEPTED, "mail"),
    ]
    assert [(one.provider, one.code) for one in results[1].earlier] == [("slack", "not_here")]
    posted = next(call for call in stage.slack.calls if call.path.endswith("chat.postMessage"))
    assert json.loads(posted.body) == {"channel": "U1", "text": "*Deployed*\nAll is well."}
    receipt = read_back(stage.carillon.wait_for(1)[0])
    assert (receipt.kind, receipt.delivery_id) == (ReceiptKind.DELIVERED, page[0].id)


def test_a_notification_goes_its_whole_way_to_a_colleague_in_slack(stage: Stage, send: Send, status: Any) -> None:
    make_recipient("u_ada", email="ada@example.com")
    told = send("u_ada", channels=["email"])["notifications"][0]["id"]
    drain()
    assert status(told)["deliveries"][0]["provider"] == "slack"
    hand_in(stage.carillon.wait_for(1)[0])
    receive.receive()
    assert status(told)["status"] == "delivered"
    text = json.loads(stage.slack.calls[-1].body)["text"]
    assert "ORD-1" in text


def test_a_message_that_comes_twice_is_carried_once(stage: Stage) -> None:
    message = sms(1, country="BR")
    first = send_page(Channel.SMS, [message], deadline=soon())
    again = send_page(Channel.SMS, [message], deadline=soon())
    assert first[0].provider_message_id == again[0].provider_message_id
    assert len(stage.whatsapp.calls) == 1


def test_the_gateway_refuses_who_cannot_sign(stage: Stage) -> None:
    assert requests.post(f"{stage.gateway}/whatsapp", data=b"{}", timeout=5).status_code == 401
    assert requests.post(f"{stage.gateway}/whatsapp/status", data=b"{}", timeout=5).status_code == 403


def test_the_pages_signature_is_the_specifications() -> None:
    script: dict[str, Any] = {"__name__": "gateway"}
    exec(block("python"), script)  # noqa: S102 - the page's own code is what is tested
    secret, body, at = SECRETS["GATEWAY_SIGNING_SECRET"], b'{"a": 1}', str(int(time.time()))
    headers = {"webhook-id": "m", "webhook-timestamp": at}
    headers["webhook-signature"] = script["signature"](secret, "m", at, body)
    assert Webhook(secret).verify(body, headers) == {"a": 1}


def test_the_page_lists_every_code_and_every_event() -> None:
    contract = PAGE.partition("### The contract")[2]
    rows = re.findall(r"^\| `([a-z_]+)` \| [a-z]", contract, flags=re.MULTILINE)
    assert set(http.CODES) <= set(rows)
    for kind in ReceiptKind:
        assert f"`{kind.value}`" in contract or f"{kind.value}`" in contract
