from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest

from channels.errors import ConfigurationFault
from channels.rules.accounts import Account, SecretRef
from channels.vocabulary import Platform, PushMessage, SendOutcome, SendResult
from config.lab.ledger import content_hash
from tests.providers.conformance import HttpConformance, build, delivery_id, soon
from tests.providers.conftest import Lab
from tests.providers.peers import HttpPeer, http_answer


def push(number: int, **changes: Any) -> PushMessage:
    declared: dict[str, Any] = {
        "id": delivery_id(number),
        "token": f"token-of-alice-{number}",
        "platform": Platform.ANDROID,
        "title": "Hello",
        "body": "plain words",
    }
    return PushMessage(**{**declared, **changes})


class TestFcm(HttpConformance):
    private = ("token-of-alice", "plain words", "PRIVATE KEY", "ya29.")

    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        return lab.fcm()

    def message(self, number: int, text: str = "plain words") -> PushMessage:
        return push(number, body=text)


class TestFcmInCleartext(HttpConformance):
    @pytest.fixture
    def account(self, lab: Lab) -> Account:
        return lab.fcm(base_url=lab.places["fcm"]["plain_url"])

    def message(self, number: int, text: str = "plain words") -> PushMessage:
        return push(number, body=text)


@pytest.fixture
def fcm(lab: Lab) -> Any:
    adapter = build(lab.fcm(timeout_seconds=1.0))
    yield adapter
    adapter.close()


def send(adapter: Any, *messages: PushMessage) -> list[SendResult]:
    results: list[SendResult] = adapter.send_many(messages, deadline=soon())
    return results


def test_the_ledger_has_each_delivery_once_with_its_words(lab: Lab, fcm: Any) -> None:
    page = [push(number, title=f"Hello {number}") for number in range(700)]
    results = send(fcm, *page)
    ledger = lab.ledger()
    assert {result.outcome for result in results} == {SendOutcome.ACCEPTED}
    assert len(ledger) == 700
    assert {entry[0] for entry in ledger.values()} == {1}
    assert ledger[str(page[5].id)][1:3] == [page[5].token, content_hash("Hello 5", "plain words")]
    assert len({result.provider_message_id for result in results}) == 700


@pytest.mark.parametrize(
    ("word", "outcome", "code"),
    [
        ("unregistered", SendOutcome.BAD_RECIPIENT, "UNREGISTERED"),
        ("wrong_project", SendOutcome.MISCONFIGURED, "NOT_FOUND"),
        ("invalid_token", SendOutcome.BAD_RECIPIENT, "INVALID_ARGUMENT"),
        ("invalid_argument", SendOutcome.BAD_MESSAGE, "INVALID_ARGUMENT"),
        ("sender_mismatch", SendOutcome.BAD_RECIPIENT, "SENDER_ID_MISMATCH"),
        ("forbidden", SendOutcome.MISCONFIGURED, "PERMISSION_DENIED"),
        ("unauthenticated", SendOutcome.MISCONFIGURED, "UNAUTHENTICATED"),
        ("apns_key_refused", SendOutcome.MISCONFIGURED, "THIRD_PARTY_AUTH_ERROR"),
        ("quota", SendOutcome.THROTTLED, "QUOTA_EXCEEDED"),
        ("unavailable", SendOutcome.TRANSIENT, "UNAVAILABLE"),
        ("internal", SendOutcome.TRANSIENT, "INTERNAL"),
        ("bad_gateway", SendOutcome.AMBIGUOUS, "unreadable_answer"),
        ("unavailable_html", SendOutcome.TRANSIENT, "unreadable_answer"),
        ("unknown_code", SendOutcome.BAD_MESSAGE, "SOMETHING_NEW"),
    ],
)
def test_each_error_of_the_table_has_its_class(fcm: Any, word: str, outcome: SendOutcome, code: str) -> None:
    refused, fine = send(fcm, push(1, token=f"lab-{word}-1"), push(2))
    assert (refused.outcome, refused.code) == (outcome, code)
    assert fine.outcome is SendOutcome.ACCEPTED


def test_a_quota_without_a_time_waits_the_documented_minute(lab: Lab, fcm: Any) -> None:
    assert send(fcm, push(1, token="lab-quota-1"))[0].retry_after_seconds == 60.0
    lab.script(faults=[{"answer": "quota", "retry_after": "7"}])
    assert send(fcm, push(2))[0].retry_after_seconds == 7.0


def test_a_token_that_ends_early_is_renewed_within_the_page(lab: Lab, fcm: Any) -> None:
    assert send(fcm, push(1))[0].outcome is SendOutcome.ACCEPTED
    lab.script(revoke=True)
    results = send(fcm, *(push(number) for number in range(2, 40)))
    assert {result.outcome for result in results} == {SendOutcome.ACCEPTED}
    assert {entry[0] for entry in lab.ledger().values()} == {1}


def test_a_revoked_key_is_misconfigured_and_nothing_is_sent(lab: Lab, fcm: Any) -> None:
    lab.script(grants="refuse", revoke=True)
    results = send(fcm, push(1), push(2))
    assert [(one.outcome, one.code) for one in results] == [(SendOutcome.MISCONFIGURED, "token_refused")] * 2
    assert lab.summary()["requests"] == 0


def test_a_key_revoked_in_the_middle_leaves_what_was_accepted(lab: Lab, fcm: Any) -> None:
    send(fcm, push(1))
    lab.script(grants="refuse", faults=[{"answer": "unauthenticated", "token_prefix": "late"}])
    accepted, refused = send(fcm, push(2), push(3, token="late-token"))
    assert accepted.outcome is SendOutcome.ACCEPTED
    assert refused.outcome is SendOutcome.MISCONFIGURED


def test_a_token_endpoint_that_is_down_is_transient_and_asked_again_later(lab: Lab, fcm: Any) -> None:
    lab.script(grants="down")
    assert send(fcm, push(1))[0].code == "token_unavailable"
    lab.script()
    assert send(fcm, push(1))[0].outcome is SendOutcome.TRANSIENT
    fcm._tokens._failed_at -= 60
    assert send(fcm, push(1))[0].outcome is SendOutcome.ACCEPTED


def test_a_token_is_fetched_once_and_renewed_after_four_fifths_of_its_life(lab: Lab, fcm: Any) -> None:
    send(fcm, push(1))
    first = fcm._tokens.token()
    assert fcm._tokens.token() == first
    fcm._tokens._renew_at -= 3600 * 0.8
    assert fcm._tokens.token() != first


def test_a_renewal_that_fails_leaves_the_old_token_in_use(lab: Lab, fcm: Any) -> None:
    send(fcm, push(1))
    fcm._tokens._renew_at = time.monotonic() - 1
    lab.script(grants="down")
    assert send(fcm, push(2))[0].outcome is SendOutcome.ACCEPTED


def test_a_reset_before_or_after_acceptance_is_ambiguous_and_never_sent_twice(lab: Lab, fcm: Any) -> None:
    send(fcm, push(0))
    lab.script(faults=[{"answer": "reset_after", "count": 1}])
    results = send(fcm, *(push(number) for number in range(1, 30)))
    outcomes = {result.outcome for result in results}
    assert SendOutcome.AMBIGUOUS in outcomes
    assert outcomes <= {SendOutcome.AMBIGUOUS, SendOutcome.ACCEPTED}
    assert {entry[0] for entry in lab.ledger().values()} == {1}


def test_a_provider_that_never_answers_is_ambiguous(lab: Lab, fcm: Any) -> None:
    lab.script(faults=[{"answer": "hang", "token_prefix": "mute"}])
    mute, fine = send(fcm, push(1, token="mute-1"), push(2))
    assert (mute.outcome, mute.code, fine.outcome) == (SendOutcome.AMBIGUOUS, "timeout", SendOutcome.ACCEPTED)


def test_many_tokens_of_another_sender_are_our_mistake_not_dead_devices(fcm: Any) -> None:
    page = [push(number, token=f"lab-sender_mismatch-{number}") for number in range(20)]
    assert {result.outcome for result in send(fcm, *page)} == {SendOutcome.MISCONFIGURED}


def body_sent(lab: Lab, message: PushMessage, **changes: Any) -> dict[str, Any]:
    """The body of the one request a message makes."""
    peer = HttpPeer(lambda _: http_answer(200, b'{"name": "projects/p/messages/1"}'))
    adapter = build(lab.fcm(name=f"looked-at-{peer.port}", base_url=peer.base_url, **changes))
    send(adapter, message)
    adapter.close()
    peer.close()
    found: dict[str, Any] = json.loads(peer.requests[0])["message"]
    return found


RICH: dict[str, Any] = {
    "image_url": "https://example.com/i.png",
    "action_url": "https://example.com/o/1",
    "data": {"order_id": "1"},
    "sound": "bell.caf",
    "badge": 0,
    "action_category": "ORDER",
    "collapse_key": "order:1",
    "urgent": True,
}


def test_an_android_message_has_every_part_where_android_looks(lab: Lab) -> None:
    sent = body_sent(lab, push(1, **RICH, expires_at=time.time() + 100))
    assert sent.pop("android")["ttl"] in {"99s", "100s"}
    assert sent == {
        "token": "token-of-alice-1",
        "data": {"order_id": "1", "carillon_id": str(delivery_id(1)), "action_url": "https://example.com/o/1"},
        "notification": {"title": "Hello", "body": "plain words", "image": "https://example.com/i.png"},
    }


def test_the_android_block_is_complete(lab: Lab) -> None:
    assert body_sent(lab, push(1, **RICH))["android"] == {
        "priority": "HIGH",
        "collapse_key": "order:1",
        "notification": {"sound": "bell.caf", "click_action": "ORDER", "tag": "order:1", "notification_count": 0},
    }


def test_the_apns_block_is_complete(lab: Lab) -> None:
    until = int(time.time()) + 1000
    sent = body_sent(lab, push(1, **RICH, platform=Platform.IOS, expires_at=until))
    assert "android" not in sent
    assert sent["apns"] == {
        "headers": {
            "apns-push-type": "alert",
            "apns-priority": "10",
            "apns-expiration": str(until),
            "apns-collapse-id": "order:1",
        },
        "payload": {"aps": {"sound": "bell.caf", "badge": 0, "category": "ORDER", "mutable-content": 1}},
        "fcm_options": {"image": "https://example.com/i.png"},
    }


def test_the_account_s_look_is_on_every_android_message_that_is_shown(lab: Lab) -> None:
    options = {**lab.fcm().options, "channel_id": "orders", "color": "#1a73e8"}
    shown = body_sent(lab, push(1), options=options)["android"]["notification"]
    assert shown == {"channel_id": "orders", "color": "#1a73e8"}
    silent = body_sent(lab, push(1, title="", body="", badge=3, sound="x"), options=options)["android"]
    assert silent == {"priority": "NORMAL"}


def test_a_silent_message_wakes_an_iphone_in_the_background(lab: Lab) -> None:
    sent = body_sent(lab, push(1, title="", body="", platform=Platform.IOS, urgent=True))
    assert sent["apns"] == {
        "headers": {"apns-push-type": "background", "apns-priority": "5"},
        "payload": {"aps": {"content-available": 1}},
    }


@pytest.mark.parametrize(
    ("token", "target"),
    [
        ("/topics/news", {"topic": "news"}),
        ("'a' in topics && 'b' in topics", {"condition": "'a' in topics && 'b' in topics"}),
    ],
)
def test_a_topic_reaches_every_platform(lab: Lab, fcm: Any, token: str, target: dict[str, str]) -> None:
    sent = body_sent(lab, push(1, **RICH, token=token))
    assert {key: sent.get(key) for key in ("token", "topic", "condition") if key in sent} == target
    assert set(sent) == {*target, "data", "notification", "android", "apns", "webpush"}
    assert sent["webpush"]["fcm_options"] == {"link": "https://example.com/o/1"}
    (result,) = send(fcm, push(2, token=token))
    assert result.outcome is SendOutcome.ACCEPTED
    assert lab.ledger()[str(delivery_id(2))][1] == token


def test_what_is_too_large_is_not_sent_and_a_topic_s_limit_is_half(lab: Lab, fcm: Any) -> None:
    long = "x" * 3000
    results = send(fcm, push(1, body=long), push(2, body=long, token="/topics/news"), push(3, body=long * 2))
    assert [one.code for one in results] == ["", "payload_too_large", "payload_too_large"]
    assert results[1].outcome is SendOutcome.BAD_MESSAGE
    assert (lab.summary()["requests"], lab.summary()["refusals"]) == (1, {})


def test_credentials_refused_in_the_middle_of_a_page_end_it_there(lab: Lab) -> None:
    adapter: Any = build(lab.fcm(concurrency=20))
    lab.script(faults=[{"answer": "forbidden"}])
    results = send(adapter, *(push(number) for number in range(400)))
    adapter.close()
    assert {(one.outcome, one.code) for one in results} == {
        (SendOutcome.MISCONFIGURED, "PERMISSION_DENIED"),
        (SendOutcome.MISCONFIGURED, "given_up"),
    }
    assert lab.summary()["refusals"]["forbidden"] <= 40


def test_a_refused_key_for_apple_does_not_hold_back_androids(lab: Lab) -> None:
    adapter: Any = build(lab.fcm(concurrency=1))
    iphones = [push(number, token=f"lab-apns_key_refused-{number}") for number in range(5)]
    results = send(adapter, *iphones, *(push(number) for number in range(5, 10)))
    adapter.close()
    assert [one.outcome for one in results] == [SendOutcome.MISCONFIGURED] * 5 + [SendOutcome.ACCEPTED] * 5


def test_a_colour_that_is_none_is_a_fault(lab: Lab) -> None:
    with pytest.raises(ConfigurationFault, match=r"options\.color: must be a colour"):
        build(lab.fcm(options={**lab.fcm().options, "color": "blue"}))


def test_a_message_without_words_is_a_data_message(lab: Lab) -> None:
    sent = body_sent(lab, push(1, title="", body="", data={"refresh": "1"}))
    assert "notification" not in sent
    assert sent["android"] == {"priority": "NORMAL"}


def test_an_expired_message_asks_for_no_storage(lab: Lab) -> None:
    assert body_sent(lab, push(1, expires_at=time.time() - 5))["android"]["ttl"] == "0s"


@pytest.mark.parametrize("content", ["not json", "[]", "{}", '{"type": "service_account", "private_key": "x"}'])
def test_a_secret_that_is_no_service_account_is_a_fault_that_does_not_show_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setenv("FCM_KEY", content)
    account = lab.fcm(secrets={"service_account": SecretRef("env", "FCM_KEY")})
    with pytest.raises(ConfigurationFault, match=r"secrets\.service_account: is not a service account's JSON") as fault:
        build(account)
    assert content not in str(fault.value) or content == "{}"


def test_web_tokens_are_not_fcms_to_carry(lab: Lab) -> None:
    with pytest.raises(ConfigurationFault, match="platforms: fcm reaches android, ios"):
        build(msgspec.structs.replace(lab.fcm(), platforms=frozenset({Platform.WEB})))
