"""`GET /v1/campaigns/{id}/recipients` and `…/stats`: who was told, and what became of it."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

import msgspec
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from campaigns import report
from campaigns.api.party import READERS, party_of
from campaigns.api.positions import position_of
from campaigns.report import Reached, Stats
from channels.rules.wire import from_query
from notify.api.answers import json_answer
from notify.api.pagination import Listing, PageLinks, PageQuery, encode_cursor
from notify.vocabulary import NotificationStatus

_UNKNOWN: dict[str, dict[int, tuple[str, ...]]] = {"GET": {404: ("unknown_campaign", "unknown_run")}}


class RecipientsQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which people of a campaign are listed."""

    status: NotificationStatus | None = None
    run_id: UUID | None = None


class StatsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of a campaign's runs is meant."""

    run_id: UUID | None = None


class RecipientsList(msgspec.Struct, frozen=True):
    """A page of people."""

    data: list[Reached]
    page: PageLinks


class RecipientsView(APIView):
    """Who was told."""

    scopes: ClassVar[dict[str, tuple[str, ...]]] = {"GET": READERS}
    queries: ClassVar[dict[str, type]] = {"GET": RecipientsQuery}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"GET": {200: RecipientsList}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = _UNKNOWN

    def get(self, request: Request, campaign_id: UUID) -> HttpResponse:
        """List the people of the newest run, or of `run_id`, in the order in which they are told.

        A page may hold fewer than `limit` and yet have a next one, when few of many fit. Who has not been told yet
        is not among them.
        """
        campaign = report.visible(campaign_id, party_of(request))
        query = from_query(request.query_params.dict(), RecipientsQuery)
        found = report.recipients(
            campaign, query.run_id, status=query.status, after=position_of(query.cursor), limit=query.limit
        )
        cursor = encode_cursor(str(found.stopped_at)) if found.stopped_at is not None else None
        return json_answer(Listing(found.rows, PageLinks(cursor, cursor is not None)))


class StatsView(APIView):
    """What became of it."""

    scopes: ClassVar[dict[str, tuple[str, ...]]] = {"GET": READERS}
    queries: ClassVar[dict[str, type]] = {"GET": StatsQuery}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"GET": {200: Stats}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = _UNKNOWN

    def get(self, request: Request, campaign_id: UUID) -> HttpResponse:
        """The newest run, or `run_id`, by channel, status, reason and variant, with its control group."""
        campaign = report.visible(campaign_id, party_of(request))
        query = from_query(request.query_params.dict(), StatsQuery)
        return json_answer(report.stats(campaign, query.run_id, now=timezone.now()))
