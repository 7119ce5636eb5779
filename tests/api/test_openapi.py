from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.validation import validate_schema

from config.reference import pages
from notify.api.auth import HasScope, scopes_of
from notify.api.docs import document
from notify.vocabulary import Scope
from tests.factories import Api, make_key

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
#: What api.md promises in the sections that exist so far (1 to 3, 5, and the ends of 7).
PROMISED = {
    "/v1/notifications": {"get", "post"},
    "/v1/notifications/{notification_id}": {"get"},
    "/v1/notifications/{notification_id}/status": {"get"},
    "/v1/notifications/{notification_id}/trace": {"get"},
    "/v1/notifications/{notification_id}/cancel": {"post"},
    "/v1/notifications/{notification_id}/resend": {"post"},
    "/v1/users/{user_id}": {"get", "put", "patch", "delete"},
    "/v1/users/bulk": {"post"},
    "/v1/users/{user_id}/preferences": {"get", "put", "patch"},
    "/v1/users/{user_id}/devices": {"get", "post"},
    "/v1/users/{user_id}/devices/{device_id}": {"put", "delete"},
    "/v1/users/{user_id}/token": {"post"},
    "/v1/users/{user_id}/preference-link": {"post"},
    "/v1/users/{user_id}/notifications": {"get"},
    "/v1/users/{user_id}/notifications/stream": {"get"},
    "/v1/notifications/{notification_id}/read": {"patch"},
    "/v1/notifications/{notification_id}/unread": {"patch"},
    "/v1/notifications/{notification_id}/archive": {"patch"},
    "/v1/notifications/read-all": {"post"},
    "/v1/notifications/{notification_id}/events": {"post"},
    "/v1/campaigns": {"get", "post"},
    "/v1/campaigns/{campaign_id}": {"get", "patch"},
    "/v1/campaigns/{campaign_id}/estimate": {"post"},
    "/v1/campaigns/{campaign_id}/test": {"post"},
    "/v1/campaigns/{campaign_id}/submit": {"post"},
    "/v1/campaigns/{campaign_id}/approve": {"post"},
    "/v1/campaigns/{campaign_id}/reject": {"post"},
    "/v1/campaigns/{campaign_id}/start": {"post"},
    "/v1/campaigns/{campaign_id}/pause": {"post"},
    "/v1/campaigns/{campaign_id}/resume": {"post"},
    "/v1/campaigns/{campaign_id}/cancel": {"post"},
    "/v1/campaigns/{campaign_id}/recipients": {"get"},
    "/v1/campaigns/{campaign_id}/stats": {"get"},
    "/v1/notifications/bulk": {"post"},
    "/v1/notifications/batch": {"post"},
    "/v1/fanouts": {"post"},
    "/v1/fanouts/{fanout_id}": {"get"},
    "/v1/types/{key}": {"get", "put"},
    "/v1/templates": {"get", "post"},
    "/v1/templates/{template_id}": {"get", "patch"},
    "/v1/templates/{template_id}/versions": {"post"},
    "/v1/templates/{template_id}/versions/{n}/publish": {"post"},
    "/v1/templates/{template_id}/preview": {"post"},
    "/v1/receipts/{provider_name}": {"get", "post"},
    "/v1/suppressions": {"get", "post", "delete"},
    "/livez": {"get"},
    "/readyz": {"get"},
    "/metrics": {"get"},
}
#: Paths that ask nobody who they are.
PUBLIC = {"v1/schema/", "v1/docs/"}
#: Paths that ask for another proof than a credential of ours.
PROVEN = {"v1/receipts/<str:provider_name>"}
EXAMPLES = {
    "uuid:notification_id": "0199aa00-0000-7000-8000-000000000000",
    "uuid:campaign_id": "0199aa00-0000-7000-8000-000000000001",
    "uuid:fanout_id": "0199aa00-0000-7000-8000-000000000002",
    "int:n": "1",
    "str:user_id": "u_nobody",
    "str:device_id": "d",
    "str:template_id": "t",
    "str:key": "K",
    "str:name": "sandbox-email",
}


def routes(patterns: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every route of the API with its view class."""
    for pattern in patterns if patterns is not None else get_resolver().url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern) and route.startswith(("v1/", "api/v1/")):
            yield route, getattr(pattern.callback, "view_class", None)


def guarded() -> Iterator[Any]:
    """Every method of every route that is not public."""
    for route, view in routes():
        if route.removeprefix("api/") not in PUBLIC | PROVEN:
            yield from (
                pytest.param(route, view, one, id=f"{one} {route}") for one in METHODS if hasattr(view, one.lower())
            )


def filled(route: str) -> str:
    return "/" + re.sub(r"<([^>]+)>", lambda match: EXAMPLES[match[1]], route)


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        yield from ((path, method, operation) for method, operation in methods.items())


def test_the_document_is_openapi_3_1_and_served_to_everybody(stranger: Api) -> None:
    for path in ("/v1/schema/", "/api/v1/schema/"):
        answer = stranger.get(path)
        assert answer.status_code == 200
        assert answer.json()["openapi"].startswith("3.1")


def test_the_document_is_valid() -> None:
    validate_schema(document())  # type: ignore[no-untyped-call]


def test_people_can_browse_it_without_inline_scripts(stranger: Api) -> None:
    page = stranger.get("/v1/docs/")
    assert page.status_code == 200
    assert "script-src 'self';" in page["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)", page.content.decode())
    assert b"/v1/schema/" in stranger.get("/v1/docs/?script=").content


def test_its_parts_are_served_from_here(stranger: Api) -> None:
    page = stranger.get("/v1/docs/").content.decode()
    assets = re.findall(r'(?:src|href)="([^"?]+\.(?:js|css|png))"', page)
    assert assets
    assert all(asset.startswith("/static/") for asset in assets)


def test_every_path_the_contract_promises_is_in_it() -> None:
    told = {path: set(methods) for path, methods in document()["paths"].items()}
    assert {path: told.get(path, set()) & methods for path, methods in PROMISED.items()} == PROMISED


def test_every_route_is_in_it_and_nothing_else() -> None:
    known = {
        ("/" + re.sub(r"<\w+:(\w+)>", r"{\1}", route), method.lower())
        for route, view in routes()
        for method in METHODS
        if not route.startswith("api/") and route not in PUBLIC and hasattr(view, method.lower())
    }
    told = {(path, method) for path, method, _ in operations() if path.startswith("/v1/")}
    assert told == known


def test_every_path_answers_under_api_too() -> None:
    plain = {route for route, _ in routes() if route.startswith("v1/")}
    assert {route.removeprefix("api/") for route, _ in routes() if route.startswith("api/v1/")} == plain


@pytest.mark.parametrize(("path", "method", "operation"), list(operations()), ids=lambda one: str(one)[:60])
def test_every_operation_says_what_it_does_and_answers(path: str, method: str, operation: dict[str, Any]) -> None:
    statuses = set(operation["responses"])
    assert operation["summary"]
    assert any(status.startswith("2") for status in statuses), f"{method} {path}: declare its `answers`"
    if path.startswith("/v1/receipts/"):
        assert statuses >= {"403", "413", "429", "500", "503"}
        assert operation["security"] == []
    elif path.startswith("/v1/"):
        assert statuses >= {"401", "403", "429", "500", "503"}
        assert operation["security"]
    if "{" in path and method != "put":
        assert "404" in statuses, f"{method} {path}: declare its `refusals`"


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))


def test_every_reference_leads_somewhere() -> None:
    text = str(document())
    known = document()["components"]["schemas"]
    assert set(re.findall(r"#/components/schemas/([\w.]+)", text)) <= set(known)


@pytest.mark.parametrize(
    ("path", "codes"),
    [
        (
            "/v1/notifications",
            [
                "idempotency_key_required",
                "malformed_json",
                "template_type_mismatch",
                "unknown_template",
                "invalid_key",
                "expired_key",
                "missing_scope",
                "idempotency_key_reused",
                "request_in_progress",
                "body_too_large",
                "missing_variable",
                "unknown_type",
                "too_many_recipients",
                "rate_limited",
                "not_accepting",
            ],
        )
    ],
)
def test_the_codes_of_the_contract_are_told(path: str, codes: list[str]) -> None:
    told = str(document()["paths"][path]["post"]["responses"])
    assert [code for code in codes if f"`{code}`" not in told] == []


@pytest.mark.parametrize(("route", "view", "method"), list(guarded()))
def test_no_route_is_open_without_declared_scopes(route: str, view: Any, method: str) -> None:
    assert HasScope in view.permission_classes
    assert scopes_of(view, method), f"{method} {route} declares no scope"
    assert set(scopes_of(view, method)) <= {scope.value for scope in Scope}


@pytest.mark.parametrize(("route", "view", "method"), list(guarded()))
def test_every_route_refuses_a_key_with_every_scope_but_its_own(db: None, route: str, view: Any, method: str) -> None:
    others = [scope for scope in Scope if scope.value not in scopes_of(view, method)]
    answer = Api(make_key(scopes=others)).call(method, filled(route), {})
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


@pytest.mark.parametrize(("route", "view", "method"), list(guarded()))
def test_every_route_refuses_a_stranger(stranger: Api, route: str, view: Any, method: str) -> None:
    answer = stranger.call(method, filled(route), {})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_key")


@pytest.mark.parametrize("name", ["settings.md", "openapi.json", "capacity.md"])
def test_the_written_page_is_what_the_code_says(name: str) -> None:
    written = (settings.BASE_DIR / "docs" / name).read_text(encoding="utf-8")
    assert written == pages()[name], "run `make docs`"


def test_every_setting_is_explained_and_no_secret_is_shown() -> None:
    page = pages()["settings.md"]
    assert [line for line in page.splitlines() if line.startswith("| `") and "|  |" in line] == []
    assert settings.SECRET_KEY not in page
    assert settings.CARILLON["MASTER_KEYS"] not in page
