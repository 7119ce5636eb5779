"""What the upper apps may ask of inboxes: pages, counts, marks, and news for whoever listens.

Entries come as they are stored; who holds the recipient's data key opens them.
"""

from channels.policy import UNREAD_COUNTED_TO
from channels.store.inbox import (
    EntryRow,
    News,
    empty_inbox,
    entry_page,
    insert_touched,
    mark,
    news_of,
    position_of,
    prune_inbox,
    read_all,
    remove_entries,
    touched_of,
    unread_counts,
)

__all__ = [
    "UNREAD_COUNTED_TO",
    "EntryRow",
    "News",
    "empty_inbox",
    "entry_page",
    "insert_touched",
    "mark",
    "news_of",
    "position_of",
    "prune_inbox",
    "read_all",
    "remove_entries",
    "touched_of",
    "unread_counts",
]
