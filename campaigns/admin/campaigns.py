"""Campaigns: what is written, what runs and how far it is, and everything that may be done about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, reverse
from django.utils import timezone

from campaigns import report
from campaigns.admin.acts import ActPages, buttons_of, new_key, waits_for
from campaigns.admin.editor import WritingPages, row_or_404
from campaigns.admin.figures import figures_of, lasting, percent_of, shares_of
from campaigns.admin.staff import may_run, party_of
from campaigns.drafts import variables_of
from campaigns.estimate import Estimate, estimate
from campaigns.models import Campaign
from campaigns.policy import MAX_TESTERS
from campaigns.report import CampaignView, Numbers, Stats
from campaigns.rules.transitions import is_allowed
from campaigns.store import runs
from campaigns.store.campaigns import CampaignRow
from campaigns.vocabulary import Act, CampaignKind, CampaignStatus
from channels.admin.desk import PAGE_SIZE, tell
from channels.errors import Refusal
from channels.rules.rates import amount_of

#: Runs under way that are shown above the list.
_MOST_RUNS = 50
#: Reasons that are named on a campaign's page, the most frequent.
_MOST_REASONS = 12
#: States that others, or the clock, lead to the next.
_MOVING = (
    *(CampaignStatus.PENDING_APPROVAL, CampaignStatus.SCHEDULED),
    *(CampaignStatus.RUNNING, CampaignStatus.PAUSED),
)
#: A run that ended is counted once more, and then seldom.
_SETTLING = timedelta(minutes=1)
#: Notifications of a run have ids of its time; what is told at a local hour comes later.
_BEFORE, _BEHIND = timedelta(minutes=1), timedelta(days=2)
_INSTANT = "%Y-%m-%dT%H:%M"
_KINDS = [("", "any"), *((one.value, one.value) for one in CampaignKind)]
_STATUSES = [("", "any"), *((one.value, one.value.replace("_", " ")) for one in CampaignStatus)]


class FilterForm(forms.Form):
    """Which campaigns are listed; `before` is where the page before ended."""

    kind = forms.ChoiceField(required=False, choices=_KINDS)
    status = forms.ChoiceField(required=False, choices=_STATUSES)
    before = forms.UUIDField(required=False)


@admin.register(Campaign)
class CampaignDesk(WritingPages, ActPages):
    """What is told to many."""

    heading = "Campaigns"

    def pages(self) -> list[URLPattern]:
        """The numbers that change by themselves, and the estimate."""
        return [
            self.page("under-way/", self.under_way_view, "under_way"),
            self.page("<uuid:key>/progress/", self.progress_view, "progress"),
            self.post("<uuid:key>/estimate/", self.estimate_view, "estimate"),
            *WritingPages.pages(self),
            *ActPages.pages(self),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """What runs, and the newest campaigns that fit."""
        del extra_context
        self.demand_view(request)
        asked = request.GET if "kind" in request.GET else {**request.GET.dict(), "kind": CampaignKind.CAMPAIGN.value}
        form = FilterForm(asked)
        if not form.is_valid():
            messages.error(request, "Choose the filters from the lists.")
            return redirect(reverse("admin:campaigns_campaign_changelist"))
        wanted = form.cleaned_data
        found = report.listing(
            party_of(request),
            status=CampaignStatus(wanted["status"]) if wanted["status"] else None,
            kind=CampaignKind(wanted["kind"]) if wanted["kind"] else None,
            before=wanted["before"],
            limit=PAGE_SIZE,
            now=timezone.now(),
        )
        rows, has_more = found[:PAGE_SIZE], len(found) > PAGE_SIZE
        older = {"kind": wanted["kind"], "status": wanted["status"], "before": rows[-1].id} if has_more else {}
        context = {
            **self._under_way(request),
            "rows": [_line(one) for one in rows],
            "form": form,
            "older": f"?{urlencode(older)}" if older else "",
            "may_add": self.has_add_permission(request),
        }
        return self.show(request, "admin/campaigns/campaigns.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One campaign: how far it is, what it says to whom, what may be done, and who did what."""
        del form_url, extra_context
        self.demand_view(request)
        return self._page(request, row_or_404(object_id))

    def under_way_view(self, request: HttpRequest) -> HttpResponse:
        """What runs, as the list shows it: asked again and again by whoever looks at it."""
        self.demand_view(request)
        return _watched(request, "admin/campaigns/under_way.html", self._under_way(request))

    def progress_view(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """How far one campaign is and what may be done to it now: asked again and again."""
        self.demand_view(request)
        return _watched(request, "admin/campaigns/progress.html", self._progress(request, row_or_404(key)))

    def estimate_view(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """The page with what it would come to now; nothing is sent or written."""
        self.demand_view(request)
        campaign = row_or_404(key)
        try:
            found = estimate(campaign, now=timezone.now())
        except Refusal as refusal:
            tell(request, refusal)
            return self._page(request, campaign)
        return self._page(request, campaign, estimated=_estimated(found))

    def _page(self, request: HttpRequest, campaign: CampaignRow, **more: Any) -> HttpResponse:
        context = {
            **self._progress(request, campaign),
            "may_edit": self.has_change_permission(request) and is_allowed(Act.CHANGE, campaign.status),
            "may_test": may_run(request),
            "variables": sorted(variables_of(campaign).items()) if _is_written(campaign) and may_run(request) else None,
            "testers": MAX_TESTERS,
            "test_key": new_key(),
            **more,
        }
        return self.show(request, "admin/campaigns/campaign.html", context, title=campaign.name)

    def _progress(self, request: HttpRequest, campaign: CampaignRow) -> dict[str, Any]:
        """All that changes by itself. Seven short statements, however many people it tells."""
        now = timezone.now()
        view, stats = report.detail(campaign, now=now), report.stats(campaign, None, now=now)
        run = stats.run
        return {
            "campaign": campaign,
            "view": view,
            "run": run,
            "progress": _shown(view),
            "stats": stats,
            "variants": sorted(stats.variants.items()),
            "reasons": sorted(stats.reasons.items(), key=lambda one: -one[1])[:_MOST_REASONS],
            "runs": stats.runs[1:],
            "buttons": buttons_of(request, campaign),
            "waits_for": waits_for(request, campaign),
            "is_live": _is_live(campaign, stats, now),
            "told": _told_address(campaign, stats) if request.user.has_perm("notify.view_notification") else "",
        }

    def _under_way(self, request: HttpRequest) -> dict[str, Any]:
        """Runs that have not ended, with the switch that stops each. Four statements by partial indexes."""
        ids = list(dict.fromkeys(run.campaign_id for run in runs.under_way(_MOST_RUNS)))
        views = report.listing(
            party_of(request), status=None, kind=None, before=None, limit=len(ids), now=timezone.now(), ids=ids
        )
        return {"under_way": [_line(one) for one in views], "may_pause": may_run(request)}


def _line(view: CampaignView) -> dict[str, Any]:
    return {"view": view, "progress": _shown(view) if view.run_id is not None else None}


def _shown(numbers: Numbers) -> dict[str, Any]:
    """A run's numbers in the forms they are shown in."""
    return {
        "figures": figures_of(numbers),
        "shares": shares_of(numbers),
        "percent": percent_of(numbers),
        # While the audience is being read, nobody knows how many are left.
        "eta": lasting(numbers.eta_seconds) if numbers.frozen and numbers.eta_seconds is not None else "",
    }


def _estimated(found: Estimate) -> dict[str, Any]:
    return {
        "found": found,
        "cost": amount_of(found.cost_micros),
        "channels": [(channel, part, amount_of(part.cost_micros)) for channel, part in found.channels.items()],
        "duration": lasting(found.pace.duration_seconds),
        "limited_by": found.pace.limited_by.replace("_", " "),
    }


def _is_live(campaign: CampaignRow, stats: Stats, now: datetime) -> bool:
    """Whether anything may change without a press: it waits, it runs, or its end was just now."""
    if campaign.status in _MOVING:
        return True
    run = stats.run
    return run is not None and (run.ended_at is None or now - run.ended_at < _SETTLING)


def _is_written(campaign: CampaignRow) -> bool:
    """Whether its words are for everybody: what an application tells at once may name somebody."""
    return campaign.kind is CampaignKind.CAMPAIGN


def _told_address(campaign: CampaignRow, stats: Stats) -> str:
    """The list of notifications, opened at the time of the newest run."""
    run = stats.run
    if run is None:
        return ""
    asked = {"campaign": str(campaign.id), "since": f"{run.started_at - _BEFORE:{_INSTANT}}"}
    if run.ended_at is not None:
        asked["until"] = f"{run.ended_at + _BEHIND:{_INSTANT}}"
    return f"{reverse('admin:notify_notification_changelist')}?{urlencode(asked)}"


def _watched(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """A part of a page that asks by itself, which is no work: it keeps nobody logged in whose chair is empty."""
    response = render(request, template, context)
    del request.session
    return response
