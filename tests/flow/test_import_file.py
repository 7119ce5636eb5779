"""`manage.py import_people`: a file of this machine, streamed."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from campaigns import import_file
from campaigns.import_file import Tally
from campaigns.models import Import, ImportSeen
from campaigns.policy import COMMAND_PAGE
from campaigns.store.imports import NewImport
from campaigns.vocabulary import ImportMode
from preferences import store as people

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "people.csv"


def write(file: Path, rows: int, *more: str) -> None:
    lines = [f"u{n},p{n}@example.com,gold" for n in range(rows)]
    file.write_text("\n".join(["user_id,email,attributes.plan", *lines, *more]), encoding="utf-8")


def run(file: Path, *options: str) -> str:
    out = io.StringIO()
    call_command("import_people", str(file), *options, stdout=out)
    return out.getvalue()


def people_there() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM preferences_recipient")
        return int(cursor.fetchone()[0])


def test_a_file_of_several_pages_is_imported_by_two_writers(file: Path) -> None:
    write(file, 2 * COMMAND_PAGE + 7)
    said = run(file)
    assert said.startswith("10,007 people created, 0 updated, 0 rows refused")
    assert people_there() == 2 * COMMAND_PAGE + 7
    job = Import.objects.get()
    assert (job.status, job.created, job.offset, job.line) == (
        "completed",
        10_007,
        file.stat().st_size,
        2 * COMMAND_PAGE + 8,
    )
    assert ImportSeen.objects.count() == 0


def test_running_it_again_changes_nothing_but_the_words(file: Path) -> None:
    write(file, 5)
    run(file)
    before = people.resolve([f"u{n}" for n in range(5)])
    assert "0 people created, 5 updated" in run(file)
    assert people.resolve([f"u{n}" for n in range(5)]) == before


def test_a_dry_run_writes_nobody_and_says_would(file: Path) -> None:
    write(file, 5, "u9,nobody,x")
    assert run(file, "--dry-run").startswith("5 people would be created, 0 would be updated, 1 rows refused")
    assert people_there() == 0


def test_the_report_names_lines_and_reasons_and_every_cell_is_text(file: Path, tmp_path: Path) -> None:
    write(file, 1, "u2,=cmd|canary,x", "u0,a@example.com,x")
    run(file, "--report", str(tmp_path / "refused.csv"))
    text = (tmp_path / "refused.csv").read_text(encoding="utf-8")
    assert [(row["line"], row["code"]) for row in csv.DictReader(io.StringIO(text))] == [
        ("3", "invalid_email"),
        ("4", "duplicate_user"),
    ]
    assert "canary" not in text
    assert all(line.startswith('"') for line in text.splitlines())


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("user_id,email\nu1,Zoë@example.com".encode("latin-1"), "Line 2 is not UTF-8"),
        (b"email\nalice@example.com", "no column user_id"),
        (b"", "is empty"),
    ],
)
def test_a_wrong_file_is_refused_whole_with_its_cure(file: Path, data: bytes, told: str) -> None:
    file.write_bytes(data)
    with pytest.raises(CommandError, match=told):
        run(file)
    assert (people_there(), Import.objects.count()) == (0, 0)


def test_a_file_that_is_not_there_and_a_topic_that_is_not_are_named(file: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        run(file)
    write(file, 1)
    with pytest.raises(CommandError, match="no topic of this key"):
        run(file, "--topic", "news")


def test_what_is_interrupted_leaves_whole_pages_and_may_be_run_again(file: Path) -> None:
    write(file, 4 * COMMAND_PAGE)

    def interrupt(_: Tally) -> None:
        raise KeyboardInterrupt

    wanted = NewImport(file_name="x", mode=ImportMode.REPLACE, dry_run=False, created_by="zora")
    with pytest.raises(KeyboardInterrupt):
        import_file.import_file(file, wanted, interrupt)
    job = Import.objects.get()
    assert (job.status, job.created % COMMAND_PAGE, people_there()) == ("cancelled", 0, job.created)
    assert ImportSeen.objects.count() == 0
    run(file)
    assert people_there() == 4 * COMMAND_PAGE
