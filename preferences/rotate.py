"""Every recipient's data key moves under the current master key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from channels.rules.sealing import Keyring
from preferences import policy
from preferences.store.rotation import count_waiting, rewrap_page


class Progress(NamedTuple):
    """How far a rotation has come."""

    moved: int
    #: Keys that were to be moved when it started.
    total: int
    #: Recipients whose key none of the master keys opens; they stay as they are.
    unreadable: list[int]


def rotate_keys(keyring: Keyring, page: int = policy.ROTATION_PAGE) -> Iterator[Progress]:
    """Re-wrap page by page, each in a transaction of its own, and say after each how far it is.

    It may be killed at any moment and started again, or run twice at once: what is under the current key already
    is left alone. Data keys stay the same, so nothing sealed under them needs to be touched.
    """
    total = count_waiting(keyring)
    moved, unreadable, last = 0, list[int](), 0
    while True:
        done = rewrap_page(keyring, last, page)
        if done.last_id is None:
            return
        last = done.last_id
        moved += done.moved
        unreadable += done.unreadable
        yield Progress(moved, total, unreadable)
