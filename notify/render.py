"""One page of deliveries gets its words."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from channels.rules.sealing import Unreadable, unseal
from channels.vocabulary import Channel
from notify import conf, record
from notify.rules.content_limits import fit
from notify.rules.ready import Ready, pack
from notify.rules.rendering import CompiledTemplate, TemplateFault
from notify.store import pages, planning, sending, templates, types
from notify.store.sending import Known, Renderable
from notify.vocabulary import ClaimedPage, Content, PageStep, ReasonCode
from preferences import store as people
from preferences.vocabulary import RecipientFacts


class RenderedPage(msgspec.Struct, frozen=True):
    """A claimed page with its words."""

    page: ClaimedPage
    ready: list[Ready]


class _Variables(msgspec.Struct, frozen=True):
    """What a notification's sealed bytes hold."""

    v: dict[str, Any]
    c: Content | None = None


_decode = msgspec.json.Decoder(_Variables).decode


def render_page(page_id: UUID) -> RenderedPage | None:
    """Claim a page that waited, read what it rests on, and render it."""
    page = pages.claim(page_id, (PageStep.SEND,))
    return render_claimed(page, _gather(page)) if page is not None else None


def render_claimed(page: ClaimedPage, known: Known) -> RenderedPage | None:
    """The words of a claimed page, or None where nothing of it is left to send.

    What cannot be rendered fails alone, with its reason; its neighbours go on.
    """
    if not known.waiting:
        record.close_page(page)
        return None
    ready, unsendable = _render_all(known)
    if unsendable:
        record.record_unsendable(page, unsendable)
    return RenderedPage(page, ready)


def hand_on(rendered: RenderedPage) -> str:
    """Seal a page's words for its message, and give the page back for its dispatch."""
    page = rendered.page
    packed = conf.KEYRING.seal_blob(pack(rendered.ready), b"page:" + page.page_id.bytes)
    pages.hand_over(page)
    return b64encode(packed).decode()


def _gather(page: ClaimedPage) -> Known:
    """Four statements, whatever the page's size."""
    waiting = sending.renderables(page.ids)
    if not waiting:
        return Known(waiting=[], batches={}, types={}, people={})
    return Known(
        waiting=waiting,
        batches=planning.batches({one.batch_id for one in waiting}),
        types=types.types_for({one.type_key for one in waiting}),
        people=people.facts_for([one.recipient_id for one in waiting], ()),
    )


def _render_all(facts: Known) -> tuple[list[Ready], list[record.Unsendable]]:
    """The page's words; templates are compiled once per version and process."""
    versions = {batch.template_version_id for batch in facts.batches.values()}
    compiled = templates.compiled_versions([version for version in versions if version is not None])
    ready: list[Ready] = []
    unsendable: list[record.Unsendable] = []
    for one in facts.waiting:
        try:
            ready.append(_render(one, facts, compiled))
        except TemplateFault as fault:
            unsendable.append(record.Unsendable(one.id, ReasonCode.INVALID_PAYLOAD, f"{fault.code}: {fault.detail}"))
        except (Unreadable, KeyError):
            unsendable.append(record.Unsendable(one.id, ReasonCode.USER_ERASED, "the recipient's key is gone"))
    return ready, unsendable


def _render(one: Renderable, facts: Known, compiled: Mapping[int, CompiledTemplate]) -> Ready:
    """The words of one delivery; its channel's limits are the template's business."""
    batch, kind, person = facts.batches[one.batch_id], facts.types[one.type_key], facts.people[one.recipient_id]
    key = people.data_key(person.wrapped_key, person.id)
    given = _decode(unseal(key, one.sealed, b"notification.sealed:" + one.notification_id.bytes))
    if given.c is not None:
        content = fit(Channel(one.channel), given.c)
    else:
        content = _from_template(one, batch, person, given.v, compiled)
    return Ready(
        id=one.id,
        type_key=one.type_key,
        category=kind.category,
        mandatory=kind.mandatory,
        test=batch.test,
        collapse_key=batch.collapse_key or "",
        has_fallback=bool(batch.fallback_channels),
        content=content,
    )


def _from_template(
    one: Renderable,
    batch: planning.BatchRow,
    person: RecipientFacts,
    variables: dict[str, Any],
    compiled: Mapping[int, CompiledTemplate],
) -> Content:
    if batch.template_version_id is None:
        raise TemplateFault("no_content", "the notification has neither template nor content")
    locale = person.preferences.locale or person.locale
    user = {
        "user_id": person.user_id,
        "locale": locale,
        "timezone": person.preferences.timezone or person.timezone,
        "attributes": person.attributes,
    }
    template = compiled[batch.template_version_id]
    return template.render(one.channel, locale, variables, user).content
