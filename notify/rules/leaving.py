"""What a person leaves who follows the way out of a message."""

from __future__ import annotations

from uuid import UUID

from channels.vocabulary import Channel
from notify.rules.signed_links import Leaving
from preferences.vocabulary import LONGEST_TYPE_KEY, Category

#: Left as a whole: somebody who is tired of one newsletter is not asked about each.
_WHOLE = frozenset({Category.MARKETING, Category.SOCIAL, Category.REMINDER})


def way_out(
    recipient_id: int, delivery_id: UUID, channel: Channel, *, category: Category, type_key: str, mandatory: bool
) -> Leaving | None:
    """What the message's link leaves, or None: security and mandatory notices cannot be left by one click.

    Of transactions only the type is left: who wants no more shipping news still wants the receipts.
    """
    is_binding = mandatory and category is not Category.MARKETING
    if is_binding or category is Category.SECURITY:
        return None
    return Leaving(
        recipient_id=recipient_id,
        delivery_id=delivery_id,
        channel=channel,
        category=category,
        type_key="" if category in _WHOLE or len(type_key) > LONGEST_TYPE_KEY else type_key,
    )
