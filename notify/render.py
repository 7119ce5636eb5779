"""One page of deliveries gets its words."""

from __future__ import annotations

from base64 import b64encode
from uuid import UUID

import msgspec

from notify import conf, record
from notify.rules.ready import Ready, pack
from notify.store import pages, planning, sending, types
from notify.store.sending import Known
from notify.vocabulary import ClaimedPage, PageStep
from notify.words import words_of
from preferences import store as people


class RenderedPage(msgspec.Struct, frozen=True):
    """A claimed page with its words."""

    page: ClaimedPage
    ready: list[Ready]


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
    ready, unsendable = words_of(known)
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
