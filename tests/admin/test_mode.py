"""The system's mode in the admin: the same as by the API, with a reason and a journal."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from notify.store import modes
from notify.vocabulary import SystemMode
from tests.admin.conftest import Staff

PAGE = "/admin/notify/systemmodechange/"


def put(client: Client, mode: str, reason: str) -> str:
    response: Any = client.post(f"{PAGE}set/", {"mode": mode, "reason": reason}, follow=True)
    return str(response.content.decode())


def test_an_operator_puts_a_mode_in_force_for_everybody(staff: Staff) -> None:
    page = put(staff("operator"), "critical", "the printer is on fire")
    assert "Mode critical, within two seconds everywhere" in page
    row = modes.read_mode()
    assert (row.mode, row.reason, row.changed_by) == (SystemMode.CRITICAL, "the printer is on fire", "staff operator-0")
    assert modes.current_mode() is SystemMode.CRITICAL
    assert LogEntry.objects.get().change_message == "put in force: critical"


@pytest.mark.parametrize(("mode", "reason"), [("degraded", ""), ("degraded", "  "), ("asleep", "why not")])
def test_a_mode_needs_a_reason_and_must_be_one(staff: Staff, mode: str, reason: str) -> None:
    put(staff("operator"), mode, reason)
    assert modes.read_mode().mode is SystemMode.NORMAL
    assert LogEntry.objects.count() == 0


def test_the_journal_keeps_who_changed_what_and_why(staff: Staff) -> None:
    modes.change_mode(SystemMode.DEGRADED, "too much waits", by="automatic")
    modes.change_mode(SystemMode.NORMAL, "well again", by="API key 7")
    page = staff("auditor").get(PAGE).content.decode()
    assert [word in page for word in ("too much waits", "automatic", "well again", "API key 7")] == [True] * 4
    assert "Put in force" not in page
