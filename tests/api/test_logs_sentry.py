from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
import structlog
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from config import sentry
from tests.canaries import CANARIES, assert_no_canary
from tests.factories import Api


class Kept(Transport):
    """Keeps what would have been sent."""

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        super().__init__(options)
        self.reports: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.reports += [json.loads(item.get_bytes()) for item in envelope.items if item.type == "event"]


@pytest.fixture
def kept() -> Iterator[Kept]:
    """Sentry, as it is set up in production, with nobody at the other end."""
    transport = Kept()
    assert sentry.start("https://public@sentry.example/1", release="test", transport=transport)
    yield transport
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


def test_without_a_dsn_nothing_is_set_up() -> None:
    assert not sentry.start("", release="test")
    assert not sentry_sdk.get_client().is_active()


def test_an_unforeseen_error_is_reported_once_with_its_ids(
    kept: Kept, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        local = " ".join(CANARIES)
        raise RuntimeError(local)

    monkeypatch.setattr("notify.api.reading.reading.page", fail)
    answer = api.get("/v1/notifications?type=%2B15559876543", X_Request_Id="req-7")
    assert answer.status_code == 500
    sentry_sdk.flush()
    (report,) = kept.reports
    assert report["tags"]["request_id"] == "req-7"
    assert report["exception"]["values"][-1]["type"] == "RuntimeError"
    assert_no_canary(json.dumps(report))
    assert all("vars" not in frame for frame in report["exception"]["values"][-1]["stacktrace"]["frames"])


def test_an_error_outside_the_framework_is_reported_once(kept: Kept, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("x")

    monkeypatch.setattr("config.health.json_answer", fail)
    assert api.get("/livez").status_code == 500
    sentry_sdk.flush()
    assert len(kept.reports) == 1


def test_a_refusal_is_nobodys_fault_and_not_reported(kept: Kept, api: Api) -> None:
    api.post("/v1/notifications", b"{")
    api.get("/v1/nothing")
    sentry_sdk.flush()
    assert kept.reports == []


def test_nothing_private_is_in_a_report(kept: Kept) -> None:
    for canary in CANARIES:
        logging.getLogger("x").warning("a breadcrumb about %s", canary)
        sentry_sdk.set_context("x", {"token": canary, "note": canary})
    sentry_sdk.set_user({"email": CANARIES[1]})
    sentry_sdk.set_extra("variables", CANARIES)
    structlog.get_logger("x").error("page.failed", exc_info=RuntimeError(" ".join(CANARIES)))
    sentry_sdk.flush()
    (report,) = kept.reports
    assert "user" not in report
    assert_no_canary(json.dumps(report))


def test_the_body_and_the_headers_of_a_request_are_not_in_a_report() -> None:
    event: Any = {
        "request": {
            "url": "http://x/v1/users/u_1",
            "data": {"email": "a"},
            "cookies": "s",
            "query_string": "q",
            "headers": {"Authorization": "Bearer secret", "Accept": "x"},
        }
    }
    assert sentry.scrub(event, {})["request"] == {
        "url": "http://x/v1/users/u_1",
        "headers": {"Authorization": "***", "Accept": "x"},
    }
