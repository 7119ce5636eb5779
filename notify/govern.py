"""What the whole system may do: an operator's word, or the system's own while no operator has spoken."""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import transaction

from channels import scorecard
from channels.errors import ConfigurationFault
from notify import conf
from notify.rules.overload import Proposal, Standing, Strain, judged
from notify.store import backlog, modes
from notify.vocabulary import SystemMode

log = structlog.get_logger(__name__)

#: Who changed the mode, where nobody did. Operators are named with a word before: `API key …`, `staff …`.
AUTOMATIC = "automatic"


def set_mode(mode: SystemMode, reason: str, *, by: str) -> modes.ModeRow:
    """Put a mode in force: within two seconds for every process. What it holds back goes once it is relaxed."""
    row = modes.change_mode(mode, reason, by=by)
    log.warning("system.mode", mode=mode.value, automatic=by == AUTOMATIC)
    return row


def watch_load(now: datetime) -> modes.ModeRow | None:
    """Spare the system, or let it go on, where settings ask for it; the mode that this put in force.

    An operator's word is looked at again under a lock, so none is overridden that came meanwhile.
    """
    if not conf.AUTO_MODE_DEPTH:
        return None
    strain = _strain()
    if _proposal(strain, now) is None:
        return None
    with transaction.atomic():
        modes.hold_mode()
        wanted = _proposal(strain, now)
        return set_mode(wanted.mode, wanted.reason, by=AUTOMATIC) if wanted is not None else None


def _proposal(strain: Strain, now: datetime) -> Proposal | None:
    row = modes.read_mode()
    standing = Standing(mode=row.mode, is_automatic=row.changed_by == AUTOMATIC, since=row.since)
    return judged(standing, strain, conf.AUTO_MODE_DEPTH, now=now)


def _strain() -> Strain:
    try:
        recent = [card.recent for card in scorecard.cards()]
    except ConfigurationFault:
        recent = []  # a providers file with faults: nothing is sent, and so nothing fails
    errors = sum(one.faults for one in recent)
    return Strain(waiting=backlog.waiting(), answers=errors + sum(one.sound for one in recent), errors=errors)
