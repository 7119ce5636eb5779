"""`POST /v1/campaigns/{id}/submit` and so on: a campaign is moved along; a state that forbids it is 409."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from campaigns import compose, report
from campaigns.api.party import WRITERS, party_of
from campaigns.report import CampaignDetail
from campaigns.rules.requests import ActBody
from campaigns.vocabulary import Act
from channels.rules.wire import decode
from notify.api.answers import json_answer


class _ActView(APIView):
    """What all of them have in common; the body may be left out."""

    scopes: ClassVar[dict[str, tuple[str, ...]]] = {"POST": WRITERS}
    bodies: ClassVar[dict[str, type]] = {"POST": ActBody}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"POST": {200: CampaignDetail}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {
        "POST": {404: ("unknown_campaign",), 409: ("invalid_transition",)}
    }


def _answer(request: Request, campaign_id: UUID, act: Act) -> HttpResponse:
    body = decode(request.body or b"{}", ActBody)
    now = timezone.now()
    campaign = compose.act_for(party_of(request), campaign_id, act, now=now, note=body.note)
    return json_answer(report.detail(campaign, now=now))


class SubmitView(_ActView):
    """To be looked at."""

    def post(self, request: Request, campaign_id: UUID) -> HttpResponse:
        """Hand a draft in for approval. Its audience is counted anew."""
        return _answer(request, campaign_id, Act.SUBMIT)


class ApproveView(_ActView):
    """Looked at, and good."""

    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {
        "POST": {404: ("unknown_campaign",), 409: ("invalid_transition", "own_approval")}
    }

    def post(self, request: Request, campaign_id: UUID) -> HttpResponse:
        """Approve what was submitted; from then on its schedule holds.

        A large one (`CARILLON_CAMPAIGN_APPROVAL_ABOVE`) must be approved by another application or by a member of
        staff, else it is 409 `own_approval`.
        """
        return _answer(request, campaign_id, Act.APPROVE)


class RejectView(_ActView):
    """Looked at, and not good."""

    def post(self, request: Request, campaign_id: UUID) -> HttpResponse:
        """Send back what was submitted; it is a draft again."""
        return _answer(request, campaign_id, Act.REJECT)


class StartView(_ActView):
    """Now."""

    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {
        "POST": {404: ("unknown_campaign",), 409: ("invalid_transition", "approval_required")}
    }

    def post(self, request: Request, campaign_id: UUID) -> HttpResponse:
        """Start it now: an approved one, or a draft that is small enough to need no approval.

        A second start is 409 and changes nothing.
        """
        return _answer(request, campaign_id, Act.START)


class PauseView(_ActView):
    """Not now."""

    def post(self, request: Request, campaign_id: UUID) -> HttpResponse:
        """Hold it: from then on nothing more of it is handed to a provider; what is in hand goes through."""
        return _answer(request, campaign_id, Act.PAUSE)


class ResumeView(_ActView):
    """On again."""

    def post(self, request: Request, campaign_id: UUID) -> HttpResponse:
        """Let a paused one go on where it stood."""
        return _answer(request, campaign_id, Act.RESUME)


class CancelView(_ActView):
    """Not at all."""

    def post(self, request: Request, campaign_id: UUID) -> HttpResponse:
        """End it for good: who has not been told is not told, and it does not come again."""
        return _answer(request, campaign_id, Act.CANCEL)
