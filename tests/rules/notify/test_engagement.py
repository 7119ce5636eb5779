"""People and machines, told apart by what they send."""

from __future__ import annotations

from datetime import timedelta

import pytest

from channels.vocabulary import ReceiptKind
from notify.rules.engagement import TOO_SOON, Hit, is_by_machine

SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1"
)
PEOPLE = [
    SAFARI,
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; Microsoft Outlook 16.0.5266; ms-office; MSOffice 16)",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
]
MACHINES = [
    "",
    "Mozilla/5.0",
    "Mozilla/5.0 (Windows NT 10.0) Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0)",
    "Barracuda Sentinel (EE)",
    "Microsoft Office Existence Discovery",
    "facebookexternalhit/1.1",
    "python-requests/2.32.3",
    "curl/8.7.1",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0 Safari/537.36",
]


def is_machine(
    agent: str,
    *,
    kind: ReceiptKind = ReceiptKind.OPENED,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    since_sent: timedelta | None = None,
) -> bool:
    every = {"user-agent": agent, **(headers or {})}
    return is_by_machine(Hit(kind=kind, method=method, headers=every, since_sent=since_sent))


@pytest.mark.parametrize("agent", PEOPLE)
def test_a_person_is_taken_for_one(agent: str) -> None:
    assert not is_machine(agent)


@pytest.mark.parametrize("agent", MACHINES)
def test_a_machine_is_taken_for_one(agent: str) -> None:
    assert is_machine(agent)


@pytest.mark.parametrize(
    ("header", "value"),
    [("purpose", "prefetch"), ("sec-purpose", "prefetch;prerender"), ("x-moz", "prefetch"), ("x-purpose", "preview")],
)
def test_what_is_loaded_ahead_of_its_reader_is_no_reading(header: str, value: str) -> None:
    assert is_machine(SAFARI, headers={header: value})


def test_asking_for_the_head_alone_is_no_reading() -> None:
    assert is_machine(SAFARI, method="HEAD")


def test_nobody_reads_a_mail_that_has_just_left() -> None:
    assert is_machine(SAFARI, since_sent=TOO_SOON - timedelta(milliseconds=1))
    assert not is_machine(SAFARI, since_sent=TOO_SOON)


def test_googles_picture_proxy_opens_for_people_and_clicks_for_nobody() -> None:
    assert not is_machine(PEOPLE[-1])
    assert is_machine(PEOPLE[-1], kind=ReceiptKind.CLICKED)
