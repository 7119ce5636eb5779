"""What an application asks for in the name of its own user: a credential for their browser or app, and their page."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import msgspec
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from notify import conf
from notify.api.answers import json_answer
from notify.api.auth import caller_of, mint_user_token
from notify.policy import USER_TOKEN_LIFETIME
from notify.rules.signed_links import Visit
from notify.vocabulary import Scope
from preferences import store as people
from preferences.errors import UnknownUser
from preferences.vocabulary import RecipientRef, RecipientStatus


class UserToken(msgspec.Struct, frozen=True):
    """A user token and its end."""

    token: str
    expires_at: datetime


class PreferenceLink(msgspec.Struct, frozen=True):
    """The address of a user's own preference page, and its end."""

    url: str
    expires_at: datetime


class UserTokenView(APIView):
    """Mint a user token. An application asks for one when its own user has logged in."""

    scopes: ClassVar[dict[str, str]] = {"POST": Scope.USERS.value}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"POST": {200: UserToken}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"POST": {404: ("unknown_user",)}}

    def post(self, request: Request, user_id: str) -> HttpResponse:
        """A token for one user: their inbox, preferences and devices, and nothing else."""
        _known(user_id)
        now = timezone.now().replace(microsecond=0)
        token = mint_user_token(caller_of(request), user_id, now=now, lifetime=USER_TOKEN_LIFETIME)
        return json_answer(UserToken(token, now + USER_TOKEN_LIFETIME))


class PreferenceLinkView(APIView):
    """Make the address of a user's preference page: for the settings of an app, or a mail sent by other means."""

    scopes: ClassVar[dict[str, str]] = {"POST": Scope.USERS.value}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"POST": {200: PreferenceLink}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {"POST": {404: ("unknown_user",)}}

    def post(self, _request: Request, user_id: str) -> HttpResponse:
        """The address is all it takes to open the page: give it to nobody but the user."""
        visit = Visit.since(_known(user_id).id, timezone.now())
        return json_answer(PreferenceLink(conf.LINKS.visit_url(visit), visit.ends_at))


def _known(user_id: str) -> RecipientRef:
    """The user, if there is one to speak for."""
    known = people.resolve([user_id]).get(user_id)
    if known is None or known.status is RecipientStatus.ERASED:
        raise UnknownUser
    return known
