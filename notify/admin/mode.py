"""The system's mode: what is in force, another one with its reason, and every change before."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse

from channels.admin.desk import Desk, newest_first
from notify import conf
from notify.govern import set_mode
from notify.models import SystemModeChange
from notify.store.modes import read_mode
from notify.vocabulary import SystemMode

#: What each mode does, for whoever has to choose in a hurry.
_MEANINGS = {
    SystemMode.NORMAL: "everything goes out",
    SystemMode.DEGRADED: "low priority and marketing mails wait",
    SystemMode.CRITICAL: "everything waits that is neither critical nor about security",
}


class ModeForm(forms.Form):
    """A mode, and why."""

    mode = forms.ChoiceField(choices=[(mode.value, mode.value) for mode in SystemMode])
    reason = forms.CharField(max_length=500, error_messages={"required": "Say why, for whoever wonders later."})


@admin.register(SystemModeChange)
class ModeDesk(Desk):
    """One page."""

    heading = "System mode"

    def pages(self) -> list[URLPattern]:
        """Putting another mode in force."""
        return [self.post("set/", self.set_view, "set")]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The mode in force, and the journal of its changes."""
        del extra_context
        self.demand_view(request)
        before = request.GET.get("before", "")
        journal = newest_first(
            SystemModeChange.objects.all(), before=int(before) if before.isascii() and before.isdigit() else None
        )
        context = {
            "now": read_mode(),
            "meanings": [(mode.value, meaning) for mode, meaning in _MEANINGS.items()],
            "depth": conf.AUTO_MODE_DEPTH,
            "rows": journal.rows,
            "before": journal.before,
        }
        return self.show(request, "admin/notify/mode.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A change has no page of its own."""
        del object_id, form_url, extra_context
        self.demand_view(request)
        return redirect(_list_address())

    def set_view(self, request: HttpRequest) -> HttpResponse:
        """Put a mode in force; the same as `PUT /v1/system/mode`."""
        self.demand_change(request)
        form = ModeForm(request.POST)
        if not form.is_valid():
            for error in form.errors.values():
                messages.error(request, str(error[0]))
            return redirect(_list_address())
        mode = SystemMode(form.cleaned_data["mode"])
        with transaction.atomic():
            set_mode(mode, form.cleaned_data["reason"], by=f"staff {request.user.get_username()}")
            self.note(request, "", "system mode", f"put in force: {mode.value}")
        messages.success(request, f"Mode {mode.value}, within two seconds everywhere: {_MEANINGS[mode]}.")
        return redirect(_list_address())


def _list_address() -> str:
    return reverse("admin:notify_systemmodechange_changelist")
