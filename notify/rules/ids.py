"""Ids that carry their time, and families of them.

A notification's id is a UUIDv7. Its deliveries, attempts and events carry the same first 80 bits (48 of time, 4 of
version, 12 random, 2 of variant, 14 random), so that all rows of one notification are one primary-key range in one
partition: no second index is needed to find them. Two notifications may share those bits by chance (1 in 67 million
within a millisecond), which is why readers also compare `notification_id`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from uuid import UUID

_VERSION = 0x7 << 76
_VARIANT = 0x2 << 62
_FAMILY_SHIFT = 48
_TAIL = (1 << _FAMILY_SHIFT) - 1
_RAND_A = ((1 << 12) - 1) << 64
_RAND_B = (1 << 62) - 1
#: Random bytes that one id consumes.
ENTROPY = 10


def new_ids(count: int, *, now: datetime, entropy: bytes) -> list[UUID]:
    """`count` UUIDv7 of the instant `now`; `entropy` holds `count * ENTROPY` random bytes."""
    base = (int(now.timestamp() * 1000) << 80) | _VERSION | _VARIANT
    chunk = int.from_bytes
    return [
        UUID(int=base | ((bits := chunk(entropy[at : at + ENTROPY], "big")) & _RAND_A) | (bits & _RAND_B))
        for at in range(0, count * ENTROPY, ENTROPY)
    ]


def derived_ids(seed: UUID, members: Sequence[int], stamp: int) -> list[UUID]:
    """The id of each member's notification of a run: the same whenever it is computed, and another in another run.

    `stamp` is the millisecond it begins with. That it is derived lets the primary key refuse a second one.
    """
    base = (stamp << 80) | _VERSION | _VARIANT
    key = seed.bytes
    chunk = int.from_bytes
    return [
        UUID(
            int=base
            | ((bits := chunk(blake2b(b"%d" % one, digest_size=10, key=key).digest(), "big")) & _RAND_A)
            | (bits & _RAND_B)
        )
        for one in members
    ]


def span_of(stamp: int, count: int) -> tuple[UUID, UUID]:
    """The ids that begin with one of `count` milliseconds from `stamp` on: the first, and the first behind them."""
    return UUID(int=stamp << 80), UUID(int=(stamp + count) << 80)


def delivery_id(notification_id: UUID, channel: str, endpoint: int, salt: int = 0) -> UUID:
    """The id of the delivery of a notification on a channel to an endpoint: the same whenever it is computed.

    `endpoint` is the device's number, 0 for channels with one address. `salt` tells a second delivery
    from the first, which was held back.
    """
    digest = blake2b(f"{channel}:{endpoint}:{salt}".encode(), digest_size=6, key=notification_id.bytes).digest()
    return UUID(int=(notification_id.int & ~_TAIL) | int.from_bytes(digest, "big"))


def sibling_ids(of: list[UUID], *, entropy: bytes) -> list[UUID]:
    """One fresh id in the family of each given id; `entropy` holds 6 random bytes for each."""
    return [
        UUID(int=(one.int & ~_TAIL) | int.from_bytes(entropy[at : at + 6], "big"))
        for one, at in zip(of, range(0, len(of) * 6, 6), strict=True)
    ]


def family_range(notification_id: UUID) -> tuple[UUID, UUID]:
    """The first and the last id (both included) that a notification's family may hold."""
    first = notification_id.int & ~_TAIL
    return UUID(int=first), UUID(int=first | _TAIL)


def instant_of(identifier: UUID) -> datetime:
    """When the id was made, to the millisecond."""
    return datetime.fromtimestamp(milliseconds_of(identifier) / 1000, UTC)


def milliseconds_of(identifier: UUID) -> int:
    """When the id was made, in milliseconds of the epoch."""
    return identifier.int >> 80


def first_id(instant: datetime) -> UUID:
    """The smallest id of an instant: a bound for ranges."""
    return UUID(int=int(instant.timestamp() * 1000) << 80)
