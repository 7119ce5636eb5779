"""What a change of a person's document says, entry by entry; and what all entries together amount to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from channels.vocabulary import Channel
from preferences.vocabulary import Category, ConsentScope, ConsentState, Preferences, SmsPreference


class Subject(NamedTuple):
    """What a consent is about; empty where the scope has no such part."""

    scope: ConsentScope
    channel: Channel | str = ""
    category: Category | str = ""
    type_key: str = ""


class Said(NamedTuple):
    """One word about consent."""

    subject: Subject
    state: ConsentState


MARKETING = Subject(ConsentScope.MARKETING)
GLOBAL = Subject(ConsentScope.GLOBAL)
_SMS = Subject(ConsentScope.SMS)


def standing(document: Preferences) -> dict[Subject, bool]:
    """Every yes and every no that a document holds, by what it is about; what is not there was never said."""
    said = dict(_switches(document))
    if document.global_opt_out:
        said[GLOBAL] = False
    if document.marketing_opt_in is not None:
        said[MARKETING] = document.marketing_opt_in
    if document.sms_preference is SmsPreference.NEVER:
        said[_SMS] = False
    return said


def changes(before: Preferences, after: Preferences) -> list[Said]:
    """What was said by putting one document in the place of another.

    To take a no back is a yes; to take a yes back where yes is the default changes nothing. Marketing has no such
    default: see `kept_marketing`.
    """
    was, now = standing(before), standing(after)
    said = [_change(subject, was.get(subject), now.get(subject)) for subject in sorted({*was, *now})]
    return [one for one in said if one is not None]


def _change(subject: Subject, was: bool | None, now: bool | None) -> Said | None:  # noqa: FBT001  yes, no, unsaid
    if was is now or (was and now is None):
        return None
    return Said(subject, ConsentState.WITHDRAWN if now is False else ConsentState.GIVEN)


def kept_marketing(before: Preferences, after: Preferences) -> Preferences:
    """The new document, in which marketing left out is a no wherever something was said of it before.

    So no default, whatever it is set to one day, speaks for somebody who has spoken.
    """
    if after.marketing_opt_in is None and before.marketing_opt_in is not None:
        return msgspec.structs.replace(after, marketing_opt_in=False)
    return after


def fold(entries: Iterable[Said]) -> dict[Subject, ConsentState]:
    """Where each subject stands after entries in the order in which they were written: the last word counts."""
    return {said.subject: said.state for said in entries}


def _switches(document: Preferences) -> Iterator[tuple[Subject, bool]]:
    for channel, on in document.channels.items():
        yield Subject(ConsentScope.CHANNEL, channel), on
    for category, channels in document.categories.items():
        for channel, on in channels.items():
            yield Subject(ConsentScope.CATEGORY, channel, category), on
    for key, channels in document.types.items():
        for channel, on in channels.items():
            yield Subject(ConsentScope.TYPE, channel, type_key=key), on
