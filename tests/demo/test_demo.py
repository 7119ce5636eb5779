"""What a newcomer sees of `make demo`, and what is left when it is over."""

from __future__ import annotations

import json
from email import message_from_bytes, policy

import pytest

from tests.demo.conftest import Row, Run, left_behind

pytestmark = pytest.mark.timeout(300)

OPTED_OUT = "has opted out"
SMS: Row = ("VERIFICATION_CODE", "sms", "delivered", "", "twilio")
INBOX: Row = ("NEW_FOLLOWER", "in-app", "delivered", "", "inbox")
MAIL: Row = ("ORDER_SHIPPED", "e-mail", "delivered", "", "sendgrid")
POSTED: Row = ("ORDER_SHIPPED", "e-mail", "sent", "", "smtp")
PUSHED: Row = ("ORDER_SHIPPED", "push", "sent", "", "fcm")
FOLLOWED: Row = ("NEW_FOLLOWER", "push", "sent", "", "fcm")
INSTEAD: Row = ("PAYMENT_FAILED", "sms", "delivered", "in place of the push", "twilio")


def push(what: str, status: str, why: str, provider: str = "") -> Row:
    return what, "push", status, why, provider


#: People with a case, and every row of theirs.
OUTCOMES: dict[str, set[Row]] = {
    "Alice": {
        MAIL,
        ("ORDER_SHIPPED", "push x2", "sent", "", "fcm"),
        SMS,
        INBOX,
        ("NEW_FOLLOWER", "push x2", "sent", "", "fcm"),
    },
    "Mateo": {POSTED, PUSHED, SMS, INBOX, FOLLOWED},
    "Pema": {
        MAIL,
        push("ORDER_SHIPPED", "sent", "", "webpush"),
        SMS,
        INBOX,
        push("NEW_FOLLOWER", "sent", "", "webpush"),
    },
    "Grace": {
        push("PAYMENT_FAILED", "sent", "", "apns"),
        *(MAIL, push("ORDER_SHIPPED", "sent", "", "apns"), SMS, INBOX, push("NEW_FOLLOWER", "sent", "", "apns")),
    },
    "Ravi": {
        ("MEETING_REMINDER", "", "cancelled", "called off before its time", ""),
        *(MAIL, PUSHED, SMS, INBOX, FOLLOWED),
    },
    "Sofia": {POSTED, PUSHED, SMS, INBOX, push("NEW_FOLLOWER", "suppressed", "has switched these off")},
    "Olga": {
        ("ORDER_SHIPPED", "e-mail", "suppressed", OPTED_OUT, ""),
        push("ORDER_SHIPPED", "suppressed", OPTED_OUT),
        SMS,
        ("NEW_FOLLOWER", "in-app", "suppressed", OPTED_OUT, ""),
        push("NEW_FOLLOWER", "suppressed", OPTED_OUT),
    },
    "Nils": {
        push("PAYMENT_FAILED", "suppressed", "no device to push to"),
        *(INSTEAD, MAIL, push("ORDER_SHIPPED", "suppressed", "no device to push to")),
        *(SMS, INBOX, push("NEW_FOLLOWER", "suppressed", "no device to push to")),
    },
    "Dora": {
        push("PAYMENT_FAILED", "failed", "the token is dead", "fcm"),
        *(INSTEAD, MAIL, push("ORDER_SHIPPED", "suppressed", "no device to push to")),
        *(SMS, INBOX, push("NEW_FOLLOWER", "suppressed", "no device to push to")),
    },
    "Bruno": {("ORDER_SHIPPED", "e-mail", "bounced", "no such mailbox", "sendgrid"), PUSHED, SMS, INBOX, FOLLOWED},
}


def test_it_ends_well_and_says_so(piped: Run) -> None:
    assert "All came out as it should." in piped.text
    assert "✗" not in piped.text
    assert piped.exit_code == 0


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_table_says_what_became_of_each_and_why(piped: Run, name: str) -> None:
    assert set(piped.rows_of(name)) == OUTCOMES[name]


def test_a_scheduled_reminder_left_when_its_time_had_come(piped: Run) -> None:
    reminders = [row for row in piped.rows_of("Lucia") if row[0] == "MEETING_REMINDER"]
    assert {row[1:3] for row in reminders} == {("push", "sent"), ("in-app", "delivered")}
    assert all(row[3].startswith("left ") and row[3].endswith(" s after its time") for row in reminders)


def test_every_priority_has_its_latency(piped: Run) -> None:
    latency = piped.text.split("\nLatency, ")[1].split("\n\n")[0]
    found = [line.split()[:2] for line in latency.splitlines()[2:6]]
    assert found == [["critical", "3"], ["high", "12"], ["medium", "21"], ["low", "20"]]


def test_the_first_sms_provider_is_down_and_the_second_takes_its_place(piped: Run) -> None:
    trace = piped.text.split("\nWhy? ")[1].split("\n\n")[0]
    asked = [line.split() for line in trace.splitlines() if " sms " in line and "dispatch" in line]
    assert [(words[4], words[5]) for words in asked] == [("transient", "vonage"), ("accepted", "twilio")]


def test_one_trace_is_told_step_by_step(piped: Run) -> None:
    trace = piped.text.split("\nWhy? ")[1].split("\n\n")[0]
    steps = ["accept", "plan", "dispatch", "plan", "plan", "dispatch", "dispatch", "receive", "end", "end", "end"]
    assert [line[12:20].strip() for line in trace.splitlines() if line[2:3] == "+"] == steps


def test_where_nobody_watches_there_are_plain_lines_of_eighty_columns(piped: Run) -> None:
    assert "\x1b" not in piped.said
    longest = max(piped.text.split("Where to look next")[0].splitlines(), key=len)
    assert len(longest) <= 80
    assert "41 notifications" not in piped.text


def test_the_mails_that_went_by_smtp_can_be_read_afterwards(watched: Run) -> None:
    files = (watched.home / "demo" / "lab" / "mails").glob("*.eml")
    mails = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
    subjects = {str(mail["To"]).partition("@")[0]: str(mail["Subject"]) for mail in mails}
    assert len(mails) == len(subjects) == 3
    assert subjects["lucia"] == "Su pedido ORD-12342 está en camino"


def test_a_run_at_a_terminal_shows_the_table_moving_and_stays_until_ctrl_c(watched: Run) -> None:
    assert watched.said.count("on its way") > 10
    assert "Everything stays up until you press Ctrl-C." in watched.text
    assert watched.text.rstrip().endswith("Stopping everything …")
    assert watched.exit_code == 0


def test_running_it_again_tells_the_same_story(piped: Run, watched: Run) -> None:
    assert {name: set(watched.rows_of(name)) for name in OUTCOMES} == OUTCOMES


def test_the_way_in_is_kept_for_its_owner_alone_and_for_the_next_run(piped: Run, watched: Run) -> None:
    file = watched.home / "demo" / "access.json"
    password = json.loads(file.read_bytes())["admin_password"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert f"password {password}" in watched.text
    assert password not in piped.text


def test_nothing_is_left_running_when_it_is_over(watched: Run) -> None:
    assert left_behind(watched.home) == []
