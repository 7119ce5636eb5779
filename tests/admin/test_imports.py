"""Imports in the admin: a file goes sealed into the database, and its page says how far it is."""

from __future__ import annotations

import csv
import io
import tempfile

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from campaigns.models import Import, ImportChunk
from campaigns.tasks import import_rows
from preferences import store as people
from preferences import subscribe
from tests.admin.conftest import Staff

LIST = "/admin/campaigns/import/"
PEOPLE = "user_id,email\nu1,zora.canary@example.com\nu2,nobody\n"


def file_of(text: str | bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("people.csv", text.encode() if isinstance(text, str) else text, "text/csv")


def upload(client: Client, text: str | bytes = PEOPLE, **fields: str) -> str:
    """What the page says that the browser is led to."""
    form = {"mode": "replace", **fields, "file": file_of(text)}
    return client.post(f"{LIST}upload/", form, follow=True).content.decode()


def test_a_file_is_uploaded_imported_and_reported(staff: Staff) -> None:
    operator = staff("operator")
    assert "running" in upload(operator)
    import_rows()
    one = Import.objects.get()
    page = operator.get(f"{LIST}{one.pk}/change/").content.decode()
    assert (one.status, one.created, one.refused, one.file_name) == ("completed", 1, 1, "people.csv")
    assert "invalid_email" in page
    assert "nobody" not in page
    assert people.resolve(["u1", "u2"]).keys() == {"u1"}
    assert one.staff_id == User.objects.get().pk


def test_the_log_says_who_imported_what_and_nothing_of_the_people(staff: Staff) -> None:
    operator = staff("operator")
    upload(operator, dry_run="on", mode="merge")
    operator.post(f"{LIST}{Import.objects.get().pk}/cancel/")
    notes = [(one.object_repr, one.change_message) for one in LogEntry.objects.order_by("pk")]
    name = f"Import {Import.objects.get().pk}"
    assert notes == [(name, "uploaded: merge, dry run"), (name, "cancelled")]
    assert Import.objects.get().status == "cancelled"


def test_a_page_looks_again_while_the_import_is_under_way_and_no_longer(staff: Staff) -> None:
    operator = staff("operator")
    upload(operator)
    page = f"{LIST}{Import.objects.get().pk}/change/"
    assert operator.get(page)["Refresh"] == "2"
    import_rows()
    assert "Refresh" not in operator.get(page)


def test_the_report_is_downloaded_with_every_cell_quoted(staff: Staff) -> None:
    operator = staff("operator")
    upload(operator)
    import_rows()
    answer = operator.get(f"{LIST}{Import.objects.get().pk}/report/")
    text = b"".join(answer.streaming_content).decode()
    assert answer["Content-Disposition"].startswith("attachment;")
    assert [row["line"] for row in csv.DictReader(io.StringIO(text))] == ["3"]
    assert all(line.startswith('"') for line in text.splitlines())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("user_id,email\nu1,Zoë@example.com\n".encode("latin-1"), "Line 2 is not UTF-8"),
        (PEOPLE.encode("utf-16"), "UTF-16"),
        ("email\nzora.canary@example.com\n", "no column user_id"),
        ("user_id,email,mail\n", "column 3 (mail)"),
    ],
)
def test_a_wrong_file_is_refused_at_once_with_its_cure(staff: Staff, text: str | bytes, told: str) -> None:
    page = upload(staff("operator"), text)
    assert told in page
    assert "canary" not in page
    import_rows()
    assert (Import.objects.get().status, ImportChunk.objects.count()) == ("failed", 0)


def test_a_form_without_a_file_or_with_an_unknown_topic_imports_nothing(staff: Staff) -> None:
    operator = staff("operator")
    assert "Choose a file" in operator.post(f"{LIST}upload/", {"mode": "replace"}, follow=True).content.decode()
    assert "no topic of this key" in upload(operator, topic="news")
    assert "Choose a file" in upload(operator, mode="guess")
    assert set(Import.objects.values_list("status", flat=True)) == {"failed"}


def test_everybody_of_a_file_subscribes_to_the_topic_that_is_named(staff: Staff) -> None:
    subscribe.put_topic("news")
    upload(staff("operator"), topic="news")
    import_rows()
    assert subscribe.get_topic("news").subscribers == 1


def test_nothing_of_a_file_touches_the_disk(staff: Staff, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    rows = "".join(f"u{n},zora.canary{n}@example.com\n" for n in range(100_000))
    assert "running" in upload(staff("operator"), f"user_id,email\n{rows}")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), string_agg(encode(sealed, 'escape'), '') FROM campaigns_import_chunk")
        count, kept = cursor.fetchone()
    assert count > 10
    assert "canary" not in kept


def test_without_the_forms_token_nothing_is_kept(staff: Staff) -> None:
    operator = staff("operator")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = operator.cookies
    token = strict.get(LIST).context["csrf_token"]
    answer = strict.post(f"{LIST}upload/", {"mode": "replace", "file": file_of(PEOPLE)})
    assert answer.status_code == 403
    import_rows()
    assert (Import.objects.get().status, ImportChunk.objects.count()) == ("failed", 0)
    form = {"csrfmiddlewaretoken": str(token), "mode": "replace", "file": file_of(PEOPLE)}
    assert strict.post(f"{LIST}upload/", form).status_code == 302
    assert Import.objects.latest("pk").status == "running"


def test_an_auditor_sees_imports_and_uploads_none(staff: Staff) -> None:
    auditor = staff("auditor")
    assert "New import" not in auditor.get(LIST).content.decode()
    assert auditor.post(f"{LIST}upload/", {"mode": "replace", "file": file_of(PEOPLE)}).status_code == 403
    assert Import.objects.count() == 0
