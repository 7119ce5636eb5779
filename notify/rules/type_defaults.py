"""What a notification type is told by where its PUT leaves it open."""

from __future__ import annotations

from typing import Any

import msgspec

from channels.vocabulary import Channel
from notify.rules.template_requests import Cap, TypeBody
from notify.vocabulary import OverCap, Priority, QuietHoursPolicy, TypeRow
from preferences.vocabulary import Category

#: Types everybody has (R057); every other one is medium.
PRIORITIES: dict[str, Priority] = {
    "VERIFICATION_CODE": Priority.HIGH,
    "SECURITY_ALERT": Priority.HIGH,
    "PAYMENT_FAILED": Priority.HIGH,
    "PASSWORD_RESET": Priority.HIGH,
    "NEW_MESSAGE": Priority.MEDIUM,
    "NEW_FOLLOWER": Priority.MEDIUM,
    "ORDER_SHIPPED": Priority.MEDIUM,
    "COMMENT_REPLY": Priority.MEDIUM,
    "MARKETING_CAMPAIGN": Priority.LOW,
    "WEEKLY_DIGEST": Priority.LOW,
    "RECOMMENDATION": Priority.LOW,
}
#: Types that nobody has too much of (R240), and how often one person hears of others at most (R238).
EXEMPT = frozenset({"VERIFICATION_CODE", "SECURITY_ALERT", "PASSWORD_RESET", "PAYMENT_FAILED"})
CAPS: dict[str, list[Cap]] = {
    "NEW_FOLLOWER": [Cap(max=10, per_seconds=3_600)],
    "COMMENT_REPLY": [Cap(max=20, per_seconds=3_600)],
    "MARKETING_CAMPAIGN": [Cap(max=1, per_seconds=86_400)],
}
#: Which channels suit a category, best first (R351).
SUITABLE: dict[Category, list[Channel]] = {
    Category.SECURITY: [Channel.PUSH, Channel.SMS, Channel.EMAIL],
    Category.TRANSACTION: [Channel.PUSH, Channel.IN_APP, Channel.EMAIL],
    Category.MARKETING: [Channel.EMAIL, Channel.PUSH],
    Category.REMINDER: [Channel.PUSH, Channel.EMAIL],
    Category.SOCIAL: [Channel.PUSH, Channel.IN_APP],
}


def type_row(key: str, body: TypeBody) -> TypeRow:
    """The type with everything filled in."""
    return TypeRow(
        key=key,
        category=body.category,
        priority=body.priority or PRIORITIES.get(key, Priority.MEDIUM),
        channels=[str(channel) for channel in dict.fromkeys(body.channels or SUITABLE[body.category])],
        mandatory=body.mandatory,
        exempt_from_caps=key in EXEMPT if body.exempt_from_caps is None else body.exempt_from_caps,
        caps=[_cap(cap) for cap in (CAPS.get(key, []) if body.caps is None else body.caps)],
        # Security wakes people: that is what it is for (C18).
        quiet_hours=body.quiet_hours
        or (QuietHoursPolicy.BYPASS if body.category is Category.SECURITY else QuietHoursPolicy.DEFER),
        digestible=body.digestible,
        over_cap=body.over_cap or (OverCap.DIGEST if body.digestible else OverCap.DEFER),
        ttl_seconds=body.ttl_seconds,
        retention_days=body.retention_days,
        track_opens=body.track_opens,
        track_clicks=body.track_clicks,
        template_id=body.template_id,
    )


def _cap(cap: Any) -> dict[str, int]:
    return msgspec.structs.asdict(cap)
