"""Words that may be published, and that their author should look at again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.admin.conftest import Staff
from tests.admin.conftest import staff as staff  # noqa: PLC0414 - the fixture of the admin's tests
from tests.factories import Api, make_type

pytestmark = pytest.mark.django_db

LINK = "<a href='{{ unsubscribe_url }}'>Leave</a>"


def news(**html: str) -> dict[str, Any]:
    email = {locale: {"subject": "News", "body": "News.", "html_body": text} for locale, text in html.items()}
    channels = {"email": email, "push": {"en": {"title": "News", "body": "News."}}}
    return {"template_id": "news", "type": "NEWS", "channels": channels, "default_locale": "en"}


def warned(answer: Any) -> list[str]:
    assert answer.status_code in {200, 201}, answer.content
    return [one["pointer"] for one in answer.json()["warnings"]]


@pytest.fixture
def marketing(api: Api) -> Api:
    """A caller with a marketing type."""
    make_type("NEWS", category="marketing")
    return api


def test_a_marketing_mail_without_a_way_out_is_kept_and_its_author_warned(marketing: Api) -> None:
    answer = marketing.post("/v1/templates", news(en="<p>News</p>", de=f"<p>Neues</p>{LINK}"))
    assert warned(answer) == ["/channels/email/en"]
    (caution,) = answer.json()["warnings"]
    assert caution["code"] == "no_way_out"
    assert "{{ unsubscribe_url }}" in caution["message"]
    assert answer.json()["published_version"] == 1


def test_publishing_warns_of_the_version_that_is_published(marketing: Api) -> None:
    assert warned(marketing.post("/v1/templates", news(en=LINK))) == []
    body = {"channels": news(en="<p>News</p>")["channels"]}
    assert warned(marketing.post("/v1/templates/news/versions", body)) == ["/channels/email/en"]
    assert warned(marketing.post("/v1/templates/news/versions/2/publish")) == ["/channels/email/en"]
    assert warned(marketing.post("/v1/templates/news/versions/1/publish")) == []


def test_other_mails_need_no_way_out(api: Api) -> None:
    make_type("NEWS", category="transactional")
    assert warned(api.post("/v1/templates", news(en="<p>News</p>"))) == []


def test_a_template_without_a_type_of_its_own_yet_is_not_warned_of(api: Api) -> None:
    assert warned(api.post("/v1/templates", news(en="<p>News</p>"))) == []


def test_editors_read_it_on_the_template_s_page(marketing: Api, staff: Staff) -> None:
    marketing.post("/v1/templates", news(en="<p>News</p>"))
    page = staff("editor").get("/admin/notify/template/news/change/").content.decode()
    assert "These marketing mails show no link to unsubscribe." in page
