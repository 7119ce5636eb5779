"""Whether a message is worth its money: the budget, and what justifies an SMS (decision 0026).

Nobody's "no" is overruled here, and nothing is chosen: what preferences allow, cost may still hold back.
"""

from __future__ import annotations

from collections.abc import Collection

from channels.vocabulary import Channel
from notify.vocabulary import Priority
from preferences.vocabulary import Category, Preferences

#: What nobody waits for: at a price, it needs a yes of the caller.
UNASKED = frozenset({Category.MARKETING, Category.SOCIAL})


def is_bound(category: Category, priority: Priority, *, test: bool) -> bool:
    """Whether budgets and rules of cost bind it: not what is critical or about security, and no test."""
    return not (test or priority is Priority.CRITICAL or category is Category.SECURITY)


def is_justified(
    *,
    type_key: str,
    category: Category,
    priority: Priority,
    preferences: Preferences,
    is_asked: bool,
    is_fallback: bool,
    is_dear: bool,
    others: Collection[Channel],
) -> bool:
    """Whether a text message that cost binds may go out.

    `is_asked`: the caller named SMS among the channels of this notification; then the answer is yes. `is_fallback`:
    it stands in for what failed, or could not be sent. `is_dear`: its price passes the threshold. `others`: the other
    channels that will carry the notification to this person.

    In this order: no marketing and no social text at a dear price; as a fallback yes; to a person who prefers SMS
    yes; otherwise not beside a push, and beside an e-mail only with high priority.
    """
    if is_asked:
        return True
    if is_dear and category in UNASKED:
        return False
    if is_fallback or _prefers_sms(preferences, type_key):
        return True
    return Channel.PUSH not in others and (Channel.EMAIL not in others or priority is Priority.HIGH)


def _prefers_sms(preferences: Preferences, type_key: str) -> bool:
    """Said of this type, or by an order of channels that begins with it. A switch that is merely on says nothing."""
    said = preferences.types.get(type_key, {}).get(Channel.SMS, False)
    return said or preferences.channel_order[:1] == (Channel.SMS,)
