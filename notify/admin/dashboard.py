"""The first page: a few true numbers, each cheap, and each shown only to those who may follow it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from django.db.models import F, Max, Q
from django.http import HttpRequest
from django.utils import timezone

from channels.admin.providers import switched_off
from channels.vocabulary import Channel
from notify.models import NotificationType, Template
from notify.store import backlog, modes, overview
from notify.vocabulary import DeliveryStatus as D

_DAY = timedelta(hours=24)
#: In the order of a bar, from what is well to what is nobody's fault.
_ORDER = ("good", "calm", "warn", "bad", "mute")
#: Statuses by what they mean to somebody who watches; what is left is on its way.
_MEANINGS = {
    D.DELIVERED: "good",
    D.SENT: "good",
    D.FAILED: "bad",
    D.BOUNCED: "bad",
    D.DEAD: "bad",
    D.RETRYING: "warn",
    D.EXPIRED: "warn",
    D.SUPPRESSED: "mute",
    D.CANCELLED: "mute",
}


class Share(msgspec.Struct, frozen=True):
    """One status of a channel, and its place in a bar of a hundred."""

    status: str
    count: int
    meaning: str
    start: float
    width: float


class ChannelLine(msgspec.Struct, frozen=True):
    """One channel of the last day."""

    channel: str
    total: int
    shares: list[Share]


def show(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What Unfold calls for the index: the figures that this person may see."""
    figures: dict[str, Any] = {}
    if request.user.has_perm("notify.view_notification"):
        recent = overview.recent_deliveries(timezone.now() - _DAY)
        figures["recent"] = recent
        figures["lines"] = _lines(recent.tallies)
    if request.user.has_perm("notify.view_page"):
        waiting = backlog.backlog()
        figures["waiting_pages"] = sum(line.count for line in waiting.pages)
        figures["oldest_seconds"] = max(line.oldest_seconds for line in waiting.pages)
        figures["dead_letters"] = waiting.dead_letters
        figures["mode"] = modes.read_mode()
    if request.user.has_perm("channels.view_providerswitch"):
        figures["switched_off"], figures["has_faults"] = switched_off()
    if request.user.has_perm("notify.view_template"):
        templates = Template.objects.annotate(newest=Max("versions__number"))
        figures["templates"] = templates.count()
        figures["drafts"] = templates.filter(Q(published_version=None) | Q(newest__gt=F("published_version"))).count()
        figures["wordless"] = NotificationType.objects.filter(template=None).count()
    return {**context, "figures": figures, "title": "Overview"}


def _lines(tallies: list[overview.Tally]) -> list[ChannelLine]:
    """Every channel, at zero too."""
    return [_line(channel, [tally for tally in tallies if tally.channel == channel]) for channel in Channel]


def _line(channel: Channel, tallies: list[overview.Tally]) -> ChannelLine:
    total = sum(tally.count for tally in tallies)
    shares, start = [], 0.0
    for tally in sorted(tallies, key=lambda one: (_ORDER.index(_meaning(one)), -one.count)):
        width = 100 * tally.count / total
        shares.append(Share(tally.status.value, tally.count, _meaning(tally), round(start, 2), round(width, 2)))
        start += width
    return ChannelLine(channel.value, total, shares)


def _meaning(tally: overview.Tally) -> str:
    return _MEANINGS.get(tally.status, "calm")
