"""Who may see a campaign, and in whose name it is moved."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: an application by its key, or a member of staff."""

    #: As it is kept in the log: "application:7", "staff:alice".
    actor: str
    #: None: a member of staff.
    application_id: int | None = None
    #: What a test key touches never leaves the sandbox.
    is_test: bool = False
    #: Whether campaigns of others are theirs to see and to move.
    sees_all: bool = False
    may_be_critical: bool = False


class Owned(Protocol):
    """What is asked of a campaign here."""

    @property
    def application_id(self) -> int | None:
        """The application that created it; None: a member of staff."""

    @property
    def test(self) -> bool:
        """Whether it reaches the sandbox only."""


def may_see(party: Party, campaign: Owned) -> bool:
    """Whether a campaign exists for this party. A test key can start nothing that reaches people: it sees no other."""
    if party.is_test and not campaign.test:
        return False
    return party.sees_all or (party.application_id is not None and party.application_id == campaign.application_id)
