from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from sendgrid.helpers.mail import Mail, To

from channels.errors import ConfigurationFault
from channels.rules.accounts import Account, SecretRef
from channels.vocabulary import EmailMessage, SendOutcome, SendResult
from config.lab.ledger import content_hash
from tests.providers.conformance import HttpConformance, build, delivery_id, soon
from tests.providers.conftest import Control, Lab
from tests.providers.peers import HttpPeer, http_answer

UNSUBSCRIBE = {"List-Unsubscribe": "<https://example.com/u/1>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
#: A mail of one template: 9 KB that all share, two lines that differ.
LETTER = "\n".join(["<p>Hello {name},</p>", *["<p>The same for everybody.</p>"] * 300, "<a href='{link}'>leave</a>"])


def mail(number: int, **changes: Any) -> EmailMessage:
    declared: dict[str, Any] = {
        "id": delivery_id(number),
        "to": f"alice{number}@example.com",
        "subject": f"Hello {number}",
        "text": "plain words",
    }
    return EmailMessage(**{**declared, **changes})


def letter(number: int, name: str = "Alice") -> EmailMessage:
    html = LETTER.format(name=name, link=f"https://example.com/u/{number}")
    return mail(number, text=f"Hello {name},\nthis is number {number}.\nBye", html=html, headers=UNSUBSCRIBE)


class TestSendGrid(HttpConformance):
    private = ("alice", "plain words")

    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        lab.at("sendgrid")
        return lab.sendgrid()

    def message(self, number: int, text: str = "plain words") -> EmailMessage:
        return mail(number, text=text)


@pytest.fixture
def stand_in(lab: Lab) -> Control:
    return lab.at("sendgrid")


@pytest.fixture
def sendgrid(lab: Lab, stand_in: Control) -> Iterator[Any]:
    adapter = build(lab.sendgrid(timeout_seconds=1.0))
    yield adapter
    adapter.close()


@pytest.fixture
def looked_at(lab: Lab) -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Sends to a peer that says yes; the bodies it was given."""
    peer = HttpPeer(lambda _: http_answer(202, b"", "X-Message-Id: abc"))
    adapter = build(lab.sendgrid(name="looked-at", base_url=peer.base_url))

    def bodies(*messages: EmailMessage) -> list[dict[str, Any]]:
        peer.requests.clear()
        send(adapter, *messages)
        return [json.loads(body) for body in peer.requests]

    yield bodies
    adapter.close()
    peer.close()


def send(adapter: Any, *messages: EmailMessage) -> list[SendResult]:
    results: list[SendResult] = adapter.send_many(messages, deadline=soon())
    return results


def outcomes(results: list[SendResult]) -> list[tuple[SendOutcome, str]]:
    return [(one.outcome, one.code) for one in results]


ACCEPTED = (SendOutcome.ACCEPTED, "")


def test_a_thousand_different_mails_are_one_call_and_read_as_they_were_written(
    sendgrid: Any, stand_in: Control
) -> None:
    page = [letter(number, name=f"Ünï {number} %s -x- \\ {{{{y}}}}") for number in range(1000)]
    results = send(sendgrid, *page)
    ledger = stand_in.ledger()
    assert {one.outcome for one in results} == {SendOutcome.ACCEPTED}
    assert len({one.provider_message_id for one in results}) == 1
    assert {key: entry[:3] for key, entry in ledger.items()} == {
        str(one.id): [1, one.to, content_hash(one.subject, one.text)] for one in page
    }


def test_what_mails_share_is_said_once(looked_at: Callable[..., list[dict[str, Any]]]) -> None:
    page = [letter(number) for number in range(50)]
    (body,) = looked_at(*page)
    html = body["content"][1]["value"]
    assert "The same for everybody" in html
    assert len(html) < len(page[0].html) + 200
    for person, message in zip(body["personalizations"], page, strict=True):
        made = html
        for tag, value in person["substitutions"].items():
            made = made.replace(tag, value)
        assert made == message.html
        assert sum(map(len, person["substitutions"].values())) < 200


def test_mails_that_say_the_same_need_no_substitutions(looked_at: Callable[..., list[dict[str, Any]]]) -> None:
    (body,) = looked_at(mail(1), mail(2))
    assert all("substitutions" not in person for person in body["personalizations"])
    assert body["content"] == [{"type": "text/plain", "value": "plain words"}]


def test_mails_too_different_to_share_a_call_get_calls_of_their_own(
    looked_at: Callable[..., list[dict[str, Any]]],
) -> None:
    page = [mail(number, text=f"{number}" * 12_000) for number in range(3)]
    bodies = looked_at(*page, mail(7), mail(8))
    assert sorted(len(body["personalizations"]) for body in bodies) == [1, 1, 1, 2]
    alone = {body["content"][0]["value"] for body in bodies if len(body["personalizations"]) == 1}
    assert alone == {one.text for one in page}


def test_an_address_stands_in_a_call_once(sendgrid: Any, stand_in: Control) -> None:
    page = [
        mail(number, to=["Alice@example.com", "alice@example.com", "bob@example.com"][number % 3])
        for number in range(6)
    ]
    assert outcomes(send(sendgrid, *page)) == [ACCEPTED] * 6
    assert len(stand_in.ledger()) == 6


def test_a_personalization_carries_what_is_the_recipients_own(looked_at: Callable[..., list[dict[str, Any]]]) -> None:
    (body,) = looked_at(mail(1, trace_id="abc", headers={"X-Word": "Grüße", **UNSUBSCRIBE}))
    assert body["from"] == {"email": "news@example.com", "name": "The Shop"}
    assert body["personalizations"] == [
        {
            "to": [{"email": "alice1@example.com"}],
            "subject": "Hello 1",
            "headers": {
                "Message-ID": f"<{delivery_id(1)}@example.com>",
                "X-Word": "=?utf-8?b?R3LDvMOfZQ==?=",
                **UNSUBSCRIBE,
            },
            "custom_args": {"delivery_id": str(delivery_id(1)), "trace_id": "abc"},
        }
    ]


def test_the_body_has_the_shape_of_sendgrids_own_library(looked_at: Callable[..., list[dict[str, Any]]]) -> None:
    (ours,) = looked_at(mail(1, html="<b>x</b>"))
    theirs = Mail(("news@example.com", "The Shop"), None, None, "plain words", "<b>x</b>")
    to = To("alice1@example.com", p=0)
    theirs.add_to(to)
    written = theirs.get()
    assert ours["from"] == written["from"]
    assert ours["content"] == written["content"]
    assert ours["personalizations"][0]["to"] == written["personalizations"][0]["to"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"to": "ünï@example.com"}, "smtputf8_not_offered"),
        ({"subject": ""}, "no_subject"),
        ({"text": ""}, "no_content"),
        ({"subject": "Hi\r\nBcc: eve@example.com"}, "header_injection"),
        ({"headers": {"X-A": "b\nBcc: eve@example.com"}}, "header_injection"),
        ({"headers": {"Bcc": "eve@example.com"}}, "forbidden_header"),
        ({"headers": {"X-SMTPAPI": "{}"}}, "forbidden_header"),
        ({"headers": {"Reply-To": "eve@example.com"}}, "forbidden_header"),
        ({"to": "no address"}, "bad_address"),
    ],
)
def test_what_sendgrid_would_refuse_is_not_sent(
    sendgrid: Any, stand_in: Control, changes: dict[str, Any], code: str
) -> None:
    results = send(sendgrid, mail(1), mail(2, **changes), mail(3))
    assert outcomes(results) == [ACCEPTED, (SendOutcome.BAD_MESSAGE, code), ACCEPTED]
    assert stand_in.summary()["refusals"] == {}


def test_one_bad_address_costs_itself_alone(sendgrid: Any, stand_in: Control) -> None:
    page = [mail(number) for number in range(40)]
    page[17] = mail(17, to="lab-invalid-17@example.com")
    page[30] = mail(30, to="lab-invalid-30@example.com")
    results = send(sendgrid, *page)
    bad = {at: one for at, one in enumerate(results) if one.outcome is not SendOutcome.ACCEPTED}
    assert {at: (one.outcome, one.code) for at, one in bad.items()} == {
        17: (SendOutcome.BAD_RECIPIENT, "personalizations.to.email"),
        30: (SendOutcome.BAD_RECIPIENT, "personalizations.to.email"),
    }
    assert (stand_in.summary()["deliveries"], stand_in.summary()["repeats"]) == (38, 0)


def refusing(bad: set[str], field: str | None) -> Callable[[bytes], bytes]:
    """A SendGrid that refuses calls with these addresses and says `field` (`{}` is the number), or nothing useful."""

    def answer(body: bytes) -> bytes:
        people = json.loads(body)["personalizations"]
        wrong = [at for at, one in enumerate(people) if one["to"][0]["email"] in bad]
        if not wrong:
            return http_answer(202, b"", "X-Message-Id: abc")
        errors = [{"message": "no", "field": field.format(at) if field else None, "help": None} for at in wrong[:1]]
        return http_answer(400, json.dumps({"errors": errors}).encode())

    return answer


def sent_to(lab: Lab, answer: Callable[[bytes], bytes], page: list[EmailMessage]) -> tuple[list[SendResult], int]:
    """What a page becomes at a SendGrid that answers so, and in how many calls."""
    peer = HttpPeer(lambda _: answer(peer.requests[-1]))
    adapter = build(lab.sendgrid(name="peer", base_url=peer.base_url, concurrency=1))
    results = send(adapter, *page)
    adapter.close()
    peer.close()
    return results, len(peer.requests)


def test_a_refusal_that_names_nobody_is_halved_until_the_one_is_found(lab: Lab) -> None:
    page = [mail(number) for number in range(500)]
    results, calls = sent_to(lab, refusing({"alice123@example.com"}, None), page)
    assert outcomes(results[123:124]) == [(SendOutcome.BAD_MESSAGE, "refused")]
    assert {one.outcome for at, one in enumerate(results) if at != 123} == {SendOutcome.ACCEPTED}
    assert calls <= 2 * 9 + 1


def test_a_page_that_is_refused_throughout_ends_in_few_calls_and_goes_elsewhere(lab: Lab) -> None:
    page = [mail(number) for number in range(500)]
    results, calls = sent_to(lab, refusing({one.to for one in page}, None), page)
    assert {one.outcome for one in results} <= {SendOutcome.TRANSIENT, SendOutcome.BAD_MESSAGE}
    assert calls < 130


def test_refused_substitutions_send_the_mail_by_itself(lab: Lab) -> None:
    def answer(body: bytes) -> bytes:
        people = json.loads(body)["personalizations"]
        large = [at for at, one in enumerate(people) if "substitutions" in one and one["subject"] == "large"]
        if large:
            field = f"personalizations.{large[0]}.substitutions"
            return http_answer(400, json.dumps({"errors": [{"message": "limit", "field": field}]}).encode())
        return http_answer(202, b"", "X-Message-Id: abc")

    results, calls = sent_to(lab, answer, [mail(1), mail(2, subject="large", text="long"), mail(3)])
    assert outcomes(results) == [ACCEPTED] * 3
    assert calls == 3


@pytest.mark.parametrize(
    ("field", "outcome", "code"),
    [
        ("personalizations.{}.to.0.email", SendOutcome.BAD_RECIPIENT, "personalizations.to.email"),
        ("personalizations.{}.subject", SendOutcome.BAD_MESSAGE, "personalizations.subject"),
        ("personalizations.{}", SendOutcome.BAD_MESSAGE, "personalizations"),
        ("personalizations.{}.headers.X-Ä", SendOutcome.BAD_MESSAGE, "refused"),
        ("content.0.value", SendOutcome.BAD_MESSAGE, "content.value"),
    ],
)
def test_the_field_says_whose_fault_it_is(lab: Lab, field: str, outcome: SendOutcome, code: str) -> None:
    results, _ = sent_to(lab, refusing({"alice2@example.com"}, field), [mail(1), mail(2), mail(3)])
    assert outcomes(results) == [ACCEPTED, (outcome, code), ACCEPTED]


@pytest.mark.parametrize(
    ("word", "outcome", "code"),
    [
        ("unauthorized", SendOutcome.MISCONFIGURED, "http_401"),
        ("forbidden", SendOutcome.MISCONFIGURED, "http_403"),
        ("bad_from", SendOutcome.MISCONFIGURED, "from.email"),
        ("too_large", SendOutcome.BAD_MESSAGE, "refused"),
        ("rate_limited", SendOutcome.THROTTLED, "http_429"),
        ("server_error", SendOutcome.TRANSIENT, "http_500"),
        ("unavailable", SendOutcome.TRANSIENT, "http_503"),
        ("bad_gateway", SendOutcome.AMBIGUOUS, "unreadable_answer"),
        ("empty", SendOutcome.AMBIGUOUS, "unreadable_answer"),
        ("sandboxed", SendOutcome.AMBIGUOUS, "unreadable_answer"),
        ("hang", SendOutcome.AMBIGUOUS, "timeout"),
    ],
)
def test_each_answer_of_the_table_has_its_class(
    sendgrid: Any, stand_in: Control, word: str, outcome: SendOutcome, code: str
) -> None:
    stand_in.tell("__faults", faults=[{"answer": word}])
    assert outcomes(send(sendgrid, mail(1))) == [(outcome, code)]


def test_a_call_without_an_answer_is_ambiguous_for_all_and_never_sent_twice(sendgrid: Any, stand_in: Control) -> None:
    stand_in.tell("__faults", faults=[{"answer": "hang"}])
    results = send(sendgrid, *(mail(number) for number in range(20)))
    assert {one.outcome for one in results} == {SendOutcome.AMBIGUOUS}
    assert (stand_in.summary()["deliveries"], stand_in.summary()["repeats"]) == (20, 0)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("X-RateLimit-Reset: {now+30}", 27, 30),
        ("X-RateLimit-Reset: {now+864000}", 60, 60),
        ("X-RateLimit-Reset: {now-5}", 60, 60),
        ("X-RateLimit-Reset: soon", 60, 60),
        ("Retry-After: 7", 7, 7),
        ("X-Nothing: 1", 60, 60),
    ],
)
def test_a_limit_waits_until_it_is_over(lab: Lab, header: str, least: float, most: float) -> None:
    now = int(time.time())
    line = header
    for part in ("+30", "+864000", "-5"):
        line = line.replace(f"{{now{part}}}", str(now + int(part)))
    (result,), _ = sent_to(lab, lambda _: http_answer(429, b"{}", line), [mail(1)])
    assert result.outcome is SendOutcome.THROTTLED
    assert result.retry_after_seconds is not None
    assert least <= result.retry_after_seconds <= most


def test_a_key_that_is_refused_is_misconfigured_for_all(
    lab: Lab, stand_in: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRONG", "SG.wrong")
    adapter = build(lab.sendgrid(secrets={"api_key": SecretRef("env", "WRONG")}))
    assert outcomes(send(adapter, mail(1), mail(2))) == [(SendOutcome.MISCONFIGURED, "http_401")] * 2
    assert stand_in.summary()["requests"] == 0


def test_a_key_that_is_refused_stops_the_page_early(
    lab: Lab, stand_in: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRONG", "SG.wrong")
    adapter = build(lab.sendgrid(concurrency=2, secrets={"api_key": SecretRef("env", "WRONG")}))
    results = send(adapter, *(mail(number, text=f"{number} " * 9000) for number in range(60)))
    assert {one.outcome for one in results} == {SendOutcome.MISCONFIGURED}
    assert {one.code for one in results} == {"http_401", "given_up"}
    assert stand_in.summary()["refusals"]["unauthorized"] < 20


def test_options_that_do_not_fit_are_faults(lab: Lab) -> None:
    with pytest.raises(ConfigurationFault, match=r"options\.from_email: is missing"):
        build(msgspec.structs.replace(lab.sendgrid(), options={}))


@pytest.mark.parametrize(
    "address", ["The Shop <shop@example.com>", "shop", "a@example.com, b@example.com", "ü@example.com"]
)
def test_a_sender_that_is_no_address_is_a_fault_and_not_every_mails(lab: Lab, address: str) -> None:
    account = lab.sendgrid()
    account.options["from_email"] = address
    with pytest.raises(ConfigurationFault, match=r"options\.from_email: must be one address"):
        build(account)
