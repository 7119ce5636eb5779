"""The words of deliveries: template version and variables, or inline content, made fit for each channel."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import msgspec
from django.utils import timezone

from channels.rules.sealing import Unreadable, unseal
from channels.vocabulary import Channel
from notify import conf
from notify.rules.content_limits import fit, shaped_sms
from notify.rules.digest import built_in, is_digest
from notify.rules.leaving import way_out
from notify.rules.ready import Ready, Unsendable, batch_place
from notify.rules.rendering import CENTRE, WAY_OUT, CompiledTemplate, TemplateFault
from notify.rules.signed_links import Visit
from notify.rules.tracking import NO_MARKS, Marks, marked, redirect_for
from notify.store import planning, templates
from notify.store.sending import Known, Renderable
from notify.vocabulary import Content, ReasonCode, TypeRow
from preferences import store as people
from preferences.vocabulary import Category, RecipientFacts


class _Variables(msgspec.Struct, frozen=True):
    """What a notification's sealed bytes hold."""

    v: dict[str, Any]
    c: Content | None = None


_decode = msgspec.json.Decoder(_Variables).decode
_shared = msgspec.json.Decoder(dict[str, Any]).decode


def words_of(facts: Known) -> tuple[list[Ready], list[Unsendable]]:
    """The words of these deliveries, and those that cannot have any, each with its reason.

    Templates are compiled once per version and process.
    """
    versions = {batch.template_version_id for batch in facts.batches.values()}
    compiled = templates.compiled_versions([version for version in versions if version is not None])
    ready: list[Ready] = []
    unsendable: list[Unsendable] = []
    shared: dict[UUID, _Variables] = {}
    for one in facts.waiting:
        try:
            ready.append(_render(one, facts, compiled, shared))
        except TemplateFault as fault:
            unsendable.append(Unsendable(one.id, ReasonCode.INVALID_PAYLOAD, f"{fault.code}: {fault.detail}"))
        except (Unreadable, KeyError):
            unsendable.append(Unsendable(one.id, ReasonCode.USER_ERASED, "the recipient's key is gone"))
    return ready, unsendable


def _given(one: Renderable, batch: planning.BatchRow, key: bytes, shared: dict[UUID, _Variables]) -> _Variables:
    """A notification's own variables, or those that all of its batch share: opened once for a page."""
    if one.sealed or batch.sealed is None:
        return _decode(unseal(key, one.sealed, b"notification.sealed:" + one.notification_id.bytes))
    if batch.id not in shared:
        shared[batch.id] = _Variables(_shared(conf.KEYRING.unseal_blob(batch.sealed, batch_place(batch.id))))
    return shared[batch.id]


def _render(
    one: Renderable, facts: Known, compiled: Mapping[int, CompiledTemplate], shared: dict[UUID, _Variables]
) -> Ready:
    """The words of one delivery; its channel's limits are the template's business."""
    batch, kind, person = facts.batches[one.batch_id], facts.types[one.type_key], facts.people[one.recipient_id]
    key = people.data_key(person.wrapped_key, person.id)
    given = _given(one, batch, key, shared)
    if given.c is not None:
        content = marked(fit(Channel(one.channel), given.c), _marks(one, kind))
    else:
        content = _from_template(one, batch, person, given.v, compiled, kind)
    if one.channel == Channel.SMS:
        body = shaped_sms(content.body, most=conf.SMS_MAX_SEGMENTS, transliterate=conf.SMS_TRANSLITERATE)
        content = content if body is content.body else msgspec.structs.replace(content, body=body)
    return Ready(
        id=one.id,
        type_key=one.type_key,
        category=kind.category,
        mandatory=kind.mandatory,
        test=batch.test,
        collapse_key=batch.collapse_key or "",
        has_fallback=len(batch.fallback_channels) + one.stands_in > one.fallback,
        content=content,
        batch_id=batch.id if batch.sealed is not None else None,
    )


def _from_template(
    one: Renderable,
    batch: planning.BatchRow,
    person: RecipientFacts,
    variables: dict[str, Any],
    compiled: Mapping[int, CompiledTemplate],
    kind: TypeRow,
) -> Content:
    locale = person.preferences.locale or person.locale
    user = {
        "user_id": person.user_id,
        "locale": locale,
        "timezone": person.preferences.timezone or person.timezone,
        "attributes": person.attributes,
    }
    template = _template(batch, kind, compiled)
    marks = _marks(one, kind, ours=template.ours)
    return template.render(one.channel, locale, variables, user, marks).content


def _template(batch: planning.BatchRow, kind: TypeRow, compiled: Mapping[int, CompiledTemplate]) -> CompiledTemplate:
    if batch.template_version_id is not None:
        return compiled[batch.template_version_id]
    if is_digest(kind.key):
        return built_in()
    raise TemplateFault("no_content", "the notification has neither template nor content")


def _marks(one: Renderable, kind: TypeRow, *, ours: Collection[str] = ()) -> Marks:
    """What is this delivery's own in its words: pixel and redirects of e-mails, and the addresses of ours it names."""
    is_mail = one.channel == Channel.EMAIL
    leaving = None
    if WAY_OUT in ours:
        leaving = way_out(
            one.recipient_id,
            one.id,
            Channel(one.channel),
            category=Category(kind.category),
            type_key=kind.key,
            mandatory=kind.mandatory,
        )
    if leaving is None and CENTRE not in ours and not (is_mail and (kind.track_opens or kind.track_clicks)):
        return NO_MARKS
    return Marks(
        redirect=redirect_for(conf.LINKS, one.id) if is_mail and kind.track_clicks else None,
        pixel=conf.LINKS.open_url(one.id) if is_mail and kind.track_opens else "",
        unsubscribe_url=conf.LINKS.leave_url(leaving) if leaving is not None else "",
        preferences_url=conf.LINKS.visit_url(Visit.since(one.recipient_id, timezone.now())) if CENTRE in ours else "",
    )
