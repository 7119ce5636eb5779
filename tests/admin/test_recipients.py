"""Recipients: masked, found by exact address, revealed on record."""

from __future__ import annotations

import msgspec
import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from channels.vocabulary import Channel
from preferences import allow
from preferences import store as people
from preferences.models import Suppression
from preferences.store import consents
from preferences.vocabulary import ContactKind, Preferences, QuietHours, SmsPreference
from tests.admin.conftest import EMAIL, PHONE, Staff, World
from tests.factories import BY_APP, make_recipient

LIST = "/admin/preferences/recipient/"
REVEAL = "preferences.reveal_contact"


def person(world: World, action: str = "change/") -> str:
    return f"{LIST}{world.recipient.id}/{action}"


def find(client: Client, wanted: str) -> str:
    response = client.post(f"{LIST}find/", {"wanted": wanted})
    return str(response["Location"])


@pytest.mark.parametrize("wanted", ["u_zora", EMAIL, EMAIL.upper(), PHONE, "+44 7700 900456", f"  {EMAIL} "])
def test_a_person_is_found_by_id_and_by_exact_address(staff: Staff, world: World, wanted: str) -> None:
    assert find(staff("operator"), wanted) == person(world)


@pytest.mark.parametrize("wanted", ["zora.canary", "zora.canary@example.co", "u_zor", "+447700900457", ""])
def test_part_of_an_address_finds_nobody(staff: Staff, world: World, wanted: str) -> None:
    assert find(staff("operator"), wanted) == LIST


def test_an_address_that_cannot_be_one_is_refused_without_repeating_it(staff: Staff, world: World) -> None:
    operator = staff("operator")
    find(operator, "zora at@")
    page = operator.get(LIST).content.decode()
    assert "give one address such as alice@example.com" in page
    assert "zora at" not in page


def test_people_who_share_an_address_are_all_listed(staff: Staff, world: World) -> None:
    make_recipient("u_zora_too", email=EMAIL)
    page = staff("operator").post(f"{LIST}find/", {"wanted": EMAIL}).content.decode()
    assert ">u_zora</a>" in page
    assert ">u_zora_too</a>" in page
    assert EMAIL not in page


def test_no_address_stands_on_a_page_or_in_a_list(staff: Staff, world: World) -> None:
    operator = staff("operator", REVEAL)
    for address in (LIST, person(world), person(world, "history/")):
        page = operator.get(address).content.decode()
        assert "zora.canary" not in page
        assert "900456" not in page
        assert "token-of-zora" not in page
    assert "z…@example.com" in operator.get(person(world)).content.decode()


@pytest.mark.parametrize(("kind", "address"), [("email", EMAIL), ("phone", PHONE)])
def test_an_address_is_revealed_by_its_own_permission_and_on_record(
    staff: Staff, world: World, kind: str, address: str
) -> None:
    response = staff("operator", REVEAL).post(person(world, f"reveal/{kind}/"))
    assert address in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (str(world.recipient.id), f"revealed the {kind}")
    assert address not in f"{entry.object_repr}{entry.change_message}"


def test_a_refused_reveal_shows_and_logs_nothing(staff: Staff, world: World) -> None:
    response = staff("operator").post(person(world, "reveal/email/"))
    assert response.status_code == 403
    assert EMAIL not in response.content.decode()
    assert LogEntry.objects.count() == 0


def test_the_button_is_shown_to_those_who_may_reveal(staff: Staff, world: World) -> None:
    assert "/reveal/" not in staff("operator").get(person(world)).content.decode()
    assert "/reveal/email/" in staff("auditor", REVEAL).get(person(world)).content.decode()


def test_a_suppressed_address_is_suppressed_for_all_and_released_again(staff: Staff, world: World) -> None:
    operator = staff("operator")
    operator.post(person(world, "suppress/email/"))
    assert Suppression.objects.get().reason == "manual"
    assert people.suppressions_of([people.index_of(ContactKind.EMAIL, EMAIL)])[0].channel is Channel.EMAIL
    assert "suppressed: manual" in operator.get(person(world)).content.decode()
    operator.post(person(world, "release/email/"))
    assert Suppression.objects.count() == 0
    assert list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True)) == [
        "suppressed the email",
        "released the email",
    ]


def test_what_people_allow_is_said_in_sentences(staff: Staff, world: World) -> None:
    wanted = Preferences(
        channels={Channel.SMS: False},
        types={"NEW_FOLLOWER": {Channel.EMAIL: False}},
        sms_preference=SmsPreference.NEVER,
        quiet_hours=QuietHours("22:00", "07:00"),
    )
    allow.put_preferences("u_zora", wanted, lambda _: True, BY_APP)
    page = staff("auditor").get(person(world)).content.decode()
    for sentence in ("sms is off.", "NEW_FOLLOWER by email is off.", "Never wants text messages.", "22:00 to 07:00"):
        assert sentence in page


def test_the_ledger_is_shown_newest_first_and_nothing_on_it_can_be_changed(staff: Staff, world: World) -> None:
    auditor = staff("auditor")
    assert "Nothing was ever said." in auditor.get(person(world)).content.decode()
    origin = msgspec.structs.replace(BY_APP, text_version="2026-11", ip_address="192.0.2.44")
    allow.put_preferences("u_zora", Preferences(marketing_opt_in=True), lambda _: True, origin)
    allow.put_preferences("u_zora", Preferences(global_opt_out=True), lambda _: True, BY_APP)
    page = auditor.get(person(world)).content.decode()
    ledger = page.split("Consent ledger")[1]
    assert ledger.index("global") < ledger.rindex("marketing")
    assert "2026-11" in ledger
    assert "192.0.2.44" not in page
    assert "<form" not in ledger.split("</table>")[0]


def test_a_word_of_staff_is_in_the_ledger_as_theirs(staff: Staff, world: World) -> None:
    operator = staff("operator")
    operator.post(person(world, "suppress/email/"))
    operator.post(person(world, "release/email/"))
    said = consents.page_of(world.recipient, None, 9)
    assert [(one.state, one.means, one.actor) for one in said] == [
        ("given", "admin", "staff"),
        ("withdrawn", "admin", "staff"),
    ]


def test_a_person_who_does_not_exist_is_not_found(staff: Staff, db: None) -> None:
    operator = staff("operator", REVEAL)
    assert operator.get(f"{LIST}999/change/").status_code == 404
    assert operator.get(f"{LIST}x/change/").status_code == 404
    assert operator.post(f"{LIST}999/reveal/email/").status_code == 404


def test_the_list_goes_on_by_key_and_never_counts(staff: Staff, db: None) -> None:
    for number in range(60):
        make_recipient(f"u_{number:02d}")
    operator = staff("operator")
    with CaptureQueriesContext(connection) as queries:
        page = operator.get(LIST).content.decode()
    assert page.count("/change/") == 50
    assert not any("COUNT(" in query["sql"] for query in queries)
    before = page.split('href="?before=')[1].split('"')[0]
    assert operator.get(LIST, {"before": before}).content.decode().count("/change/") == 10
