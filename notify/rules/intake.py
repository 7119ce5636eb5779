"""Is this request one that can be kept? Pure checks; the rows they need come as arguments."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from channels.errors import FieldError
from notify.errors import InvalidRequest, MissingScope
from notify.policy import MAX_RECIPIENTS, MAX_SCHEDULE_AHEAD
from notify.rules.content_limits import fit_image, fit_link
from notify.rules.requests import InlineContent, LocalSchedule, RecipientItem, SendRequest
from notify.rules.rich_fields import key_fault
from notify.rules.schedule import instant_of_local, is_zone
from notify.rules.template_weave import TemplateFault
from notify.rules.variables import VariableFault
from notify.rules.variables import check as check_variables
from notify.vocabulary import PinnedVersion, Priority, Scope, TypeRow
from preferences.vocabulary import RecipientRef, RecipientStatus

#: A schedule nearer than this is now.
_NOW_ENOUGH = timedelta(seconds=1)


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request with who sends it and what travels with it."""

    request: SendRequest
    key: str
    application_id: int
    scopes: frozenset[str]
    is_test: bool
    request_id: str
    trace_id: str
    now: datetime


class Pinned(msgspec.Struct, frozen=True):
    """What a request is bound to once it is accepted."""

    kind: TypeRow
    template: PinnedVersion | None
    priority: Priority


class Rejection(msgspec.Struct, frozen=True):
    """One recipient who was not accepted, and why; the others go on."""

    user_id: str
    code: str
    detail: str


def check_request(call: Call, kind: TypeRow | None, template_id: str | None, template: PinnedVersion | None) -> Pinned:
    """The request as a whole, or the first thing wrong with it."""
    request = call.request
    _check_people(request)
    if kind is None:
        raise _wrong("type", "unknown_type", "There is no such notification type; create it with PUT /v1/types/{key}.")
    if request.template_id is not None and request.content is not None:
        raise _wrong("content", "content_and_template", "Give either template_id or content, not both.")
    if request.content is not None:
        _check_content(request.content)
    else:
        _check_template(kind, template_id, template)
    priority = request.priority or Priority(kind.priority)
    if priority is Priority.CRITICAL and Scope.SEND_CRITICAL not in call.scopes:
        raise MissingScope(Scope.SEND_CRITICAL)
    _check_times(request, call.now)
    return Pinned(kind, template, priority)


def own_variables(pinned: Pinned, shared: dict[str, Any], item: RecipientItem, at: int) -> dict[str, Any] | Rejection:
    """The variables of one recipient, theirs over the shared ones, checked against the template's schema."""
    variables = {**shared, **item.variables} if item.variables else shared
    if pinned.template is None:
        return variables
    try:
        return check_variables(pinned.template.variables, variables)
    except VariableFault as fault:
        return Rejection(item.user_id, fault.code, f"/recipients/{at}/variables/{fault.name}: {fault.message}")


def screened(item: RecipientItem, recipient: RecipientRef | None, seen: Collection[str]) -> Rejection | None:
    """Why this recipient cannot be accepted at all; preferences are not asked here."""
    if recipient is None or recipient.status is RecipientStatus.ERASED:
        return Rejection(item.user_id, "unknown_user", "There is no user with this id; create it with PUT /v1/users.")
    if item.user_id in seen:
        return Rejection(item.user_id, "duplicate", "This user is already among the recipients of this request.")
    return None


def expiry_of(call: Call, kind: TypeRow, scheduled_at: datetime | None) -> datetime | None:
    """The caller's expiry, else the type's lifetime counted from when it is due."""
    if call.request.expires_at is not None:
        return call.request.expires_at.astimezone(UTC)
    if kind.ttl_seconds is None:
        return None
    return (scheduled_at or call.now) + timedelta(seconds=kind.ttl_seconds)


def when(schedule: datetime | LocalSchedule | None, zone: str, *, now: datetime) -> datetime | None:
    """The instant a recipient is to be told; None: at once."""
    if schedule is None:
        return None
    if isinstance(schedule, LocalSchedule):
        named = zone if schedule.timezone == "recipient" else schedule.timezone
        instant = instant_of_local(schedule.wall_clock(), named)
    else:
        instant = schedule.astimezone(UTC)
    return instant if instant > now + _NOW_ENOUGH else None


def _check_people(request: SendRequest) -> None:
    if request.user_id is not None and request.recipients is not None:
        raise _wrong("user_id", "invalid_user_id", "Give either user_id or recipients, not both.")
    count = len(request.people())
    if count == 0:
        raise _wrong("recipients", "invalid_recipients", "Name at least one recipient, or a user_id.")
    if count > MAX_RECIPIENTS:
        text = f"{count} recipients; at most {MAX_RECIPIENTS} in one call. Use POST /v1/notifications/bulk for more."
        raise _wrong("recipients", "too_many_recipients", text)


def _check_content(content: InlineContent) -> None:
    """What no channel could carry is refused now, and not in a worker."""
    for key in content.data:
        if fault := key_fault(key):
            place = key.replace("~", "~0").replace("/", "~1")
            raise _wrong(f"content/data/{place}", "invalid_data", f"{fault[0].upper()}{fault[1:]}.")
    if len({one.id for one in content.actions}) < len(content.actions):
        raise _wrong("content/actions", "invalid_actions", "Every button needs an id of its own.")
    links = {"action_url": content.action_url}
    links |= {f"actions/{at}/url": one.url for at, one in enumerate(content.actions)}
    for place, link in links.items():
        _check_link(place, link, fit_link)
    _check_link("image_url", content.image_url, fit_image)


def _check_link(place: str, link: str, make_fit: Callable[[str, str], str]) -> None:
    try:
        make_fit(place, link)
    except TemplateFault as fault:
        cure = fault.detail.partition(": ")[2]
        raise _wrong(f"content/{place}", fault.code, f"{cure[0].upper()}{cure[1:]}.") from None


def _check_template(kind: TypeRow, template_id: str | None, template: PinnedVersion | None) -> None:
    if template_id is None:
        text = "This type has no template of its own: give template_id or content."
        raise _wrong("template_id", "invalid_template_id", text)
    if template is None:
        text = "There is no published template with this id."
        raise _wrong("template_id", "unknown_template", text, status=400)
    if template.type_key != kind.key:
        text = f"This template belongs to type {template.type_key}, not to {kind.key}."
        raise _wrong("template_id", "template_type_mismatch", text, status=400)


def _check_times(request: SendRequest, now: datetime) -> None:
    schedule, expires_at = request.schedule_at, request.expires_at
    if expires_at is not None:
        _check_aware("expires_at", expires_at)
        if expires_at <= now:
            raise _wrong("expires_at", "invalid_expires_at", "This instant has passed; give a later one, or none.")
    if isinstance(schedule, LocalSchedule):
        _check_local(schedule, now)
    elif schedule is not None:
        _check_aware("schedule_at", schedule)
        _check_ahead("schedule_at", schedule, now)
        if expires_at is not None and expires_at <= schedule:
            raise _wrong("expires_at", "invalid_expires_at", "It would expire before it is due; give a later instant.")


def _check_local(schedule: LocalSchedule, now: datetime) -> None:
    try:
        local = schedule.wall_clock()
    except ValueError:
        text = "Write a wall-clock time without offset, as 2027-03-28T09:00, or give schedule_at as one instant."
        raise _wrong("schedule_at/local_time", "invalid_local_time", text) from None
    if schedule.timezone != "recipient" and not is_zone(schedule.timezone):
        text = 'Not an IANA zone; write for example "Europe/London", or "recipient".'
        raise _wrong("schedule_at/timezone", "invalid_timezone", text)
    _check_ahead("schedule_at/local_time", local.replace(tzinfo=UTC), now)


def _check_aware(field: str, instant: datetime) -> None:
    if instant.tzinfo is None:
        raise _wrong(field, f"invalid_{field}", "An instant needs an offset, for example 2027-04-15T12:00:00Z.")


def _check_ahead(field: str, instant: datetime, now: datetime) -> None:
    if instant > now + MAX_SCHEDULE_AHEAD:
        text = f"At most {MAX_SCHEDULE_AHEAD.days} days ahead; use a recurring campaign for later ones."
        raise _wrong(field, f"invalid_{field.rsplit('/', 1)[-1]}", text)


def _wrong(field: str, code: str, message: str, *, status: int = 422) -> InvalidRequest:
    """A refusal that points at one field of the body."""
    return InvalidRequest(message, code=code, status=status, errors=[FieldError(f"/{field}", code, message)])
