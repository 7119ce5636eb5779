"""`POST /v1/templates/{id}/preview`: what one person would get."""

from typing import Any

import pytest

from tests.factories import Api
from tests.wordings import SHIPPED

PREVIEW = "/v1/templates/order_shipped/preview"


@pytest.fixture
def shop(api: Api) -> Api:
    """A caller whose template has been created."""
    assert api.post("/v1/templates", SHIPPED).status_code == 201
    return api


def test_a_preview_shows_every_channel(shop: Api) -> None:
    answer = shop.post(PREVIEW, {"variables": {"order_id": "<7> & 8"}})
    assert answer.status_code == 200
    channels = answer.json()["channels"]
    assert channels["push"] == {
        "locale": "en",
        "title": "On its way",
        "body": "Order <7> & 8 🚚",
        "action_url": "https://x.example/o/%3C7%3E%20&%208",
    }
    assert channels["email"] == {
        "locale": "en",
        "subject": "Order <7> & 8",
        "body": "Dear friend",
        "html_body": "<p>Dear friend</p>",
    }
    assert channels["sms"]["body"] == "Shipped: <7> & 8"


def test_a_preview_falls_back_from_a_region_to_its_language_to_the_default(shop: Api) -> None:
    body = {"variables": {"order_id": "7"}, "locale": "pt-BR"}
    channels = shop.post(PREVIEW, body).json()["channels"]
    assert (channels["sms"]["locale"], channels["sms"]["body"]) == ("pt", "Enviado: 7")
    assert channels["push"]["locale"] == "en"


def test_a_preview_can_be_of_one_channel_and_of_mjml(shop: Api) -> None:
    body = {"variables": {"order_id": "7", "name": "<Ana>"}, "locale": "es", "channel": "email"}
    channels = shop.post(PREVIEW, body).json()["channels"]
    assert list(channels) == ["email"]
    assert "Hola &lt;Ana&gt;</div>" in channels["email"]["html_body"]
    assert channels["email"]["body"] == "Hola <Ana>"


def test_a_preview_for_a_user_speaks_their_language(shop: Api) -> None:
    shop.put("/v1/users/u_joao", {"locale": "pt-BR", "attributes": {"plan": "gold"}})
    channels = shop.post(PREVIEW, {"variables": {"order_id": "7"}, "user_id": "u_joao"}).json()["channels"]
    assert channels["sms"]["locale"] == "pt"


def test_a_preview_shows_the_users_attributes(shop: Api) -> None:
    shop.put("/v1/users/u_joao", {"locale": "en", "attributes": {"plan": "gold"}})
    words = {"sms": {"en": {"body": "{{ user.user_id }} {{ user.attributes.plan }} {{ user.attributes.none }}."}}}
    shop.post("/v1/templates", {"template_id": "plan", "type": "PLAN", "channels": words})
    made = shop.post("/v1/templates/plan/preview", {"user_id": "u_joao"}).json()
    assert made["channels"]["sms"]["body"] == "u_joao gold ."


def test_a_preview_can_be_of_a_version_that_is_not_published(shop: Api) -> None:
    draft = {"channels": {"sms": {"en": {"body": "Draft"}}}}
    shop.post("/v1/templates/order_shipped/versions", draft)
    channels = shop.post(PREVIEW, {"version": 2}).json()["channels"]
    assert (list(channels), channels["sms"]["body"]) == (["sms"], "Draft")
    assert shop.post(PREVIEW, {"version": 1, "variables": {"order_id": "7"}}).json()["version"] == 1


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        ({}, 422, "missing_variable", "/variables/order_id"),
        ({"variables": {"order_id": 7}}, 422, "invalid_variable", "/variables/order_id"),
        ({"variables": {"order_id": "x" * 70_000}}, 422, "invalid_variables", "/variables"),
        ({"variables": {"order_id": "7"}, "channel": "in_app"}, 422, "invalid_template", "/channels/in_app"),
        ({"variables": {"order_id": "7"}, "channel": "fax"}, 422, "invalid_channel", "/channel"),
        ({"variables": {"order_id": "x" * 20_000}, "channel": "sms"}, 422, "invalid_template", "/channels/sms"),
    ],
)
def test_a_preview_that_cannot_be_made_says_why(shop: Api, body: Any, status: int, code: str, pointer: str) -> None:
    answer = shop.post(PREVIEW, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_a_preview_for_nobody_is_404(shop: Api) -> None:
    answer = shop.post(PREVIEW, {"variables": {"order_id": "7"}, "user_id": "u_nobody"})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_user")


def test_an_empty_body_previews_a_template_without_required_variables(api: Api) -> None:
    api.post("/v1/templates", {"template_id": "t", "type": "T", "channels": {"sms": {"en": {"body": "Hi"}}}})
    assert api.post("/v1/templates/t/preview").json()["channels"]["sms"]["body"] == "Hi"


def counted(shop: Api, order: str) -> tuple[str, dict[str, Any]]:
    """The text message with this order's number, and what it would be billed as."""
    channel = shop.post(PREVIEW, {"variables": {"order_id": order}, "channel": "sms"}).json()["channels"]["sms"]
    return channel["body"], channel["sms"]


def test_a_preview_tells_what_a_text_message_is_billed_as(shop: Api) -> None:
    body, count = counted(shop, "7")
    assert body == "Shipped: 7"
    assert count == {
        "encoding": "GSM-7",
        "characters": 10,
        "units": 10,
        "segments": 1,
        "not_gsm": [],
        "is_cut": False,
    }


def test_a_curly_quotation_mark_is_shown_before_it_doubles_the_bill(shop: Api) -> None:
    _, count = counted(shop, "7" * 100 + "\u2019\u2019")
    assert (count["encoding"], count["units"], count["segments"], count["not_gsm"]) == ("UCS-2", 111, 2, ["\u2019"])


def test_a_preview_ends_where_the_message_would(shop: Api) -> None:
    body, count = counted(shop, "7" * 2_000)
    assert (len(body), body[-4:], count["segments"], count["is_cut"]) == (1_530, "7...", 10, True)
