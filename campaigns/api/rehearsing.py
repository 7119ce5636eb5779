"""`POST /v1/campaigns/{id}/estimate` and `…/test`: look before telling anybody."""

from __future__ import annotations

import os
from typing import Any, ClassVar
from uuid import UUID

import msgspec
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from campaigns import report
from campaigns.api.keys import KEY_HEADERS, key_of
from campaigns.api.party import READERS, WRITERS, party_of
from campaigns.estimate import Estimate, estimate
from campaigns.rehearse import Rehearsal, rehearse
from campaigns.rules.requests import TestBody
from channels.rules.wire import decode
from notify.api.answers import json_answer
from notify.api.context import context_of

#: Random bytes in the place of a key that the caller did not give.
_ENTROPY = 16


class Rehearsals(msgspec.Struct, frozen=True):
    """What was sent as a test."""

    sent: list[Rehearsal]


class EstimateView(APIView):
    """How many, how much, how long."""

    scopes: ClassVar[dict[str, tuple[str, ...]]] = {"POST": READERS}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"POST": {200: Estimate}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {
        "POST": {
            400: ("unknown_template", "template_type_mismatch"),
            404: ("unknown_campaign",),
            422: ("segment_too_slow", "missing_variable", "unknown_type"),
        }
    }

    def post(self, request: Request, campaign_id: UUID) -> HttpResponse:
        """Say how many would be told, who would be left out and why, at what cost, and how long it would take.

        Up to 500 people are drawn from the audience and decided by the rules that will decide, with the hour, the
        caps and the words of each; nothing is sent, written or counted.
        """
        campaign = report.visible(campaign_id, party_of(request))
        return json_answer(estimate(campaign, now=timezone.now()))


class TestView(APIView):
    """To a few first."""

    #: The name looks like a test's to pytest, and is none.
    __test__ = False

    scopes: ClassVar[dict[str, tuple[str, ...]]] = {"POST": WRITERS}
    bodies: ClassVar[dict[str, type]] = {"POST": TestBody}
    header_parameters: ClassVar[dict[str, tuple[str, ...]]] = {"POST": KEY_HEADERS}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"POST": {202: Rehearsals}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {
        "POST": {
            400: ("unknown_template", "template_type_mismatch"),
            404: ("unknown_campaign",),
            409: ("idempotency_key_reused", "request_in_progress"),
            422: ("missing_variable", "unknown_type", "unknown_user"),
        }
    }

    def post(self, request: Request, campaign_id: UUID) -> HttpResponse:
        """Send every wording to up to 20 users: real notifications, which the campaign does not count."""
        body = decode(request.body, TestBody)
        party, context = party_of(request), context_of(request)
        found = rehearse(
            report.visible(campaign_id, party),
            body.user_ids,
            party,
            key=key_of(request, None) or os.urandom(_ENTROPY).hex(),
            request_id=context.request_id,
            trace_id=context.trace_id,
            now=timezone.now(),
        )
        return json_answer(Rehearsals(found), status=202)
