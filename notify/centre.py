"""A person looks at what they allow and changes it, on a page of their own, without a login."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from notify import conf
from notify.rules.signed_links import Leaving
from notify.store import types
from preferences import allow
from preferences import store as people
from preferences.errors import UnknownUser, UserErased
from preferences.rules.choices import MARKETING, ON, Form, Offer, Switch, applied, offer_to, shown, switched
from preferences.vocabulary import ConsentActor, ConsentMeans, Origin, RecipientFacts, RecipientStatus

#: Which wording of the consents people see. Raised with every change of theirs; a test compares.
TEXT_VERSION = "pages-1"


class Opened(msgspec.Struct, frozen=True):
    """A person's page as things stand."""

    facts: RecipientFacts
    offer: Offer
    form: Form

    @property
    def version(self) -> int:
        """Of the document that it shows."""
        return self.facts.preferences.version


def open_centre(recipient_id: int) -> Opened | None:
    """The page of a person; None for one who was deleted or erased, or never was. The same statements for each."""
    kinds = types.kinds_of_types()
    facts = people.facts_for([recipient_id]).get(recipient_id)
    if facts is None or facts.status is not RecipientStatus.ACTIVE:
        return None
    offer = offer_to(facts, kinds, conf.LANGUAGES)
    return Opened(facts, offer, shown(offer, facts))


class Saved(NamedTuple):
    """What became of a form."""

    #: Of the document that was written.
    version: int
    #: They agreed to marketing, and are asked by mail whether it was they.
    is_to_confirm: bool


def save(opened: Opened, form: Form, origin: Origin) -> Saved:
    """Write what a person changed, if nobody else has since; raises `VersionConflict`, and `UserErased` for one gone.

    Nothing is written where nothing was changed.
    """
    if form == opened.form:
        return Saved(opened.version, is_to_confirm=False)
    said = allow.change_preferences(
        opened.facts.user_id,
        lambda present: applied(present, opened.offer, opened.form, form),
        lambda version: version == opened.version,
        origin,
    )
    agreed = form.get(MARKETING) == ON != opened.form.get(MARKETING)
    return Saved(said.version, is_to_confirm=agreed and not said.marketing_opt_in)


def come_back(leaving: Leaving, origin: Origin) -> None:
    """Take a leaving back. Who is gone stays gone, without a word."""
    user_id = people.user_ids_of([leaving.recipient_id]).get(leaving.recipient_id)
    if user_id is None:
        return
    category = None if leaving.type_key else leaving.category
    switch = Switch(leaving.channel, category, leaving.type_key)
    try:
        allow.change_preferences(user_id, lambda present: switched(present, switch, on=True), lambda _: True, origin)
    except (UnknownUser, UserErased):
        return


def language_of(recipient_id: int) -> str:
    """The language a person wants to be addressed in; empty where nobody has told."""
    facts = people.facts_for([recipient_id], ()).get(recipient_id)
    return (facts.preferences.locale or facts.locale) if facts is not None else ""


def by_page(*, language: str, ip_address: str, trace: str) -> Origin:
    """What a person says on their page; no language: they saw no words of ours."""
    return Origin(
        means=ConsentMeans.PREFERENCE_PAGE,
        actor=ConsentActor.PERSON,
        text_version=f"{TEXT_VERSION}.{language}" if language else "",
        ip_address=ip_address,
        trace=trace,
    )


def by_link(leaving: Leaving, *, language: str, ip_address: str, trace: str) -> Origin:
    """What a person says on the page behind a message's link."""
    said = by_page(language=language, ip_address=ip_address, trace=trace)
    return msgspec.structs.replace(said, means=ConsentMeans.UNSUBSCRIBE_LINK, delivery_id=leaving.delivery_id)
