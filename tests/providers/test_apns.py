from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from channels import policy
from channels.errors import ConfigurationFault
from channels.rules import es256
from channels.rules.accounts import Account, SecretRef
from channels.vocabulary import Platform, PushMessage, SendOutcome, SendResult
from config.lab.ledger import content_hash
from tests.providers.conformance import HttpConformance, build, delivery_id, soon
from tests.providers.conftest import ROOT, Lab
from tests.providers.peers import Http2Peer

TOKEN = "ab12" * 16
MINUTE = 60


def push(number: int, **changes: Any) -> PushMessage:
    declared: dict[str, Any] = {
        "id": delivery_id(number),
        "token": f"{TOKEN}{number:08x}",
        "platform": Platform.IOS,
        "title": "Hello",
        "body": "plain words",
    }
    return PushMessage(**{**declared, **changes})


class TestApns(HttpConformance):
    private = (TOKEN, "plain words", "PRIVATE KEY", "bearer")

    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        return lab.apns()

    def message(self, number: int, text: str = "plain words") -> PushMessage:
        return push(number, body=text)


class TestApnsInCleartext(HttpConformance):
    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        return lab.apns(base_url=lab.places["apns"]["plain_url"])

    def message(self, number: int, text: str = "plain words") -> PushMessage:
        return push(number, body=text)


@pytest.fixture
def apns(lab: Lab) -> Any:
    adapter = build(lab.apns(timeout_seconds=1.0))
    lab.at("apns")
    yield adapter
    adapter.close()


def send(adapter: Any, *messages: PushMessage) -> list[SendResult]:
    results: list[SendResult] = adapter.send_many(messages, deadline=soon())
    return results


def outcomes(results: list[SendResult]) -> set[SendOutcome]:
    return {result.outcome for result in results}


def test_the_ledger_has_each_delivery_once_with_its_words(lab: Lab, apns: Any) -> None:
    page = [push(number, title=f"Hello {number}") for number in range(700)]
    results = send(apns, *page)
    ledger = lab.at_work("apns").ledger()
    assert outcomes(results) == {SendOutcome.ACCEPTED}
    assert {entry[0] for entry in ledger.values()} == {1}
    assert ledger[str(page[5].id)][1:3] == [page[5].token, content_hash("Hello 5", "plain words")]
    assert [result.provider_message_id for result in results] == [str(message.id) for message in page]


REASONS = {
    "BadDeviceToken": SendOutcome.BAD_RECIPIENT,
    "DeviceTokenNotForTopic": SendOutcome.BAD_RECIPIENT,
    "Unregistered": SendOutcome.BAD_RECIPIENT,
    "ExpiredToken": SendOutcome.BAD_RECIPIENT,
    "BadCollapseId": SendOutcome.BAD_MESSAGE,
    "BadExpirationDate": SendOutcome.BAD_MESSAGE,
    "BadMessageId": SendOutcome.BAD_MESSAGE,
    "BadPath": SendOutcome.BAD_MESSAGE,
    "BadPriority": SendOutcome.BAD_MESSAGE,
    "DuplicateHeaders": SendOutcome.BAD_MESSAGE,
    "InvalidPushType": SendOutcome.BAD_MESSAGE,
    "MethodNotAllowed": SendOutcome.BAD_MESSAGE,
    "MissingDeviceToken": SendOutcome.BAD_MESSAGE,
    "PayloadEmpty": SendOutcome.BAD_MESSAGE,
    "PayloadTooLarge": SendOutcome.BAD_MESSAGE,
    "BadTopic": SendOutcome.MISCONFIGURED,
    "MissingTopic": SendOutcome.MISCONFIGURED,
    "TopicDisallowed": SendOutcome.MISCONFIGURED,
    "BadCertificate": SendOutcome.MISCONFIGURED,
    "BadCertificateEnvironment": SendOutcome.MISCONFIGURED,
    "ExpiredProviderToken": SendOutcome.MISCONFIGURED,
    "Forbidden": SendOutcome.MISCONFIGURED,
    "InvalidProviderToken": SendOutcome.MISCONFIGURED,
    "MissingProviderToken": SendOutcome.MISCONFIGURED,
    "TooManyProviderTokenUpdates": SendOutcome.THROTTLED,
    "TooManyRequests": SendOutcome.THROTTLED,
    "IdleTimeout": SendOutcome.TRANSIENT,
    "InternalServerError": SendOutcome.TRANSIENT,
    "ServiceUnavailable": SendOutcome.TRANSIENT,
    "Shutdown": SendOutcome.TRANSIENT,
    "SomethingNew": SendOutcome.BAD_MESSAGE,
}


@pytest.mark.parametrize(("reason", "outcome"), REASONS.items())
def test_each_reason_of_the_table_has_its_class(apns: Any, reason: str, outcome: SendOutcome) -> None:
    fine, refused = send(apns, push(1), push(2, token=f"lab-{reason}-1"))
    assert fine.outcome is SendOutcome.ACCEPTED
    assert (refused.outcome, refused.code) == (outcome, reason)
    assert send(apns, push(3))[0].outcome is SendOutcome.ACCEPTED


def test_a_device_token_of_another_shape_is_refused_by_apple_and_costs_only_itself(apns: Any) -> None:
    strange = ["fcm:APA91b_x/y", "../../3/device", "%00%0d%0a", "a b", "ä" * 30, "x" * 4096]
    results = send(apns, *(push(number, token=token) for number, token in enumerate(strange)), push(99))
    assert [one.code for one in results] == ["BadDeviceToken"] * len(strange) + [""]


def test_gone_says_since_when_in_seconds(apns: Any) -> None:
    then, now = send(apns, push(1, token="lab-Unregistered-at1700000000-1"), push(2, token="lab-ExpiredToken-1"))
    assert then.gone_since == 1_700_000_000.0
    assert now.gone_since == pytest.approx(time.time(), abs=5)
    assert send(apns, push(3, token="lab-BadDeviceToken-1"))[0].gone_since is None


def test_too_many_requests_concern_one_device_only(apns: Any) -> None:
    (one,) = send(apns, push(1, token="lab-TooManyRequests-1"))
    assert (one.address_only, one.retry_after_seconds) == (True, 60.0)


def test_many_tokens_of_the_other_environment_are_our_mistake_not_dead_devices(apns: Any) -> None:
    mixed = [push(number, token=f"lab-BadDeviceToken-{number}") for number in range(12)]
    results = send(apns, *mixed, *(push(number) for number in range(12, 100)))
    assert {one.outcome for one in results[:12]} == {SendOutcome.MISCONFIGURED}
    assert {one.outcome for one in results[12:]} == {SendOutcome.ACCEPTED}


def test_a_few_bad_tokens_and_any_number_of_gone_devices_are_dead_devices(apns: Any) -> None:
    few = [push(number, token=f"lab-BadDeviceToken-{number}") for number in range(5)]
    gone = [push(number, token=f"lab-Unregistered-{number}") for number in range(5, 100)]
    assert outcomes(send(apns, *few, *gone)) == {SendOutcome.BAD_RECIPIENT}


def test_a_key_refused_in_the_middle_of_a_page_ends_it_there(lab: Lab) -> None:
    adapter = build(lab.apns(concurrency=20))
    control = lab.at("apns")
    assert outcomes(send(adapter, push(0))) == {SendOutcome.ACCEPTED}
    control.tell("__faults", faults=[{"answer": "InvalidProviderToken"}])
    results = send(adapter, *(push(number) for number in range(1, 401)))
    adapter.close()
    assert outcomes(results) == {SendOutcome.MISCONFIGURED}
    assert {one.code for one in results} == {"InvalidProviderToken", "given_up"}
    assert control.summary()["refusals"]["InvalidProviderToken"] <= 40


def be_in_the_half(half: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make now lie in the first or second half of a token's time."""
    since = int(time.time()) - MINUTE

    def place(step: int) -> int:
        return 2 * (since - es256.on_grid(since, step_seconds=step, name="LABKEY0001")) // step

    steps = (step for step in range(2700, 1300, -2) if place(step) == half == place(step - 60))
    monkeypatch.setattr(policy, "APNS_TOKEN_SECONDS", next(steps))


def test_an_expired_token_is_replaced_once_and_the_page_goes_on(
    lab: Lab, apns: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_in_the_half(1, monkeypatch)
    usual = apns._tokens.usual(time.time())
    lab.at_work("apns").tell("__faults", faults=[{"answer": "ExpiredProviderToken", "count": 1}])
    results = send(apns, *(push(number) for number in range(50)))
    assert outcomes(results) == {SendOutcome.ACCEPTED}
    assert apns._tokens.usual(time.time()) != usual
    assert {entry[0] for entry in lab.at_work("apns").ledger().values()} == {1}


@pytest.mark.parametrize("half", [0, 1])
def test_a_token_that_stays_expired_is_misconfigured(
    lab: Lab, apns: Any, monkeypatch: pytest.MonkeyPatch, half: int
) -> None:
    be_in_the_half(half, monkeypatch)
    lab.at_work("apns").tell("__faults", faults=[{"answer": "ExpiredProviderToken"}])
    results = send(apns, *(push(number) for number in range(50)))
    assert outcomes(results) == {SendOutcome.MISCONFIGURED}
    assert lab.at_work("apns").summary()["refusals"] == {"ExpiredProviderToken": 1 + half}


def test_tokens_that_change_too_often_hold_the_account_and_mint_nothing(lab: Lab, apns: Any) -> None:
    send(apns, push(1))
    held = apns._tokens._token
    lab.at_work("apns").tell("__faults", faults=[{"answer": "TooManyProviderTokenUpdates"}])
    results = send(apns, *(push(number) for number in range(2, 10)))
    assert outcomes(results) == {SendOutcome.THROTTLED}
    assert {one.retry_after_seconds for one in results} == {1200.0}
    assert not any(one.address_only for one in results)
    assert apns._tokens._token == held


def test_the_stand_in_sees_a_token_that_changes_too_often(apns: Any) -> None:
    assert outcomes(send(apns, push(1))) == {SendOutcome.ACCEPTED}
    claims = {"iss": "LABTEAM001", "iat": int(time.time()) - 1}
    apns._tokens._token = es256.signed(apns._tokens._key, header={"kid": "LABKEY0001"}, claims=claims)
    assert send(apns, push(2))[0].code == "TooManyProviderTokenUpdates"


def test_page_after_page_goes_over_one_connection(lab: Lab) -> None:
    folder = lab.folder
    peer = Http2Peer(lambda _: "ok", certificate=folder / "leaf.pem", key=folder / "leaf.key")
    adapter: Any = build(lab.apns(name="looked-at", base_url=peer.base_url))
    for first in (0, 100, 200):
        send(adapter, *(push(number) for number in range(first, first + 100)))
    adapter.close()
    peer.close()
    assert (peer.connections, len(peer.requests)) == (1, 300)


@pytest.mark.parametrize("reason", ["Shutdown", "IdleTimeout", "TooManyProviderTokenUpdates"])
def test_after_apples_last_words_the_next_page_has_a_new_connection(apns: Any, reason: str) -> None:
    before = send(apns, push(1)), apns._transport._multi
    send(apns, push(2, token=f"lab-{reason}-1"))
    after = send(apns, push(3)), apns._transport._multi
    assert outcomes(before[0]) == outcomes(after[0]) == {SendOutcome.ACCEPTED}
    assert before[1] is not after[1]


def test_a_reset_before_or_after_acceptance_is_ambiguous_and_never_sent_twice(lab: Lab, apns: Any) -> None:
    send(apns, push(0))
    control = lab.at_work("apns")
    control.tell("__faults", faults=[{"answer": "reset_after", "count": 1}])
    results = send(apns, *(push(number) for number in range(1, 30)))
    assert SendOutcome.AMBIGUOUS in outcomes(results)
    assert outcomes(results) <= {SendOutcome.AMBIGUOUS, SendOutcome.ACCEPTED}
    assert {entry[0] for entry in control.ledger().values()} == {1}


@pytest.mark.parametrize("content", ["not a key", "", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_a_secret_that_is_no_key_is_a_fault_that_does_not_show_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setenv("APNS_KEY", content or "?")
    with pytest.raises(ConfigurationFault, match=r"secrets\.private_key: is not a private key in PEM") as fault:
        build(lab.apns(secrets={"private_key": SecretRef("env", "APNS_KEY")}))
    assert not content or content not in str(fault.value)


def test_a_key_on_another_curve_is_a_fault(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    key = ec.generate_private_key(ec.SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    monkeypatch.setenv("APNS_KEY", key.decode())
    with pytest.raises(ConfigurationFault, match=r"an elliptic curve key on P-256 is needed"):
        build(lab.apns(secrets={"private_key": SecretRef("env", "APNS_KEY")}))


MINT = """
import sys
from pathlib import Path
from channels.rules import es256
key = es256.private_key(Path(sys.argv[1]).read_text())
issued_at = es256.on_grid(float(sys.argv[2]), step_seconds=2700, name="LABKEY0001")
sys.stdout.write(es256.signed(key, header={"kid": "LABKEY0001"}, claims={"iss": "LABTEAM001", "iat": issued_at}))
"""


def test_two_processes_mint_the_very_same_token(lab: Lab, apns: Any) -> None:
    now = time.time()
    mint = [sys.executable, "-c", MINT, lab.places["apns"]["private_key_file"], str(now - MINUTE)]
    others = [subprocess.run(mint, capture_output=True, check=True, cwd=ROOT, text=True).stdout for _ in range(2)]
    assert others == [apns._tokens.usual(now)] * 2


def test_pyjwt_takes_the_token_for_what_it_should_be(lab: Lab, apns: Any) -> None:
    now = time.time()
    token = apns._tokens.usual(now)
    public = apns._tokens._key.public_key()
    claims = jwt.decode(token, public, algorithms=["ES256"], options={"verify_iat": True})
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "LABKEY0001"}
    assert set(claims) == {"iss", "iat"}
    assert claims["iss"] == "LABTEAM001"
    assert MINUTE <= now - claims["iat"] < 46 * MINUTE + 1


def test_a_token_is_used_for_forty_five_minutes_and_never_an_older_one_after(apns: Any) -> None:
    start = es256.on_grid(time.time(), step_seconds=45 * MINUTE, name="LABKEY0001") + MINUTE
    first = apns._tokens.usual(start)
    assert apns._tokens.usual(start + 45 * MINUTE - 1) == first
    second = apns._tokens.usual(start + 45 * MINUTE)
    assert second != first
    assert apns._tokens.usual(start) == second


def test_a_newer_token_is_as_far_from_the_one_before_as_from_the_next(apns: Any) -> None:
    start = es256.on_grid(time.time(), step_seconds=45 * MINUTE, name="LABKEY0001") + MINUTE
    usual = apns._tokens.usual(start)
    assert apns._tokens.newer(start + 22 * MINUTE) == usual
    newer = apns._tokens.newer(start + 23 * MINUTE)
    assert newer not in {usual, apns._tokens.usual(start + 45 * MINUTE)}
