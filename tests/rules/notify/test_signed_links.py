"""Tokens: what was sealed comes back, and nothing else opens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.rules.sealing import Keyring, Unreadable
from channels.vocabulary import Channel
from notify.policy import MAX_TOKEN, MAX_URL, PREFERENCE_LINK_LIFETIME
from notify.rules.leaving import way_out
from notify.rules.signed_links import Leaving, SignedLinks, Undoing, Visit
from preferences.vocabulary import LONGEST_TYPE_KEY, Category

KEY, OTHER = bytes(range(32)), bytes(32)
LINKS = SignedLinks(Keyring({"k" * 32: KEY}), "https://n.example")
DELIVERY = UUID(int=7 << 80)
LEAVING = Leaving(recipient_id=7, delivery_id=DELIVERY, channel=Channel.EMAIL, category=Category.MARKETING)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def token(url: str) -> str:
    return url.rsplit("/", 1)[1].removesuffix(".gif")


CLICK = token(LINKS.clicks_of(DELIVERY)("https://x.example/?a=1&b=2"))
OPEN, LEAVE = token(LINKS.open_url(DELIVERY)), token(LINKS.leave_url(LEAVING))
NOW = datetime(2027, 3, 28, 23, 59, 59, tzinfo=UTC)
VISIT, UNDO = token(LINKS.visit_url(Visit.since(7, NOW))), LINKS.undo_token(Undoing(LEAVING, 1_800_000_000))
MADE = (OPEN, CLICK, LEAVE, VISIT, UNDO)
READERS = (LINKS.read_open, LINKS.read_click, LINKS.read_leave, LINKS.read_visit, LINKS.read_undo)


def test_what_was_sealed_comes_back() -> None:
    assert LINKS.read_open(OPEN) == DELIVERY
    assert LINKS.read_click(CLICK) == (DELIVERY, "https://x.example/?a=1&b=2")
    assert LINKS.read_leave(LEAVE) == LEAVING
    assert LINKS.read_visit(VISIT) == Visit.since(7, NOW)
    assert LINKS.read_undo(UNDO) == Undoing(LEAVING, 1_800_000_000)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda one: one.replace(tzinfo=UTC)))  # noqa: DTZ001  given one
def test_a_visit_is_good_for_its_lifetime_and_a_day_at_most(now: datetime) -> None:
    good_for = Visit.since(7, now).ends_at - now
    assert PREFERENCE_LINK_LIFETIME < good_for <= PREFERENCE_LINK_LIFETIME + timedelta(days=1)


@pytest.mark.parametrize("made", MADE)
def test_a_token_serves_one_purpose(made: str) -> None:
    opened = []
    for read in READERS:
        try:
            opened.append(read(made))
        except Unreadable:
            continue
    assert len(opened) == 1


@pytest.mark.parametrize("made", MADE)
def test_a_token_with_any_other_sign_anywhere_opens_nothing(made: str) -> None:
    for at, sign in enumerate(made):
        for other in (ALPHABET[ALPHABET.index(sign) ^ 1], ALPHABET[ALPHABET.index(sign) ^ 32]):
            for read in READERS:
                with pytest.raises(Unreadable):
                    read(made[:at] + other + made[at + 1 :])


@given(st.text(max_size=300) | st.text(st.sampled_from(ALPHABET), max_size=300))
def test_nobody_guesses_a_token(guess: str) -> None:
    for read in READERS:
        with pytest.raises(Unreadable):
            read(guess)


@pytest.mark.parametrize("appended", ["=", "==", "A", "\n", " "])
def test_a_token_has_one_spelling(appended: str) -> None:
    for made, read in zip(MADE, READERS, strict=True):
        for other in (made + appended, made[:-1], ""):
            with pytest.raises(Unreadable):
                read(other)


def test_keys_rotate_and_a_lost_key_opens_nothing() -> None:
    rotated = SignedLinks(Keyring({"new": OTHER, "k" * 32: KEY}), "https://n.example")
    assert rotated.read_leave(LEAVE) == LEAVING
    assert rotated.read_visit(VISIT).recipient_id == 7
    assert rotated.leave_url(LEAVING) != LINKS.leave_url(LEAVING)
    with pytest.raises(Unreadable):
        SignedLinks(Keyring({"new": OTHER}), "https://n.example").read_leave(LEAVE)
    with pytest.raises(Unreadable):
        SignedLinks(Keyring({"k" * 32: OTHER}), "https://n.example").read_leave(LEAVE)


def test_the_same_delivery_has_the_same_links_each_time_it_is_rendered() -> None:
    assert LINKS.leave_url(LEAVING) == LINKS.leave_url(LEAVING)


def test_the_longest_link_fits() -> None:
    longest = "https://x.example/" + "a" * (MAX_URL - 18)
    made = token(LINKS.clicks_of(DELIVERY)(longest))
    assert len(made) <= MAX_TOKEN
    assert LINKS.read_click(made)[1] == longest


@pytest.mark.parametrize(
    ("category", "mandatory", "left"),
    [
        (Category.MARKETING, False, ""),
        (Category.MARKETING, True, ""),
        (Category.SOCIAL, False, ""),
        (Category.REMINDER, False, ""),
        (Category.TRANSACTION, False, "SHIPPED"),
        (Category.TRANSACTION, True, None),
        (Category.SECURITY, False, None),
        (Category.SECURITY, True, None),
    ],
)
def test_what_one_click_leaves(category: Category, *, mandatory: bool, left: str | None) -> None:
    leaving = way_out(7, DELIVERY, Channel.EMAIL, category=category, type_key="SHIPPED", mandatory=mandatory)
    assert (None if leaving is None else leaving.type_key) == left


def test_a_type_whose_key_no_preference_can_hold_is_left_with_its_category() -> None:
    key = "T" * (LONGEST_TYPE_KEY + 1)
    leaving = way_out(7, DELIVERY, Channel.SMS, category=Category.TRANSACTION, type_key=key, mandatory=False)
    assert leaving is not None
    assert (leaving.type_key, leaving.channel) == ("", Channel.SMS)
