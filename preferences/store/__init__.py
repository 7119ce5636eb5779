"""All SQL of this app: one file per table or question. What other apps may ask stands here."""

from preferences.store.contacts import (
    address_of,
    data_key,
    endpoint,
    find_by_address,
    index_of,
    index_of_token,
    index_on,
    owners_of,
)
from preferences.store.devices import (
    deactivate_rejected,
    deactivate_stale,
    delete_inactive,
)
from preferences.store.facts import facts_for
from preferences.store.hot import hot_cursor
from preferences.store.opt_ins import Asked, take_unmailed
from preferences.store.recent import recent_facts
from preferences.store.recipients import merge_page, refs_of, resolve, upsert, user_ids_of
from preferences.store.suppressions import (
    note_bounces,
    release,
    stop_marketing,
    suppress,
    suppressions_of,
    unchanged_since,
)

__all__ = [
    "Asked",
    "address_of",
    "data_key",
    "deactivate_rejected",
    "deactivate_stale",
    "delete_inactive",
    "endpoint",
    "facts_for",
    "find_by_address",
    "hot_cursor",
    "index_of",
    "index_of_token",
    "index_on",
    "merge_page",
    "note_bounces",
    "owners_of",
    "recent_facts",
    "refs_of",
    "release",
    "resolve",
    "stop_marketing",
    "suppress",
    "suppressions_of",
    "take_unmailed",
    "unchanged_since",
    "upsert",
    "user_ids_of",
]
