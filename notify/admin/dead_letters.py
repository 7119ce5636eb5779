"""Dead letters: what nobody could deliver, grouped by reason, and another try for what is chosen."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Count, Max, Min, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse

from channels.admin.desk import Desk, newest_first
from channels.vocabulary import Channel
from notify import replay
from notify.models import DeadLetter
from notify.vocabulary import ReasonCode
from preferences import store as people

#: Letters that the groups are counted over: a bounded query, whatever has piled up.
GROUPED = 10_000
#: Groups that are shown, the largest.
_GROUPS = 50
#: Letters of a group that one press of a button replays.
REPLAYED_AT_ONCE = 500


class FilterForm(forms.Form):
    """Which dead letters are shown."""

    reason = forms.ChoiceField(required=False, choices=[("", "any"), *((one.value, one.value) for one in ReasonCode)])
    channel = forms.ChoiceField(required=False, choices=[("", "any"), *((one.value, one.value) for one in Channel)])
    type = forms.CharField(required=False, max_length=100)
    state = forms.ChoiceField(required=False, choices=[("", "waiting"), ("replayed", "replayed"), ("all", "all")])
    before = forms.IntegerField(required=False, min_value=1)


@admin.register(DeadLetter)
class DeadLetterDesk(Desk):
    """What was given up, and why."""

    heading = "Dead letters"

    def pages(self) -> list[URLPattern]:
        """Replaying what is ticked, or a whole group."""
        return [
            self.post("replay/", self.replay_view, "replay"),
            self.post("replay-group/", self.replay_group_view, "replay_group"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The groups, and the newest letters that fit."""
        del extra_context
        self.demand_view(request)
        form = FilterForm(request.GET)
        if not form.is_valid():
            messages.error(request, "Choose the filters from the lists.")
            return redirect(_list_address())
        wanted = form.cleaned_data
        letters = newest_first(_fitting(wanted), before=wanted["before"])
        names = people.user_ids_of(sorted({letter.recipient_id for letter in letters.rows}))
        context = {
            "groups": _groups(),
            "grouped": GROUPED,
            "at_once": REPLAYED_AT_ONCE,
            "rows": [(letter, names.get(letter.recipient_id, "")) for letter in letters.rows],
            "older": _older(request, letters.before),
            "form": form,
        }
        return self.show(request, "admin/notify/dead_letters.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A dead letter's story is its notification's."""
        del form_url, extra_context
        self.demand_view(request)
        number = int(object_id) if object_id.isascii() and object_id.isdigit() else 0
        letter = DeadLetter.objects.filter(pk=number).first()
        if letter is None:
            return redirect(_list_address())
        return redirect(reverse("admin:notify_notification_change", args=[letter.notification_id]))

    def replay_view(self, request: HttpRequest) -> HttpResponse:
        """Another try for the letters that were ticked."""
        self.demand_change(request)
        chosen = sorted({int(text) for text in request.POST.getlist("letter") if text.isascii() and text.isdigit()})
        return self._replay(request, chosen[:REPLAYED_AT_ONCE])

    def replay_group_view(self, request: HttpRequest) -> HttpResponse:
        """Another try for the oldest letters of a group."""
        self.demand_change(request)
        form = FilterForm(request.POST)
        if not form.is_valid() or not form.cleaned_data["reason"]:
            messages.error(request, "Choose a group from the list.")
            return redirect(_list_address())
        group = _fitting({**form.cleaned_data, "state": ""}).order_by("pk").values_list("pk", flat=True)
        return self._replay(request, list(group[:REPLAYED_AT_ONCE]))

    def _replay(self, request: HttpRequest, chosen: list[int]) -> HttpResponse:
        if not chosen:
            messages.warning(request, "Tick the letters to replay first.")
            return redirect(_list_address())
        with transaction.atomic():
            revived = replay.replay_dead_letters(chosen)
            listed = ", ".join(map(str, chosen))
            self.note(request, "", f"{len(chosen)} dead letters", f"replayed {revived} of {len(chosen)}: {listed}")
        messages.success(request, f"Replayed {revived} of {len(chosen)}; each begins with its first attempt.")
        return redirect(_list_address())


def _list_address() -> str:
    return reverse("admin:notify_deadletter_changelist")


def _fitting(wanted: dict[str, Any]) -> QuerySet[DeadLetter]:
    letters = DeadLetter.objects.all()
    if wanted["state"] != "all":
        letters = letters.filter(replayed_at__isnull=wanted["state"] != "replayed")
    asked = {"reason_code": wanted["reason"], "channel": wanted["channel"], "type_key": wanted["type"]}
    return letters.filter(**{column: value for column, value in asked.items() if value})


def _groups() -> list[dict[str, Any]]:
    """The newest letters that wait, counted by reason, channel and type; most first."""
    newest = DeadLetter.objects.filter(replayed_at__isnull=True).order_by("-pk").values("pk")[:GROUPED]
    groups = (
        DeadLetter.objects.filter(pk__in=newest)
        .values("reason_code", "channel", "type_key")
        .annotate(count=Count("pk"), first=Min("failed_at"), last=Max("failed_at"))
        .order_by("-count")[:_GROUPS]
    )
    return [dict(group) for group in groups]


def _older(request: HttpRequest, before: int | None) -> str:
    if before is None:
        return ""
    query = request.GET.copy()
    query["before"] = str(before)
    return f"?{query.urlencode()}"
