"""`POST /v1/users/{user_id}/token`: a credential for that user's browser or app."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import msgspec
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from notify.api.answers import json_answer
from notify.api.auth import caller_of, mint_user_token
from notify.policy import USER_TOKEN_LIFETIME
from notify.vocabulary import Scope
from preferences import store as people
from preferences.errors import UnknownUser
from preferences.vocabulary import RecipientStatus


class UserToken(msgspec.Struct, frozen=True):
    """A user token and its end."""

    token: str
    expires_at: datetime


class UserTokenView(APIView):
    """Mint a user token. An application asks for one when its own user has logged in."""

    scopes: ClassVar[dict[str, str]] = {"POST": Scope.USERS.value}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"POST": {200: UserToken}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"POST": {404: ("unknown_user",)}}

    def post(self, request: Request, user_id: str) -> HttpResponse:
        """A token for one user: their inbox, preferences and devices, and nothing else."""
        known = people.resolve([user_id]).get(user_id)
        if known is None or known.status is RecipientStatus.ERASED:
            raise UnknownUser
        now = timezone.now().replace(microsecond=0)
        token = mint_user_token(caller_of(request), user_id, now=now, lifetime=USER_TOKEN_LIFETIME)
        return json_answer(UserToken(token, now + USER_TOKEN_LIFETIME))
