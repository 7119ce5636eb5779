"""Whatever people say in whatever order: nothing goes out after a no, and nothing is held back after a yes.

The model beside the program is written from docs/privacy.md and knows nothing of its rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.vocabulary import Channel
from preferences import allow, erase, store, upsert
from preferences.errors import UserErased
from preferences.rules.requests import PreferencesPatch
from preferences.store import contacts
from preferences.vocabulary import (
    Category,
    ContactKind,
    Preferences,
    RecipientRef,
    SmsPreference,
    SuppressionReason,
)
from tests.factories import BY_APP, Api, make_recipient, make_template, make_type
from tests.flow.conftest import drain, plan_only

pytestmark = pytest.mark.django_db(transaction=True)

KINDS = {"OFFER": Category.MARKETING, "ORDER": Category.TRANSACTION}
WAYS = (Channel.EMAIL, Channel.SMS)
_numbers = count()


@dataclass
class Model:
    """Where a person stands, told in the plainest way."""

    gone: bool = False
    nothing_at_all: bool = False
    wants_marketing: bool = False
    no_sms: bool = False
    channels_off: set[Channel] = field(default_factory=set)
    kinds_off: set[tuple[Category, Channel]] = field(default_factory=set)
    #: Ways closed for everything, and for marketing.
    closed: set[Channel] = field(default_factory=set)
    no_ads: set[Channel] = field(default_factory=set)

    def may(self, category: Category, way: Channel) -> bool:
        """Whether it may go out."""
        if self.gone or self.nothing_at_all or way in self.closed or way in self.channels_off:
            return False
        if (category, way) in self.kinds_off or (way is Channel.SMS and self.no_sms):
            return False
        return category is not Category.MARKETING or (self.wants_marketing and way not in self.no_ads)


@dataclass
class Person:
    """A person, what they have said to the program, and what to the model."""

    ref: RecipientRef
    model: Model = field(default_factory=Model)

    def index(self, way: Channel) -> bytes:
        kind, address = (
            (ContactKind.EMAIL, f"p{self.ref.user_id}@example.com")
            if way is Channel.EMAIL
            else (ContactKind.PHONE, phone_of(self.ref.user_id))
        )
        return contacts.index_of(kind, address)

    def patch(self, **changes: object) -> bool:
        """Whether the program took it: an erased person says nothing any more."""
        try:
            allow.patch_preferences(self.ref.user_id, PreferencesPatch(**changes), lambda _: True, BY_APP)
        except UserErased:
            return False
        return True


class Word(NamedTuple):
    """What is said: yes or no, of which way, of what kind."""

    yes: bool
    way: Channel
    kind: Category


class Send(NamedTuple):
    """Something to be told, which waits to be planned, or planned to be sent, while the next word is said."""

    type_key: str
    way: Channel
    is_planned: bool


Saying = Callable[[Person, Word], None]
Story = list[tuple[Send, Saying, Word]]


def phone_of(user_id: str) -> str:
    return f"+1555{2_000_000 + int(user_id.removeprefix('n')):07d}"


def say_global(person: Person, word: Word) -> None:
    if person.patch(global_opt_out=not word.yes):
        person.model.nothing_at_all = not word.yes


def say_marketing(person: Person, word: Word) -> None:
    if person.patch(marketing_opt_in=word.yes):
        person.model.wants_marketing = word.yes


def say_channel(person: Person, word: Word) -> None:
    if person.patch(channels={word.way: word.yes}):
        (person.model.channels_off.discard if word.yes else person.model.channels_off.add)(word.way)


def say_kind(person: Person, word: Word) -> None:
    if person.patch(categories={word.kind: {word.way: word.yes}}):
        (person.model.kinds_off.discard if word.yes else person.model.kinds_off.add)((word.kind, word.way))


def say_sms(person: Person, word: Word) -> None:
    if person.patch(sms_preference=SmsPreference.DEFAULT if word.yes else SmsPreference.NEVER):
        person.model.no_sms = not word.yes


def forget_all_said(person: Person, word: Word) -> None:
    """The owner puts an empty document: all is at its default, but who has spoken of marketing has said no now."""
    try:
        allow.put_preferences(person.ref.user_id, Preferences(), lambda _: True, BY_APP)
    except UserErased:
        return
    model = person.model
    model.nothing_at_all, model.no_sms, model.wants_marketing = False, False, False
    model.channels_off.clear()
    model.kinds_off.clear()


def click_the_way_out(person: Person, word: Word) -> None:
    allow.leave(person.ref.id, word.way, category=word.kind, origin=BY_APP)
    person.model.kinds_off.add((word.kind, word.way))


def complain(person: Person, word: Word) -> None:
    store.suppress([person.index(Channel.EMAIL)], Channel.EMAIL, SuppressionReason.COMPLAINT)
    store.stop_marketing([person.ref.id], [], BY_APP)
    person.model.wants_marketing = False
    person.model.no_ads.add(Channel.EMAIL)


def answer_stop(person: Person, word: Word) -> None:
    store.suppress([person.index(Channel.SMS)], Channel.SMS, SuppressionReason.UNSUBSCRIBE)
    person.model.closed.add(Channel.SMS)


def release(person: Person, word: Word) -> None:
    store.release([person.index(word.way)], word.way, BY_APP)
    person.model.closed.discard(word.way)
    person.model.no_ads.discard(word.way)


def delete(person: Person, word: Word) -> None:
    upsert.delete_user(person.ref.user_id)
    person.model.gone = True


def be_forgotten(person: Person, word: Word) -> None:
    erase.erase_person(person.ref.user_id, BY_APP)
    person.model.gone = True


SAYINGS: tuple[Saying, ...] = (
    say_global,
    say_marketing,
    say_channel,
    say_kind,
    say_sms,
    forget_all_said,
    click_the_way_out,
    complain,
    answer_stop,
    release,
)
#: Said rarely, since nothing comes after them.
LAST_SAYINGS = (delete, be_forgotten)
WORDS = st.builds(Word, st.booleans(), st.sampled_from(WAYS), st.sampled_from([*KINDS.values()]))
SENDS = st.builds(Send, st.sampled_from([*KINDS]), st.sampled_from(WAYS), st.booleans())
STORIES = st.lists(st.tuples(SENDS, st.sampled_from(SAYINGS), WORDS), min_size=1, max_size=8)


@pytest.fixture
def caller(api: Api) -> Api:
    """Somebody who sends offers and orders by mail and text."""
    for key, category in KINDS.items():
        words = {"email": {"en": {"subject": "S", "body": "b"}}, "sms": {"en": {"body": "b"}}}
        make_template(key.lower(), key, channels=words, variables={})
        make_type(
            key,
            template_id=key.lower(),
            category=category.value,
            channels=["email", "sms"],
            exempt_from_caps=True,
            quiet_hours="bypass",
        )
    return api


def newcomer() -> Person:
    name = f"n{next(_numbers)}"
    return Person(make_recipient(name, email=f"p{name}@example.com", phone=phone_of(name)))


def tell(api: Api, person: Person, type_key: str, way: Channel) -> str | None:
    """The notification's id; None where the person is not accepted at all any more."""
    body = {"type": type_key, "user_id": person.ref.user_id, "channels": [way.value]}
    answer = api.post("/v1/notifications", body, Idempotency_Key=f"k{next(_numbers)}")
    if answer.status_code == 422:
        assert person.model.gone
        return None
    assert answer.status_code == 202, answer.content
    return str(answer.json()["notifications"][0]["id"])


def went_out(told: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT array_agg(status) FROM notify_delivery WHERE notification_id = %s", (told,))
        statuses = cursor.fetchone()[0]
    assert set(statuses) <= {"delivered", "sent", "suppressed"}
    return statuses != ["suppressed"]


def attempts_of(told: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(*) FROM notify_attempt a JOIN notify_delivery d ON d.id = a.delivery_id
               WHERE d.notification_id = %s""",
            (told,),
        )
        return int(cursor.fetchone()[0])


def live(caller: Api, story: Story) -> None:
    """Send, hear a word while it waits, let it go on, compare; and so on."""
    person = newcomer()
    for sent, say, word in story:
        category = KINDS[sent.type_key]
        told, expected = tell(caller, person, sent.type_key, sent.way), True
        if sent.is_planned:
            plan_only()
            expected = person.model.may(category, sent.way)
        say(person, word)
        drain()
        expected = expected and person.model.may(category, sent.way)
        if told is not None:
            assert went_out(told) is expected, (sent, say, word)
            assert bool(attempts_of(told)) is expected


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(STORIES, st.sampled_from([None, None, None, *LAST_SAYINGS]))
def test_nothing_goes_out_after_a_no_whatever_was_said_before(caller: Api, story: Story, last: Saying | None) -> None:
    if last is not None:
        story = [*story[:-1], (story[-1][0], last, story[-1][2])]
    live(caller, story)


@pytest.mark.parametrize("say", [*SAYINGS, *LAST_SAYINGS], ids=lambda say: say.__name__)
def test_each_word_alone_is_heeded_while_an_order_and_an_offer_wait(caller: Api, say: Saying) -> None:
    for type_key, category in KINDS.items():
        for way in WAYS:
            agree, refuse = Word(yes=True, way=way, kind=category), Word(yes=False, way=way, kind=category)
            first, second = Send(type_key, way, is_planned=False), Send(type_key, way, is_planned=True)
            live(caller, [(first, say_marketing, agree), (second, say, refuse), (first, say_channel, agree)])
