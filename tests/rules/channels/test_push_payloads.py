"""What APNs, FCM and browsers are told, whatever a message holds: limits, cuts and headers."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from uuid import UUID

import http_ece
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from channels.rules import apns, fcm, web_push
from channels.vocabulary import Platform, PushMessage

NOW = 1_800_000_000.0
HEADER = re.compile(r"[\x21-\x7e]+\Z")

texts = st.text(max_size=40)
messages = st.builds(
    PushMessage,
    id=st.uuids(),
    token=st.sampled_from(["ab12" * 16, "/topics/news", "'a' in topics"]),
    platform=st.sampled_from([Platform.IOS, Platform.ANDROID]),
    title=texts,
    body=texts,
    image_url=texts,
    action_url=texts,
    actions=st.lists(st.dictionaries(st.sampled_from(["id", "title", "url"]), texts), max_size=2),
    data=st.dictionaries(texts, texts, max_size=3),
    sound=texts,
    badge=st.none() | st.integers(0, 99),
    action_category=texts,
    collapse_key=st.text(max_size=200),
    urgent=st.booleans(),
    expires_at=st.none() | st.floats(NOW - 1e8, NOW + 1e8),
)


def push(**changes: Any) -> PushMessage:
    declared: dict[str, Any] = {"id": UUID(int=7), "token": "ab12" * 16, "platform": Platform.IOS, **changes}
    return PushMessage(**declared)


@given(messages, st.sampled_from(["", "voip"]))
def test_every_apns_header_is_one_that_apple_takes(message: PushMessage, kind: str) -> None:
    headers = apns.headers_of(message, kind=kind, now=NOW)
    assert all(HEADER.match(value) for value in headers.values())
    assert len(headers.get("apns-collapse-id", "")) <= 64
    assert headers["apns-expiration"] == "0" or NOW < int(headers["apns-expiration"]) + 1 <= NOW + 30 * 86_400 + 1
    assert not (headers["apns-push-type"] == "background" and headers["apns-priority"] == "10")


@given(messages)
def test_every_browser_header_is_one_that_push_services_take(message: PushMessage) -> None:
    headers = web_push.headers_of(message, now=NOW)
    assert 0 <= int(headers["TTL"]) <= 28 * 86_400
    assert headers["Urgency"] in {"high", "normal"}
    assert bool(message.collapse_key) == ("Topic" in headers)
    assert re.fullmatch(r"[A-Za-z0-9_-]{0,32}", headers.get("Topic", ""))


@given(messages)
def test_every_payload_is_json_with_the_message_s_id(message: PushMessage) -> None:
    assert json.loads(apns.payload_of(message))["carillon_id"] == str(message.id)
    assert json.loads(web_push.payload_of(message))["id"] == str(message.id)
    body = json.loads(orjson.dumps(fcm.body_of(message, look=fcm.Look(), now=NOW)))
    assert body["data"]["carillon_id"] == str(message.id)


@given(messages)
def test_what_shows_nothing_says_that_it_is_in_the_background(message: PushMessage) -> None:
    aps = apns.aps_of(message)
    shows = bool({"alert", "sound", "badge"} & set(aps))
    assert shows != ("content-available" in aps)
    assert shows != apns.is_background(message)


@given(messages)
def test_fcm_refuses_nothing_that_google_would_take(message: PushMessage) -> None:
    body = fcm.body_of(message, look=fcm.Look(), now=NOW)
    told = {**body.get("notification", {}), **body["data"]}
    size = sum(len(name.encode()) + len(value.encode()) for name, value in told.items())
    limit = 4096 if "token" in body else 2048
    assert fcm.is_too_large(body, orjson.dumps({"message": body})) == (size > limit)


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
def test_keys_that_differ_never_replace_each_other_s_messages(one: str, other: str) -> None:
    assert (apns.collapse_id(one) == apns.collapse_id(other)) == (one == other)
    assert (web_push.topic_of(one) == web_push.topic_of(other)) == (one == other)


@pytest.mark.parametrize("key", ["order:1", "x" * 64])
def test_a_key_that_fits_is_kept(key: str) -> None:
    assert apns.collapse_id(key) == key


@pytest.mark.parametrize("key", ["x" * 65, "ö", "a b", "a\r\nx: y", "\ud800"])
def test_a_key_that_does_not_fit_is_hashed(key: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", apns.collapse_id(key))
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", web_push.topic_of(key))


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        ("com.example.app", ""),
        ("com.example.app.voip", "voip"),
        ("com.example.app.voip-ptt", "pushtotalk"),
        ("com.example.app.push-type.liveactivity", "liveactivity"),
        ("com.example.app.location-query", "location"),
    ],
)
def test_a_topic_s_suffix_says_what_all_its_pushes_are(topic: str, kind: str) -> None:
    assert apns.type_of_topic(topic) == kind
    usual = apns.headers_of(push(title="x"), kind=kind, now=NOW)["apns-push-type"]
    assert usual == (kind or "alert")


def test_an_iphone_gets_every_part() -> None:
    rich = push(
        title="Hello",
        body="plain words",
        image_url="https://example.com/i.png",
        action_url="https://example.com/o/1",
        actions=[{"id": "track", "title": "Track"}],
        data={"order_id": "1"},
        sound="bell.caf",
        badge=0,
        action_category="ORDER",
    )
    assert json.loads(apns.payload_of(rich)) == {
        "aps": {
            "alert": {"title": "Hello", "body": "plain words"},
            "badge": 0,
            "sound": "bell.caf",
            "category": "ORDER",
            "mutable-content": 1,
        },
        "carillon_id": str(UUID(int=7)),
        "action_url": "https://example.com/o/1",
        "image_url": "https://example.com/i.png",
        "actions": [{"id": "track", "title": "Track"}],
        "data": {"order_id": "1"},
    }


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


#: RFC 8291, appendix A.
PLAIN = raw("V2hlbiBJIGdyb3cgdXAsIEkgd2FudCB0byBiZSBhIHdhdGVybWVsb24")
SALT, AUTH = raw("DGv6ra1nlYgDCS1FRnbzlw"), raw("BTBZMqHH6r4Tts7J_aSIgg")
THEIR_POINT = raw("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4")
OUR_SCALAR, THEIR_SCALAR = (
    raw("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"),
    raw("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"),
)
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
    "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
    "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def key_of(scalar: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1())


def test_the_example_of_rfc_8291_is_encrypted_byte_for_byte() -> None:
    browser = web_push.Subscription("", "", "", 443, THEIR_POINT, AUTH)
    assert web_push.encrypted(PLAIN, browser, own=key_of(OUR_SCALAR), salt=SALT) == raw(BODY)
    assert http_ece.decrypt(raw(BODY), private_key=key_of(THEIR_SCALAR), auth_secret=AUTH) == PLAIN


@given(st.integers(1, 3993))
def test_whatever_fits_the_limit_fits_what_push_services_must_take(size: int) -> None:
    own, theirs = key_of(OUR_SCALAR), key_of(THEIR_SCALAR)
    point = theirs.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    browser = web_push.Subscription("", "", "", 443, point, AUTH)
    body = web_push.encrypted(b"x" * size, browser, own=own, salt=SALT)
    assert len(body) == size + 103 <= 4096
    assert http_ece.decrypt(body, private_key=theirs, auth_secret=AUTH) == b"x" * size


@pytest.mark.parametrize(
    ("entry", "host"),
    [
        ("fcm.googleapis.com", ("fcm.googleapis.com", 443)),
        ("*.push.apple.com", ("*.push.apple.com", 443)),
        ("push.example.com:8443", ("push.example.com", 8443)),
        ("127.0.0.1:4443", ("127.0.0.1", 4443)),
        ("[::1]:4443", ("::1", 4443)),
        ("localhost", ("localhost", 443)),
    ],
)
def test_an_entry_of_the_allow_list_is_a_host_and_a_port(entry: str, host: tuple[str, int]) -> None:
    assert web_push.host_of(entry) == host


@pytest.mark.parametrize("entry", ["", "*", "*.", "https://x.com", "x.com/", "a@b.c", "a b", "x.com:99999", "*.*.com"])
def test_what_names_no_host_is_no_entry(entry: str) -> None:
    with pytest.raises(ValueError, match=r"host|[Pp]ort"):
        web_push.host_of(entry)
