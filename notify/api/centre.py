"""`/p/{token}`: the page on which a person sees and changes what they allow."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from channels.rules.sealing import Unreadable
from notify import centre, conf
from notify.api.answers import as_logged
from notify.api.centre_page import Reading, context_of
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
from notify.centre import Opened
from preferences.errors import UserErased, VersionConflict
from preferences.rules.choices import Form, changed_since, faults_in, merged, sent

log = structlog.get_logger(__name__)

#: Fields that are not a person's: the version that the form shows, and all it showed.
_VERSION, _SEEN = "version", "seen"
_TO_CONFIRM = "&confirm=1"
#: Fields of a form: far more than any page has.
_MOST_FIELDS = 500


@answers("GET", "HEAD", "POST")
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """Show the page, or write what its form says."""
    recipient_id = 0
    try:
        visit = conf.LINKS.read_visit(token)
    except Unreadable:
        # Asked for all the same: an address that was never ours takes as long as that of somebody who is gone.
        pass
    else:
        if timezone.now() >= visit.ends_at:
            return page("old", language_for(request), status=HTTPStatus.GONE)
        recipient_id = visit.recipient_id
    try:
        return _answer(request, recipient_id)
    except (OperationalError, InterfaceError) as error:
        log.warning("database.away", error=type(error).__name__)
        return not_now(language_for(request))


def _answer(request: HttpRequest, recipient_id: int) -> HttpResponse:
    opened = centre.open_centre(recipient_id)
    if opened is None:
        return nothing_here(request)
    if request.method == "POST":
        try:
            return _save(request, opened)
        except UserErased:
            return nothing_here(request)
    is_saved = request.GET.get("saved", "") == str(opened.version)
    is_to_confirm = is_saved and "confirm" in request.GET
    return _show(request, opened, Reading(form=opened.form, is_saved=is_saved, is_to_confirm=is_to_confirm))


def _save(request: HttpRequest, opened: Opened) -> HttpResponse:
    """Write the form, or show it again with what is in the way; only what is written whole is written."""
    posted = posted_by(request)
    if not posted.get(_VERSION, "").isdecimal():
        return _show(request, opened, Reading(form=opened.form, is_broken=True), status=HTTPStatus.BAD_REQUEST)
    form = sent(opened.form, posted)
    if int(posted[_VERSION]) != opened.version:
        return _ask_again(request, opened, form, posted)
    if faults := faults_in(form, opened.form, opened.offer):
        return _show(request, opened, Reading(form=form, faults=faults), status=HTTPStatus.UNPROCESSABLE_ENTITY)
    language = _language_for(request, opened)
    try:
        saved = centre.save(
            opened, form, centre.by_page(language=language, ip_address=address_of(request), trace=trace_of(request))
        )
    except VersionConflict:
        changed = centre.open_centre(opened.facts.id)
        return nothing_here(request) if changed is None else _ask_again(request, changed, form, posted)
    # Away from the form, so that loading the page again sends nothing again.
    headers = {**HEADERS, "Location": f"?saved={saved.version}{_TO_CONFIRM * saved.is_to_confirm}"}
    return as_logged(HttpResponse(status=HTTPStatus.SEE_OTHER, headers=headers))


def _ask_again(request: HttpRequest, opened: Opened, form: Form, posted: dict[str, str]) -> HttpResponse:
    """Somebody changed it meanwhile: show what, with this person's own changes on top, and let them save."""
    seen = _seen_in(posted) or form
    both = merged(seen, form, opened.form)
    reading = Reading(form=both, moved=changed_since(seen, opened.form), is_stale=True)
    return _show(request, opened, reading, status=HTTPStatus.CONFLICT)


def _seen_in(posted: dict[str, str]) -> Form:
    """What the form showed when it was opened, as it says itself; it serves to compare, and is written nowhere."""
    try:
        return dict(parse_qsl(posted.get(_SEEN, ""), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        return {}


def _show(request: HttpRequest, opened: Opened, reading: Reading, *, status: int = HTTPStatus.OK) -> HttpResponse:
    language = _language_for(request, opened)
    with translation.override(language):
        context = context_of(opened.offer, opened.form, reading)
    hidden = {"version": opened.version, "seen": urlencode(opened.form)}
    return page("centre", language, {**context, **hidden}, status=status)


def _language_for(request: HttpRequest, opened: Opened) -> str:
    return language_for(request, opened.facts.preferences.locale or opened.facts.locale)
