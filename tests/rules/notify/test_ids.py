"""Ids that carry their time, and families of them."""

import os
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from notify.rules.ids import (
    ENTROPY,
    delivery_id,
    family_range,
    first_id,
    instant_of,
    new_ids,
    sibling_ids,
)

instants = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


@given(instants, st.binary(min_size=3 * ENTROPY, max_size=3 * ENTROPY))
def test_every_id_is_a_version_7_uuid_of_its_instant(now: datetime, entropy: bytes) -> None:
    for one in new_ids(3, now=now, entropy=entropy):
        assert (one.version, one.variant) == (7, "specified in RFC 4122")
        assert timedelta(0) <= now - instant_of(one) < timedelta(milliseconds=1)


@given(instants, instants, st.binary(min_size=ENTROPY, max_size=ENTROPY))
def test_ids_sort_by_their_time_and_bounds_enclose_them(one: datetime, other: datetime, entropy: bytes) -> None:
    early, late = sorted((one, other))
    if late - early < timedelta(milliseconds=2):
        return
    first, second = (new_ids(1, now=at, entropy=entropy)[0] for at in (early, late))
    assert first < second
    assert first_id(early) <= first < first_id(late)


def test_a_family_encloses_its_deliveries_and_siblings() -> None:
    notification = new_ids(1, now=datetime.now(UTC), entropy=os.urandom(ENTROPY))[0]
    low, high = family_range(notification)
    kin = [delivery_id(notification, "push", device) for device in range(50)]
    kin += sibling_ids([notification] * 50, entropy=os.urandom(300))
    assert all(low <= one <= high and one.version == 7 for one in kin)
    assert len(set(kin)) == 100
    assert low <= notification <= high


def test_the_same_endpoint_gets_the_same_delivery_id_and_no_other_does() -> None:
    notification = UUID("01a1fc48-b99e-7379-8664-edb07ebed9eb")
    assert delivery_id(notification, "push", 5) == delivery_id(notification, "push", 5)
    variants = {
        delivery_id(notification, channel, device, salt)
        for channel in ("push", "email")
        for device in (0, 5)
        for salt in (0, 1)
    }
    assert len(variants) == 8


def test_ten_thousand_ids_of_one_millisecond_are_all_different() -> None:
    ids = new_ids(10_000, now=datetime.now(UTC), entropy=os.urandom(10_000 * ENTROPY))
    assert len(set(ids)) == 10_000
