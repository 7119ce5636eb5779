"""How far a suppression reaches, and the stories of addresses that fail for a while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.vocabulary import Channel
from preferences.rules.suppression import BounceStory, bounce_stories, is_marketing_only
from preferences.vocabulary import SuppressionReason

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_a_word_about_mail_closes_marketing_and_a_dead_address_everything() -> None:
    assert is_marketing_only(Channel.EMAIL, SuppressionReason.COMPLAINT)
    assert is_marketing_only(Channel.EMAIL, "unsubscribe")
    assert not is_marketing_only(Channel.EMAIL, SuppressionReason.HARD_BOUNCE)


def test_a_stop_by_text_message_closes_everything() -> None:
    others = set(SuppressionReason) - {SuppressionReason.ERASURE}
    assert not any(is_marketing_only(Channel.SMS, reason) for reason in others)


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS])
def test_who_has_the_address_of_an_erased_person_gets_no_marketing_there(channel: Channel) -> None:
    assert is_marketing_only(channel, SuppressionReason.ERASURE)


def test_a_delivery_makes_earlier_failures_forgotten() -> None:
    happened = [(b"a", NOW + 3 * DAY, False), (b"a", NOW, False), (b"a", NOW + DAY, True), (b"a", NOW + 2 * DAY, False)]
    assert bounce_stories(happened) == [BounceStory(b"a", True, 2, NOW + 2 * DAY, NOW + 3 * DAY)]


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b"]), st.integers(0, 30), st.booleans()), max_size=20))
def test_each_address_has_one_story_whatever_the_order(told: list[tuple[bytes, int, bool]]) -> None:
    happened = [
        (index, NOW + days * DAY + timedelta(seconds=n), arrived) for n, (index, days, arrived) in enumerate(told)
    ]
    found = {one.index: one for one in bounce_stories(happened)}
    assert found == {one.index: one for one in bounce_stories(reversed(happened))}
    assert set(found) == {index for index, _, _ in told}
    for one in found.values():
        mine = sorted((at, arrived) for index, at, arrived in happened if index == one.index)
        assert one.arrived == any(arrived for _, arrived in mine)
        assert one.failures <= sum(not arrived for _, arrived in mine)
