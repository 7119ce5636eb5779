"""Values that look private, to be searched for wherever nothing private may be."""

from __future__ import annotations

PHONE = "+15559876543"
MAIL = "canary.alice+x@mail.example.co.uk"
SECRET = "c4n4rY_" + "x" * 36
KEY = f"crl_live_abcd1234_{SECRET}"
PUSH_TOKEN = "dQw4w9WgXcQ:APA91b" + "Canary" * 20
APNS_TOKEN = "c0ffee" * 11
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlY2FuYXJ5"
CANARIES = (PHONE, MAIL, SECRET, PUSH_TOKEN, APNS_TOKEN, JWT)


def assert_no_canary(text: str) -> None:
    assert [canary for canary in CANARIES if canary in text] == []
