"""Devices: one active owner per token, and none that is dead."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, connections

from channels.vocabulary import Platform
from preferences import register, store
from preferences.rules.requests import DeviceBody
from preferences.store import devices
from preferences.vocabulary import InactiveReason, Profile, RecipientRef

MakePerson = Callable[..., RecipientRef]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)


def give(user_id: str, device_id: str, token: str, now: datetime = NOW) -> None:
    body = DeviceBody(device_id=device_id, platform=Platform.ANDROID, token=token)
    register.register_device(user_id, body, now=now)


def active(ref: RecipientRef) -> list[int]:
    return [device.id for device in store.facts_for([ref.id])[ref.id].devices]


def test_a_dead_token_stops_its_device_and_says_why(make_person: MakePerson) -> None:
    ref = make_person()
    give("u_alice", "d1", "token-1")
    give("u_alice", "d2", "token-2")
    first, second = active(ref)
    assert store.deactivate_rejected({first: LATER}) == [first]
    assert store.deactivate_rejected({first: LATER}) == []
    assert active(ref) == [second]
    assert [(one.active, one.inactive_reason) for one in devices.list_devices(ref.id)] == [
        (False, InactiveReason.REJECTED),
        (True, None),
    ]


def test_a_verdict_older_than_the_registration_is_out_of_date(make_person: MakePerson) -> None:
    ref = make_person()
    give("u_alice", "d1", "token-1")
    (device,) = active(ref)
    assert store.deactivate_rejected({device: NOW}) == []
    assert active(ref) == [device]
    assert store.deactivate_rejected({device: LATER}) == [device]


def test_the_database_refuses_a_second_active_owner_of_a_token(make_person: MakePerson) -> None:
    make_person("u_alice")
    make_person("u_bob")
    give("u_alice", "d1", "token-1")
    give("u_bob", "d1", "token-1")
    with pytest.raises(IntegrityError, match="device_token_active_once"), connection.cursor() as cursor:
        cursor.execute("UPDATE preferences_device SET active = true, inactive_reason = ''")


def test_a_device_is_inactive_for_a_reason(make_person: MakePerson) -> None:
    make_person()
    give("u_alice", "d1", "token-1")
    with pytest.raises(IntegrityError, match="device_inactive_why"), connection.cursor() as cursor:
        cursor.execute("UPDATE preferences_device SET active = false")


def test_devices_unseen_for_long_are_stopped_and_later_deleted(make_person: MakePerson) -> None:
    ref = make_person()
    give("u_alice", "old", "token-1", NOW - timedelta(days=91))
    give("u_alice", "new", "token-2", NOW)
    since = NOW - timedelta(days=90)
    assert store.delete_inactive(since, 100) == 0
    assert store.deactivate_stale(since, 100) == 1
    assert store.delete_inactive(since, 100) == 1
    assert [one.device_id for one in devices.list_devices(ref.id)] == ["new"]


def test_rows_of_inactive_devices_do_not_grow_without_end(make_person: MakePerson) -> None:
    ref = make_person()
    for number in range(8):
        give("u_alice", f"d{number}", f"token-{number}", NOW + timedelta(seconds=number))
    devices.remove_device(ref.id, "d0")
    store.deactivate_rejected(dict.fromkeys(active(ref)[:3], NOW + timedelta(minutes=1)))
    devices.trim_devices(ref.id, keep=5)
    assert [one.device_id for one in devices.list_devices(ref.id)] == ["d3", "d4", "d5", "d6", "d7"]


@pytest.mark.django_db(transaction=True)
def test_of_many_who_register_one_token_at_once_one_has_it(make_profile: Callable[..., Profile]) -> None:
    names = [f"u{n}" for n in range(8)]
    store.upsert({name: make_profile() for name in names})

    def claim(name: str) -> None:
        try:
            give(name, "d1", "shared-token")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(claim, names * 3))
    owners = store.find_by_address(store.index_of_token("shared-token"))
    assert len(owners) == 1
