"""A provider dies and comes back while messages keep coming: over the wire, adapter and all."""

from __future__ import annotations

import time
from base64 import b64encode
from pathlib import Path
from uuid import UUID

import pytest
from pytest_django import Settings

from channels import gate, policy
from channels.rules.breaker import State
from channels.send import send_page
from channels.vocabulary import Channel, SendOutcome, SendResult, SmsMessage
from tests.providers.conformance import soon
from tests.providers.peers import HttpPeer, http_answer
from tests.providers.waiting import pause

pytestmark = pytest.mark.django_db

#: Messages of a page, and requests in flight.
PAGE, FLIGHT = 40, 4
OPEN_SECONDS = 0.4


class Gateway(HttpPeer):
    """Takes every message, until it is told to be ill."""

    def __init__(self) -> None:
        self.is_ill = False
        #: Requests while ill, by when they came.
        self.in_vain: list[float] = []
        super().__init__(self._answer)

    def _answer(self, number: int) -> bytes:
        if self.is_ill:
            self.in_vain.append(time.monotonic())
            return http_answer(503)
        return http_answer(200, b'{"id": "%d"}' % number)


@pytest.fixture
def gateways(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Gateway, Gateway]:
    """The primary and the second, as the providers file declares them."""
    monkeypatch.setenv("GATEWAY_KEY", f"whsec_{b64encode(bytes(range(32))).decode()}")
    peers = (Gateway(), Gateway())
    path = tmp_path / f"providers-{time.monotonic_ns()}.toml"
    path.write_text(
        "".join(
            f"""[[provider]]
name = "{name}"
adapter = "http"
channel = "sms"
priority = {at}
concurrency = {FLIGHT}
base_url = "{peer.base_url}"
breaker = {{open_seconds = {OPEN_SECONDS}}}
secrets = {{signing_secret = "env:GATEWAY_KEY"}}
"""
            for at, (name, peer) in enumerate(zip(("primary", "second"), peers, strict=True))
        )
    )
    settings.CARILLON = {**settings.CARILLON, "HOME": tmp_path, "PROVIDERS_FILE": path}
    return peers


def page(first: int) -> list[SendResult]:
    messages = [SmsMessage(id=UUID(int=first + at), to="+447400123456", text="words") for at in range(PAGE)]
    return send_page(Channel.SMS, messages, deadline=soon())


def state() -> State:
    known = gate.read(["primary"])["primary"].gate
    return State.CLOSED if known is None else known.breaker.state


def test_nothing_is_lost_little_is_sent_in_vain_and_the_primary_comes_back(gateways: tuple[Gateway, Gateway]) -> None:
    primary, _ = gateways
    assert {one.provider for one in page(0)} == {"primary"}
    primary.is_ill = True
    fell_ill = time.monotonic()
    while time.monotonic() < fell_ill + 4 * OPEN_SECONDS:
        results = page(1000)
        assert {(one.provider, one.outcome) for one in results} == {("second", SendOutcome.ACCEPTED)}
    first_page = [at for at in primary.in_vain if at < fell_ill + OPEN_SECONDS]
    assert len(first_page) <= policy.BREAKER_FAILURES + FLIGHT
    probings = 1 + (time.monotonic() - fell_ill) / OPEN_SECONDS
    assert len(primary.in_vain) - len(first_page) <= policy.BREAKER_PROBES * probings
    assert len(primary.in_vain) > len(first_page)
    primary.is_ill = False
    ends = time.monotonic() + 5
    while state() is not State.CLOSED and time.monotonic() < ends:
        assert all(one.outcome is SendOutcome.ACCEPTED for one in page(2000))
        pause(0.01)
    assert {one.provider for one in page(3000)} == {"primary"}
