from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions

from notify.store import keys, reading
from tests.factories import Api

PATH = "/v1/notifications"


def raising(error: Exception) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def assert_problem(answer: Any, status: int, code: str) -> None:
    body = answer.json()
    assert answer["Content-Type"] == "application/problem+json"
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert set(body) == {"type", "title", "status", "code", "detail", "errors", "request_id"}
    assert body["request_id"] == answer["X-Request-Id"]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (OperationalError("the connection is closed"), 503, "not_accepting"),
        (InterfaceError("connection already closed"), 503, "not_accepting"),
        (RequestDataTooBig("too big"), 413, "body_too_large"),
        (Http404("secret path"), 404, "not_found"),
        (PermissionDenied("secret"), 403, "forbidden"),
        (exceptions.UnsupportedMediaType("text/x"), 415, "unsupported_media_type"),
        (exceptions.ParseError("secret"), 400, "malformed_json"),
        (exceptions.ValidationError({"a": ["secret"]}), 400, "invalid"),
        (exceptions.Throttled(3), 429, "throttled"),
        (RuntimeError("secret"), 500, "internal_error"),
        (KeyError("secret"), 500, "internal_error"),
    ],
)
def test_every_exception_becomes_a_problem(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    monkeypatch.setattr(reading, "page", raising(error))
    answer = api.get(PATH)
    assert_problem(answer, status, code)
    assert "secret" not in answer.content.decode()


def test_postgresql_away_is_503_with_a_time_to_come_back(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "find_key", raising(OperationalError("gone")))
    answer = api.get(PATH)
    assert_problem(answer, 503, "not_accepting")
    assert int(answer["Retry-After"]) > 0


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/api/v1/nothing", "/v1/notifications/7", "/nothing", "/v1/users/a%00b"]
)
def test_a_path_that_is_not_ours_is_a_problem_too(api: Api, path: str) -> None:
    assert_problem(api.get(path), 404, "not_found")


def test_a_method_that_is_not_there_is_405_with_those_that_are(api: Api) -> None:
    answer = api.delete(PATH)
    assert_problem(answer, 405, "method_not_allowed")
    assert "POST" in answer["Allow"]


def test_the_framework_describes_nothing_to_those_who_ask_for_options(api: Api) -> None:
    assert_problem(api.call("OPTIONS", PATH), 403, "missing_scope")


@pytest.mark.parametrize("path", ["/v1/notifications", "/api/v1/users/u/preferences", "/v1/nothing"])
def test_a_body_over_a_mebibyte_is_413_unread(api: Api, path: str) -> None:
    assert_problem(api.post(path, b"x" * 1_048_577), 413, "body_too_large")


def test_a_body_of_a_mebibyte_is_read(api: Api) -> None:
    assert api.post(PATH, b" " * 1_048_576).json()["code"] == "malformed_json"


def test_a_length_that_is_no_number_is_refused(api: Api) -> None:
    answer = api._client.generic("POST", PATH, b"{}", CONTENT_LENGTH="-1")
    assert answer.status_code == 413


def chunked(api: Api, body: bytes, **environ: Any) -> Any:
    """What a server hands over when a body comes in chunks, without its length."""
    client = api._client
    credential = {"HTTP_AUTHORIZATION": api._headers["Authorization"], "HTTP_TRANSFER_ENCODING": "chunked"}
    given = {"REQUEST_METHOD": "POST", "PATH_INFO": PATH, "wsgi.input": io.BytesIO(body), **credential, **environ}
    return client.request(**given)


def test_a_body_in_chunks_is_read(api: Api) -> None:
    answer = chunked(api, b'{"nope":1}', **{"wsgi.input_terminated": True})
    assert answer.json()["code"] == "unknown_field"


def test_a_body_in_chunks_is_413_once_it_is_too_large(api: Api) -> None:
    assert_problem(chunked(api, b" " * 1_048_577, **{"wsgi.input_terminated": True}), 413, "body_too_large")


def test_chunks_that_never_end_are_not_waited_for(api: Api) -> None:
    assert_problem(chunked(api, b"{}"), 411, "length_required")


def test_an_error_outside_the_framework_is_a_problem_too(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.health.json_answer", raising(RuntimeError("secret")))
    answer = api.get("/livez")
    assert_problem(answer, 500, "internal_error")
    assert "secret" not in answer.content.decode()


@pytest.mark.parametrize("host", ["evil host", "a" * 300])
def test_a_host_we_do_not_serve_is_a_problem(api: Api, settings: Any, host: str) -> None:
    settings.ALLOWED_HOSTS = ["api.example.com"]
    assert_problem(api.get(PATH, Host=host), 400, "bad_request")
