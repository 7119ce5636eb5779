"""Files of people that were uploaded: whole pages or nothing, once each, and nothing left behind in clear."""

from __future__ import annotations

from threading import Thread

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from campaigns import import_page, import_people
from campaigns.errors import WrongFile
from campaigns.import_people import Upload
from campaigns.models import Import, ImportChunk, ImportSeen
from campaigns.policy import IMPORT_PAGE
from campaigns.store import imports
from campaigns.store.imports import NewImport
from campaigns.tasks import import_rows
from campaigns.vocabulary import ImportMode, ImportStatus
from preferences import allow, subscribe
from preferences import store as people
from preferences.store import consents, records, topics
from preferences.vocabulary import ConsentActor, ConsentMeans
from tests.factories import make_recipient

HEADER = "user_id,email,attributes.plan\n"


def wanted(**fields: object) -> NewImport:
    given = {"file_name": "people.csv", "mode": ImportMode.REPLACE, "dry_run": False, "created_by": "zora"}
    return NewImport(**{**given, **fields})  # type: ignore[arg-type]  # a test names the fields it means


def upload(text: str, *, piece: int = 1_000, **fields: object) -> int:
    one = Upload(wanted(**fields))
    data = text.encode()
    for at in range(0, len(data), piece):
        one.feed(data[at : at + piece])
    one.finish(wanted(**fields))
    return one.id


def run(text: str, **fields: object) -> Import:
    number = upload(text, **fields)
    import_rows()
    return Import.objects.get(pk=number)


def told(number: int) -> list[tuple[int, str]]:
    return [(one.line, one.code) for one in import_page.report(number)]


def many(count: int, start: int = 0) -> str:
    return "".join(f"u{n},p{n}@example.com,gold\n" for n in range(start, start + count))


def counted() -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM preferences_recipient), (SELECT count(*) FROM preferences_contact_point)"
        )
        return cursor.fetchone()


@pytest.mark.django_db
def test_people_are_created_and_the_report_says_who_was_not() -> None:
    done = run(f"{HEADER}u1,a@example.com,gold\nu2,nobody,gold\nu1,b@example.com,x\nu 3,,\n")
    assert (done.status, done.created, done.updated, done.refused) == ("completed", 1, 0, 3)
    assert told(done.pk) == [(3, "invalid_email"), (4, "duplicate_user"), (5, "invalid_user_id")]
    record = records.record_of("u1")
    assert record is not None
    assert (record.email, record.attributes) == ("a@example.com", {"plan": "gold"})


@pytest.mark.django_db
def test_a_twin_is_told_the_line_of_the_first_even_pages_later() -> None:
    done = run(f"{HEADER}{many(IMPORT_PAGE)}u5,other@example.com,x\n")
    (refused,) = import_page.report(done.pk)
    assert (refused.line, refused.reason) == (IMPORT_PAGE + 2, "user_id: Line 7 has the same; send each once.")
    assert done.created == IMPORT_PAGE


@pytest.mark.django_db
def test_who_is_there_is_replaced_or_merged_as_asked() -> None:
    make_recipient("u1", email="old@example.com", phone="+447700900123")
    run("user_id,email\nu1,\n", mode=ImportMode.MERGE)
    kept = records.record_of("u1")
    run("user_id,email\nu1,new@example.com\n")
    replaced = records.record_of("u1")
    assert kept is not None
    assert replaced is not None
    assert (kept.email, kept.phone) == ("old@example.com", "+447700900123")
    assert (replaced.email, replaced.phone) == ("new@example.com", None)


@pytest.mark.django_db
def test_who_was_erased_is_refused() -> None:
    ref = make_recipient("u1")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE preferences_recipient SET status = 'erased', data_key = NULL WHERE id = %s", (ref.id,))
    done = run(f"{HEADER}u1,a@example.com,gold\nu2,b@example.com,gold\n")
    assert told(done.pk) == [(2, "user_erased")]
    assert done.created == 1


@pytest.mark.django_db
def test_a_dry_run_reports_the_same_and_writes_nobody() -> None:
    make_recipient("u1")
    done = run(f"{HEADER}u1,a@example.com,x\nu2,b@example.com,x\nu3,nobody,x\nu2,c@example.com,x\n", dry_run=True)
    assert (done.created, done.updated, done.refused) == (1, 1, 2)
    assert told(done.pk) == [(4, "invalid_email"), (5, "duplicate_user")]
    assert people.resolve(["u1", "u2", "u3"]).keys() == {"u1"}


@pytest.mark.django_db
def test_everybody_imported_subscribes_to_the_topic() -> None:
    subscribe.put_topic("news")
    run(f"{HEADER}u1,a@example.com,x\nu2,nobody,x\n", topic_key="news")
    topic_id = topics.topic_id_of("news")
    assert topic_id is not None
    assert topics.size_up_to(topic_id, 10) == 1


@pytest.mark.django_db
def test_a_topic_that_goes_meanwhile_ends_the_import_with_its_reason() -> None:
    subscribe.put_topic("news")
    number = upload(f"{HEADER}{many(3)}", topic_key="news")
    subscribe.delete_topic("news")
    import_rows()
    ended = Import.objects.get(pk=number)
    assert (ended.status, ended.error) == ("failed", "The topic news is gone. Rows up to line 1 are imported.")
    assert counted() == (0, 0)


CONSENT = "user_id,marketing_consent,consent_text_version,consent_at\n"


@pytest.mark.django_db
def test_marketing_is_turned_on_with_its_proof_alone_and_never_over_a_no() -> None:
    for name in ("u_new", "u_no", "u_silent"):
        make_recipient(name, email=f"{name}@example.com")
    run(f"{CONSENT}u_no,no,,\n", mode=ImportMode.MERGE)
    proof = "yes,news-7,2026-03-01T10:00:00Z"
    done = run(f"{CONSENT}u_new,{proof}\nu_no,{proof}\nu_silent,,,\nu_bare,yes,,\n", mode=ImportMode.MERGE, staff_id=3)
    said = {name: allow.get_preferences(name).marketing_opt_in for name in ("u_new", "u_no", "u_silent")}
    assert said == {"u_new": True, "u_no": False, "u_silent": None}
    assert told(done.pk) == [(3, "marketing_refused"), (5, "missing_proof")]
    assert (done.updated, done.refused, done.noted) == (3, 1, 1)
    (entry,) = consents.page_of(people.resolve(["u_new"])["u_new"], None, 5)
    assert (entry.means, entry.actor, entry.actor_id) == (ConsentMeans.IMPORT, ConsentActor.STAFF, "3")
    assert (entry.text_version, str(entry.said_at)) == ("news-7", "2026-03-01 10:00:00+00:00")


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["", "email\na@example.com\n", "user_id,mail\n"])
def test_a_file_without_the_right_first_line_is_refused_before_anything_is_written(text: str) -> None:
    one = Upload(wanted())
    one.feed(text.encode())
    with pytest.raises(WrongFile):
        one.finish(wanted())
    one.discard("wrong")
    import_rows()
    assert (Import.objects.get(pk=one.id).status, counted()) == ("failed", (0, 0))


@pytest.mark.django_db
def test_a_file_lies_sealed_in_the_database_and_goes_when_it_is_imported() -> None:
    upload(f"{HEADER}u1,canary@example.com,gold\n" * 50)
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(encode(sealed, 'escape'), '') FROM campaigns_import_chunk")
        assert "canary" not in cursor.fetchone()[0]
    import_rows()
    assert (ImportChunk.objects.count(), ImportSeen.objects.count()) == (0, 0)
    assert Import.objects.get().cleared_at is not None


@pytest.mark.django_db
def test_a_piece_moved_to_another_import_does_not_open() -> None:
    first, second = upload(f"{HEADER}u1,a@example.com,x\n"), upload(f"{HEADER}u2,b@example.com,x\n")
    ImportChunk.objects.filter(of_id=second).delete()
    ImportChunk.objects.filter(of_id=first).update(of_id=second)
    import_rows()
    assert "no longer opens" in Import.objects.get(pk=second).error
    assert counted() == (0, 0)


@pytest.mark.django_db
def test_a_cancelled_import_stops_and_keeps_what_is_written() -> None:
    number = upload(f"{HEADER}{many(3)}")
    assert import_people.cancel(number)
    assert not import_people.cancel(number)
    import_rows()
    assert (Import.objects.get().status, counted(), ImportChunk.objects.count()) == ("cancelled", (0, 0), 0)


@pytest.mark.django_db
def test_an_upload_that_broke_off_ends_after_an_hour_and_one_under_way_does_not() -> None:
    old, young = Upload(wanted()), Upload(wanted())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE campaigns_import SET touched_at = now() - interval '2 hours' WHERE id = %s", (old.id,))
    import_rows()
    assert dict(Import.objects.values_list("pk", "status")) == {old.id: "failed", young.id: "uploading"}


@pytest.mark.django_db
def test_reports_are_forgotten_after_three_months() -> None:
    done = run(f"{HEADER}u1,nobody,x\n")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE campaigns_import SET ended_at = now() - interval '91 days'")
    import_rows()
    import_rows()
    assert (told(done.pk), Import.objects.count()) == ([], 0)


@pytest.mark.django_db
def test_a_page_takes_the_same_statements_however_many_rows() -> None:
    taken = []
    for start, count in ((1_000, 1), (2_000, 900)):
        upload(f"{HEADER}{many(count, start=start)}", piece=1_000_000)
        with CaptureQueriesContext(connection) as captured:
            import_people._next_page()
        taken.append([query["sql"].split()[0] for query in captured if "SAVEPOINT" not in query["sql"]])
    assert taken[0] == taken[1]
    assert len(taken[0]) == 9


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_within_a_page_skips_nobody_and_repeats_nobody() -> None:
    total = IMPORT_PAGE + 10
    number = upload(f"{HEADER}{many(total)}")
    assert import_people._next_page()
    thread = Thread(target=_die_within_a_page)
    thread.start()
    thread.join()
    halfway = Import.objects.get(pk=number)
    assert (halfway.created, halfway.line, counted()) == (IMPORT_PAGE, IMPORT_PAGE + 1, (IMPORT_PAGE, IMPORT_PAGE))
    import_rows()
    done = Import.objects.get(pk=number)
    assert (done.status, done.created, done.updated, done.refused) == ("completed", total, 0, 0)
    assert counted() == (total, total)


def _die_within_a_page() -> None:
    """Write a page and lose the connection before the commit, as a process that is killed does."""
    try:
        with transaction.atomic():
            job = imports.lock_next()
            assert job is not None
            assert job.layout is not None
            import_people._import_page(job, job.layout)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    except OperationalError:
        pass
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_take_the_same_page() -> None:
    upload(f"{HEADER}{many(5)}")
    with transaction.atomic():
        held = imports.lock_next()
        found: list[bool] = []
        thread = Thread(target=lambda: (found.append(import_people._next_page()), connection.close()))
        thread.start()
        thread.join()
    assert held is not None
    assert (found, held.status) == ([False], ImportStatus.RUNNING)
