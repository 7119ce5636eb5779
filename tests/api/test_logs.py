from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
from typing import Any

import pytest
import structlog
from django.conf import settings
from structlog.contextvars import bound_contextvars

from config import logs
from config.masking import MASK, is_private, mask_all, mask_text
from tests.canaries import CANARIES, KEY, MAIL, PHONE, PUSH_TOKEN, assert_no_canary
from tests.factories import Api


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    """What is written from here on."""
    stream = io.BytesIO()
    monkeypatch.setattr(logs._out, "stream", stream)
    return stream


def lines(stream: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def events(stream: io.BytesIO, event: str) -> list[dict[str, Any]]:
    return [line for line in lines(stream) if line["event"] == event]


def test_an_event_is_one_line_of_json_with_its_context(written: io.BytesIO) -> None:
    with bound_contextvars(trace_id="t-1", page="p-1"):
        structlog.get_logger("x").info("delivery.retry", delivery="d-1", attempt=3)
    (line,) = lines(written)
    assert (line["event"], line["level"], line["attempt"]) == ("delivery.retry", "info", 3)
    assert (line["trace_id"], line["page"]) == ("t-1", "p-1")
    assert line["timestamp"].endswith("Z")


def test_libraries_log_the_same_way(written: io.BytesIO) -> None:
    with bound_contextvars(trace_id="t-1"):
        logging.getLogger("some.library").warning("retrying %s", MAIL)
    (line,) = lines(written)
    assert (line["event"], line["logger"], line["trace_id"]) == (f"retrying {MASK}", "some.library", "t-1")


def test_a_library_whose_arguments_do_not_fit_breaks_nothing(written: io.BytesIO) -> None:
    (bridge,) = (one for one in logging.getLogger().handlers if isinstance(one, logs._Bridge))
    bridge.emit(logging.LogRecord("x", logging.WARNING, "x.py", 1, "two %s %s", ("one",), None))
    assert lines(written)[0]["event"] == "two %s %s (arguments do not fit)"


def test_celery_tells_only_what_goes_wrong(written: io.BytesIO) -> None:
    logging.getLogger("celery.app.trace").info("Task succeeded")
    logging.getLogger("celery.app.trace").error("Task failed")
    assert [line["event"] for line in lines(written)] == ["Task failed"]


def test_a_traceback_is_told_without_the_values_in_it(written: io.BytesIO) -> None:
    error = ValueError(f"no such {MAIL}\nDETAIL:  Failing row contains ({PHONE}, Alice).\n")
    structlog.get_logger("x").error("request.failed", exc_info=error)
    text = written.getvalue().decode()
    assert "ValueError" in text
    assert "Alice" not in text.replace(MAIL, "")
    assert_no_canary(text)


class Gone(io.BytesIO):
    """A pipe whose reader has gone away."""

    def write(self, _: Any) -> int:
        raise BrokenPipeError


def test_a_reader_that_went_away_does_not_stop_the_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs._out, "stream", Gone())
    structlog.get_logger("x").info("hello")


@pytest.mark.parametrize("canary", CANARIES)
def test_nothing_private_gets_through_whatever_it_is_called(written: io.BytesIO, canary: str) -> None:
    log = structlog.get_logger("x")
    said = f"said {canary}"
    log.info(said, note=f"about {canary}.", deep={"a": [{"b": canary}]}, header=f"Bearer {canary}")
    logging.getLogger("y").error("said %s", canary)
    assert_no_canary(written.getvalue().decode())


@pytest.mark.parametrize("canary", CANARIES)
def test_no_request_leaves_what_it_carried_in_the_log(api: Api, written: io.BytesIO, canary: str) -> None:
    body = {"email": canary, "phone": canary, "attributes": {"note": canary}, "locale": canary}
    api.put("/v1/users/u_1", body)
    api.post("/v1/notifications", {"type": canary, "user_id": canary, "variables": {"x": canary}}, Idempotency_Key="k")
    api.get("/v1/notifications?user_id=" + canary.replace("+", "%2B"))
    Api(canary).get("/v1/notifications", X_Request_Id=canary, traceparent=canary)
    api.post("/v1/users/u_1/devices", {"device_id": "d", "platform": "ios", "token": canary})
    assert len(events(written, "request")) == 5
    assert_no_canary(written.getvalue().decode())


def test_no_unforeseen_error_leaves_it_either(api: Api, written: io.BytesIO, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(" ".join(CANARIES))

    monkeypatch.setattr("notify.api.reading.reading.page", fail)
    answer = api.get("/v1/notifications")
    (line,) = events(written, "request.failed")
    assert (answer.status_code, line["request_id"]) == (500, answer["X-Request-Id"])
    assert "RuntimeError" in line["exception"]
    assert_no_canary(written.getvalue().decode())


def test_a_call_is_told_by_its_route_with_its_ids(api: Api, written: io.BytesIO) -> None:
    answer = api.get("/v1/users/u_private/preferences", X_Request_Id="req-42")
    (line,) = events(written, "request")
    assert (line["method"], line["route"], line["status"]) == ("GET", "v1/users/<str:user_id>/preferences", 404)
    assert line["request_id"] == answer["X-Request-Id"] == "req-42"
    assert "u_private" not in written.getvalue().decode()


def test_health_checks_do_not_fill_the_log(stranger: Api, written: io.BytesIO) -> None:
    stranger.get("/livez")
    assert lines(written) == []


def test_nothing_of_one_call_is_left_for_the_next(api: Api, written: io.BytesIO) -> None:
    api.get("/v1/notifications", X_Request_Id="first-call")
    structlog.get_logger("x").info("after")
    assert "request_id" not in lines(written)[-1]


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "é", "a\\nb", "<script>", MAIL])
def test_an_id_that_is_not_well_formed_is_replaced(stranger: Api, given: str) -> None:
    answer = stranger.get("/livez", X_Request_Id=given)
    assert re.fullmatch(r"[0-9a-f]{32}", answer["X-Request-Id"])


def test_a_trace_goes_on_under_its_id(stranger: Api) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
    answer = stranger.get("/livez", traceparent=parent)["traceparent"].split("-")
    assert answer[:2] == ["00", "4bf92f3577b34da6a3ce929d0e0e4736"]
    assert answer[2] != "00f067aa0ba902b7"
    assert answer[3] == "00"


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "nonsense",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
    ],
)
def test_a_trace_that_is_not_well_formed_begins_anew(stranger: Api, parent: str) -> None:
    answer = stranger.get("/livez", traceparent=parent)["traceparent"]
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", answer)
    assert answer.split("-")[1] not in parent or not parent


@pytest.mark.parametrize("name", ["token", "old_token", "Authorization", "user_email", "variables", "X-Api-Key", "to"])
def test_private_fields_are_known_by_their_names(name: str) -> None:
    assert is_private(name)


@pytest.mark.parametrize("name", ["page", "delivery", "tokens_left", "route", "event", "attempt", "total", "status"])
def test_other_fields_are_left(name: str) -> None:
    assert not is_private(name)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T04:00:00+10:00",
        "0199aa00-0000-7000-8000-000000000000",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "page 3 of 400, 12.5 ms",
        "notify.store.reading",
    ],
)
def test_what_is_not_private_stays_readable(text: str) -> None:
    assert mask_text(text) == text


def test_a_long_token_keeps_what_tells_it_apart() -> None:
    assert mask_text(PUSH_TOKEN) == PUSH_TOKEN[:20] + "…"
    assert mask_text(KEY) == f"crl_live_abcd1234_{MASK}"


def test_masking_reaches_every_depth() -> None:
    assert mask_all({"a": [{"token": "x"}, (MAIL, 1)], "phone": None}) == {
        "a": [{"token": MASK}, [MASK, 1]],
        "phone": MASK,
    }


_SPEAKS = """
import django
django.setup()
import io, logging, structlog
from config import logs
structlog.get_logger().info("hello", to="a@b.example")
logging.getLogger("x").warning("library")
shown = io.BytesIO()
logs.install("INFO", shown, terminal=True)
structlog.get_logger().info("hello", who="me", to="a@b.example")
print(shown.getvalue().decode())
"""


def test_a_process_logs_json_and_a_terminal_gets_words() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SPEAKS], cwd=settings.BASE_DIR, capture_output=True, text=True, check=True
    )
    first, second, words = done.stdout.splitlines()[:3]
    assert (json.loads(first)["to"], json.loads(second)["event"]) == (MASK, "library")
    assert "hello" in words
    assert "who" in words
    assert not words.startswith("{")
    assert "b.example" not in words
