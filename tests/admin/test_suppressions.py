"""The suppression list: found by exact address, changed on record, and never an address on a page."""

from __future__ import annotations

from html import escape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client

from channels.vocabulary import Channel
from preferences import store as people
from preferences.models import Consent, Suppression
from preferences.vocabulary import ContactKind, SuppressionReason
from tests.admin.conftest import EMAIL, PHONE, Staff, World

LIST = "/admin/preferences/recipient/suppressions/"


def index(address: str = EMAIL) -> bytes:
    kind = ContactKind.EMAIL if "@" in address else ContactKind.PHONE
    return people.index_of(kind, address)


def act(client: Client, action: str, **body: str) -> str:
    """What the page says after it."""
    response: Any = client.post(f"{LIST}{action}/", {"channel": "email", "address": EMAIL, **body}, follow=True)
    assert response.status_code == 200
    return str(response.content.decode())


def test_an_address_is_found_by_its_hash_and_shown_without_itself(staff: Staff, world: World) -> None:
    people.suppress([index()], Channel.EMAIL, SuppressionReason.HARD_BOUNCE)
    page = act(staff("auditor"), "find", address=f" {EMAIL.upper()} ")
    assert "hard_bounce" in page
    assert "zora" not in page.lower()
    assert "Take off" not in page


@pytest.mark.parametrize("wanted", ["zora.canary@example.co", "someone@example.com"])
def test_another_address_is_not_on_the_list(staff: Staff, world: World, wanted: str) -> None:
    people.suppress([index()], Channel.EMAIL, SuppressionReason.HARD_BOUNCE)
    assert "is not on the list of email" in act(staff("operator"), "find", address=wanted)


@pytest.mark.parametrize("wanted", ["zora at@", "", "zora.canary"])
def test_what_is_no_address_is_refused_and_not_repeated(staff: Staff, world: World, wanted: str) -> None:
    page = act(staff("operator"), "find", address=wanted)
    assert "Nothing is suppressed here." in page
    assert "such as alice@example.com" in page or "with its country code" in page
    assert not wanted or f">{escape(wanted)}" not in page


def test_an_operator_adds_an_address_nobody_has_and_it_is_logged_by_its_hash(staff: Staff, world: World) -> None:
    page = act(staff("operator"), "add", channel="sms", address="+44 7700 900457")
    assert "Nothing is sent to this address any more; reason: manual." in page
    entry = Suppression.objects.get()
    assert (bytes(entry.index), entry.channel, entry.reason) == (index("+447700900457"), "sms", "manual")
    logged = LogEntry.objects.get()
    digits = bytes(entry.index).hex()
    assert (logged.object_repr, logged.change_message) == (f"address {digits[:8]}…", "suppressed on sms")


def test_an_address_that_is_there_already_keeps_its_first_reason(staff: Staff, world: World) -> None:
    people.suppress([index()], Channel.EMAIL, SuppressionReason.HARD_BOUNCE)
    assert "It was on the list already; reason: hard_bounce." in act(staff("operator"), "add")


def test_taking_off_somebody_s_word_is_written_into_the_ledger_with_who_did_it(staff: Staff, world: World) -> None:
    people.suppress([index()], Channel.EMAIL, SuppressionReason.COMPLAINT)
    body = {"address": "", "address_hash": index().hex(), "why": "the person asked"}
    assert "This address may be sent to again." in act(staff("operator"), "remove", **body)
    assert not Suppression.objects.exists()
    entry = Consent.objects.order_by("-id")[0]
    assert (entry.state, entry.means, entry.actor) == ("given", "admin", "staff")
    assert LogEntry.objects.get().change_message == "released on email: the person asked"


@pytest.mark.parametrize("why", ["", "zora asked me by phone"])
def test_taking_off_without_a_reason_of_the_list_changes_nothing(staff: Staff, world: World, why: str) -> None:
    people.suppress([index()], Channel.EMAIL, SuppressionReason.COMPLAINT)
    assert "Choose why it goes from the list." in act(staff("operator"), "remove", why=why)
    assert Suppression.objects.count() == 1


def test_taking_off_what_is_not_there_is_refused_and_not_logged(staff: Staff, world: World) -> None:
    page = act(staff("operator"), "remove", why="a test")
    assert "may be sent to again" not in page
    assert LogEntry.objects.count() == 0


def test_the_list_is_cut_into_pages_and_filtered(staff: Staff, world: World) -> None:
    many = [f"{at:032x}" for at in range(150)]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO preferences_suppression VALUES (%s, 'email', 'hard_bounce', now())",
            [(bytes.fromhex(one),) for one in many],
        )
    people.suppress([index(PHONE)], Channel.SMS, SuppressionReason.UNSUBSCRIBE)
    operator = staff("operator")
    first = operator.get(f"{LIST}?channel=email").content.decode()
    assert [one in first for one in (many[0], many[99], many[100])] == [True, True, False]
    assert f"after={many[99]}.email" in first
    second = operator.get(f"{LIST}?channel=email&after={many[99]}.email").content.decode()
    assert [one in second for one in (many[99], many[100], many[149])] == [False, True, True]
    assert "unsubscribe</td>" in operator.get(f"{LIST}?channel=sms").content.decode()


def test_a_filter_nobody_offered_leads_back_to_the_list(staff: Staff, world: World) -> None:
    assert staff("operator").get(f"{LIST}?after=nonsense")["Location"] == LIST
