"""What an author should know of words that may be published all the same."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from channels.vocabulary import Channel
from notify.rules.rendering import WAY_OUT
from preferences.vocabulary import Category

_NAMED = re.compile(rf"\b{WAY_OUT}\b")


class Caution(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the words, and what is doubtful there."""

    #: JSON pointer into the template.
    pointer: str
    code: str
    message: str


def cautions_for(channels: Mapping[str, Mapping[str, Mapping[str, str]]], category: str | None) -> list[Caution]:
    """Marketing mails without a link to leave, a caution for each language.

    The header List-Unsubscribe is always there; but not every reader shows it, and some laws want a link in the words.
    """
    if category != Category.MARKETING:
        return []
    return [
        Caution(
            pointer=f"/channels/{Channel.EMAIL}/{locale}",
            code="no_way_out",
            message=f"These marketing mails show no link to unsubscribe. Put {{{{ {WAY_OUT} }}}} into the words.",
        )
        for locale, wording in channels.get(Channel.EMAIL, {}).items()
        if not any(_NAMED.search(text) for text in wording.values())
    ]
