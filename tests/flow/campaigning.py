"""Campaigns in tests: written as rows, and moved by the verbs that the clock and the workers call."""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta
from typing import Any

import msgspec
from django.db import connection
from django.utils import timezone

from campaigns import conf, control, fan_out, freeze, launch, watch
from campaigns.store import campaigns, runs
from campaigns.store.campaigns import CampaignRow
from campaigns.store.runs import RunRow
from campaigns.vocabulary import Act, CampaignStatus
from channels.vocabulary import Channel
from notify.rules.ids import ENTROPY, new_ids
from tests.factories import make_recipient
from tests.flow.conftest import drain


def people(count: int, **fields: Any) -> list[int]:
    """So many people with an e-mail address each, u_0 and so on; their ids."""
    return [make_recipient(f"u_{at}", email=f"person{at}@example.com", **fields).id for at in range(count)]


def make_campaign(**fields: Any) -> CampaignRow:
    """A draft for everybody called u_…, by e-mail."""
    now = timezone.now()
    name = new_ids(1, now=now, entropy=os.urandom(ENTROPY))[0]
    variables = msgspec.json.encode({"order_id": "ORD-1"})
    row = CampaignRow(
        **{
            "id": name,
            "name": "News",
            "type_key": "ORDER_SHIPPED",
            "sealed": conf.KEYRING.seal_blob(variables, b"campaign:" + name.bytes),
            "channels": [Channel.EMAIL],
            "audience": {"segment": "user_id STARTS WITH 'u_'"},
            "estimated": 10,
            "created_at": now,
            "updated_at": now,
            **fields,
        }
    )
    campaigns.insert(row)
    return row


def start(campaign: CampaignRow) -> RunRow:
    """Start and launch it; its run."""
    control.act_on(campaign.id, Act.START, actor="staff:ann", now=timezone.now())
    assert launch.launch(timezone.now()) == 1
    return only_run(campaign)


def only_run(campaign: CampaignRow) -> RunRow:
    """The one run it has."""
    (run,) = runs.of_campaign(campaign.id)
    return run


def go(run: RunRow) -> None:
    """Everything the workers would do for a run, until nothing moves."""
    freeze.freeze(run.id)
    for _ in fan_out.fan_out(run.id):
        pass
    release_pages()
    drain()
    watch.watch(timezone.now() + timedelta(hours=1))


def release_pages() -> None:
    """Let go of what fan-out claimed for its own process, as the end of a lease does."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_page SET claimed_until = NULL WHERE step = 'send'")


def status_of(campaign: CampaignRow) -> CampaignStatus:
    """Where it stands."""
    found = campaigns.get(campaign.id)
    assert found is not None
    return found.status


def told() -> Counter[str]:
    """How often each person has a notification, by user id."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT r.user_id, count(*) FROM notify_notification n JOIN preferences_recipient r
               ON r.id = n.recipient_id GROUP BY 1"""
        )
        return Counter(dict(cursor.fetchall()))
