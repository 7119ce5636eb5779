"""What a person has said about a kind of notification on a channel."""

from __future__ import annotations

import msgspec

from channels.vocabulary import Channel
from preferences.vocabulary import Category, Ground, Preferences, SmsPreference


def objection(preferences: Preferences, channel: Channel, type_key: str, category: Category) -> Ground | None:
    """The person's first "no" that covers this type on this channel, or None.

    A "no" said anywhere (channel, category, type) holds: a "yes" elsewhere never outweighs it, whichever of them is
    narrower and whichever was said later. Marketing moreover needs a yes of its own.
    """
    if preferences.channels.get(channel) is False:
        return Ground.CHANNEL_OFF
    if channel is Channel.SMS and preferences.sms_preference is SmsPreference.NEVER:
        return Ground.SMS_NEVER
    if preferences.types and _says_no(preferences.types.get(type_key), channel):
        return Ground.TYPE_OFF
    if preferences.categories and _says_no(preferences.categories.get(category), channel):
        return Ground.CATEGORY_OFF
    if category is Category.MARKETING and not preferences.marketing_opt_in:
        return Ground.NO_MARKETING_CONSENT
    return None


def _says_no(settings: dict[Channel, bool] | None, channel: Channel) -> bool:
    return settings is not None and settings.get(channel) is False


def without(preferences: Preferences, channel: Channel, *, category: Category, type_key: str = "") -> Preferences:
    """The document with a "no" to a category on a channel, or to one type where one is named."""
    if type_key:
        types = {**preferences.types, type_key: {**preferences.types.get(type_key, {}), channel: False}}
        return msgspec.structs.replace(preferences, types=types)
    chosen = {**preferences.categories.get(category, {}), channel: False}
    return msgspec.structs.replace(preferences, categories={**preferences.categories, category: chosen})
