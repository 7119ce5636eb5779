"""Applications and their API keys: issued, rotated, revoked. A key is shown once, on the page that answers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse
from django.utils import timezone

from channels.admin.desk import Desk, tell
from channels.errors import Refusal
from notify import issue
from notify.models import ApiKey, Application
from notify.rules.credentials import KeyParts
from notify.store import keys
from notify.vocabulary import Scope, Tier

_OVERLAPS = [
    ("0", "old ends at once"),
    ("1", "old ends in an hour"),
    ("24", "old ends in a day"),
    ("168", "old ends in a week"),
]
#: Applications and keys of one page: an installation has dozens, not thousands.
_MOST = 200
_LONGEST_DAYS = 3650


class KeyForm(forms.Form):
    """What a new key may do."""

    application = forms.CharField(
        max_length=100, error_messages={"required": "Name the application that will hold the key."}
    )
    scopes = forms.MultipleChoiceField(
        choices=[(one.value, one.value) for one in Scope],
        error_messages={"required": "Tick what the key may do: a key without a scope can do nothing."},
    )
    tier = forms.ChoiceField(choices=[(one.value, one.value) for one in Tier])
    is_test = forms.BooleanField(required=False)
    days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=_LONGEST_DAYS,
        error_messages={"min_value": "Give at least one day.", "max_value": f"Give at most {_LONGEST_DAYS} days."},
    )


class RotateForm(forms.Form):
    """How long the old key lives on."""

    overlap = forms.ChoiceField(choices=_OVERLAPS)
    days = forms.IntegerField(required=False, min_value=1, max_value=_LONGEST_DAYS)


@admin.register(Application)
class ApplicationDesk(Desk):
    """Who may call the API."""

    heading = "Applications"

    def pages(self) -> list[URLPattern]:
        """Making and ending keys."""
        return [
            self.post("issue/", self.issue_view, "issue"),
            self.post("<int:key>/disable/", self.disable_view, "disable"),
            self.post("<int:key>/enable/", self.enable_view, "enable"),
            self.post("keys/<int:key>/rotate/", self.rotate_view, "rotate"),
            self.post("keys/<int:key>/revoke/", self.revoke_view, "revoke"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Applications with their keys: prefix, last four, what each may do and when it was last used."""
        del extra_context
        self.demand_view(request)
        return self._page(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """An application has no page of its own: its keys stand in the list."""
        del object_id, form_url, extra_context
        self.demand_view(request)
        return redirect(_list_address())

    def _page(
        self, request: HttpRequest, *, form: KeyForm | None = None, shown: KeyParts | None = None
    ) -> HttpResponse:
        applications = Application.objects.order_by("name").prefetch_related("keys")[:_MOST]
        context = {
            "applications": [(one, sorted(one.keys.all(), key=_order)) for one in applications],
            "form": form or KeyForm(),
            "posted": form is not None,
            "scopes": list(Scope),
            "tiers": list(Tier),
            "overlaps": _OVERLAPS,
            "shown": shown,
            "now": timezone.now(),
        }
        return self.show(request, "admin/notify/applications.html", context)

    def issue_view(self, request: HttpRequest) -> HttpResponse:
        """Make a key, and show it on this one page."""
        self.demand_change(request)
        form = KeyForm(request.POST)
        if not form.is_valid():
            return self._page(request, form=form)
        wanted = form.cleaned_data
        with transaction.atomic():
            parts = issue.issue_key(
                wanted["application"].strip(),
                scopes=[Scope(word) for word in wanted["scopes"]],
                tier=Tier(wanted["tier"]),
                is_test=wanted["is_test"],
                expires_at=_end(wanted["days"], timezone.now()),
            )
            said = f"issued with {', '.join(wanted['scopes'])}, tier {wanted['tier']}{', test' * wanted['is_test']}"
            self._note(request, parts.prefix, said)
        return self._page(request, shown=parts)

    def rotate_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Replace a key; the old one lives on for the overlap."""
        self.demand_change(request)
        form = RotateForm(request.POST)
        if not form.is_valid():
            messages.error(request, "Choose the overlap from the list, and days from 1 on or none.")
            return redirect(_list_address())
        hours = int(form.cleaned_data["overlap"])
        now = timezone.now()
        try:
            with transaction.atomic():
                parts = issue.rotate_key(
                    key, now=now, overlap=timedelta(hours=hours), expires_at=_end(form.cleaned_data["days"], now)
                )
                self._note(request, _prefix(key), f"rotated to {parts.prefix}; ends in {hours} h")
        except Refusal as refusal:
            tell(request, refusal)
            return redirect(_list_address())
        return self._page(request, shown=parts)

    def revoke_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """End a key now."""
        self.demand_change(request)
        try:
            with transaction.atomic():
                issue.revoke_key(key)
                self._note(request, _prefix(key), "revoked")
        except Refusal as refusal:
            tell(request, refusal)
        else:
            messages.success(request, f"{_prefix(key)} is revoked; within a second no process admits it any more.")
        return redirect(_list_address())

    def disable_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Stop all keys of an application."""
        return self._set_disabled(request, key, disabled=True)

    def enable_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Admit an application's keys again."""
        return self._set_disabled(request, key, disabled=False)

    def _set_disabled(self, request: HttpRequest, key: int, *, disabled: bool) -> HttpResponse:
        self.demand_change(request)
        application = Application.objects.filter(pk=key).first()
        if application is None:
            raise Http404
        word = "disabled" if disabled else "enabled"
        with transaction.atomic():
            if keys.set_application_disabled(key, disabled=disabled):
                self.note(request, key, application.name, word)
                messages.success(request, f"{application.name} is {word}.")
        return redirect(_list_address())

    def _note(self, request: HttpRequest, prefix: str, message: str) -> None:
        """A key is named by its prefix, which is public."""
        row = ApiKey.objects.only("application_id").get(prefix=prefix)
        self.note(request, row.application_id, f"key {prefix}", message)


def _list_address() -> str:
    return reverse("admin:notify_application_changelist")


def _prefix(key: int) -> str:
    return ApiKey.objects.values_list("prefix", flat=True).get(pk=key)


def _end(days: int | None, now: datetime) -> datetime | None:
    return None if days is None else now + timedelta(days=days)


def _order(key: ApiKey) -> tuple[bool, float]:
    """Keys that are good first, the newest before the older."""
    return key.revoked_at is not None, -key.created_at.timestamp()
