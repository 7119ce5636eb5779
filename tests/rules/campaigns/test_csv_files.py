"""A file of people as bytes, lines, columns and rows: whatever somebody uploads is read or refused with its cure."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from itertools import islice

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.errors import WrongFile
from campaigns.policy import MAX_CSV_ROW_BYTES
from campaigns.rules.csv_bytes import Lines, Scan
from campaigns.rules.csv_header import Kind, Layout, layout_of
from campaigns.rules.csv_report import report_line
from campaigns.rules.csv_rows import Consent, Refused, Row, read_rows

NOW = datetime(2026, 11, 21, tzinfo=UTC)
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20)
PIECES = st.integers(1, 40)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def scanned(data: bytes, size: int = 7) -> Scan:
    scan = Scan()
    for piece in cut(data, size):
        scan.feed(piece)
    scan.close()
    return scan


def rows_of(text: str | bytes, size: int = 10_000) -> list[Row | Refused]:
    data = text.encode() if isinstance(text, str) else text
    lines = Lines(cut(data, size))
    return list(read_rows(lines, layout_of(next(lines)), now=NOW))


def only(text: str) -> Row | Refused:
    (row,) = rows_of(text)
    return row


def attributes_of(row: Row | Refused) -> dict[str, object]:
    assert isinstance(row, Row)
    return msgspec.json.decode(row.profile.attributes)


@given(CELLS, PIECES)
def test_any_utf8_passes_however_it_is_cut(text: str, size: int) -> None:
    data = f"user_id\n{text}".encode()
    assert (scanned(data, size).size, scanned(data, size).lines) == (len(data), data.count(b"\n"))


@given(st.integers(1, 30), PIECES)
def test_latin_1_is_refused_with_the_line_of_its_first_byte(line: int, size: int) -> None:
    data = b"user_id\n" * (line - 1) + "u1,Zo\xeb\n".encode("latin-1")
    with pytest.raises(WrongFile, match=rf"^Line {line} is not UTF-8 \(byte 0xEB\).*CSV UTF-8"):
        scanned(data, size)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is empty"),
        ("user_id\nu1".encode("utf-16"), "UTF-16"),
        ("user_id\nu1".encode("utf-16-le"), "Line 1 holds a NUL"),
        (b"user_id\nu1\nu\0\n", "Line 3 holds a NUL"),
        (b"user_id\nZo\xc3", "Line 2 is not UTF-8"),
        (b"user_id\n" + b"x" * (MAX_CSV_ROW_BYTES + 1), "Line 2 is longer than"),
        (b"user_id\ru1\r" * MAX_CSV_ROW_BYTES, "lines must end in LF"),
    ],
)
def test_what_is_no_text_in_lines_is_refused_with_the_line_and_the_cure(data: bytes, told: str) -> None:
    with pytest.raises(WrongFile, match=told):
        scanned(data, 1_000)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found_and_names_are_forgiven_capitals_and_blanks(delimiter: str) -> None:
    header = delimiter.join(["\ufeffUser ID", '"E-mail"', "attributes.Plan:text"]).replace("E-mail", "email")
    layout = layout_of(f"{header}\r\n")
    assert (layout.delimiter, layout.width, layout.own) == (delimiter, 3, {"user_id": 0, "email": 1})
    assert [(one.name, one.kind) for one in layout.attributes] == [("Plan", Kind.TEXT)]


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("email,phone", "no column user_id"),
        ("alice@example.com,+447700900123", "no column user_id"),
        ("", "no column user_id"),
        ("user_id,mail", r"column 2 \(mail\)"),
        ("user_id,bob@example.com", r"Not known: column 2\."),
        ("user_id,email,Email", "There twice: email"),
        ("user_id,attributes.a,attributes.a:text", r"There twice: attributes\.a"),
        ("user_id,email,", "Column 3 has no name"),
        ("user_id,attributes.a b", "attributes.<name>"),
        ("user_id,attributes.a:colour", "text, number, boolean, date"),
        ("user_id,marketing_consent", "Missing beside marketing_consent: consent_text_version, consent_at"),
        (",".join(["user_id", *(f"attributes.a{n}" for n in range(200))]), "at most 200"),
    ],
)
def test_a_wrong_first_line_names_the_column_and_the_cure_and_no_data(header: str, told: str) -> None:
    with pytest.raises(WrongFile, match=told) as refusal:
        layout_of(header)
    assert "@" not in refusal.value.detail
    assert "+44" not in refusal.value.detail


def test_a_row_becomes_a_person_by_the_rules_of_the_api() -> None:
    row = only("user_id,email,phone,locale,timezone,country_code\nu1, Alice@EXAMPLE.com,+44 7700 900123,en-gb,UTC,gb\n")
    assert isinstance(row, Row)
    profile = row.profile
    assert (row.line, row.user_id, profile.email, profile.phone) == (2, "u1", "Alice@example.com", "+447700900123")
    assert (profile.locale, profile.timezone, profile.country_code) == ("en-GB", "UTC", "GB")


@pytest.mark.parametrize(
    ("kind", "cell", "kept"),
    [
        ("", "30", 30),
        ("", "-0.5", -0.5),
        ("", "TRUE", True),
        ("", "007", "007"),
        ("", "1e5", "1e5"),
        ("", "12345678901234567890", "12345678901234567890"),
        ("", " spaced ", " spaced "),
        ("", "=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
        ("", "+1", "+1"),
        ("", "2026-11-02", "2026-11-02"),
        (":text", "30", "30"),
        (":text", "true", "true"),
        (":number", "1.50", 1.5),
        (":boolean", "yes", True),
        (":boolean", "0", False),
        (":date", "2026-11-02", "2026-11-02"),
        (":date", "2026-11-02T10:00:00Z", "2026-11-02T10:00:00Z"),
    ],
)
def test_a_cell_of_an_attribute_is_kept_as_its_kind_says(kind: str, cell: str, kept: object) -> None:
    assert attributes_of(only(f'user_id,attributes.a{kind}\nu1,"{cell}"\n')) == {"a": kept}


def test_an_empty_cell_says_nothing() -> None:
    row = only("user_id,email,attributes.a\nu1,,\n")
    assert isinstance(row, Row)
    assert (row.profile.email, row.profile.attributes) == (None, "{}")


@pytest.mark.parametrize(
    ("header", "row", "code"),
    [
        ("user_id,email", "u1,canary", "invalid_email"),
        ("user_id,phone", "u1,555canary", "invalid_phone"),
        ("user_id,locale", "u1,canary_XX", "invalid_locale"),
        ("user_id,timezone", "u1,Canary/Zone", "invalid_timezone"),
        ("user_id,country_code", "u1,canary", "invalid_country_code"),
        ("user_id,email", f"u1,{'canary' * 60}@example.com", "invalid_email"),
        ("user_id", "canary u1", "invalid_user_id"),
        ("user_id,email", "u1", "wrong_width"),
        ("user_id,email", "u1,canary@example.com,x", "wrong_width"),
        ("user_id,attributes.a:number", "u1,canary", "invalid_attributes"),
        ("user_id,attributes.a:boolean", "u1,canary", "invalid_attributes"),
        ("user_id,attributes.a:date", "u1,02/11/2026 canary", "invalid_attributes"),
        ("user_id,attributes.a", f"u1,{'canary' * 3_000}", "invalid_attributes"),
        ("user_id,email", 'u1,"canary"x', "broken_quotes"),
        ("user_id,email", 'u1,"canary', "broken_quotes"),
    ],
)
def test_a_refused_row_says_its_line_and_why_and_nothing_of_what_it_holds(header: str, row: str, code: str) -> None:
    refused = only(f"{header}\n{row}\n")
    assert isinstance(refused, Refused)
    assert (refused.line, refused.code) == (2, code)
    assert "canary" not in refused.reason.lower()
    assert "02/11" not in refused.reason


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    text = 'user_id,attributes.a\r\n\r\nu1,"two\nlines"\r\nu1 x,y\r\n,\r\nu2,z'
    assert [(one.line, isinstance(one, Row)) for one in rows_of(text)] == [(3, True), (5, False), (7, True)]


def test_a_quote_that_nobody_closes_costs_one_row_alone() -> None:
    many = "".join(f"u{n},x\n" for n in range(3, 20_000))
    found = rows_of(f'user_id,attributes.a\nu1,"open\nu2,x\n{many}')
    assert [one.line for one in found if isinstance(one, Refused)] == [2]
    assert len(found) == 19_999


@given(st.lists(st.tuples(CELLS, CELLS), max_size=8), st.sampled_from([",", ";", "\t"]), PIECES)
def test_what_a_spreadsheet_writes_is_read_as_it_was(cells: list[tuple[str, str]], delimiter: str, size: int) -> None:
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter)
    writer.writerow(["user_id", "attributes.a:text", "attributes.b:text"])
    writer.writerows((f"u{at}", *pair) for at, pair in enumerate(cells))
    found = [attributes_of(row) for row in rows_of(written.getvalue(), size)]
    assert found == [{name: text for name, text in zip("ab", pair, strict=True) if text} for pair in cells]


@given(st.text(st.sampled_from('ab,"\r\nü'), max_size=120), st.integers(1, 4), PIECES)
def test_reading_page_by_page_finds_what_reading_at_once_does(text: str, page: int, size: int) -> None:
    """From the place behind each page, as a worker does that knows nothing of the one before it."""
    data = b"user_id,attributes.a\n" + text.encode()
    found: list[Row | Refused] = []
    layout, offset, line = layout_of("user_id,attributes.a"), data.index(b"\n") + 1, 1
    while True:
        lines = Lines(cut(data[offset:], size), offset=offset, line=line)
        part = list(islice(read_rows(lines, layout, now=NOW), page))
        found += part
        offset, line = lines.offset, lines.line
        if not part:
            break
    assert found == rows_of(data)
    assert offset == len(data)


CONSENT = "user_id,marketing_consent,consent_text_version,consent_at\nu1,"


def test_a_yes_to_marketing_is_taken_with_its_proof() -> None:
    row = only(f"{CONSENT}true,news-7,2026-03-01T10:00:00Z\n")
    assert isinstance(row, Row)
    assert row.consent == Consent(given=True, text_version="news-7", at=datetime(2026, 3, 1, 10, tzinfo=UTC))


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ("yes,,2026-03-01T10:00:00Z", "missing_proof"),
        ("yes,news-7,", "missing_proof"),
        ("yes,news-7,2026-03-01", "missing_proof"),
        ("maybe,news-7,2026-03-01T10:00:00Z", "invalid_marketing_consent"),
        ("yes,news-7,2027-03-01T10:00:00Z", "invalid_consent_at"),
        (f"yes,{'x' * 101},2026-03-01T10:00:00Z", "invalid_consent_text_version"),
    ],
)
def test_a_word_on_marketing_without_its_proof_is_refused(cells: str, code: str) -> None:
    refused = only(f"{CONSENT}{cells}\n")
    assert isinstance(refused, Refused)
    assert refused.code == code


def test_a_no_needs_no_proof_and_an_empty_cell_says_nothing() -> None:
    no, nothing = only(f"{CONSENT}no,,\n"), only(f"{CONSENT},,\n")
    assert isinstance(no, Row)
    assert isinstance(nothing, Row)
    assert no.consent == Consent(given=False, text_version="", at=None)
    assert nothing.consent is None


@given(st.sampled_from("=+-@\t\r"), CELLS)
def test_no_cell_of_a_report_can_be_taken_for_a_formula(start: str, text: str) -> None:
    assert report_line(Refused(3, "wrong_width", start + text)) == ["3", "wrong_width", f"'{start}{text}"]


def test_a_layout_outlives_the_process_that_read_it() -> None:
    layout = layout_of("user_id;email;attributes.a:date")
    assert msgspec.json.decode(msgspec.json.encode(layout), type=Layout) == layout
