"""`/v1/campaigns`: write them, list them, look at one."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

import msgspec
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from campaigns import compose, report
from campaigns.api.bodies import body_of
from campaigns.api.party import READERS, WRITERS, party_of
from campaigns.api.positions import position_of
from campaigns.compose import Composed
from campaigns.report import CampaignDetail, CampaignView
from campaigns.rules.requests import CampaignBody, CampaignPatch
from campaigns.vocabulary import CampaignKind, CampaignStatus
from channels.rules.wire import decode, from_query
from notify.api.answers import json_answer
from notify.api.pagination import Listing, PageLinks, PageQuery, encode_cursor
from notify.rules.intake import Rejection

_CREATED, _OK = 201, 200
_UNKNOWN: tuple[str, ...] = ("unknown_campaign",)
_FAULTS: tuple[str, ...] = (
    "unknown_type",
    "unknown_template",
    "template_type_mismatch",
    "missing_variable",
    "invalid_audience",
    "invalid_segment",
    "unknown_topic",
    "unknown_user",
    "too_many_users",
    "duplicate_variant",
    "invalid_schedule_at",
    "invalid_local_time",
    "invalid_cron",
    "invalid_timezone",
)


class CampaignQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which campaigns are listed."""

    status: CampaignStatus | None = None
    kind: CampaignKind | None = None


class CampaignList(msgspec.Struct, frozen=True):
    """A page of campaigns."""

    data: list[CampaignView]
    page: PageLinks


class Written(CampaignDetail, frozen=True, kw_only=True):
    """A campaign as it was written, and who of its list is not in it."""

    #: The first thousand of those who are not known.
    rejected: list[Rejection]
    rejected_count: int


class CampaignsView(APIView):
    """Campaigns of the caller's application."""

    scopes: ClassVar[dict[str, tuple[str, ...]]] = {"GET": READERS, "POST": WRITERS}
    queries: ClassVar[dict[str, type]] = {"GET": CampaignQuery}
    bodies: ClassVar[dict[str, type]] = {"POST": CampaignBody}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"GET": {200: CampaignList}, "POST": {201: Written}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"POST": {422: _FAULTS}}

    def get(self, request: Request) -> HttpResponse:
        """List campaigns, newest first, bulk sends and fan-outs among them."""
        query = from_query(request.query_params.dict(), CampaignQuery)
        found = report.listing(
            party_of(request),
            status=query.status,
            kind=query.kind,
            before=position_of(query.cursor),
            limit=query.limit,
            now=timezone.now(),
        )
        data, has_more = found[: query.limit], len(found) > query.limit
        return json_answer(Listing(data, PageLinks(encode_cursor(str(data[-1].id)) if has_more else None, has_more)))

    def post(self, request: Request) -> HttpResponse:
        """Write a campaign as a draft, which tells nobody; every fault found is told at once.

        Of a list of users those who are not known are named in `rejected`, and the rest are kept.
        """
        body = decode(body_of(request), CampaignBody)
        now = timezone.now()
        return _answer(compose.create(body, party_of(request), now=now), _CREATED)


class CampaignDetailView(APIView):
    """One campaign."""

    scopes: ClassVar[dict[str, tuple[str, ...]]] = {"GET": READERS, "PATCH": WRITERS}
    bodies: ClassVar[dict[str, type]] = {"PATCH": CampaignPatch}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"GET": {200: CampaignDetail}, "PATCH": {200: Written}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {
        "GET": {404: _UNKNOWN},
        "PATCH": {404: _UNKNOWN, 409: ("invalid_transition",), 422: _FAULTS},
    }

    def get(self, request: Request, campaign_id: UUID) -> HttpResponse:
        """Where it stands, the numbers of its newest run, what may be done to it, and its log.

        `sent` counts people of whom a provider took a message, delivered ones among them.
        """
        return json_answer(report.detail(report.visible(campaign_id, party_of(request)), now=timezone.now()))

    def patch(self, request: Request, campaign_id: UUID) -> HttpResponse:
        """Change a draft: null puts back the default, what is left out stays, an object is replaced whole."""
        patch = decode(body_of(request), CampaignPatch)
        return _answer(compose.change(campaign_id, patch, party_of(request), now=timezone.now()), _OK)


def _answer(composed: Composed, status: int) -> HttpResponse:
    """A campaign that was just written."""
    found = report.detail(composed.campaign, now=timezone.now())
    body = Written(
        **{name: getattr(found, name) for name in CampaignDetail.__struct_fields__},
        rejected=composed.rejected,
        rejected_count=composed.rejected_count,
    )
    return json_answer(body, status=status)
