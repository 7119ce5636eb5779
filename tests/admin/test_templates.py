"""Templates: versions that never change, published and rolled back, compared side by side."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.admin.models import LogEntry
from django.test import Client

from notify.models import Template, TemplateVersion
from tests.admin.conftest import Staff
from tests.factories import make_template

PAGE = "/admin/notify/template/order_shipped/"
VARIABLES = {"order_id": {"type": "string", "required": True, "default": None}}


def words(body: str) -> dict[str, Any]:
    return {"push": {"en": {"title": "On its way", "body": body}}}


def keep(client: Client, body: str, *, publish: bool = False) -> Any:
    draft = {"channels": words(body), "variables": VARIABLES, "publish": publish}
    return client.post(f"{PAGE}edit/", {"draft": json.dumps(draft)})


def said() -> list[str]:
    return list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))


def test_a_draft_becomes_a_version_and_the_published_one_stays(staff: Staff) -> None:
    first = make_template()
    assert keep(staff("editor"), "Soon: {{ order_id }}").status_code == 302
    assert Template.objects.get().published_version == 1
    assert TemplateVersion.objects.get(number=2).channels == words("Soon: {{ order_id }}")
    assert TemplateVersion.objects.get(number=1).channels == first.channels
    assert said() == ["added version 2"]


def test_keeping_and_publishing_is_one_step(staff: Staff) -> None:
    make_template()
    keep(staff("editor"), "Soon: {{ order_id }}", publish=True)
    assert Template.objects.get().published_version == 2
    assert said() == ["added version 2 and published"]


def test_publishing_an_older_version_rolls_back_and_says_so(staff: Staff) -> None:
    make_template()
    editor = staff("editor")
    keep(editor, "Soon: {{ order_id }}", publish=True)
    editor.post(f"{PAGE}publish/1/")
    assert Template.objects.get().published_version == 1
    assert said()[-1] == "rolled back to version 1 (before: 2)"


def test_the_page_says_who_wrote_and_who_published(staff: Staff) -> None:
    make_template()
    editor = staff("editor")
    keep(editor, "Soon: {{ order_id }}", publish=True)
    page = editor.get(f"{PAGE}change/").content.decode()
    name = TemplateVersion.objects.get(number=2).published_by
    assert page.count(f"by {name}") == 2


def test_an_auditor_reads_every_version_and_edits_none(staff: Staff) -> None:
    make_template()
    page = staff("auditor").get(f"{PAGE}change/?version=1").content.decode()
    assert "Order {{ order_id }}" in page
    assert "Order Example" in page
    assert "/edit/" not in page
    assert "/publish/" not in page


def test_whoever_may_write_but_not_publish_keeps_drafts_only(staff: Staff) -> None:
    make_template()
    writer = staff("nobody", "notify.add_templateversion", "notify.view_template")
    assert keep(writer, "Soon", publish=True).status_code == 403
    assert keep(writer, "Soon").status_code == 302


def test_what_is_refused_comes_back_with_all_that_was_written(staff: Staff) -> None:
    make_template()
    response = keep(staff("editor"), "Soon: {{ parcel }}")
    draft = json.loads(response.content.decode().split('id="draft" type="application/json">')[1].split("</script>")[0])
    assert response.status_code == 422
    assert draft["channels"] == words("Soon: {{ parcel }}")
    assert draft["faults"][0]["pointer"] == "/channels/push/en/body"
    assert draft["faults"][0]["code"] == "undeclared_variable"


def test_a_draft_that_is_no_json_is_refused_and_the_version_shown_again(staff: Staff) -> None:
    make_template()
    response = staff("editor").post(f"{PAGE}edit/", {"draft": "{"})
    assert response.status_code == 422
    assert "On its way" in response.content.decode()
    assert TemplateVersion.objects.count() == 1


def test_a_new_template_is_made_and_published(staff: Staff) -> None:
    body = {
        "template_id": "parcel_lost",
        "type": "PARCEL_LOST",
        "default_locale": "en",
        "channels": words("Lost"),
        "variables": {},
        "publish": True,
    }
    response = staff("editor").post("/admin/notify/template/add/", {"draft": json.dumps(body)})
    assert response["Location"] == "/admin/notify/template/parcel_lost/change/"
    assert Template.objects.get().published_version == 1
    assert said() == ["created version 1 and published"]


def test_an_id_that_is_taken_is_refused(staff: Staff) -> None:
    make_template()
    body = {"template_id": "order_shipped", "type": "ORDER_SHIPPED", "channels": words("x"), "variables": {}}
    response = staff("editor").post("/admin/notify/template/add/", {"draft": json.dumps(body)})
    assert response.status_code == 422
    assert "There is a template with this id" in response.content.decode()


def test_two_versions_stand_side_by_side_with_the_words_that_differ(staff: Staff) -> None:
    make_template(channels=words("Order {{ order_id }} left"))
    editor = staff("editor")
    keep(editor, "Order {{ order_id }} arrived")
    page = editor.get(f"{PAGE}compare/?before=1&after=2").content.decode()
    assert "Order {{ order_id }} <del>left</del>" in page
    assert "Order {{ order_id }} <ins>arrived</ins>" in page


def test_versions_that_do_not_exist_are_not_found(staff: Staff) -> None:
    make_template()
    editor = staff("editor")
    for place in ("compare/?after=9", "edit/?from=9", "change/?version=9"):
        assert editor.get(f"{PAGE}{place}").status_code == 404


def test_a_template_is_found_by_the_address_that_the_log_writes(staff: Staff) -> None:
    make_template()
    assert staff("auditor").get("/admin/notify/template/order_5Fshipped/change/").status_code == 200


def test_the_list_tells_drafts_from_what_is_published(staff: Staff) -> None:
    make_template()
    editor = staff("editor")
    keep(editor, "Soon")
    page = editor.get("/admin/notify/template/").content.decode()
    assert ">version 1</span>" in page
    assert '<span class="badge is-draft">draft</span>' in page
