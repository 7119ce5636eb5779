"""All SQL of this app: one file per table or question. What other apps may ask stands here."""

from preferences.store.contacts import (
    address_of,
    data_key,
    endpoint,
    find_by_address,
    index_of,
    index_of_token,
    release,
    suppress,
    suppressions_of,
)
from preferences.store.devices import deactivate_devices, deactivate_stale, delete_inactive
from preferences.store.facts import facts_for
from preferences.store.hot import hot_cursor
from preferences.store.recipients import resolve, upsert, user_ids_of

__all__ = [
    "address_of",
    "data_key",
    "deactivate_devices",
    "deactivate_stale",
    "delete_inactive",
    "endpoint",
    "facts_for",
    "find_by_address",
    "hot_cursor",
    "index_of",
    "index_of_token",
    "release",
    "resolve",
    "suppress",
    "suppressions_of",
    "upsert",
    "user_ids_of",
]
