"""Can a campaign be run as it is written? Pure checks: every fault is told at once, with its place and the cure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from campaigns.policy import MAX_LISTED
from campaigns.rules.occurrences import cron_fault
from campaigns.rules.requests import AudienceBody, Written
from channels.errors import FieldError
from notify.policy import MAX_SCHEDULE_AHEAD
from notify.rules.schedule import is_zone
from notify.rules.variables import VariableFault
from notify.rules.variables import check as check_variables
from notify.vocabulary import PinnedVersion, TypeRow
from preferences.errors import InvalidSegment
from preferences.rules.quiet import zone_of
from preferences.rules.segment import parse

#: An instant that a slow call has overtaken is now.
_LATE: Final = timedelta(minutes=1)
_HOUR = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]\Z")


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of all that a campaign names."""

    kind: TypeRow | None
    #: Published versions by template id; what is not among them is not there.
    templates: Mapping[str, PinnedVersion]


class Places(NamedTuple):
    """Where an audience stands in the caller's body, as JSON pointers."""

    whole: str = "/audience"
    user_ids: str = "/audience/user_ids"
    segment: str = "/audience/segment"
    topic: str = "/audience/topic"


def template_ids(written: Written, kind: TypeRow | None) -> list[str]:
    """The templates that would be used, once each: the variants', else its own, else the type's."""
    if written.variants:
        used = [one.template_id for one in written.variants]
        named = [written.template_id] if written.template_id else []
        return list(dict.fromkeys([*used, *named]))
    usual = written.template_id or (kind.template_id if kind is not None else None)
    return [usual] if usual else []


def faults_of(written: Written, known: Known, *, now: datetime) -> list[FieldError]:
    """What is wrong with a campaign, but for whom it tells."""
    return [
        *_type_faults(written, known),
        *_variant_faults(written),
        *_template_faults(written, known),
        *_hour_faults(written),
        *_schedule_faults(written, now),
    ]


def audience_faults(audience: AudienceBody, places: Places, *, topics: Collection[str]) -> list[FieldError]:
    """What is wrong with an audience; `topics` are those that exist of the ones it names."""
    named = [one for one in (audience.user_ids, audience.segment, audience.topic) if one is not None]
    if len(named) != 1:
        names = ", ".join(one.rsplit("/", 1)[-1] for one in places[1:] if one)
        return [_fault(places.whole, "invalid_audience", f"Give exactly one of {names}.")]
    if audience.segment is not None:
        return _segment_faults(audience.segment, places.segment)
    if audience.topic is not None and audience.topic not in topics:
        text = "There is no topic with this key, so nobody would be told; create it with PUT /v1/topics/{key}."
        return [_fault(places.topic, "unknown_topic", text)]
    return _list_faults(audience.user_ids, places.user_ids) if audience.user_ids is not None else []


def _type_faults(written: Written, known: Known) -> Iterator[FieldError]:
    if known.kind is None:
        text = "There is no such notification type; create it with PUT /v1/types/{key}."
        yield _fault("/type", "unknown_type", text)
    elif not template_ids(written, known.kind):
        text = "This type has no template of its own: give template_id, or variants."
        yield _fault("/template_id", "invalid_template_id", text)


def _variant_faults(written: Written) -> Iterator[FieldError]:
    seen: set[str] = set()
    for at, one in enumerate(written.variants):
        if one.name in seen:
            text = "Another variant has this name; every one needs a name of its own."
            yield _fault(f"/variants/{at}/name", "duplicate_variant", text)
        seen.add(one.name)


def _template_faults(written: Written, known: Known) -> Iterator[FieldError]:
    """Every template must be there, be of the type, and be satisfied by the shared variables."""
    told: set[tuple[str, str]] = set()
    for pointer, template_id in _named_templates(written, known.kind):
        template = known.templates.get(template_id)
        if template is None:
            text = "There is no published template with this id; POST /v1/templates creates one."
            yield _fault(pointer, "unknown_template", text)
        elif known.kind is not None and template.type_key != known.kind.key:
            text = f"This template belongs to type {template.type_key}, not to {known.kind.key}."
            yield _fault(pointer, "template_type_mismatch", text)
        elif (fault := _variable_fault(written, template)) is not None and fault[:2] not in told:
            told.add(fault[:2])
            yield fault


def _named_templates(written: Written, kind: TypeRow | None) -> Iterator[tuple[str, str]]:
    """Each template that is named or meant, with the field to blame."""
    for at, one in enumerate(written.variants):
        yield f"/variants/{at}/template_id", one.template_id
    if written.template_id:
        yield "/template_id", written.template_id
    elif not written.variants and kind is not None and kind.template_id:
        yield "/type", kind.template_id


def _variable_fault(written: Written, template: PinnedVersion) -> FieldError | None:
    """The first variable that a template would miss: nobody of the audience has variables of their own."""
    try:
        check_variables(template.variables, written.variables)
    except VariableFault as fault:
        where = f'In template "{template.template_id}": {fault.message}'
        name = fault.name.replace("~", "~0").replace("/", "~1")
        return _fault(f"/variables/{name}" if name else "/variables", fault.code, where)
    return None


def _hour_faults(written: Written) -> Iterator[FieldError]:
    if written.local_time is not None and _HOUR.match(written.local_time) is None:
        text = "Write the hour on each reader's own clock as HH:MM, for example 09:00."
        yield _fault("/local_time", "invalid_local_time", text)
    if written.timezone is not None and not is_zone(written.timezone):
        yield _zone_fault("/timezone")
    if written.recurrence is None:
        return
    if fault := cron_fault(written.recurrence.cron):
        yield _fault("/recurrence/cron", "invalid_cron", f"This {fault}.")
    if not is_zone(written.recurrence.timezone):
        yield _zone_fault("/recurrence/timezone")
    elif written.timezone not in (None, written.recurrence.timezone):
        text = "The recurrence has a timezone of its own: leave this one out, or give the same."
        yield _fault("/timezone", "invalid_timezone", text)


def _schedule_faults(written: Written, now: datetime) -> Iterator[FieldError]:
    """With a local hour `schedule_at` names a day; with a recurrence, the instant before which nothing is told."""
    at = written.schedule_at
    if at is None:
        return
    if at.tzinfo is None:
        text = "An instant needs an offset, for example 2027-04-15T12:00:00Z."
        yield _fault("/schedule_at", "invalid_schedule_at", text)
        return
    if at > now + MAX_SCHEDULE_AHEAD:
        text = f"At most {MAX_SCHEDULE_AHEAD.days} days ahead; create it again when it is nearer."
        yield _fault("/schedule_at", "invalid_schedule_at", text)
    elif not written.recurrence and _has_passed(written, at, now):
        text = "This has passed already; give a later instant, or none and start it yourself."
        yield _fault("/schedule_at", "invalid_schedule_at", text)


def _has_passed(written: Written, at: datetime, now: datetime) -> bool:
    if written.local_time is None:
        return at < now - _LATE
    zone = zone_of(written.timezone or "UTC")
    return at.astimezone(zone).date() < now.astimezone(zone).date()


def _segment_faults(segment: str, pointer: str) -> list[FieldError]:
    try:
        parse(segment, pointer)
    except InvalidSegment as fault:
        return list(fault.errors)
    return []


def _list_faults(user_ids: Sequence[str], pointer: str) -> list[FieldError]:
    if not user_ids:
        return [_fault(pointer, "invalid_user_ids", "Name at least one user.")]
    if len(user_ids) > MAX_LISTED:
        text = f"{len(user_ids)} users; at most {MAX_LISTED} in a list. Use a segment or a topic for more."
        return [_fault(pointer, "too_many_users", text)]
    return []


def _zone_fault(pointer: str) -> FieldError:
    return _fault(pointer, "invalid_timezone", 'Not an IANA zone; write for example "Europe/London".')


def _fault(pointer: str, code: str, message: str) -> FieldError:
    return FieldError(pointer, code, message)
