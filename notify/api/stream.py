"""The way to a person's live stream. The stream itself is served by processes of its own (`config/stream`)."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from channels.errors import Refusal
from notify import conf, inbox
from notify.api.answers import as_logged
from notify.api.auth import (
    BearerAuthentication,
    Caller,
    caller_of,
    caller_of_ticket,
    check_reader,
    mint_ticket,
)
from notify.api.metering import meter_stranger
from notify.api.throttles import meter
from notify.errors import InvalidKey, RateLimited
from notify.policy import STREAM_LIFETIME, STREAM_TICKET_LIFETIME
from notify.vocabulary import Scope

_READERS = (Scope.READ.value, Scope.USERS.value)


class Admitted(msgspec.Struct, frozen=True):
    """Somebody who may listen."""

    recipient_id: int
    caller: Caller


class InAddress(BearerAuthentication):
    """A header, or what browsers' EventSource must use instead: `?token=` with a ticket or a user token."""

    def authenticate(self, request: Request | HttpRequest) -> tuple[None, Caller]:
        """As ever; an API key is taken from the header only."""
        token = request.GET.get("token", "")
        if not token or "HTTP_AUTHORIZATION" in request.META:
            return super().authenticate(request)  # type: ignore[arg-type]  # it reads the headers alone
        try:
            return None, caller_of_ticket(token)
        except InvalidKey:
            wait = meter_stranger(request)
            if wait:
                raise RateLimited(wait) from None
            raise


class StreamView(APIView):
    """A person's inbox, live."""

    authentication_classes = (InAddress,)
    scopes: ClassVar[dict[str, str | tuple[str, ...]]] = {"GET": _READERS}
    user_token_allowed = True
    header_parameters: ClassVar[dict[str, tuple[str, ...]]] = {"GET": ("Last-Event-ID",)}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"GET": {200: None, 307: None}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {
        "GET": {404: ("unknown_user",), 429: ("too_many_streams",), 503: ("stream_full",)}
    }

    def perform_content_negotiation(
        self,
        request: Request,
        force: bool = False,  # noqa: FBT001, FBT002, ARG002 - DRF's signature
    ) -> tuple[Any, str]:
        """Browsers accept nothing but events; what they get here is an address."""
        return super().perform_content_negotiation(request, force=True)

    def get(self, request: Request, user_id: str) -> HttpResponse:
        """Listen to server-sent events: `notification`, `read`, `archive`, `unread_count`.

        Where no proxy has brought the call to the processes that serve streams, 307 leads there, with a ticket that is
        good for a minute. After a break `Last-Event-ID` brings what was missed.
        """
        inbox.owner_of(user_id)
        ticket = mint_ticket(
            caller_of(request), user_id, now=timezone.now(), lifetime=STREAM_TICKET_LIFETIME, stays=STREAM_LIFETIME
        )
        query = urlencode({"token": ticket})
        place = f"{stream_base(request)}/v1/users/{quote(user_id, safe='')}/notifications/stream?{query}"
        headers = {"Location": place, "Cache-Control": "no-store"}
        return as_logged(HttpResponse(status=307, headers=headers))


def admit(request: HttpRequest, user_id: str) -> Admitted:
    """Who opens a stream; raises what the API would refuse them with."""
    _, caller = InAddress().authenticate(request)
    check_reader(caller, user_id, *_READERS)
    meter(request, caller)
    return Admitted(inbox.owner_of(user_id).id, caller)


class TooManyStreams(Refusal):
    """One person has as many streams as anybody needs."""

    code = "too_many_streams"
    status = 429

    def __init__(self) -> None:
        super().__init__("This user listens in many places already; close one first.", headers={"Retry-After": "60"})


class StreamFull(Refusal):
    """This process has as many listeners as it takes."""

    code = "stream_full"
    status = 503

    def __init__(self) -> None:
        super().__init__("No more listeners just now; ask again in a moment.", headers={"Retry-After": "5"})


def stream_base(request: Request | HttpRequest) -> str:
    """The address of the stream's processes: as it is set, or this host's other port."""
    if conf.STREAM_URL:
        return conf.STREAM_URL
    parts = urlsplit(f"{request.scheme}://{request.get_host()}")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{conf.STREAM_PORT}"
