"""The OpenAPI 3.1 document, made from what the views declare beside their code.

A view says by method, all optional: `bodies` (the struct of its body), `queries` (the struct of its parameters),
`answers` ({status: struct, annotation or None}) and `refusals` ({status: codes}). Its scopes are those it is guarded
by, its sentences the docstrings. What every call may be refused with is added here.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import msgspec
from drf_spectacular.openapi import AutoSchema
from msgspec import UNSET, UnsetType
from rest_framework.views import APIView

from channels.rules.wire import schema_of
from notify.api.auth import scopes_of

_PROBLEM = "application/problem+json"
_COMMON: dict[int, tuple[str, ...]] = {
    429: ("rate_limited",),
    500: ("internal_error",),
    503: ("not_accepting",),
}
_OF_CREDENTIALS: dict[int, tuple[str, ...]] = {
    401: ("invalid_key", "expired_key"),
    403: ("missing_scope",),
}
_OF_BODIES: dict[int, tuple[str, ...]] = {
    400: ("malformed_json",),
    413: ("body_too_large",),
    422: ("unknown_field", "invalid_…"),
}
_OF_QUERIES: dict[int, tuple[str, ...]] = {422: ("unknown_field", "invalid_…")}
_PARAMETER = re.compile(r"{(\w+)}")
_UUID = {"type": "string", "format": "uuid"}
_FORMATS = {"notification_id": _UUID, "campaign_id": _UUID, "fanout_id": _UUID, "n": {"type": "integer"}}


class TextPosition(msgspec.Struct, frozen=True):
    """Where in a text the fault is: line and column from 1, and the characters before it."""

    line: int
    column: int
    offset: int


class FieldFault(msgspec.Struct, frozen=True):
    """One fault of a request; `position` only where the field holds a language of its own."""

    pointer: str
    code: str
    message: str
    position: TextPosition | UnsetType = UNSET


class Problem(msgspec.Struct, frozen=True):
    """RFC 9457."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldFault]
    request_id: str


class StructSchema(AutoSchema):
    """Describes a view by its structs, where the framework would look for serializers."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> dict[str, Any] | None:
        """One method of one path; the alias under /api/v1/ is the same and is not told twice."""
        del path_regex, path_prefix, registry
        if not path.startswith("/v1/") or getattr(self.view, "is_undocumented", False):
            return None
        return _operation(self.view, path, method)


def _operation(view: APIView, path: str, method: str) -> dict[str, Any]:
    sentences = (getattr(view, method.lower()).__doc__ or "").strip()
    summary, _, rest = sentences.partition("\n")
    scopes = scopes_of(view, method)
    operation: dict[str, Any] = {
        "operationId": f"{method.lower()}_{_name_of(path)}",
        "summary": summary.rstrip("."),
        "description": "\n\n".join(
            part for part in (rest.strip(), f"Scope: {' or '.join(scopes)}." if scopes else "") if part
        ),
        "tags": [path.split("/")[2]],
        "security": _security(view, scopes),
        "responses": _responses(view, method),
    }
    if parameters := _parameters(view, path, method):
        operation["parameters"] = parameters
    body = _declared(view, "bodies", method)
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema_of(body)}}}
    return operation


def _security(view: APIView, scopes: tuple[str, ...]) -> list[dict[str, list[str]]]:
    ways: list[dict[str, list[str]]] = [{"key": []}] if scopes else []
    return [*ways, {"user": []}] if getattr(view, "user_token_allowed", False) else ways


def _responses(view: APIView, method: str) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, shape in (_declared(view, "answers", method) or {}).items():
        described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
        if shape is not None:
            described["content"] = {"application/json": {"schema": schema_of(shape)}}
        responses[str(status)] = described
    for status, codes in sorted(_refusals(view, method).items()):
        responses[str(status)] = {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in codes)}",
            "content": {_PROBLEM: {"schema": schema_of(Problem)}},
        }
    return responses


def _refusals(view: APIView, method: str) -> dict[int, tuple[str, ...]]:
    """The codes of every status: this method's own, and those that any such call may meet."""
    groups = [_declared(view, "refusals", method) or {}]
    if _declared(view, "bodies", method) is not None:
        groups.append(_OF_BODIES)
    if _declared(view, "queries", method) is not None:
        groups.append(_OF_QUERIES)
    if view.authentication_classes:
        groups.append(_OF_CREDENTIALS)
    groups.append(_COMMON)
    merged: dict[int, tuple[str, ...]] = {}
    for group in groups:
        for status, codes in group.items():
            known = merged.get(status, ())
            merged[status] = (*known, *(code for code in codes if code not in known))
    return merged


def _parameters(view: APIView, path: str, method: str) -> list[dict[str, Any]]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _FORMATS.get(name, {"type": "string"})}
        for name in _PARAMETER.findall(path)
    ]
    query = _declared(view, "queries", method)
    if query is not None:
        properties = schema_of(query)["properties"]
        parameters += [{"name": name, "in": "query", "schema": shape} for name, shape in properties.items()]
    headers: tuple[str, ...] = _declared(view, "header_parameters", method) or ()
    return parameters + [{"name": name, "in": "header", "schema": {"type": "string"}} for name in headers]


def _declared(view: APIView, attribute: str, method: str) -> Any:
    return getattr(view, attribute, {}).get(method)


def _name_of(path: str) -> str:
    """A name for generated clients: `/v1/users/{user_id}/devices` is `users_user_id_devices`."""
    return re.sub(r"\W+", "_", path.removeprefix("/v1/")).strip("_")
