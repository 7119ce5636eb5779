"""Templates and their versions: what each says, how two differ, who published which, and the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db import transaction
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse

from channels.admin.desk import tell
from channels.errors import Refusal
from notify import author
from notify.admin.differences import compared
from notify.admin.editor import EDITED, EditorPages, number_of, view_or_404
from notify.models import Template
from notify.rules.rich_fields import Source, flattened
from notify.rules.template_requests import Preview, PreviewBody, TemplateView
from notify.rules.variables import examples
from notify.store.types import types_naming

#: Templates of one page: an installation has dozens or hundreds.
_MOST = 500


@admin.register(Template)
class TemplateDesk(EditorPages):
    """The words of each notification type."""

    heading = "Templates"

    def pages(self) -> list[URLPattern]:
        """Comparing and publishing, beside the editor's pages."""
        return [
            *super().pages(),
            self.page("<str:key>/compare/", self.compare_view, "compare"),
            self.post("<str:key>/publish/<int:number>/", self.publish_view, "publish"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Every template, with its published and its newest version."""
        del extra_context
        self.demand_view(request)
        wanted = request.GET.get("q", "").strip()
        rows = Template.objects.annotate(newest=Max("versions__number")).order_by("template_id")
        if wanted:
            rows = rows.filter(template_id__icontains=wanted) | rows.filter(type_key__icontains=wanted)
        context = {"rows": rows[:_MOST], "wanted": wanted, "may_add": self.has_add_permission(request)}
        return self.show(request, "admin/notify/templates.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One template: its versions, and what one of them says in each channel and language."""
        del form_url, extra_context
        self.demand_view(request)
        view = _view(object_id, number_of(request.GET.get("version")))
        locales = sorted({locale for wordings in view.channels.values() for locale in wordings})
        locale = request.GET.get("locale", "")
        locale = locale if locale in locales else view.default_locale
        preview, fault = _preview(view, locale)
        context = {
            "view": view,
            "locales": locales,
            "locale": locale,
            "words": _words(view, locale, preview),
            "fault": fault,
            "may_edit": request.user.has_perm("notify.add_templateversion"),
            "newest": view.versions[0].number,
            "is_used": view.type in types_naming(view.template_id),
        }
        return self.show(request, "admin/notify/template.html", context, title=view.template_id)

    def compare_view(self, request: HttpRequest, key: str) -> HttpResponse:
        """Two versions side by side."""
        self.demand_view(request)
        view = view_or_404(key)
        numbers = [line.number for line in view.versions]
        after = number_of(request.GET.get("after")) or numbers[0]
        before = number_of(request.GET.get("before")) or view.published_version or numbers[-1]
        if before not in numbers or after not in numbers:
            raise Http404
        changes = [compared(change) for change in author.compare(key, before, after)]
        context = {"view": view, "before": before, "after": after, "numbers": numbers, "changes": changes}
        return self.show(request, "admin/notify/compare.html", context, title=f"{key}: {before} and {after}")

    def publish_view(self, request: HttpRequest, key: str, number: int) -> HttpResponse:
        """Let new notifications say this version; an older one is the way back."""
        self.demand_change(request)
        before = view_or_404(key).published_version
        word = "rolled back to" if before is not None and number < before else "published"
        try:
            with transaction.atomic():
                author.publish(key, number, by=request.user.get_username())
                self.note(request, key, key, f"{word} version {number} (before: {before or 'none'})")
        except Refusal as refusal:
            tell(request, refusal)
        else:
            messages.success(request, f"New notifications say version {number} from now on.")
        return redirect(reverse("admin:notify_template_change", args=[key]))


def _view(key: str, number: int | None) -> TemplateView:
    """A template by its id, or by the way Django's log writes ids in addresses."""
    try:
        return view_or_404(key, number)
    except Http404:
        return view_or_404(unquote(key), number)


def _preview(view: TemplateView, locale: str) -> tuple[Preview | None, str]:
    """A kept version on example values; older versions may break rules that are newer than they."""
    body = PreviewBody(locale=locale, variables=examples(view.variables, complete=True), version=view.version)
    try:
        return author.preview(view.template_id, body), ""
    except Refusal as refusal:
        return None, refusal.detail


def _shown(wording: Mapping[str, Source], fields: Sequence[str]) -> dict[str, str]:
    """What was written, in the order of the editor; buttons and data part by part."""
    written = [flattened({field: source}) for field in fields if (source := wording.get(field))]
    return {field: text for part in written for field, text in part.items()}


def _words(view: TemplateView, locale: str, preview: Preview | None) -> list[tuple[str, dict[str, str], Any]]:
    """Channel, what its author wrote in this language, and how it reads; in the order of the editor."""
    return [
        (
            channel,
            _shown(view.channels[channel].get(locale, {}), fields),
            preview.channels.get(channel) if preview else None,
        )
        for channel, fields in EDITED.items()
        if channel in view.channels
    ]
