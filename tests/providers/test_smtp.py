from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from channels.errors import ConfigurationFault
from channels.rules.accounts import Account, SecretRef
from channels.vocabulary import EmailMessage, ReceiptKind, SendOutcome, SendResult
from tests.providers.conformance import RemoteConformance, build, delivery_id, soon
from tests.providers.conftest import Lab
from tests.providers.peers import Peer, cut


def mail(number: int, **changes: Any) -> EmailMessage:
    declared: dict[str, Any] = {
        "id": delivery_id(number),
        "to": f"alice{number}@example.com",
        "subject": "Hello",
        "text": "plain words",
    }
    return EmailMessage(**{**declared, **changes})


class TestSmtp(RemoteConformance):
    scheme: ClassVar[str] = "smtp"
    private = ("alice", "plain words")

    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        return lab.smtp()

    def message(self, number: int, text: str = "plain words") -> EmailMessage:
        return mail(number, text=text)


class TestSmtpOneConnection(TestSmtp):
    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        return lab.smtp(concurrency=1)


@pytest.fixture
def smtp(lab: Lab) -> Iterator[Any]:
    adapter = build(lab.smtp(timeout_seconds=0.5, concurrency=1))
    yield adapter
    adapter.close()


def send(adapter: Any, *messages: EmailMessage) -> list[SendResult]:
    results: list[SendResult] = adapter.send_many(messages, deadline=soon())
    return results


def mails_in(folder: Path) -> list[Any]:
    return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in sorted(folder.iterdir())]


def test_a_mail_arrives_with_its_words_its_headers_and_our_id(lab: Lab, smtp: Any) -> None:
    unsubscribe = {"List-Unsubscribe": "<https://example.com/u/1>"}
    (result,) = send(smtp, mail(1, subject="Grüße", text="..dots\n.\nend", html="<b>ü</b>", headers=unsubscribe))
    (found,) = mails_in(lab.mail_folder)
    assert result.outcome is SendOutcome.ACCEPTED
    assert (found["To"], found["Subject"], found["List-Unsubscribe"]) == (
        "alice1@example.com",
        "Grüße",
        "<https://example.com/u/1>",
    )
    assert found["Message-ID"] == f"<{delivery_id(1)}@example.com>"
    assert found.get_body(("plain",)).get_content().replace("\r\n", "\n") == "..dots\n.\nend\n"


@pytest.mark.parametrize(
    ("word", "outcome", "code"),
    [
        ("unknown", SendOutcome.BAD_RECIPIENT, "550 5.1.1"),
        ("disabled", SendOutcome.BAD_RECIPIENT, "550 5.2.1"),
        ("full", SendOutcome.TRANSIENT, "452 4.2.2"),
        ("later", SendOutcome.TRANSIENT, "451 4.3.0"),
        ("greylisted", SendOutcome.TRANSIENT, "450 4.2.0"),
        ("busy", SendOutcome.THROTTLED, "421 4.7.0"),
        ("policy", SendOutcome.BAD_MESSAGE, "554 5.7.1"),
        ("relay", SendOutcome.MISCONFIGURED, "550 5.7.1"),
        ("large", SendOutcome.BAD_MESSAGE, "552 5.3.4"),
        ("drop", SendOutcome.AMBIGUOUS, "connection_lost"),
        ("hang", SendOutcome.AMBIGUOUS, "timeout"),
    ],
)
def test_a_refused_recipient_costs_its_own_mail_only(
    lab: Lab, smtp: Any, word: str, outcome: SendOutcome, code: str
) -> None:
    before, refused, after = send(smtp, mail(1), mail(2, to=f"lab-{word}@example.com"), mail(3))
    assert (refused.outcome, refused.code) == (outcome, code)
    assert (before.outcome, after.outcome) == (SendOutcome.ACCEPTED, SendOutcome.ACCEPTED)
    assert refused.receipt is (ReceiptKind.SOFT_BOUNCED if word == "full" else None)


def test_a_mail_that_would_inject_a_header_is_refused_before_it_leaves(lab: Lab, smtp: Any) -> None:
    results = send(smtp, mail(1, subject="Hi\r\nBcc: eve@example.com"), mail(2))
    assert [(one.outcome, one.code) for one in results] == [
        (SendOutcome.BAD_MESSAGE, "header_injection"),
        (SendOutcome.ACCEPTED, ""),
    ]
    assert len(mails_in(lab.mail_folder)) == 1


def test_a_page_is_shared_by_connections_and_each_mail_arrives_once(lab: Lab) -> None:
    adapter = build(lab.smtp(concurrency=4))
    results = send(adapter, *(mail(number) for number in range(200)))
    adapter.close()
    assert {one.outcome for one in results} == {SendOutcome.ACCEPTED}
    addresses = [found["To"] for found in mails_in(lab.mail_folder)]
    assert sorted(addresses) == sorted(f"alice{number}@example.com" for number in range(200))


def test_a_wrong_password_is_misconfigured_for_all(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WRONG", "wrong")
    adapter = build(lab.smtp(secrets={"password": SecretRef("env", "WRONG")}))
    results = send(adapter, mail(1), mail(2))
    assert [(one.outcome, one.code) for one in results] == [(SendOutcome.MISCONFIGURED, "535 5.7.8")] * 2


def test_a_certificate_nobody_vouches_for_stops_the_mail(lab: Lab) -> None:
    adapter = build(lab.smtp(ca_file=""))
    assert [(one.outcome, one.code) for one in send(adapter, mail(1))] == [(SendOutcome.TRANSIENT, "tls_failed")]
    assert mails_in(lab.mail_folder) == []


def test_an_international_address_goes_where_it_is_understood(lab: Lab, smtp: Any) -> None:
    assert send(smtp, mail(1, to="ünï@example.com"))[0].outcome is SendOutcome.ACCEPTED


class Script(Peer):
    """An SMTP server that says what it is told, line by line; `eof` or `rst` ends the connection."""

    def __init__(self, *lines: str) -> None:
        self._lines = lines
        self.heard: list[bytes] = []
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        for line in self._lines:
            if line in {"eof", "rst"}:
                cut(connection, reset=line == "rst")
                return
            connection.sendall(line.encode() + b"\r\n")
            if line.startswith("354"):
                while stream.readline() not in {b".\r\n", b""}:
                    pass
            else:
                self.heard.append(stream.readline())
        connection.recv(1)


OPENING = ("220 hello", "250-script\r\n250 8BITMIME")


@pytest.fixture
def scripted(lab: Lab) -> Iterator[Callable[..., tuple[Script, Any]]]:
    opened: list[Any] = []

    def start(*lines: str) -> tuple[Script, Any]:
        peer = Script(*lines)
        adapter = build(plain(lab, f"smtp://127.0.0.1:{peer.port}"))
        opened.extend((adapter, peer))
        return peer, adapter

    yield start
    for one in opened:
        one.close()


def plain(lab: Lab, base_url: str) -> Account:
    """No TLS, no login, one connection."""
    options = {"from_email": "news@example.com", "starttls": False}
    return msgspec.structs.replace(
        lab.smtp(), name=base_url, base_url=base_url, options=options, secrets={}, concurrency=1, timeout_seconds=0.5
    )


@pytest.mark.parametrize(
    ("lines", "outcome", "code"),
    [
        (("421 4.3.2 too busy",), SendOutcome.THROTTLED, "421 4.3.2"),
        (("554 5.7.1 go away",), SendOutcome.TRANSIENT, "554 5.7.1"),
        (("eof",), SendOutcome.TRANSIENT, "connect_failed"),
        ((*OPENING, "550 5.1.0 sender rejected"), SendOutcome.MISCONFIGURED, "550 5.1.0"),
        ((*OPENING, "530 5.7.0 authentication required"), SendOutcome.MISCONFIGURED, "530 5.7.0"),
        ((*OPENING, "250 ok", "eof"), SendOutcome.TRANSIENT, "connection_lost"),
        ((*OPENING, "250 ok", "250 ok", "rst"), SendOutcome.TRANSIENT, "connection_lost"),
        ((*OPENING, "250 ok", "250 ok", "451 4.3.0 no"), SendOutcome.TRANSIENT, "451 4.3.0"),
        ((*OPENING, "250 ok", "250 ok", "354 go", "eof"), SendOutcome.AMBIGUOUS, "connection_lost"),
        ((*OPENING, "250 ok", "250 ok", "354 go", "554 5.6.0 virus"), SendOutcome.BAD_MESSAGE, "554 5.6.0"),
        ((*OPENING, "250 ok", "250 ok", "354 go", "550 5.1.1 no"), SendOutcome.BAD_RECIPIENT, "550 5.1.1"),
        ((*OPENING, "nonsense"), SendOutcome.TRANSIENT, "connection_lost"),
        (("x" * 9000,), SendOutcome.TRANSIENT, "500"),
    ],
)
def test_every_step_of_the_conversation_may_fail(
    scripted: Callable[..., tuple[Script, Any]], lines: tuple[str, ...], outcome: SendOutcome, code: str
) -> None:
    _, adapter = scripted(*lines)
    (result,) = send(adapter, mail(1))
    assert (result.outcome, result.code) == (outcome, code)


def test_a_server_without_starttls_gets_no_mail(lab: Lab) -> None:
    peer = Script(*OPENING)
    adapter = build(lab.smtp(name="clear", base_url=f"smtp://127.0.0.1:{peer.port}"))
    (result,) = send(adapter, mail(1))
    peer.close()
    assert (result.outcome, result.code) == (SendOutcome.MISCONFIGURED, "tls_or_login_not_offered")
    assert not any(line.startswith(b"MAIL") for line in peer.heard)


def test_a_kept_connection_the_server_had_closed_is_opened_again(lab: Lab) -> None:
    peer = Script(*OPENING, "250 ok", "250 ok", "354 go", "250 queued", "eof")
    adapter = build(plain(lab, f"smtp://127.0.0.1:{peer.port}"))
    outcomes = [send(adapter, mail(number))[0].outcome for number in range(3)]
    adapter.close()
    peer.close()
    assert outcomes == [SendOutcome.ACCEPTED] * 3
    assert peer.connections == 3


def test_a_server_that_never_greets_costs_one_time_out_not_one_for_each_mail(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        adapter = build(plain(lab, f"smtp://127.0.0.1:{mute.getsockname()[1]}"))
        started = time.monotonic()
        results = send(adapter, *(mail(number) for number in range(50)))
    assert {(one.outcome, one.code) for one in results} == {(SendOutcome.TRANSIENT, "connect_failed")}
    assert time.monotonic() - started < 4


@pytest.mark.parametrize(
    ("options", "base_url", "key"),
    [
        ({"from_email": "a@example.com", "username": "u", "starttls": False}, "smtp://mail.example.com", "starttls"),
        ({"from_email": "a@example.com"}, "smtp://mail.example.com", "username"),
        ({"username": "u"}, "smtp://mail.example.com", "from_email"),
        ({"from_email": "a@example.com", "username": "u", "bcc": "x"}, "smtp://mail.example.com", "bcc"),
        ({"from_email": "a@example.com", "username": "u", "starttls": "yes"}, "smtp://mail.example.com", "starttls"),
    ],
)
def test_options_that_do_not_fit_are_faults(lab: Lab, options: dict[str, Any], base_url: str, key: str) -> None:
    with pytest.raises(ConfigurationFault, match=rf"options\.{key}"):
        build(lab.smtp(options=options, base_url=base_url))


@pytest.mark.parametrize(
    "address", ["The Shop <shop@example.com>", "shop", "a@example.com, b@example.com", "ü@example.com"]
)
def test_a_sender_that_is_no_address_is_a_fault_and_not_every_mails(lab: Lab, address: str) -> None:
    account = lab.smtp()
    account.options["from_email"] = address
    with pytest.raises(ConfigurationFault, match=r"options\.from_email: must be one address"):
        build(account)
