"""What every page of the admin keeps to: no inline script, a content policy, no personal data in the log."""

from __future__ import annotations

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from config.admin_site import POLICY
from tests.admin.conftest import EMAIL, PHONE, Staff, World

_INLINE = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")[^>]*>", re.IGNORECASE)
_HANDLER = re.compile(r"<[a-z][^>]*\son[a-z]+\s*=", re.IGNORECASE)
PAGES = [
    "/admin/",
    "/admin/login/",
    "/admin/notify/notificationtype/",
    "/admin/notify/notificationtype/add/",
    "/admin/notify/template/",
    "/admin/notify/template/add/",
    "/admin/notify/template/order_shipped/change/",
    "/admin/notify/template/order_shipped/edit/",
    "/admin/notify/template/order_shipped/compare/",
    "/admin/campaigns/campaign/",
    "/admin/campaigns/campaign/add/",
    "/admin/notify/notification/",
    "/admin/notify/deadletter/",
    "/admin/notify/page/",
    "/admin/notify/application/",
    "/admin/channels/providerswitch/",
    "/admin/channels/rate/",
    "/admin/preferences/recipient/",
    "/admin/campaigns/import/",
    "/admin/preferences/recipient/suppressions/",
    "/admin/notify/systemmodechange/",
    "/admin/admin/logentry/",
    "/admin/auth/user/",
    "/admin/auth/group/",
    "/admin/django_celery_beat/periodictask/add/",
]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_inline_script_and_names_its_policy(staff: Staff, world: World, page: str) -> None:
    response = (Client() if "login" in page else staff("root")).get(page)
    assert response.status_code == 200
    assert response["Content-Security-Policy"] == POLICY
    assert _INLINE.findall(response.content.decode()) == []
    assert _HANDLER.findall(response.content.decode()) == []


def test_the_policy_allows_no_inline_script_and_no_frame_of_others() -> None:
    scripts = next(part for part in POLICY.split("; ") if part.startswith("script-src"))
    assert "unsafe-inline" not in scripts
    assert "frame-ancestors 'none'" in POLICY


def test_the_api_keeps_its_own_headers(client: Client, db: None) -> None:
    assert "Content-Security-Policy" not in client.get("/livez")


def test_no_personal_data_is_in_the_log_or_its_page(staff: Staff, world: World) -> None:
    root = staff("root")
    person = f"/admin/preferences/recipient/{world.recipient.id}"
    for action in ("reveal/email/", "reveal/phone/", "suppress/email/", "release/email/", "suppress/phone/"):
        root.post(f"{person}/{action}")
    root.post("/admin/notify/deadletter/replay/", {"letter": [world.letter.pk]})
    assert LogEntry.objects.count() == 6
    page = root.get(reverse("admin:admin_logentry_changelist")).content.decode()
    kept = "".join(f"{one.object_repr}{one.change_message}" for one in LogEntry.objects.all())
    for secret in (EMAIL, PHONE, "zora"):
        assert secret not in page
        assert secret not in kept


def test_a_login_leads_to_the_first_page(client: Client, staff: Staff) -> None:
    staff("editor")
    response = client.post("/admin/login/", {"username": "editor-0", "password": "x"})
    assert response["Location"] == "/admin/"


def test_idle_staff_are_logged_out_after_a_quarter_of_an_hour(staff: Staff) -> None:
    editor = staff("editor")
    cookie = editor.get("/admin/").cookies["sessionid"]
    assert cookie["max-age"] == 900
    assert cookie["httponly"]
