"""Notifications: found by id, person, type or time; each with its deliveries, attempts and reasons.

The tables are partitioned and may hold a billion rows, so nothing here counts and nothing scans without a bound: lists
are read by `notify.store.reading`, which the API uses too.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse

from channels.admin.desk import PAGE_SIZE, Desk, tell
from channels.errors import Refusal
from notify import cancel
from notify.admin.timeline import moments_of
from notify.models import Notification
from notify.rules.history import AttemptRow, History
from notify.rules.ids import first_id
from notify.rules.lifecycle import CANCELLABLE
from notify.store import reading
from notify.vocabulary import NotificationStatus
from preferences import store as people

_INSTANT = "%Y-%m-%dT%H:%M"


class FinderForm(forms.Form):
    """By what a notification is found. Every field narrows; none is required."""

    id = forms.UUIDField(required=False, error_messages={"invalid": "An id looks like 0199d2f0-….; copy it whole."})
    user_id = forms.CharField(required=False, max_length=128)
    recipient = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)
    type = forms.CharField(required=False, max_length=100)
    campaign = forms.UUIDField(required=False, widget=forms.HiddenInput)
    status = forms.ChoiceField(
        required=False, choices=[("", "any"), *((one.value, one.value.replace("_", " ")) for one in NotificationStatus)]
    )
    since = forms.DateTimeField(required=False, input_formats=[_INSTANT])
    until = forms.DateTimeField(required=False, input_formats=[_INSTANT])
    before = forms.UUIDField(required=False, widget=forms.HiddenInput)


@admin.register(Notification)
class NotificationDesk(Desk):
    """What was told to whom, and what became of it."""

    heading = "Notifications"

    def pages(self) -> list[URLPattern]:
        """The one action: cancelling."""
        return [self.post("<uuid:key>/cancel/", self.cancel_view, "cancel")]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The newest notifications that fit; a bounded search, whatever is asked."""
        del extra_context
        self.demand_view(request)
        form = FinderForm(request.GET)
        if not form.is_valid():
            for errors in form.errors.values():
                messages.error(request, str(errors[0]))
            return redirect(_list_address())
        wanted = form.cleaned_data
        if wanted["id"]:
            return redirect(reverse("admin:notify_notification_change", args=[wanted["id"]]))
        found = self._find(request, wanted)
        context = {
            "rows": _with_user_ids(found.rows),
            "older": _with_before(request, found.stopped_at),
            "form": form,
            "statuses": form.fields["status"].choices,  # type: ignore[attr-defined]  # a ChoiceField by declaration
            "is_filtered": any(wanted.values()),
        }
        return self.show(request, "admin/notify/notifications.html", context)

    def _find(self, request: HttpRequest, wanted: dict[str, Any]) -> reading.Found:
        recipient_id = wanted["recipient"]
        if wanted["user_id"]:
            known = people.resolve([wanted["user_id"]]).get(wanted["user_id"])
            if known is None:
                messages.warning(request, "There is no recipient with this user id.")
                return reading.Found([], None)
            recipient_id = known.id
        return reading.page(
            reading.Filters(
                recipient_id=recipient_id,
                type_key=wanted["type"] or None,
                campaign_id=str(wanted["campaign"]) if wanted["campaign"] else None,
                status=NotificationStatus(wanted["status"]) if wanted["status"] else None,
                created_after=wanted["since"],
                before=wanted["before"] or (first_id(wanted["until"]) if wanted["until"] else None),
            ),
            PAGE_SIZE,
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One notification: what it is, its deliveries, its attempts, and what happened in order."""
        del form_url, extra_context
        self.demand_view(request)
        history = _history(object_id)
        row = history.notification
        context = {
            "row": row,
            "history": history,
            "attempts": _with_channels(history),
            "moments": moments_of(history),
            "may_cancel": self.has_change_permission(request) and _is_cancellable(history),
        }
        return self.show(request, "admin/notify/notification.html", context, title=f"Notification {row.id}")

    def cancel_view(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """Stop what has not left yet."""
        self.demand_change(request)
        row = reading.notification(key)
        if row is None:
            raise Http404
        try:
            with transaction.atomic():
                cancel.cancel_notification(row.id, row.application_id)
                self.note(request, row.id, f"notification {row.id}", "cancelled")
        except Refusal as refusal:
            tell(request, refusal)
        else:
            messages.success(request, "Cancelled: what had not left yet stays here.")
        return redirect(reverse("admin:notify_notification_change", args=[row.id]))


def _list_address() -> str:
    return reverse("admin:notify_notification_changelist")


def _with_user_ids(rows: list[reading.ListedRow]) -> list[tuple[reading.ListedRow, str]]:
    names = people.user_ids_of(sorted({row.recipient_id for row in rows}))
    return [(row, names.get(row.recipient_id, "")) for row in rows]


def _history(key: str) -> History:
    """All that is known of a notification, in five statements; 404 where there is none."""
    try:
        row = reading.notification(UUID(key))
    except ValueError:
        row = None
    if row is None:
        raise Http404
    deliveries = reading.deliveries(row.id)
    return History(
        notification=row,
        user_id=people.user_ids_of([row.recipient_id]).get(row.recipient_id, ""),
        deliveries=deliveries,
        attempts=reading.attempts(row.id, [delivery.id for delivery in deliveries]),
        events=reading.events(row.id),
    )


def _with_channels(history: History) -> list[tuple[AttemptRow, str]]:
    channels = {one.id: one.channel for one in history.deliveries}
    return [(one, channels.get(one.delivery_id, "")) for one in history.attempts]


def _is_cancellable(history: History) -> bool:
    if history.status is NotificationStatus.CANCELLED:
        return False
    return not history.deliveries or any(one.status in CANCELLABLE for one in history.deliveries)


def _with_before(request: HttpRequest, before: UUID | None) -> str:
    """The address of the next older page of the same search; empty at the end."""
    if before is None:
        return ""
    query = request.GET.copy()
    query["before"] = str(before)
    return f"?{query.urlencode()}"
