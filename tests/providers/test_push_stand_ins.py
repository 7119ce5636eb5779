"""The stand-ins of APNs and of a push service: what they refuse, in raw requests of no adapter of ours."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec

from channels.rules import es256, web_push
from tests.providers.conformance import delivery_id
from tests.providers.conftest import Lab

DEVICE = "/3/device/" + "ab12" * 16
ALERT = b'{"aps":{"alert":{"title":"Hello"}},"carillon_id":"c1"}'


def key_in(file: str) -> ec.EllipticCurvePrivateKey:
    return es256.private_key(Path(file).read_text())


@pytest.fixture
def session() -> Any:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def provider_token(lab: Lab, *, kid: str = "LABKEY0001", **claims: Any) -> str:
    place = lab.places["apns"]
    since = es256.on_grid(time.time(), step_seconds=1800, name="a token that stays the same for a while")
    told = {"iss": place["team_id"], "iat": since, **claims}
    return es256.signed(key_in(place["private_key_file"]), header={"kid": kid}, claims=told)


def to_apns(
    lab: Lab, session: requests.Session, *, path: str = DEVICE, body: bytes = ALERT, **changes: str | None
) -> tuple[int, str]:
    """Status and reason of one request; a header of None is left out."""
    usual = {"authorization": f"bearer {provider_token(lab)}", "apns-topic": "com.example.carillon"}
    headers = usual | {name.replace("_", "-"): value for name, value in changes.items()}
    answer = session.post(lab.places["apns"]["plain_url"] + path, data=body, headers=headers, timeout=5)
    return answer.status_code, answer.json()["reason"] if answer.content else ""


def test_apns_takes_what_apple_takes(lab: Lab, session: requests.Session) -> None:
    lab.at("apns")
    assert to_apns(lab, session) == (200, "")
    assert to_apns(lab, session, apns_push_type="background", apns_priority="5", apns_expiration="0") == (200, "")


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"apns_topic": None}, (400, "MissingTopic")),
        ({"apns_topic": "com.example.other"}, (400, "TopicDisallowed")),
        ({"apns_push_type": "voip"}, (400, "TopicDisallowed")),
        ({"apns_push_type": "pigeon"}, (400, "InvalidPushType")),
        ({"apns_priority": "7"}, (400, "BadPriority")),
        ({"apns_push_type": "background", "apns_priority": "10"}, (400, "BadPriority")),
        ({"apns_expiration": "tomorrow"}, (400, "BadExpirationDate")),
        ({"apns_collapse_id": "x" * 65}, (400, "BadCollapseId")),
        ({"apns_id": "7"}, (400, "BadMessageId")),
        ({"path": "/3/device/"}, (400, "MissingDeviceToken")),
        ({"path": "/3/device/xyz"}, (400, "BadDeviceToken")),
        ({"path": "/4/device/abcd"}, (404, "BadPath")),
        ({"body": b"{}"}, (400, "PayloadEmpty")),
        ({"body": b'{"aps":{}}'}, (400, "PayloadEmpty")),
        ({"body": b'{"aps":{"alert":"' + b"x" * 4096 + b'"}}'}, (413, "PayloadTooLarge")),
        ({"authorization": None}, (403, "MissingProviderToken")),
        ({"authorization": "bearer nonsense"}, (403, "InvalidProviderToken")),
    ],
)
def test_apns_refuses_what_apple_refuses(
    lab: Lab, session: requests.Session, changes: dict[str, Any], refusal: tuple[int, str]
) -> None:
    lab.at("apns")
    assert to_apns(lab, session, **changes) == refusal


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iat": 1_700_000_000}, "ExpiredProviderToken"),
        ({"iat": 4_000_000_000}, "ExpiredProviderToken"),
        ({"iss": "OTHERTEAM1"}, "InvalidProviderToken"),
        ({"kid": "OTHERKEY01"}, "InvalidProviderToken"),
    ],
)
def test_apns_refuses_a_token_of_another_time_team_or_key(
    lab: Lab, session: requests.Session, claims: dict[str, Any], reason: str
) -> None:
    token = provider_token(lab, **claims)
    assert to_apns(lab, session, authorization=f"bearer {token}") == (403, reason)


def to_browser(
    lab: Lab,
    session: requests.Session,
    *,
    key: ec.EllipticCurvePrivateKey | None = None,
    claims: dict[str, Any] | None = None,
    body: bytes | None = None,
    **changes: str | None,
) -> tuple[int, int]:
    """Status and Mozilla's number of one request to a new browser."""
    place = lab.places["webpush"]
    browser = web_push.subscription_of(json.dumps(lab.browser(applicationServerKey=place["application_server_key"])))
    key = key or key_in(place["vapid_private_key_file"])
    told = {"aud": browser.origin, "exp": int(time.time()) + 3600, "sub": "mailto:lab@example.com", **(claims or {})}
    token = es256.signed(key, header={"typ": "JWT"}, claims=told)
    plain = json.dumps({"id": str(delivery_id(1))}).encode()
    own = ec.generate_private_key(ec.SECP256R1())
    sealed = web_push.encrypted(plain, browser, own=own, salt=os.urandom(16)) if body is None else body
    usual = {
        "authorization": f"vapid t={token}, k={es256.public_text(key)}",
        "ttl": "60",
        "content-encoding": "aes128gcm",
    }
    headers = usual | {name.replace("_", "-"): value for name, value in changes.items()}
    answer = session.post(browser.endpoint, data=sealed, headers=headers, verify=lab.places["ca_file"], timeout=5)
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    return answer.status_code, answer.json()["errno"] if is_json else 0


def test_a_browser_takes_what_is_sealed_for_it(lab: Lab, session: requests.Session) -> None:
    assert to_browser(lab, session) == (201, 0)
    assert to_browser(lab, session, topic="order-1", urgency="very-low") == (201, 0)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"ttl": None}, (400, 111)),
        ({"ttl": "-1"}, (400, 111)),
        ({"topic": "x" * 33}, (400, 113)),
        ({"topic": "a:b"}, (400, 113)),
        ({"urgency": "at once"}, (400, 110)),
        ({"content_encoding": "aesgcm"}, (400, 110)),
        ({"body": b"x" * 200}, (400, 110)),
        ({"body": b""}, (400, 110)),
        ({"body": b"x" * 4097}, (413, 104)),
        ({"authorization": None}, (401, 109)),
        ({"authorization": "vapid t=x.y.z, k=AAAA"}, (401, 109)),
        ({"claims": {"aud": "https://push.example.com"}}, (401, 109)),
        ({"claims": {"exp": 1_700_000_000}}, (401, 109)),
        ({"claims": {"exp": 4_000_000_000}}, (401, 109)),
        ({"claims": {"sub": "lab"}}, (401, 109)),
        ({"key": ec.generate_private_key(ec.SECP256R1())}, (403, 0)),
    ],
)
def test_a_push_service_refuses_what_the_rfcs_forbid(
    lab: Lab, session: requests.Session, changes: dict[str, Any], refusal: tuple[int, int]
) -> None:
    assert to_browser(lab, session, **changes) == refusal


def test_a_wish_nobody_can_fulfil_makes_no_browser(lab: Lab, session: requests.Session) -> None:
    url = f"{lab.places['webpush']['plain_url']}/__subscribe"
    answers = [session.post(url, json=wish, timeout=5) for wish in ({"answer": "pigeon"}, {"colour": "red"}, [])]
    assert [answer.status_code for answer in answers] == [400, 400, 400]
