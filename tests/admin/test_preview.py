"""The live preview: what the API would render, and nothing that could run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from notify.models import TemplateVersion
from tests.admin.conftest import Staff
from tests.factories import make_template

ADDRESS = "/admin/notify/template/preview/"
HOSTILE = "<script>alert(1)</script>"


def ask(client: Client, channels: dict[str, Any], *, locale: str = "en", **variables: Any) -> Any:
    schema = {"order_id": {"type": "string", "required": True, "default": None}}
    document = {"channels": channels, "variables": schema, "default_locale": "en"}
    question = {"document": document, "locale": locale, "variables": variables}
    return client.post(ADDRESS, json.dumps(question), content_type="application/json")


def test_a_draft_reads_with_made_up_values_until_others_are_given(staff: Staff) -> None:
    editor = staff("editor")
    sms = {"sms": {"en": {"body": "Order {{ order_id }}"}}}
    assert ask(editor, sms).json()["channels"]["sms"]["body"] == "Order Example"
    assert ask(editor, sms, order_id="ORD-7").json()["channels"]["sms"]["body"] == "Order ORD-7"


def test_a_draft_reads_in_the_language_asked_for(staff: Staff) -> None:
    push = {"push": {"en": {"title": "Hello"}, "es": {"title": "Hola"}}}
    answer = ask(staff("editor"), push, locale="es-MX").json()["channels"]["push"]
    assert (answer["locale"], answer["title"]) == ("es", "Hola")


def test_what_is_wrong_is_told_with_its_place(staff: Staff) -> None:
    response = ask(staff("editor"), {"email": {"en": {"subject": "S", "body": "{{ parcel }}"}}})
    assert response.status_code == 200
    assert response.json()["errors"][0]["pointer"] == "/channels/email/en/body"


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"document": {}}', b"\xff"])
def test_a_question_nobody_understands_is_refused(staff: Staff, body: bytes) -> None:
    response = staff("editor").post(ADDRESS, body, content_type="application/json")
    assert response.status_code == 422
    assert response.json()["errors"]


def test_nothing_is_kept_by_a_preview(staff: Staff) -> None:
    ask(staff("editor"), {"sms": {"en": {"body": "Order {{ order_id }}"}}})
    assert TemplateVersion.objects.count() == 0


def test_html_is_shown_in_a_frame_without_scripts_and_origin(staff: Staff) -> None:
    email = {"email": {"en": {"subject": HOSTILE, "html_body": "<p>Hi</p>", "body": HOSTILE}}}
    make_template(channels=email, variables={})
    page = staff("auditor").get("/admin/notify/template/order_shipped/change/").content.decode()
    assert '<iframe class="mail-frame" sandbox srcdoc="&lt;p&gt;Hi&lt;/p&gt;"' in page
    assert HOSTILE not in page


def test_a_kept_version_that_todays_rules_refuse_is_still_readable(staff: Staff) -> None:
    make_template(channels={"email": {"en": {"subject": "S", "html_body": HOSTILE}}}, variables={})
    page = staff("auditor").get("/admin/notify/template/order_shipped/change/").content.decode()
    assert "today&#x27;s rules refuse this version" in page
    assert "&lt;script&gt;alert(1)" in page
    assert HOSTILE not in page


def test_words_cannot_end_the_editors_data_block(staff: Staff) -> None:
    make_template(channels={"sms": {"en": {"body": f"</script>{HOSTILE}"}}}, variables={})
    page = staff("editor").get("/admin/notify/template/order_shipped/edit/").content.decode()
    assert HOSTILE not in page
    assert "\\u003C/script\\u003E" in page
