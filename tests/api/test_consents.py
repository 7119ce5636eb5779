"""The consent ledger over HTTP, and as an auditor gets it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from preferences import allow
from preferences.rules.cells import safe_cell
from preferences.rules.requests import PreferencesPatch
from preferences.vocabulary import ConsentActor, ConsentMeans, Origin
from tests.factories import Api, key_row, make_key, make_recipient

PATH = "/v1/users/u_alice/consents"


@pytest.fixture
def alice(api: Api) -> Api:
    """A caller, and a person who has said nothing yet."""
    make_recipient(email="alice@example.com")
    return api


def allow_(api: Api, **patch: Any) -> None:
    assert api.patch("/v1/users/u_alice/preferences", patch).status_code == 200


def test_who_never_said_anything_has_an_empty_ledger(alice: Api) -> None:
    assert alice.get(PATH).json() == {"data": [], "current": [], "page": {"next_cursor": None, "has_more": False}}


def test_the_ledger_tells_what_who_when_and_by_what_means(alice: Api, api_key: str) -> None:
    evidence = {"means": "import", "text_version": "2026-11", "ip_address": "2001:db8::7"}
    allow_(alice, marketing_opt_in=True, evidence=evidence)
    entry = alice.get(PATH).json()["data"][0]
    told = {name: entry[name] for name in ("scope", "state", "means", "actor", "actor_id", "text_version")}
    assert told == {
        "scope": "marketing",
        "state": "given",
        "means": "import",
        "actor": "application",
        "actor_id": str(key_row(api_key).application_id),
        "text_version": "2026-11",
    }
    assert (entry["address"], entry["ip_address"], entry["channel"]) == ("a…@example.com", "2001:db8::7", None)
    assert (len(entry["trace"]), entry["at"][:2]) == (32, "20")


def test_the_ledger_tells_when_a_person_said_it_beside_when_we_were_told(alice: Api) -> None:
    allow_(alice, marketing_opt_in=True, evidence={"means": "import", "said_at": "2026-03-01T10:00:00Z"})
    entry = alice.get(PATH).json()["data"][0]
    assert entry["said_at"] == "2026-03-01T10:00:00Z"
    assert entry["at"] > entry["said_at"]


def test_evidence_is_no_part_of_the_document(alice: Api) -> None:
    body = {"marketing_opt_in": True, "evidence": {"text_version": "2026-11"}}
    assert "evidence" not in alice.put("/v1/users/u_alice/preferences", body).json()
    assert "evidence" not in alice.get("/v1/users/u_alice/preferences").json()


@pytest.mark.parametrize(
    "evidence",
    [
        {"means": "telepathy"},
        {"ip_address": "<b>"},
        {"text_version": "x" * 101},
        {"said_at": "2026-03-01"},
        {"other": 1},
    ],
)
def test_evidence_that_makes_no_sense_is_422(alice: Api, evidence: dict[str, Any]) -> None:
    answer = alice.patch("/v1/users/u_alice/preferences", {"marketing_opt_in": True, "evidence": evidence})
    assert answer.status_code == 422
    assert alice.get(PATH).json()["data"] == []


def test_the_last_word_on_each_subject_is_where_a_person_stands(alice: Api) -> None:
    allow_(alice, marketing_opt_in=True, channels={"sms": False})
    allow_(alice, marketing_opt_in=False)
    allow_(alice, types={"NEWSLETTER": {"email": False}})
    ledger = alice.get(PATH).json()
    assert {(one["scope"], one["channel"], one["type"], one["state"]) for one in ledger["current"]} == {
        ("marketing", None, None, "withdrawn"),
        ("channel", "sms", None, "withdrawn"),
        ("type", "email", "NEWSLETTER", "withdrawn"),
    }
    assert len(ledger["data"]) == 4


def test_the_list_is_cut_into_pages(alice: Api) -> None:
    for number in range(5):
        allow_(alice, types={f"T{number}": {"email": False}})
    first = alice.get(f"{PATH}?limit=3").json()
    second = alice.get(f"{PATH}?limit=3&cursor={first['page']['next_cursor']}").json()
    assert [one["type"] for one in first["data"] + second["data"]] == ["T4", "T3", "T2", "T1", "T0"]
    assert second["page"] == {"next_cursor": None, "has_more": False}


@pytest.mark.parametrize("cursor", ["x", "-1", "²", "9" * 20, "1.5"])
def test_a_cursor_that_no_answer_held_is_422(alice: Api, cursor: str) -> None:
    assert alice.get(f"{PATH}?cursor={cursor}").status_code == 422


def test_a_person_reads_their_own_ledger_and_speaks_for_themselves(alice: Api) -> None:
    token = alice.post("/v1/users/u_alice/token").json()["token"]
    own = Api(token)
    allow_(own, global_opt_out=True)
    entry = own.get(PATH).json()["data"][0]
    assert (entry["actor"], entry["scope"], entry["state"], entry["ip_address"]) == (
        "person",
        "global",
        "withdrawn",
        "127.0.0.1",
    )
    assert own.get("/v1/users/u_bob/consents").status_code == 404


def test_the_ledger_needs_the_scope_users_and_a_user_who_is_known(alice: Api) -> None:
    assert Api(make_key("other", scopes=("read",))).get(PATH).status_code == 403
    assert alice.get("/v1/users/u_nobody/consents").status_code == 404


def test_an_auditor_gets_the_whole_ledger_and_no_cell_is_a_formula(alice: Api, tmp_path: Path) -> None:
    origin = Origin(means=ConsentMeans.API, actor=ConsentActor.APPLICATION, text_version="=cmd|' /C calc'!A0")
    allow.patch_preferences("u_alice", PreferencesPatch(marketing_opt_in=True), lambda _: True, origin)
    allow_(alice, global_opt_out=True)
    alice.post("/v1/users/u_alice/erase")
    call_command("export_consents", str(tmp_path / "ledger.csv"))
    with (tmp_path / "ledger.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["scope"] for row in rows] == ["marketing", "global", "address", "global"]
    assert rows[0]["text_version"] == "'=cmd|' /C calc'!A0"
    assert {row["user_id"] for row in rows} == {""}
    assert {row["address"] for row in rows} == {""}
    assert len(rows[0]["address_hash"]) == 32


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_what_a_spreadsheet_takes_for_a_formula_gets_an_apostrophe(text: str) -> None:
    assert safe_cell(text) == f"'{text}"
