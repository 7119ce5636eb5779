"""The order in which the rules speak; the first refusal wins and says why.

1. erased, 2. deleted: always.
3. global opt-out: unless the type is mandatory.
4. the address is suppressed, or was found unusable: always; one whose owner complained, for marketing.
5. what the person said of the channel, the type and the category: see `rules.consent`; a mandatory type only heeds
   it while another channel carries the notification.
6. no address, no device.

"Mandatory" (security notices, one-time passwords) means: cannot be switched off entirely. It is nothing to
marketing, which always needs consent.
"""

from __future__ import annotations

from collections.abc import Collection

from channels.vocabulary import Channel
from preferences.rules.consent import objection
from preferences.vocabulary import (
    Allow,
    Category,
    Deny,
    DenyReason,
    Ground,
    RecipientFacts,
    RecipientStatus,
    Verdict,
)

_REASONS = {
    Ground.ERASED: DenyReason.USER_ERASED,
    Ground.DELETED: DenyReason.USER_DELETED,
    Ground.GLOBAL_OPT_OUT: DenyReason.USER_OPTED_OUT,
    Ground.ADDRESS_SUPPRESSED: DenyReason.SUPPRESSED_ADDRESS,
    Ground.CHANNEL_OFF: DenyReason.USER_OPTED_OUT,
    Ground.SMS_NEVER: DenyReason.USER_OPTED_OUT,
    Ground.TYPE_OFF: DenyReason.CATEGORY_OPTED_OUT,
    Ground.CATEGORY_OFF: DenyReason.CATEGORY_OPTED_OUT,
    Ground.NO_MARKETING_CONSENT: DenyReason.CATEGORY_OPTED_OUT,
    Ground.NO_EMAIL: DenyReason.NO_ADDRESS,
    Ground.NO_PHONE: DenyReason.NO_ADDRESS,
    Ground.NO_DEVICE: DenyReason.NO_DEVICE,
}
#: Verdicts are values without a recipient: made once, since a page asks for hundreds.
_ALLOW = Allow()
_DESPITE = {ground: Allow(ground) for ground in _REASONS}
_DENY = {ground: Deny(reason, ground) for ground, reason in _REASONS.items()}


#: What a mandatory type overrules, unless the person has left it another way.
_CHOICES = frozenset({Ground.CHANNEL_OFF, Ground.SMS_NEVER, Ground.TYPE_OFF, Ground.CATEGORY_OFF})


def verdict(
    facts: RecipientFacts,
    *,
    channel: Channel,
    type_key: str,
    category: Category,
    mandatory: bool,
    among: Collection[Channel] = (),
) -> Verdict:
    """Whether a notification of this type may go to this recipient on this channel.

    `among` are the channels the notification may use: a person may choose between them even for a mandatory type.
    Left empty, a mandatory type heeds no preference.
    """
    binding = mandatory and category is not Category.MARKETING
    overruled = Ground.GLOBAL_OPT_OUT if binding and facts.preferences.global_opt_out else None
    ground = (
        _gone(facts)
        or (Ground.GLOBAL_OPT_OUT if facts.preferences.global_opt_out and not binding else None)
        or _suppressed(facts, channel, category)
        or objection(facts.preferences, channel, type_key, category)
    )
    if ground in _CHOICES and binding and not _carried(facts, channel, type_key, category, among):
        ground, overruled = None, overruled or ground
    ground = ground or _unreachable(facts, channel)
    if ground is not None:
        return _DENY[ground]
    return _ALLOW if overruled is None else _DESPITE[overruled]


def _carried(
    facts: RecipientFacts, channel: Channel, type_key: str, category: Category, among: Collection[Channel]
) -> bool:
    """Whether another of these channels is wanted, free of suppression and reachable."""
    return any(
        not (
            objection(facts.preferences, other, type_key, category)
            or _suppressed(facts, other, category)
            or _unreachable(facts, other)
        )
        for other in among
        if other is not channel
    )


def _gone(facts: RecipientFacts) -> Ground | None:
    if facts.status is RecipientStatus.ACTIVE:
        return None
    return Ground.ERASED if facts.status is RecipientStatus.ERASED else Ground.DELETED


def _suppressed(facts: RecipientFacts, channel: Channel, category: Category) -> Ground | None:
    closed = facts.suppressed | facts.unwanted if category is Category.MARKETING else facts.suppressed
    unusable = channel in closed or _is_unusable(facts, channel)
    return Ground.ADDRESS_SUPPRESSED if unusable else None


def _is_unusable(facts: RecipientFacts, channel: Channel) -> bool:
    contact = facts.email if channel is Channel.EMAIL else facts.phone if channel is Channel.SMS else None
    return contact is not None and not contact.usable


def _unreachable(facts: RecipientFacts, channel: Channel) -> Ground | None:
    """No address on this channel; the inbox needs none."""
    match channel:
        case Channel.EMAIL:
            return Ground.NO_EMAIL if facts.email is None else None
        case Channel.SMS:
            return Ground.NO_PHONE if facts.phone is None else None
        case Channel.PUSH:
            return None if facts.devices else Ground.NO_DEVICE
        case Channel.IN_APP:
            return None
