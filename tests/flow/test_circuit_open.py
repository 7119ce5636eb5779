"""What becomes of messages whose provider's circuit is open: the urgent turn aside, the others wait."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from channels.send import send_page
from channels.vocabulary import Channel, EmailMessage, SmsMessage
from notify.models import Attempt, Delivery
from notify.sweep import collect_due
from tests.factories import make_recipient, make_template, make_type
from tests.flow.conftest import Send, drain
from tests.providers.conformance import delivery_id, soon

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_redis")]

DOWN = (
    '[[provider]]\nname = "{channel}-down"\nadapter = "sandbox"\nchannel = "{channel}"\noptions = {{always = "down"}}\n'
)
UP = '[[provider]]\nname = "{channel}-up"\nadapter = "sandbox"\nchannel = "{channel}"\npriority = 2\n'


@pytest.fixture
def declare(tmp_path: Path, settings: Any) -> Any:
    """Declare accounts, and open the circuits of those that are down."""

    def accounts(*, down: tuple[str, ...], up: tuple[str, ...]) -> None:
        file = tmp_path / "providers.toml"
        file.write_text("".join([DOWN.format(channel=one) for one in down] + [UP.format(channel=one) for one in up]))
        settings.CARILLON = {**settings.CARILLON, "HOME": tmp_path, "PROVIDERS_FILE": file}
        mail = EmailMessage(id=delivery_id(1), to="nobody@example.com", text="words")
        text = SmsMessage(id=delivery_id(1), to="+4915112000001", text="words")
        for _ in range(5):
            send_page(Channel.EMAIL, [mail], deadline=soon())
            send_page(Channel.SMS, [text], deadline=soon())

    return accounts


@pytest.fixture
def tell(send: Send) -> Any:
    """Send by mail to Alice, who has a number too; the notification's id."""
    wording = {"email": {"en": {"subject": "s", "body": "b"}}, "sms": {"en": {"body": "b"}}}
    make_template("any", "ANY", channels=wording, variables={})
    make_type("ANY", template_id="any", channels=["email"])
    make_recipient(email="alice@example.com", phone="+4915112000002")

    def told(**body: Any) -> str:
        name: str = send("u_alice", type="ANY", variables={}, **body)["notifications"][0]["id"]
        drain()
        return name

    return told


def ends() -> dict[str, tuple[str, str | None]]:
    """Status and reason by channel."""
    return {
        channel: (status, why)
        for channel, status, why in Delivery.objects.values_list("channel", "status", "reason_code")
    }


@pytest.mark.parametrize("priority", ["critical", "high"])
def test_what_is_urgent_goes_by_the_next_channel_at_once(declare: Any, tell: Any, api: Any, priority: str) -> None:
    declare(down=("email",), up=("sms",))
    told = tell(priority=priority, fallback_channels=["sms"])
    assert ends() == {"email": ("failed", "no_provider"), "sms": ("delivered", None)}
    assert list(Attempt.objects.values_list("provider", flat=True)) == ["sms-up"]
    assert api.get(f"/v1/notifications/{told}").json()["status"] == "partially_delivered"


@pytest.mark.parametrize(("priority", "fallback"), [("medium", ["sms"]), ("low", ["sms"]), ("critical", [])])
def test_what_can_wait_or_has_no_other_channel_waits_and_uses_no_attempt(
    declare: Any, tell: Any, priority: str, fallback: list[str]
) -> None:
    declare(down=("email",), up=("sms",))
    tell(priority=priority, fallback_channels=fallback)
    waiting = Delivery.objects.get()
    assert (waiting.channel, waiting.status, waiting.attempts) == ("email", "retrying", 0)
    assert "circuit_open" in waiting.detail
    assert waiting.next_attempt_at is not None
    assert timedelta(0) < waiting.next_attempt_at - timezone.now() < timedelta(minutes=2)


def test_the_last_channel_waits_where_all_circuits_are_open(declare: Any, tell: Any) -> None:
    declare(down=("email", "sms"), up=())
    tell(priority="critical", fallback_channels=["sms"])
    assert ends() == {"email": ("failed", "no_provider"), "sms": ("retrying", None)}
    Delivery.objects.filter(channel="sms").update(next_attempt_at=timezone.now() - timedelta(seconds=1))
    collect_due()
    drain()
    assert ends()["sms"] == ("retrying", None)


def test_another_account_of_the_channel_comes_before_another_channel(declare: Any, tell: Any) -> None:
    declare(down=("email",), up=("email", "sms"))
    tell(priority="critical", fallback_channels=["sms"])
    assert ends() == {"email": ("delivered", None)}
    assert list(Attempt.objects.values_list("provider", flat=True)) == ["email-up"]
