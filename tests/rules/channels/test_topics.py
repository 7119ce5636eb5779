from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.errors import BadAddress
from channels.rules.addresses import normalise_token
from channels.rules.topics import is_condition, is_group, target_of
from channels.vocabulary import Platform

CONDITIONS = [
    "'news' in topics",
    "'news' in topics && 'sports' in topics",
    "'news' in topics || !('sports' in topics)",
    "('a' in topics && ('b' in topics || 'c' in topics)) && !'d' in topics && 'e' in topics",
    "'a.b_c~d%20-' in topics",
]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_is_sent_as_one(condition: str) -> None:
    assert normalise_token(Platform.ANDROID, condition) == condition
    assert target_of(condition) == ("condition", condition)


def test_a_topic_is_sent_by_its_name_and_a_token_as_it_is() -> None:
    assert normalise_token(Platform.ANDROID, "/topics/news.eu_1") == "/topics/news.eu_1"
    assert target_of("/topics/news.eu_1") == ("topic", "news.eu_1")
    assert target_of("c0ffee:APA91b") == ("token", "c0ffee:APA91b")


@pytest.mark.parametrize(
    "text",
    [
        "/topics/",
        "/topics/a b",
        "/topics/ä",
        "/topics/a/b",
        "/topics/" + "x" * 901,
        "'a' in topics &&",
        "'a' in topics 'b' in topics",
        "('a' in topics",
        "'a' in topics)",
        "'a' in topics & 'b' in topics",
        "T && 'a' in topics",
        "'a b' in topics",
        "'' in topics",
        " || ".join(f"'{one}' in topics" for one in "abcdef"),
        "(" * 4090 + "'a' in topics",
    ],
)
def test_what_is_neither_is_refused_with_a_cure_and_not_repeated(text: str) -> None:
    with pytest.raises(BadAddress, match="write /topics/<name>") as refusal:
        normalise_token(Platform.ANDROID, text)
    assert text not in str(refusal.value).replace("/topics/<name>", "")


@pytest.mark.parametrize("token", ["/topics/news", "'news' in topics"])
def test_a_topic_is_android_s_since_only_fcm_carries_it(token: str) -> None:
    with pytest.raises(BadAddress, match="register a topic or condition of FCM as android"):
        normalise_token(Platform.IOS, token)


members = st.from_regex(r"'[A-Za-z0-9_.~%-]{1,9}' in topics", fullmatch=True)
conditions = st.recursive(
    members,
    lambda inner: st.one_of(
        inner.map(lambda one: f"({one})"),
        inner.map(lambda one: f"!({one})"),
        st.tuples(inner, st.sampled_from([" && ", "||"]), inner).map("".join),
    ),
    max_leaves=5,
)


@given(conditions)
def test_every_well_formed_condition_is_one_and_loses_it_with_its_last_character(condition: str) -> None:
    assert is_condition(condition)
    assert is_group(condition)
    assert not is_condition(condition[:-1])


@given(st.text())
def test_no_text_breaks_the_reading_of_conditions(text: str) -> None:
    assert is_condition(text) in {True, False}
