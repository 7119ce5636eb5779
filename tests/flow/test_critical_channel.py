"""The channel a person names for what is critical."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import Api, make_recipient, make_template, make_type
from tests.flow.conftest import Send, drain
from tests.flow.test_way import only_id, shown

pytestmark = pytest.mark.django_db


@pytest.fixture
def alarmed(shop: Api) -> Api:
    """A person reached by mail and by text, who wants to be texted when it matters."""
    make_recipient(email="alice@example.com", phone="+15005550000")
    shop.put("/v1/users/u_alice/preferences", {"critical_channel": "sms"})
    return shop


EMAIL = {"en": {"subject": "Order {{ order_id }}", "body": "It is on its way."}}
SMS = {"en": {"body": "Order {{ order_id }} is on its way."}}


def test_it_joins_the_channels_of_the_type_when_it_matters(alarmed: Api, send: Send, status: Any) -> None:
    make_template("alarm", channels={"email": EMAIL, "sms": SMS})
    make_type(template_id="alarm", channels=["email"])
    told = only_id(send("u_alice", priority="critical"))
    drain()
    assert shown(status(told)) == [("email", "delivered", None), ("sms", "delivered", None)]
    usual = only_id(send("u_alice"))
    drain()
    assert shown(status(usual)) == [("email", "delivered", None)]


def test_it_does_not_join_where_there_are_no_words_for_it(alarmed: Api, send: Send, status: Any) -> None:
    make_template("alarm", channels={"email": EMAIL})
    make_type(template_id="alarm", channels=["email"])
    told = only_id(send("u_alice", priority="critical"))
    drain()
    assert shown(status(told)) == [("email", "delivered", None)]


def test_a_caller_who_names_the_channels_is_heeded(alarmed: Api, send: Send, status: Any) -> None:
    told = only_id(send("u_alice", priority="critical", channels=["email"]))
    drain()
    assert shown(status(told)) == [("email", "delivered", None)]
