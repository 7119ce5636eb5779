"""Templates: their words, versions, publication, and previews."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from channels.rules.wire import decode, from_query
from notify import author
from notify.api.answers import json_answer
from notify.api.auth import caller_of
from notify.api.pagination import Listing, PageQuery, cut_page, decode_cursor, invalid_cursor
from notify.rules.template_requests import (
    Number,
    Preview,
    PreviewBody,
    TemplateBody,
    TemplatePatch,
    TemplateView,
    VersionBody,
    is_key,
)
from notify.store import authoring

_SCOPE = "templates"


class TemplatesQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which templates."""

    #: Of one notification type.
    type: str | None = None


class VersionQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which words of a template; the published ones unless a number is given."""

    version: Number | None = None


class TemplatesView(APIView):
    """All templates."""

    scopes: ClassVar[dict[str, str]] = {"GET": _SCOPE, "POST": _SCOPE}
    queries: ClassVar[dict[str, Any]] = {"GET": TemplatesQuery}
    bodies: ClassVar[dict[str, Any]] = {"POST": TemplateBody}
    answers: ClassVar[dict[str, Any]] = {"GET": {200: Listing}, "POST": {201: TemplateView}}
    refusals: ClassVar[dict[str, Any]] = {"POST": {409: ("template_exists",), 422: ("invalid_template",)}}

    def get(self, request: Request) -> HttpResponse:
        """List templates by their ids."""
        query = from_query(request.query_params.dict(), TemplatesQuery)
        rows = authoring.list_templates(position_of(query), query.limit + 1, query.type)
        return json_answer(cut_page(rows, query.limit, lambda row: row.template_id))

    def post(self, request: Request) -> HttpResponse:
        """Create a template; its first version is published unless `publish` is false."""
        made = author.create_template(decode(request.body, TemplateBody), by=_by(request))
        return json_answer(made, status=201)


class TemplateDetailView(APIView):
    """One template."""

    scopes: ClassVar[dict[str, str]] = {"GET": _SCOPE, "PATCH": _SCOPE}
    queries: ClassVar[dict[str, Any]] = {"GET": VersionQuery}
    bodies: ClassVar[dict[str, Any]] = {"PATCH": TemplatePatch}
    answers: ClassVar[dict[str, Any]] = {"GET": {200: TemplateView}, "PATCH": {200: TemplateView}}
    refusals: ClassVar[dict[str, Any]] = {
        "GET": {404: ("unknown_template", "unknown_version")},
        "PATCH": {404: ("unknown_template",), 422: ("template_type_mismatch", "invalid_template")},
    }

    def get(self, request: Request, template_id: str) -> HttpResponse:
        """Read a template with the words of one version."""
        query = from_query(request.query_params.dict(), VersionQuery)
        return json_answer(author.view_template(template_id, query.version))

    def patch(self, request: Request, template_id: str) -> HttpResponse:
        """Give a template another type or default language; its words change by a new version."""
        return json_answer(author.change_template(template_id, decode(request.body, TemplatePatch)))


class VersionsView(APIView):
    """A template's versions."""

    scopes: ClassVar[dict[str, str]] = {"POST": _SCOPE}
    bodies: ClassVar[dict[str, Any]] = {"POST": VersionBody}
    answers: ClassVar[dict[str, Any]] = {"POST": {201: TemplateView}}
    refusals: ClassVar[dict[str, Any]] = {"POST": {404: ("unknown_template",), 422: ("invalid_template",)}}

    def post(self, request: Request, template_id: str) -> HttpResponse:
        """Add a version; it waits to be published unless `publish` is true."""
        made = author.add_version(template_id, decode(request.body, VersionBody), by=_by(request))
        return json_answer(made, status=201)


class PublishView(APIView):
    """What new notifications say."""

    scopes: ClassVar[dict[str, str]] = {"POST": _SCOPE}
    answers: ClassVar[dict[str, Any]] = {"POST": {200: TemplateView}}
    refusals: ClassVar[dict[str, Any]] = {"POST": {404: ("unknown_template", "unknown_version")}}

    def post(self, request: Request, template_id: str, n: int) -> HttpResponse:
        """Publish a version; an older one rolls back. Notifications already accepted keep the one they have."""
        return json_answer(author.publish(template_id, n, by=_by(request)))


class PreviewView(APIView):
    """A look before sending."""

    scopes: ClassVar[dict[str, str]] = {"POST": _SCOPE}
    bodies: ClassVar[dict[str, Any]] = {"POST": PreviewBody}
    answers: ClassVar[dict[str, Any]] = {"POST": {200: Preview}}
    refusals: ClassVar[dict[str, Any]] = {
        "POST": {404: ("unknown_template", "unknown_version", "unknown_user"), 422: ("missing_variable",)}
    }

    def post(self, request: Request, template_id: str) -> HttpResponse:
        """Render a template as one person would get it, on one channel or all it has."""
        return json_answer(author.preview(template_id, decode(request.body or b"{}", PreviewBody)))


def position_of(query: PageQuery) -> str:
    """The key a page begins behind."""
    after = decode_cursor(query.cursor)
    if after and not is_key(after):
        raise invalid_cursor()
    return after


def _by(request: Request) -> str:
    """Who did it, for the list of versions."""
    return f"API key {caller_of(request).key_id}"
