"""A person is forgotten: stopped and made unreadable at once, cleared out of the log as far as the call has time."""

from __future__ import annotations

from notify import forget
from notify.policy import ERASE_BUDGET
from preferences import erase
from preferences.erase import Erasure
from preferences.vocabulary import Origin


def erase_user(user_id: str, origin: Origin) -> Erasure:
    """Erase a person; what is left to be cleared after the call's time, housekeeping clears. Raises `UnknownUser`."""
    erasure = erase.erase_person(user_id, origin)
    if erasure.is_new:
        forget.clear_traces(erasure.recipient_id, budget=ERASE_BUDGET)
    return erasure
