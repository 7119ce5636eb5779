"""What somebody types before very many people are told: a large campaign is not started by a slip of the hand."""

from __future__ import annotations

from typing import Protocol

from campaigns.vocabulary import Act


class Sized(Protocol):
    """What is asked of a campaign here."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def estimated(self) -> int | None:
        """People of its audience when it was last counted; None: nobody knows."""


#: Acts after which very many may be told.
TYPED = (Act.APPROVE, Act.START)


#: Between the thousands, wherever somebody grew up.
_SEPARATORS = ",.' \u2019\u00a0\u202f"


def words_for(act: Act, campaign: Sized, limit: int) -> str:
    """What is to be typed: how many people would be told, or the name where nobody knows; empty: nothing."""
    if act not in TYPED:
        return ""
    if campaign.estimated is None:
        return campaign.name
    return str(campaign.estimated) if campaign.estimated > limit else ""


def is_confirmed(typed: str, wanted: str) -> bool:
    """Whether that was typed; a number may be written with separators, as it is shown."""
    if wanted.isdigit():
        return "".join(one for one in typed if one not in _SEPARATORS) == wanted
    return typed.strip() == wanted.strip()
