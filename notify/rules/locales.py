"""Languages as BCP 47 names them, and the fall-back from a wish to what there is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_TAG = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,6}")
#: Longer than any tag people use; what is longer is a mistake or an attack.
_LONGEST = 35
_SCRIPT, _REGION = 4, 2


def canonical(tag: str) -> str | None:
    """The usual spelling (`PT_br` is `pt-BR`, `zh-hant-tw` is `zh-Hant-TW`); None for what is no language tag."""
    if len(tag) > _LONGEST or not _TAG.fullmatch(tag):
        return None
    first, *rest = tag.replace("_", "-").lower().split("-")
    if len(first) == _SCRIPT:
        return None
    return "-".join([first, *_spelled(rest)])


def fallbacks(tag: str) -> list[str]:
    """The tag and its ever shorter prefixes, lower-case: `zh-Hant-TW` gives zh-hant-tw, zh-hant, zh (RFC 4647, 3.4)."""
    subtags = tag[:_LONGEST].replace("_", "-").lower().split("-")
    chain: list[str] = []
    while subtags:
        chain.append("-".join(subtags))
        subtags.pop()
        if subtags and len(subtags[-1]) == 1:
            subtags.pop()
    return chain


def choose(wish: str | None, available: Mapping[str, str], default: str) -> str | None:
    """The best available language for a wish, else for the default; None when neither is there.

    `available` maps lower-case tags to their spelling, as `by_lower_case` makes it.
    """
    for tag in (wish, default):
        if tag:
            for candidate in fallbacks(tag):
                if candidate in available:
                    return available[candidate]
    return None


def by_lower_case(tags: Iterable[str]) -> dict[str, str]:
    """Tags by what they are compared by."""
    return {tag.replace("_", "-").lower(): tag for tag in tags}


def _spelled(subtags: list[str]) -> list[str]:
    """Scripts like Hant, regions like BR, everything else lower-case; after a singleton nothing is either."""
    spelled: list[str] = []
    extension = False
    for subtag in subtags:
        extension = extension or len(subtag) == 1
        if extension or not subtag.isalpha() or len(subtag) not in (_SCRIPT, _REGION):
            spelled.append(subtag)
        else:
            spelled.append(subtag.title() if len(subtag) == _SCRIPT else subtag.upper())
    return spelled
