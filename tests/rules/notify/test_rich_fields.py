"""Data, buttons and badges of a push: from what is written to content, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.vocabulary import Channel
from notify.policy import MAX_PUSH_BYTES
from notify.rules.content_limits import check_push, fit
from notify.rules.rendering import CompiledTemplate, TemplateFault
from notify.rules.rich_fields import content_of, faults_in, flattened, gathered, path_of
from notify.vocabulary import Content

KEYS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
WORDINGS = st.fixed_dictionaries(
    {"title": st.text(min_size=1)},
    optional={
        "badge": st.integers(0, 99).map(str),
        "data": st.dictionaries(KEYS, st.text(), min_size=1, max_size=5),
        "actions": st.lists(
            st.fixed_dictionaries({"id": KEYS, "title": st.text(min_size=1)}, optional={"url": st.text(min_size=1)}),
            min_size=1,
            max_size=12,
        ),
    },
)
RICH: dict[str, Any] = {
    "title": "Order {{ order_id }}",
    "body": "on its way",
    "badge": "{{ unread }}",
    "sound": "chime.caf",
    "category": "ORDER",
    "actions": [
        {"id": "track", "title": "Track {{ order_id }}", "url": "https://shop.example/{{ order_id }}?a=1&b=2"},
        {"id": "vip", "title": "{% if vip %}Call us{% endif %}"},
    ],
    "data": {"order_id": "{{ order_id }}", "html_body": "<{{ order_id }}>"},
}
SCHEMA = {name: {"type": kind} for name, kind in (("order_id", "string"), ("unread", "number"), ("vip", "boolean"))}


def rendered(wording: dict[str, Any], **variables: Any) -> Content:
    template = CompiledTemplate.of({"push": {"en": flattened(wording)}}, SCHEMA, "en")
    return template.render("push", "en", variables, {}).content


@given(WORDINGS)
def test_what_is_written_comes_back(wording: dict[str, Any]) -> None:
    assert gathered(flattened(wording)) == wording


def test_every_part_is_rendered() -> None:
    assert rendered(RICH, order_id="A&B", unread=3, vip=True) == Content(
        title="Order A&B",
        body="on its way",
        badge=3,
        sound="chime.caf",
        category="ORDER",
        actions=[
            {"id": "track", "title": "Track A&B", "url": "https://shop.example/A&B?a=1&b=2"},
            {"id": "vip", "title": "Call us"},
        ],
        data={"order_id": "A&B", "html_body": "<A&B>"},
    )


def test_a_button_without_a_title_is_left_out_and_an_empty_badge_is_none() -> None:
    content = rendered(RICH, order_id="7")
    assert [one["id"] for one in content.actions] == ["track"]
    assert content.badge is None


@pytest.mark.parametrize(
    ("field", "source", "code"),
    [
        ("badge", "many", "invalid_badge"),
        ("badge", "-1", "invalid_badge"),
        ("badge", "100000", "invalid_badge"),
        ("actions", [{"id": "a", "title": "A", "url": "{{ order_id }}"}], "invalid_link"),
    ],
)
def test_a_part_that_cannot_be_is_refused(field: str, source: Any, code: str) -> None:
    with pytest.raises((TemplateFault, ValueError)) as refused:
        rendered({"title": "t", field: source}, order_id="javascript:alert(1)")
    assert getattr(refused.value, "code", "") == code


@pytest.mark.parametrize("key", ["from", "google.x", "GCM_id", "aps", "carillon_id", "message_type", "1st", "", "a/b"])
def test_keys_that_are_taken_are_refused(key: str) -> None:
    assert [code for _, code, _ in faults_in({f"data.{key}": "x"})] == ["invalid_data"]


@pytest.mark.parametrize(
    "buttons",
    [
        [{"id": "a", "title": "A"}, {"id": "a", "title": "B"}],
        [{"id": "{{ order_id }}", "title": "A"}],
        [{"id": "a"}],
        [{"id": str(at), "title": "A"} for at in range(4)],
    ],
)
def test_buttons_nobody_could_tell_apart_are_refused(buttons: list[dict[str, str]]) -> None:
    assert {code for _, code, _ in faults_in(flattened({"actions": buttons}))} == {"invalid_actions"}


def test_places_are_told_as_pointers() -> None:
    assert path_of("actions.0.title") == ("actions", "0", "title")
    assert path_of("data.a.b") == ("data", "a.b")


def test_data_alone_is_a_push_and_nothing_at_all_is_none() -> None:
    check_push(Content(data={"sync": "1"}))
    with pytest.raises(TemplateFault, match="empty"):
        check_push(Content(actions=[{"id": "a", "title": "A"}]))


@pytest.mark.parametrize("field", ["sound", "category", "title", "body", "action_url"])
def test_every_field_counts_towards_the_bytes_of_a_push(field: str) -> None:
    content = Content(**{"title": "t", field: "x" * (MAX_PUSH_BYTES + 1)})
    with pytest.raises(TemplateFault, match="bytes"):
        check_push(content)
    with pytest.raises(TemplateFault, match="bytes"):
        check_push(Content(title="t", data={"k": "x" * MAX_PUSH_BYTES}))
    check_push(Content(title="t", data={"k": "v"}, html_body="x" * MAX_PUSH_BYTES, subject="s"))


def test_links_of_buttons_given_with_a_call_are_made_fit() -> None:
    content = fit(Channel.PUSH, Content(title="t", actions=[{"id": "a", "title": "A\nB", "url": "https://x.y/ü"}]))
    assert content.actions == [{"id": "a", "title": "A B", "url": "https://x.y/%C3%BC"}]


def test_content_of_plain_fields_is_what_it_was() -> None:
    assert content_of({"title": "t"}) == Content(title="t")
