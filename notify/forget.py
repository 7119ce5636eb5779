"""What must not be kept any longer goes, a page at a time: of people who were erased, and of types that say so."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction

from channels import inbox
from notify.policy import ERASED_AT_ONCE, ERASURE_SETTLES, OLD_WORDS_SCAN, TRACES_PAGE
from notify.rules.ids import family_range
from notify.store import traces, types
from preferences.store import erasures

log = structlog.get_logger(__name__)


def clear_traces(recipient_id: int, *, budget: timedelta) -> bool:
    """Empty an erased person's inbox and clear the log of them, each page in a transaction; whether all of it is done.

    Nothing of it can be read any more since their key is gone: this is tidiness, and so it may be cut short.
    """
    deadline = time.monotonic() + budget.total_seconds()
    inbox.empty_inbox(recipient_id)
    before: UUID | None = None
    while time.monotonic() < deadline:
        with transaction.atomic():
            before = traces.clear_page(recipient_id, before, TRACES_PAGE)
        if before is None:
            return True
    return False


def finish_erasures(*, now: datetime, budget: timedelta) -> int:
    """Go once more over those erased a while ago: what was on its way then has come to rest. How many are done."""
    deadline = time.monotonic() + budget.total_seconds()
    done = 0
    for recipient_id in erasures.under_way(now - ERASURE_SETTLES, ERASED_AT_ONCE):
        left = timedelta(seconds=deadline - time.monotonic())
        if not clear_traces(recipient_id, budget=left):
            break
        erasures.finish(recipient_id)
        done += 1
    return done


def clear_old_words(*, now: datetime, budget: timedelta) -> int:
    """Clear words and inbox entries of types that are kept for a shorter time than the log; of how many notifications.

    What one run does not reach the next one does: each type remembers how far it has come.
    """
    deadline, cleared = time.monotonic() + budget.total_seconds(), 0
    for kind in types.types_that_forget():
        before, after, is_all = now - timedelta(days=kind.retention_days), kind.cleared_until, False
        while not is_all and time.monotonic() < deadline:
            with transaction.atomic():
                done = traces.clear_old(kind.key, after, before, OLD_WORDS_SCAN)
                inbox.remove_entries(kind.key, family_range(done.after)[0], family_range(done.until)[1])
                types.note_cleared(kind.key, done.until)
            cleared, after, is_all = cleared + done.count, done.until, done.is_all
    return cleared
