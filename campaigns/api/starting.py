"""`POST /v1/notifications/bulk` and `POST /v1/fanouts`: many are told by one call."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

import msgspec
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from campaigns import report, start
from campaigns.api.bodies import body_of
from campaigns.api.keys import KEY_HEADERS, key_of
from campaigns.api.party import READERS, party_of
from campaigns.report import FanoutView
from campaigns.rules.requests import BulkBody, FanoutBody
from campaigns.start import Started
from campaigns.vocabulary import CampaignStatus
from channels.rules.wire import decode
from notify.api.answers import json_answer
from notify.errors import IdempotencyKeyRequired
from notify.rules.intake import Rejection
from notify.vocabulary import Scope

_TWICE: tuple[str, ...] = ("idempotency_key_reused", "request_in_progress")
_FAULTS: tuple[str, ...] = (
    "unknown_type",
    "unknown_template",
    "template_type_mismatch",
    "missing_variable",
    "invalid_audience",
    "unknown_topic",
)


class BulkAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a bulk send: a campaign that runs."""

    campaign_id: UUID
    batch_id: str | None
    status: CampaignStatus
    #: Null: the segment could not even be estimated in time.
    estimated_count: int | None
    is_estimate: bool
    #: The first thousand of those on a list who are not known.
    rejected: list[Rejection]
    rejected_count: int


class FanoutAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a fan-out."""

    fanout_id: UUID
    #: The same: a fan-out is a campaign too.
    campaign_id: UUID
    status: CampaignStatus
    #: Counted no further than 100,000; then `is_estimate` says that there may be more.
    total_recipients: int
    is_estimate: bool


class BulkView(APIView):
    """Create and start in one call."""

    scopes: ClassVar[dict[str, str]] = {"POST": Scope.BULK.value}
    bodies: ClassVar[dict[str, type]] = {"POST": BulkBody}
    header_parameters: ClassVar[dict[str, tuple[str, ...]]] = {"POST": KEY_HEADERS}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"POST": {202: BulkAccepted}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {
        "POST": {
            400: ("idempotency_key_required",),
            409: _TWICE,
            422: (*_FAULTS, "invalid_segment", "unknown_user", "too_many_users"),
        }
    }

    def post(self, request: Request) -> HttpResponse:
        """Tell a segment, a list of up to 100,000 users, or a topic, now; 202 once it is durable.

        `batch_id` is the idempotency key where no header gives one: the same again is answered with the same campaign.
        """
        body = decode(body_of(request), BulkBody)
        key = key_of(request, body.idempotency_key or body.batch_id)
        if key is None:
            raise IdempotencyKeyRequired
        return _answer(start.start_bulk(body, party_of(request), key=key, now=timezone.now()))


class FanoutsView(APIView):
    """Tell followers."""

    scopes: ClassVar[dict[str, str]] = {"POST": Scope.BULK.value}
    bodies: ClassVar[dict[str, type]] = {"POST": FanoutBody}
    header_parameters: ClassVar[dict[str, tuple[str, ...]]] = {"POST": KEY_HEADERS}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"POST": {202: FanoutAccepted}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"POST": {409: _TWICE, 422: _FAULTS}}

    def post(self, request: Request) -> HttpResponse:
        """Tell the followers of a user (the topic `user:<id>`), or the subscribers of a topic; 202 whatever the number.

        With an idempotency key, in a header or the body, the same again is answered with the same fan-out.
        """
        body = decode(request.body, FanoutBody)
        key = key_of(request, body.idempotency_key)
        return _answer(start.start_fanout(body, party_of(request), key=key, now=timezone.now()))


class FanoutDetailView(APIView):
    """One fan-out."""

    scopes: ClassVar[dict[str, tuple[str, ...]]] = {"GET": READERS}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"GET": {200: FanoutView}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"GET": {404: ("unknown_fanout",)}}

    def get(self, request: Request, fanout_id: UUID) -> HttpResponse:
        """How far it is. As a campaign it can be paused, resumed and cancelled."""
        return json_answer(report.fanout(fanout_id, party_of(request), now=timezone.now()))


def _answer(started: Started) -> HttpResponse:
    headers = {"Idempotency-Replayed": "true"} if started.replayed else {}
    return json_answer(started.body, status=202, headers=headers)
