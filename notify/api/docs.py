"""The OpenAPI document as it is served, and its page for people."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from notify.api.answers import json_answer

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class SchemaView(APIView):
    """The document itself."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    is_undocumented = True

    def get(self, request: Request) -> HttpResponse:  # noqa: ARG002 - DRF's signature
        """The document; made once per process."""
        return json_answer(_rendered())


class DocsView(SpectacularSwaggerSplitView):
    """The document for people; all its parts are served from here."""

    url = "/v1/schema/"
    authentication_classes = ()
    is_undocumented = True

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """The page may load and call nothing but us."""
        final = super().finalize_response(request, response, *args, **kwargs)
        final["Content-Security-Policy"] = _POLICY
        return final


@cache
def document() -> dict[str, Any]:
    """The whole OpenAPI document."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    components: dict[str, Any] = {}
    made["paths"] = _hoisted(made["paths"] | _MACHINES, components)
    made["components"] = {
        "schemas": dict(sorted(components.items())),
        "securitySchemes": {
            "key": {"type": "http", "scheme": "bearer", "description": "API key of an application: crl_live_…"},
            "user": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "One user's token"},
        },
    }
    made["servers"] = [{"url": "/"}, {"url": "/api", "description": "The same under its other name"}]
    return made


def _rendered() -> bytes:
    return msgspec.json.encode(document())


def _hoisted(node: Any, components: dict[str, Any]) -> Any:
    """The document with every named struct told once, under components, and referred to elsewhere."""
    if isinstance(node, list):
        return [_hoisted(one, components) for one in node]
    if not isinstance(node, dict):
        return node
    inner = {key: _hoisted(one, components) for key, one in node.items()}
    title = inner.get("title")
    if not isinstance(title, str) or "type" not in inner:
        return inner
    if components.setdefault(title, inner) != inner:
        return inner  # another struct of the same name: told in place
    return {"$ref": f"#/components/schemas/{title}"}


def _for_machines(summary: str, kind: str, refused: str) -> dict[str, Any]:
    content = {kind: {"schema": {"type": "string" if kind == "text/plain" else "object"}}}
    return {
        "get": {
            "operationId": f"get_{summary.split(maxsplit=1)[0].lower()}",
            "summary": summary,
            "tags": ["operations"],
            "security": [],
            "responses": {
                "200": {"description": "OK", "content": content},
                **({refused: {"description": "No"}} if refused else {}),
            },
        }
    }


#: Plain paths beside the API.
_MACHINES = {
    "/livez": _for_machines("Alive: this process answers", "application/json", ""),
    "/readyz": _for_machines("Ready: each dependency and each pool by name", "application/json", "503"),
    "/metrics": _for_machines("Metrics for Prometheus; beyond loopback with scope operate", "text/plain", "403"),
}
