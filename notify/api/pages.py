"""Pages for people who have no login: a pixel, a redirect, a way out (api.md section 8).

They answer from what their address holds. Nothing on them is loaded from elsewhere, no cookie is set, and nobody
learns from them who exists: an address is genuine, or there is no such page.
"""

from __future__ import annotations

from base64 import b64decode
from http import HTTPStatus
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from channels.rules.sealing import Unreadable
from channels.vocabulary import ReceiptKind
from notify import centre, conf, engage
from notify.api.frame import (
    HEADERS,
    address_of,
    answers,
    language_for,
    not_now,
    nothing_here,
    page,
    posted_by,
    trace_of,
)
from notify.api.labels import CATEGORIES, WAYS
from notify.policy import UNDO_LIFETIME
from notify.rules.ids import instant_of
from notify.rules.links import is_web_address
from notify.rules.signed_links import Confirming, Leaving, Undoing, Visit
from preferences import allow
from preferences.vocabulary import Origin

log = structlog.get_logger(__name__)

#: One transparent point: GIF89a, 42 bytes.
_PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
#: What RFC 8058 (section 3.2) has mail programs send, as a form or as its parts.
ONE_CLICK = ("List-Unsubscribe", "One-Click")
#: Fields of our own forms: that one was seen, and what is taken back.
_SHOWN, _UNDO = "shown", "undo"


@answers("GET", "HEAD")
def open_pixel(request: HttpRequest, token: str) -> HttpResponse:
    """The picture that shows that a mail was opened."""
    try:
        delivery_id = conf.LINKS.read_open(token)
    except Unreadable:
        return nothing_here(request)
    _note(request, ReceiptKind.OPENED, delivery_id, "")
    return HttpResponse(_PIXEL, content_type="image/gif", headers=HEADERS)


@answers("GET", "HEAD")
def follow_link(request: HttpRequest, token: str) -> HttpResponse:
    """On to where a link leads: what its token holds, whatever else stands in the address."""
    try:
        delivery_id, destination = conf.LINKS.read_click(token)
    except Unreadable:
        return nothing_here(request)
    if not is_web_address(destination):
        return nothing_here(request)
    _note(request, ReceiptKind.CLICKED, delivery_id, destination)
    return HttpResponse(status=HTTPStatus.FOUND, headers={**HEADERS, "Location": destination})


@answers("GET", "HEAD", "POST")
def leave(request: HttpRequest, token: str) -> HttpResponse:
    """The way out of one kind of message: asked for by GET, taken by POST, and taken back by another."""
    try:
        leaving = conf.LINKS.read_leave(token)
    except Unreadable:
        return nothing_here(request)
    language = _language_for(request, leaving)
    if request.method != "POST":
        # Scanners follow every link of a mail: looking at the page must change nothing.
        return _page("leave", language, leaving)
    try:
        return _take(request, language, leaving)
    except (OperationalError, InterfaceError) as error:
        log.warning("database.away", error=type(error).__name__)
        return not_now(language, {"one_click": ONE_CLICK})


@answers("GET", "HEAD", "POST")
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Where a person who asked for marketing says so themselves: shown by GET, taken by POST."""
    try:
        confirming = conf.LINKS.read_confirm(token)
    except Unreadable:
        return nothing_here(request)
    try:
        return _confirm(request, confirming)
    except (OperationalError, InterfaceError) as error:
        log.warning("database.away", error=type(error).__name__)
        return not_now(language_for(request))


def _confirm(request: HttpRequest, confirming: Confirming) -> HttpResponse:
    """The page as things stand; scanners follow every link of a mail, so only its form changes anything."""
    language = language_for(request, centre.language_of(confirming.recipient_id))
    if request.method != "POST":
        is_open = allow.is_to_confirm(confirming.recipient_id, confirming.nonce)
        return page("confirm", language) if is_open else nothing_here(request)
    origin = centre.by_page(language=language, ip_address=address_of(request), trace=trace_of(request))
    if not allow.confirm_marketing(confirming.recipient_id, confirming.nonce, origin):
        return nothing_here(request)
    visit = Visit.since(confirming.recipient_id, timezone.now())
    return page("confirmed", language, {"centre": conf.LINKS.visit_token(visit)})


def _take(request: HttpRequest, language: str, leaving: Leaving) -> HttpResponse:
    """What a form of the page, or a mail program, says."""
    posted = posted_by(request)
    if posted.get(ONE_CLICK[0]) == ONE_CLICK[1]:
        # A mail program shows its own words; our form says that it was ours.
        engage.leave(leaving, _origin(request, leaving, language if _SHOWN in posted else ""))
        undoing = Undoing(leaving, int((timezone.now() + UNDO_LIFETIME).timestamp()))
        return _page("left", language, leaving, undo=conf.LINKS.undo_token(undoing))
    if _UNDO not in posted:
        return _page("leave", language, leaving, status=HTTPStatus.BAD_REQUEST)
    if not _may_undo(posted[_UNDO], leaving):
        return _page("stayed", language, leaving, status=HTTPStatus.BAD_REQUEST)
    centre.come_back(leaving, _origin(request, leaving, language))
    return _page("back", language, leaving)


def _may_undo(token: str, leaving: Leaving) -> bool:
    """Whether this takes back just this leaving, and soon after it: the link itself is good for years."""
    try:
        undoing = conf.LINKS.read_undo(token)
    except Unreadable:
        return False
    return undoing.leaving == leaving and timezone.now().timestamp() < undoing.until


def _origin(request: HttpRequest, leaving: Leaving, language: str) -> Origin:
    return centre.by_link(leaving, language=language, ip_address=address_of(request), trace=trace_of(request))


def _language_for(request: HttpRequest, leaving: Leaving) -> str:
    """The person's; while PostgreSQL is away, their browser's: the page is there all the same."""
    try:
        return language_for(request, centre.language_of(leaving.recipient_id))
    except (OperationalError, InterfaceError):
        return language_for(request)


def _note(request: HttpRequest, kind: ReceiptKind, delivery_id: UUID, what: str) -> None:
    headers = {name.lower(): value for name, value in request.headers.items()}
    engage.note_hit(delivery_id, kind, what, method=request.method or "", headers=headers, now=timezone.now())


def _page(name: str, language: str, leaving: Leaving, *, undo: str = "", status: int = HTTPStatus.OK) -> HttpResponse:
    # As good as the one in the message: this link is no way to keep a page open for years.
    visit = Visit.since(leaving.recipient_id, instant_of(leaving.delivery_id))
    context = {
        "kind": CATEGORIES[leaving.category].left,
        "way": WAYS[leaving.channel],
        "centre": conf.LINKS.visit_token(visit) if timezone.now() < visit.ends_at else "",
        "one_click": ONE_CLICK,
        "undo": undo,
    }
    return page(name, language, context, status=status)
