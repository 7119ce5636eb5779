"""Provider accounts, for operators' programs."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from channels import scorecard
from channels.rules.requests import ProviderPatch
from channels.rules.wire import decode
from channels.scorecard import Card, CardList

_encode = msgspec.json.Encoder().encode


class ProvidersView(APIView):
    """All accounts."""

    scopes: ClassVar[dict[str, str]] = {"GET": "read"}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"GET": {200: CardList}}

    def get(self, _request: Request) -> HttpResponse:
        """How every account is doing, in the order in which they are tried."""
        return _answer(CardList(scorecard.cards()))


class ProviderView(APIView):
    """One account."""

    scopes: ClassVar[dict[str, str]] = {"PATCH": "operate"}
    bodies: ClassVar[dict[str, type]] = {"PATCH": ProviderPatch}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"PATCH": {200: Card}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"PATCH": {404: ("unknown_provider",)}}

    def patch(self, request: Request, name: str) -> HttpResponse:
        """Switch the account on or off, or give it another weight.

        A weight of null is the file's again. Every process follows within two seconds.
        """
        wanted = decode(request.body, ProviderPatch)
        enabled = None if isinstance(wanted.enabled, msgspec.UnsetType) else wanted.enabled
        caller: Any = request.auth  # what notify.api.auth put there, above us
        by = f"API key {caller.key_id}"
        return _answer(scorecard.set_switch(name, enabled=enabled, weight=wanted.weight, by=by))


def _answer(body: Card | CardList) -> HttpResponse:
    return HttpResponse(_encode(body), content_type="application/json")
