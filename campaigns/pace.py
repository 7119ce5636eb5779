"""The pace of a run as it is now: the operator may change any part of it while it runs."""

from __future__ import annotations

from datetime import datetime, timedelta

from campaigns import conf
from campaigns.rules.pace import lowest, window_rate
from campaigns.store.campaigns import CampaignRow
from campaigns.store.runs import RunRow
from channels.scorecard import rate_of
from channels.vocabulary import Channel
from notify.store import types


def rate(campaign: CampaignRow, run: RunRow, *, left: int, running: int, now: datetime) -> float | None:
    """People a second; None: as fast as it goes.

    The campaign's own rate, its window for who is left, its share of what all campaigns may, and what the accounts of
    its channels take; a test reaches no account.
    """
    providers = () if campaign.test else (rate_of(channel) for channel in _channels(campaign))
    ends_at = window_end(campaign, run)
    return lowest(
        (
            campaign.max_per_second,
            window_rate(left, now, ends_at) if ends_at is not None else None,
            conf.RATE / max(running, 1),
            *providers,
        )
    )


def window_end(campaign: CampaignRow, run: RunRow) -> datetime | None:
    """When the run's window closes; None: it has none, or was resumed after it had closed."""
    if not campaign.window_hours:
        return None
    ends_at = run.started_at + timedelta(hours=campaign.window_hours)
    return ends_at if run.resumed_at is None or run.resumed_at < ends_at else None


def _channels(campaign: CampaignRow) -> list[Channel]:
    if campaign.channels is not None:
        return campaign.channels
    kind = types.type_for(campaign.type_key)
    return [Channel(word) for word in kind.channels] if kind is not None else []
