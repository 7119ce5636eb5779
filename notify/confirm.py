"""People who asked for marketing are asked by mail whether it was they (double opt-in)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import structlog
from django.db import transaction
from django.utils import timezone

from notify import conf
from notify.errors import RecipientsRejected
from notify.policy import CONFIRMATIONS_PAGE
from notify.rules.confirmation import APPLICATION, CHANNELS, TEMPLATE_ID, TYPE_KEY, VARIABLES, confirmation_type
from notify.rules.intake import Call
from notify.rules.requests import RecipientItem, SendRequest
from notify.rules.signed_links import Confirming
from notify.store import authoring, keys, templates, types
from preferences import store as people
from preferences.policy import CONFIRM_WITHIN
from preferences.store import Asked

log = structlog.get_logger(__name__)


def ask_people(accept: Callable[[Call], object]) -> int:
    """Accept a mail for everybody who waits for one, in the transaction that takes them; how many were asked.

    What goes wrong leaves them waiting for the next time.
    """
    with transaction.atomic():
        asked = people.take_unmailed(CONFIRMATIONS_PAGE)
        if asked:
            _ensure_words()
            _accept(accept, asked)
    return len(asked)


def _accept(accept: Callable[[Call], object], asked: Sequence[Asked]) -> None:
    now = timezone.now()
    items = [
        RecipientItem(
            user_id=one.user_id,
            variables={"confirm_url": conf.LINKS.confirm_url(Confirming(one.recipient_id, one.nonce))},
        )
        for one in asked
    ]
    call = Call(
        request=SendRequest(type=TYPE_KEY, recipients=items),
        # A request is taken once; its nonce names it.
        key=f"opt-in:{asked[0].recipient_id}:{asked[0].nonce}",
        application_id=keys.application_named(APPLICATION),
        scopes=frozenset(),
        is_test=False,
        request_id="",
        trace_id=os.urandom(16).hex(),
        now=now,
    )
    try:
        with transaction.atomic():
            accept(call)
    except RecipientsRejected:
        log.warning("opt_in.nobody_left", asked=len(asked))


def _ensure_words() -> None:
    """Type and template, made the first time; what the owner made of them since stays."""
    if types.read_type(TYPE_KEY) is not None:
        return
    if authoring.add_template(TEMPLATE_ID, TYPE_KEY, "en"):
        new = authoring.NewVersion(channels=CHANNELS, compiled=CHANNELS, variables=VARIABLES, created_by=APPLICATION)
        authoring.publish_version(TEMPLATE_ID, authoring.add_version(TEMPLATE_ID, new), APPLICATION)
        templates.forget_published()
    types.put_type(confirmation_type(CONFIRM_WITHIN.days))
