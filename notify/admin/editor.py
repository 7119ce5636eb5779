"""The editor of templates: a draft of a new version, previewed while it is written, kept by the API's own verbs."""

from __future__ import annotations

from typing import Any

import msgspec
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse

from channels.admin.desk import Desk
from channels.errors import Refusal
from channels.rules.wire import decode
from notify import author
from notify.errors import UnknownTemplate, UnknownTemplateVersion
from notify.rules.content_limits import FIELDS, RICH
from notify.rules.rich_fields import Written, all_flattened
from notify.rules.template_requests import TemplateBody, TemplateView, VersionBody
from notify.rules.trial_findings import Document
from notify.rules.variables import Variable, examples
from notify.store.types import list_types

#: The channels and their fields in the order in which people write them; an e-mail is written as MJML or as HTML.
EDITED: dict[str, list[str]] = {channel.value: list(fields) for channel, fields in FIELDS.items()}
EDITED["email"].append("mjml_body")
for _channel in RICH:
    EDITED[_channel.value] += ["actions", "data"]
#: Types that are offered for a new template; any other key may be written.
_MOST_TYPES = 500
_NEW: dict[str, Any] = {"template_id": "", "type": "", "default_locale": "en", "channels": {}, "variables": {}}


class Draft(msgspec.Struct, frozen=True):
    """What somebody has written so far."""

    channels: Written
    variables: dict[str, Variable]
    default_locale: str


class DraftPreview(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the editor asks while somebody writes."""

    document: Draft
    locale: str
    #: Values to try it with; those left out are made up.
    variables: dict[str, Any] = {}


class EditorPages(Desk):
    """The pages on which words are written."""

    def pages(self) -> list[URLPattern]:
        """The editor of an existing template, and the preview it asks for."""
        return [
            self.post("preview/", self.preview_view, "preview"),
            self.page("<str:key>/edit/", self.edit_view, "edit"),
        ]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Templates are made here: for once, rows are added by hand."""
        del obj
        return bool(request.user.has_perm("notify.add_template"))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A new template with its first version."""
        del form_url, extra_context
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return self._editor(request, {**_NEW, "type": request.GET.get("type", "")[:128]})
        try:
            body = decode(_written(request), TemplateBody)
            self._demand_publish(request, body)
            with transaction.atomic():
                view = author.create_template(body, by=request.user.get_username())
                self.note(request, view.template_id, view.template_id, _said(view, "created"))
        except Refusal as refusal:
            return self._refused(request, None, refusal)
        messages.success(request, f"{view.template_id} is kept{' and published' if view.published_version else ''}.")
        return redirect(reverse("admin:notify_template_change", args=[view.template_id]))

    def edit_view(self, request: HttpRequest, key: str) -> HttpResponse:
        """The words of a version, to be kept as a new one: versions themselves never change."""
        if not request.user.has_perm("notify.add_templateversion"):
            raise PermissionDenied
        view = view_or_404(key, number_of(request.GET.get("from")))
        if request.method != "POST":
            return self._editor(request, _draft(view), view)
        try:
            body = decode(_written(request), VersionBody)
            self._demand_publish(request, body)
            with transaction.atomic():
                kept = author.add_version(key, body, by=request.user.get_username())
                self.note(request, key, key, _said(kept, "added"))
        except Refusal as refusal:
            return self._refused(request, view, refusal)
        done = "kept and published" if body.publish else "kept as a draft: publish it when it is right"
        messages.success(request, f"Version {kept.version} is {done}.")
        return redirect(reverse("admin:notify_template_change", args=[key]))

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """The draft as it would go out, or what is wrong with it and where: while somebody writes, both are answers."""
        if not request.user.has_perm("notify.add_templateversion"):
            raise PermissionDenied
        try:
            asked = decode(request.body, DraftPreview)
        except Refusal as refusal:
            return JsonResponse({"errors": _faults(refusal)}, status=422)
        written = asked.document
        document = Document(
            channels=all_flattened(written.channels),
            variables=written.variables,
            default_locale=written.default_locale,
        )
        try:
            made = author.preview_draft(document, locale=asked.locale, variables=asked.variables)
        except Refusal as refusal:
            return JsonResponse({"errors": _faults(refusal)})
        return JsonResponse({"channels": msgspec.to_builtins(made)})

    def _demand_publish(self, request: HttpRequest, body: TemplateBody | VersionBody) -> None:
        if body.publish and not self.has_change_permission(request):
            raise PermissionDenied

    def _editor(
        self,
        request: HttpRequest,
        draft: dict[str, Any],
        view: TemplateView | None = None,
        faults: list[dict[str, str]] | None = None,
        status: int = 200,
    ) -> HttpResponse:
        context = {
            "view": view,
            "draft": {
                **draft,
                "fields": EDITED,
                "faults": faults or [],
                "examples": _examples(draft["variables"]),
                "preview_address": reverse("admin:notify_template_preview"),
                "is_new": view is None,
            },
            "may_publish": self.has_change_permission(request),
            "types": [] if view else [row.key for row in list_types("", _MOST_TYPES)],
        }
        title = f"Edit {view.template_id}" if view else "New template"
        response = self.show(request, "admin/notify/editor.html", context, title=title)
        response.status_code = status
        return response

    def _refused(self, request: HttpRequest, view: TemplateView | None, refusal: Refusal) -> HttpResponse:
        """The editor again, with everything that was written and what is wrong with it."""
        try:
            draft = {**_NEW, **msgspec.json.decode(_written(request), type=dict[str, Any])}
        except (msgspec.DecodeError, UnicodeDecodeError):
            draft = _draft(view) if view else _NEW
        if view is not None:
            draft |= {"template_id": view.template_id, "type": view.type, "default_locale": view.default_locale}
        return self._editor(request, draft, view, _faults(refusal), status=422)


def view_or_404(key: str, number: int | None = None) -> TemplateView:
    """A template with the words of one version."""
    try:
        return author.view_template(key, number)
    except (UnknownTemplate, UnknownTemplateVersion):
        raise Http404 from None


def number_of(text: str | None) -> int | None:
    """A version's number out of an address; None for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None  # noqa: PLR2004 - a number, no flood of digits


def _written(request: HttpRequest) -> bytes:
    """What the editor's script put together from its fields."""
    return str(request.POST.get("draft", "")).encode(errors="surrogatepass")


def _draft(view: TemplateView) -> dict[str, Any]:
    return {
        "template_id": view.template_id,
        "type": view.type,
        "default_locale": view.default_locale,
        "channels": view.channels,
        "variables": view.variables,
    }


def _examples(variables: Any) -> dict[str, Any]:
    """Values to start the preview with; none for a schema that is itself wrong."""
    try:
        return examples(variables, complete=True)
    except (AttributeError, KeyError, TypeError):
        return {}


def _faults(refusal: Refusal) -> list[dict[str, str]]:
    """Everything the refusal says, each with its place in the draft."""
    if not refusal.errors:
        return [{"pointer": "", "code": refusal.code, "message": refusal.detail}]
    return [{"pointer": one.pointer, "code": one.code, "message": one.message} for one in refusal.errors]


def _said(view: TemplateView, verb: str) -> str:
    """An entry of the log."""
    published = " and published" if view.published_version == view.version else ""
    return f"{verb} version {view.version}{published}"
