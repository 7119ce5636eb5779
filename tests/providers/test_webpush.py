from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import http_ece
import msgspec
import pytest
import pywebpush
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02

from channels.errors import ConfigurationFault
from channels.rules.accounts import Account, SecretRef
from channels.vocabulary import Platform, PushMessage, SendOutcome, SendResult
from config.lab.ledger import content_hash
from tests.providers.conformance import HttpConformance, build, delivery_id, soon
from tests.providers.conftest import Lab
from tests.providers.peers import HttpPeer, dead_port, http_answer


def unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Browser:
    """A browser that reads what is sent to a URL of the test's choosing."""

    def __init__(self, endpoint: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.auth = b"0123456789abcdef"
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.subscription = {"endpoint": endpoint, "keys": {"p256dh": unpadded(point), "auth": unpadded(self.auth)}}

    def read(self, body: bytes) -> dict[str, Any]:
        """What its service worker gets."""
        plain = http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        told: dict[str, Any] = json.loads(plain)
        return told


def push(number: int, subscription: dict[str, Any], **changes: Any) -> PushMessage:
    declared: dict[str, Any] = {
        "id": delivery_id(number),
        "token": json.dumps(subscription),
        "platform": Platform.WEB,
        "title": "Hello",
        "body": "plain words",
    }
    return PushMessage(**{**declared, **changes})


class SecurePeer(HttpPeer):
    """An HTTP/1.1 server with the lab's certificate."""

    def __init__(self, act: Callable[[int], bytes | str], folder: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "leaf.pem", folder / "leaf.key")
        super().__init__(act)

    @property
    def base_url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def serve(self, connection: Any) -> None:
        with self._context.wrap_socket(connection, server_side=True) as tls:
            super().serve(tls)


class TestWebPush(HttpConformance):
    private: ClassVar[tuple[str, ...]] = ("/push/", "plain words", "PRIVATE KEY", "vapid t=")
    #: Where messages go; the lab's browser, unless a case puts a peer there.
    subscription: dict[str, Any]

    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        lab.at("webpush")
        self.subscription = lab.browser()
        return lab.webpush()

    def message(self, number: int, text: str = "plain words") -> PushMessage:
        return push(number, self.subscription, body=text)

    def answers_to(self, account: Account, answer: bytes | str) -> list[SendResult]:
        peer = SecurePeer(lambda _: answer, Path(account.ca_file).parent)
        self.subscription = {**self.subscription, "endpoint": f"{peer.base_url}/push/1"}
        options = {**account.options, "allow_hosts": [peer.host]}
        adapter = build(msgspec.structs.replace(account, name="mad", options=options, timeout_seconds=0.5))
        results: list[SendResult] = adapter.send_many(self.page(3), deadline=soon())
        adapter.close()
        peer.close()
        assert [result.id for result in results] == [message.id for message in self.page(3)]
        return results

    @pytest.mark.parametrize("ending", ["rst", "eof", "silent"])
    def test_no_answer_at_all_is_ambiguous(self, account: Account, ending: str) -> None:
        first, *others = self.answers_to(account, ending)
        assert first.outcome is SendOutcome.AMBIGUOUS
        # While it is not known whether the first connection carries several, the others wait, and were not sent.
        assert {one.outcome for one in others} <= {SendOutcome.AMBIGUOUS, SendOutcome.TRANSIENT}

    def test_a_provider_that_is_down_accepts_nothing_and_raises_nothing(self, account: Account) -> None:
        port = dead_port()
        self.subscription = {**self.subscription, "endpoint": f"https://127.0.0.1:{port}/push/1"}
        options = {**account.options, "allow_hosts": [f"127.0.0.1:{port}"]}
        adapter = build(msgspec.structs.replace(account, name="down", options=options))
        started = time.monotonic()
        results = adapter.send_many(self.page(200), deadline=soon())
        adapter.close()
        assert {result.outcome for result in results} == {SendOutcome.TRANSIENT}
        assert time.monotonic() - started < 5


@pytest.fixture
def webpush(lab: Lab) -> Iterator[Any]:
    lab.at("webpush")
    adapter = build(lab.webpush(timeout_seconds=1.0))
    yield adapter
    adapter.close()


def send(adapter: Any, *messages: PushMessage) -> list[SendResult]:
    results: list[SendResult] = adapter.send_many(messages, deadline=soon())
    return results


def test_each_browser_reads_its_own_message(lab: Lab, webpush: Any) -> None:
    page = [push(number, lab.browser(), title=f"Hello {number}") for number in range(60)]
    results = send(webpush, *page)
    ledger = lab.at_work("webpush").ledger()
    assert {result.outcome for result in results} == {SendOutcome.ACCEPTED}
    assert {entry[0] for entry in ledger.values()} == {1}
    assert ledger[str(page[5].id)][2] == content_hash("Hello 5", "plain words")
    assert results[5].provider_message_id == f"{page[5].id}-1"


@pytest.mark.parametrize(
    ("word", "outcome", "code"),
    [
        ("bad_request", SendOutcome.BAD_MESSAGE, "errno_111"),
        ("bad_crypto", SendOutcome.BAD_MESSAGE, "errno_110"),
        ("bad_topic", SendOutcome.BAD_MESSAGE, "errno_113"),
        ("unauthorized", SendOutcome.BAD_RECIPIENT, "vapid_refused"),
        ("forbidden", SendOutcome.BAD_RECIPIENT, "vapid_refused"),
        ("not_found", SendOutcome.BAD_RECIPIENT, "errno_102"),
        ("gone", SendOutcome.BAD_RECIPIENT, "errno_105"),
        ("no_bridge_user", SendOutcome.BAD_RECIPIENT, "errno_106"),
        ("too_large", SendOutcome.BAD_MESSAGE, "errno_104"),
        ("too_many", SendOutcome.THROTTLED, "errno_201"),
        ("backoff", SendOutcome.TRANSIENT, "errno_201"),
        ("retry", SendOutcome.TRANSIENT, "errno_202"),
        ("bridge", SendOutcome.TRANSIENT, "errno_901"),
        ("server_error", SendOutcome.TRANSIENT, "errno_999"),
        ("bad_gateway", SendOutcome.AMBIGUOUS, "http_502"),
        ("redirect", SendOutcome.MISCONFIGURED, "http_307"),
        ("html", SendOutcome.AMBIGUOUS, "http_200"),
        ("accepted_later", SendOutcome.ACCEPTED, ""),
    ],
)
def test_each_answer_of_the_table_has_its_class(
    lab: Lab, webpush: Any, word: str, outcome: SendOutcome, code: str
) -> None:
    refused, fine = send(webpush, push(1, lab.browser(answer=word)), push(2, lab.browser()))
    assert (refused.outcome, refused.code, fine.outcome) == (outcome, code, SendOutcome.ACCEPTED)


def test_a_limit_concerns_one_subscription_only(lab: Lab, webpush: Any) -> None:
    (limited,) = send(webpush, push(1, lab.browser(answer="too_many")))
    assert (limited.address_only, limited.retry_after_seconds) == (True, 60.0)


def test_a_subscription_made_with_another_key_is_that_one_s_fault(lab: Lab, webpush: Any) -> None:
    foreign, own = lab.browser(applicationServerKey="BAnother"), lab.places["webpush"]["application_server_key"]
    results = send(webpush, push(1, foreign), push(2, lab.browser(applicationServerKey=own)))
    assert [one.outcome for one in results] == [SendOutcome.BAD_RECIPIENT, SendOutcome.ACCEPTED]
    assert send(webpush, push(3, foreign))[0].outcome is SendOutcome.BAD_RECIPIENT


def test_a_key_that_a_push_service_refuses_for_all_is_ours_to_mend(lab: Lab, webpush: Any) -> None:
    page = [push(number, lab.browser(applicationServerKey="BAnother")) for number in range(5)]
    assert {one.outcome for one in send(webpush, *page)} == {SendOutcome.MISCONFIGURED}


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://push.example.com/x",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/x",
        "https://evil.com/.push.apple.com",
        "https://evil.com#.push.apple.com",
        "https://xpush.apple.com/x",
        "https://fcm.googleapis.com.evil.com/x",
        "https://fcm.googleapis.com:8443/x",
    ],
)
def test_a_host_that_is_not_allowed_is_never_connected_to(lab: Lab, endpoint: str) -> None:
    usual = {"subject": lab.places["webpush"]["subject"]}
    adapter = build(lab.webpush(name="usual", options=usual))
    (result,) = send(adapter, push(1, Browser(endpoint).subscription))
    adapter.close()
    assert (result.outcome, result.code, result.latency_ms) == (SendOutcome.BAD_MESSAGE, "host_not_allowed", 0.0)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://fcm.googleapis.com/x",
        "https://user@fcm.googleapis.com/x",
        "https://evil.com\\@fcm.googleapis.com/x",
        "https://evil.com\\.push.apple.com/x",
        "https://fcm.googleapis.com/ä",
        "https://fcm.googleapis.com/a b",
        "https://fcm.googleapis.com:99999/x",
        "https:///x",
        "file:///etc/passwd",
    ],
)
def test_what_is_no_plain_https_url_is_no_subscription(webpush: Any, endpoint: str) -> None:
    (result,) = send(webpush, push(1, Browser(endpoint).subscription))
    assert (result.outcome, result.code) == (SendOutcome.BAD_RECIPIENT, "unusable_subscription")


def test_a_name_that_leads_into_our_network_is_not_connected_to(lab: Lab) -> None:
    port = lab.places["webpush"]["allow_hosts"][0].partition(":")[2]
    options = {"subject": "mailto:lab@example.com", "allow_hosts": [f"ip6-localhost:{port}", f"*.localhost:{port}"]}
    adapter = build(lab.webpush(name="rebound", options=options))
    results = send(adapter, push(1, Browser(f"https://x.localhost:{port}/push/x").subscription))
    adapter.close()
    assert [(one.outcome, one.code) for one in results] == [(SendOutcome.TRANSIENT, "address_refused")]


@pytest.mark.parametrize("token", ["", "null", "[]", "{}", '{"endpoint": 7}', "no json", '{"endpoint": "https://a"}'])
def test_a_token_that_is_no_subscription_costs_only_itself(lab: Lab, webpush: Any, token: str) -> None:
    bad, fine = send(webpush, push(1, {}, token=token), push(2, lab.browser()))
    assert (bad.outcome, bad.code) == (SendOutcome.BAD_RECIPIENT, "unusable_subscription")
    assert fine.outcome is SendOutcome.ACCEPTED


def test_a_public_key_that_is_no_point_is_no_subscription(lab: Lab, webpush: Any) -> None:
    broken = lab.browser()
    broken["keys"]["p256dh"] = unpadded(b"\x04" + bytes(64))
    (result,) = send(webpush, push(1, broken))
    assert (result.outcome, result.code) == (SendOutcome.BAD_RECIPIENT, "unusable_subscription")


def seen(lab: Lab, message: Callable[[dict[str, Any]], PushMessage]) -> tuple[dict[str, Any], dict[str, str], str]:
    """What the browser read, the headers, and the origin, of the one request a message makes."""
    peer = SecurePeer(lambda _: http_answer(201, b"", "Location: /m/1"), lab.folder)
    browser = Browser(f"{peer.base_url}/push/1")
    options = {"subject": "mailto:lab@example.com", "allow_hosts": [peer.host]}
    adapter = build(lab.webpush(name="looked-at", options=options))
    assert send(adapter, message(browser.subscription))[0].outcome is SendOutcome.ACCEPTED
    adapter.close()
    peer.close()
    headers, body = peer.calls[0]
    return browser.read(body), headers, peer.base_url


def test_a_service_worker_gets_every_part(lab: Lab) -> None:
    rich: dict[str, Any] = {
        "image_url": "https://example.com/i.png",
        "action_url": "https://example.com/o/1",
        "actions": [{"id": "track", "title": "Track", "url": "https://example.com/t/1"}],
        "data": {"order_id": "1"},
        "badge": 0,
        "collapse_key": "order:1",
        "urgent": True,
    }
    told, headers, _ = seen(lab, lambda subscription: push(1, subscription, **rich, expires_at=time.time() + 100))
    assert told == {
        "id": str(delivery_id(1)),
        "title": "Hello",
        "body": "plain words",
        "image": "https://example.com/i.png",
        "url": "https://example.com/o/1",
        "actions": rich["actions"],
        "data": {"order_id": "1"},
        "tag": "order:1",
        "badge": 0,
    }
    assert headers["ttl"] in {"99", "100"}
    assert (headers["urgency"], headers["content-encoding"]) == ("high", "aes128gcm")
    assert len(headers["topic"]) == 32


def test_a_message_without_end_is_kept_four_weeks(lab: Lab) -> None:
    _, headers, _ = seen(lab, lambda subscription: push(1, subscription))
    assert (headers["ttl"], headers["urgency"], "topic" in headers) == ("2419200", "normal", False)


def test_py_vapid_takes_our_word_for_who_we_are(lab: Lab) -> None:
    _, headers, origin = seen(lab, lambda subscription: push(1, subscription))
    assert Vapid02.verify(headers["authorization"])
    claims = json.loads(base64.urlsafe_b64decode(headers["authorization"].split(".")[1] + "=="))
    assert (claims["aud"], claims["sub"]) == (origin, "mailto:lab@example.com")
    assert 6 * 3600 <= claims["exp"] - time.time() <= 12 * 3600 + 1


def test_the_stand_in_reads_what_pywebpush_sends(lab: Lab) -> None:
    place, told = lab.places["webpush"], {"id": str(delivery_id(7)), "title": "Hello", "body": "from elsewhere"}
    with requests.Session() as session:
        session.trust_env = False
        session.verify = lab.places["ca_file"]
        answer = pywebpush.webpush(
            lab.browser(applicationServerKey=place["application_server_key"]),
            data=json.dumps(told),
            vapid_private_key=place["vapid_private_key_file"],
            vapid_claims={"sub": place["subject"]},
            ttl=60,
            requests_session=session,
        )
    assert answer.status_code == 201
    assert lab.at_work("webpush").ledger()[told["id"]][2] == content_hash("Hello", "from elsewhere")


def test_a_token_is_made_once_for_an_origin_and_alike_in_every_process(lab: Lab) -> None:
    one, other = build(lab.webpush()), build(lab.webpush(name="other"))
    now = time.time()
    header = one._vapid.header("https://push.example.com", now)
    assert one._vapid.header("https://push.example.com", now) is header
    assert other._vapid.header("https://push.example.com", now) == header
    assert one._vapid.header("https://other.example.com", now) != header
    assert one._vapid.header("https://push.example.com", now + 6 * 3600) != header


@pytest.mark.parametrize(
    ("options", "cure"),
    [
        ({"subject": "lab@example.com"}, r"options\.subject: must be such as mailto:"),
        ({"subject": "mailto:a@b.c", "allow_hosts": []}, r"options\.allow_hosts: must be a list of texts"),
        ({"subject": "mailto:a@b.c", "allow_hosts": "fcm.googleapis.com"}, r"allow_hosts: must be a list of texts"),
        ({"subject": "mailto:a@b.c", "allow_hosts": ["https://x.com/"]}, r"allow_hosts: must be a list of hosts"),
        ({"subject": "mailto:a@b.c", "allow_hosts": ["*"]}, r"allow_hosts: must be a list of hosts"),
        ({}, r"options\.subject: is missing"),
    ],
)
def test_an_option_that_cannot_be_meant_is_a_fault(lab: Lab, options: dict[str, Any], cure: str) -> None:
    with pytest.raises(ConfigurationFault, match=cure):
        build(lab.webpush(options=options))


def test_a_secret_that_is_no_key_is_a_fault_that_does_not_show_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAPID_KEY", "not-a-key")
    with pytest.raises(ConfigurationFault, match=r"secrets\.vapid_private_key: is not a private key in PEM") as fault:
        build(lab.webpush(secrets={"vapid_private_key": SecretRef("env", "VAPID_KEY")}))
    assert "not-a-key" not in str(fault.value)
