"""Writing a campaign: a form that keeps a draft by the API's own verbs, and what it asks while somebody writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse
from django.utils import timezone

from campaigns import compose, estimate
from campaigns.admin.staff import party_of
from campaigns.admin.writing import BLANK, CampaignForm, fields_of
from campaigns.policy import FANOUT_COUNTED_TO
from campaigns.rules.checks import template_ids
from campaigns.rules.planned import AGAIN, Planned, coming
from campaigns.rules.requests import VariantBody, Written
from campaigns.rules.transitions import is_allowed
from campaigns.store import campaigns
from campaigns.store.campaigns import CampaignRow
from campaigns.vocabulary import Act
from channels.admin.desk import Desk
from channels.errors import FieldError, Refusal
from channels.rules.wire import decode
from channels.vocabulary import Channel
from notify.store import authoring, templates, types
from notify.vocabulary import Priority
from preferences.store import topics

#: Types, templates and topics that are offered while somebody writes; any other may be written.
_OFFERED = 500


class AudienceAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom a draft would tell: one of the two."""

    segment: str | None = None
    topic: str | None = None


class OutlineAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a draft names so far, and when it is told."""

    type: str = ""
    template_id: str = ""
    variants: list[str] = []
    planned: Planned = Planned()


class WritingPages(Desk):
    """The pages on which campaigns are written."""

    def pages(self) -> list[URLPattern]:
        """The form of a draft, and what it asks."""
        return [
            self.post("preview/audience/", self.audience_view, "audience"),
            self.post("preview/outline/", self.outline_view, "outline"),
            self.page("<uuid:key>/edit/", self.edit_view, "edit"),
        ]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Campaigns are written here: for once, rows are added by hand."""
        del obj
        return bool(request.user.has_perm("campaigns.add_campaign"))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A new draft, which tells nobody."""
        del form_url, extra_context
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = CampaignForm(request.POST if request.method == "POST" else None, initial=BLANK)
        if request.method != "POST" or not form.is_valid():
            return self._form(request, form)
        try:
            with transaction.atomic():
                kept = compose.create(form.body(), party_of(request), now=timezone.now()).campaign
                self.note(request, kept.id, kept.name, "written")
        except Refusal as refusal:
            return self._refused(request, form, refusal)
        messages.success(request, "Kept as a draft: it tells nobody until it is started.")
        return redirect(address_of(kept.id))

    def edit_view(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """A draft, to be written differently."""
        self.demand_change(request)
        campaign = row_or_404(key)
        if not is_allowed(Act.CHANGE, campaign.status):
            messages.error(request, "Only a draft is changed: reject or cancel this one, and write another.")
            return redirect(address_of(key))
        form = CampaignForm(request.POST if request.method == "POST" else None, initial=fields_of(campaign))
        if request.method != "POST" or not form.is_valid():
            return self._form(request, form, campaign)
        try:
            with transaction.atomic():
                _demand_seen(request, key)
                if form.changed_data:
                    compose.change(key, form.patch(), party_of(request), now=timezone.now())
                    self.note(request, key, campaign.name, f"changed {', '.join(form.changed_data)}")
        except Refusal as refusal:
            return self._refused(request, form, refusal, campaign)
        messages.success(request, "Kept." if form.changed_data else "Nothing was changed.")
        return redirect(address_of(key))

    def audience_view(self, request: HttpRequest) -> HttpResponse:
        """How many people that is, and some of them; or what is wrong with it and where: both are answers."""
        self._demand_writer(request)
        try:
            asked = decode(request.body, AudienceAsked)
            if asked.topic:
                return JsonResponse(_topic_size(asked.topic))
            found = estimate.preview(asked.segment or "", now=timezone.now())
        except Refusal as refusal:
            return JsonResponse({"faults": _faults(refusal)})
        return JsonResponse(msgspec.to_builtins(found))

    def outline_view(self, request: HttpRequest) -> HttpResponse:
        """The variables its templates ask for, and the next times it is told."""
        self._demand_writer(request)
        try:
            asked = decode(request.body, OutlineAsked)
        except Refusal as refusal:
            return JsonResponse({"faults": _faults(refusal)}, status=422)
        answer: dict[str, Any] = {"variables": _asked_for(asked), "comes_again": asked.planned.when == AGAIN}
        try:
            answer["coming"] = coming(asked.planned, timezone.now())
        except Refusal as refusal:
            answer["faults"] = _faults(refusal)
        return JsonResponse(answer)

    def _demand_writer(self, request: HttpRequest) -> None:
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied

    def _refused(
        self, request: HttpRequest, form: CampaignForm, refusal: Refusal, campaign: CampaignRow | None = None
    ) -> HttpResponse:
        """The form again, with everything that was written and what is wrong with it."""
        form.show_faults(refusal)
        return self._form(request, form, campaign)

    def _form(self, request: HttpRequest, form: CampaignForm, campaign: CampaignRow | None = None) -> HttpResponse:
        may_be_critical = party_of(request).may_be_critical
        held = form["priority"].value()
        context = {
            "form": form,
            "campaign": campaign,
            "seen": campaign.updated_at.isoformat() if campaign else "",
            "channels": [one.value for one in Channel],
            "chosen": form["channels"].value() or [],
            "priorities": [
                one.value for one in Priority if may_be_critical or one is not Priority.CRITICAL or one.value == held
            ],
            "types": [row.key for row in types.list_types("", _OFFERED)],
            "templates": [one for one in authoring.list_templates("", _OFFERED, None) if one.published_version],
            # The topic of somebody's followers names them, and is told by fan-outs.
            "topics": [row.key for row in topics.list_topics("", _OFFERED) if not row.key.startswith("user:")],
            "places": {
                "audience": reverse("admin:campaigns_campaign_audience"),
                "outline": reverse("admin:campaigns_campaign_outline"),
            },
        }
        title = f"Edit {campaign.name}" if campaign else "New campaign"
        response = self.show(request, "admin/campaigns/writing.html", context, title=title)
        response.status_code = 422 if form.errors else 200
        return response


def row_or_404(key: UUID | str) -> CampaignRow:
    """A campaign by its id."""
    try:
        found = campaigns.get(key if isinstance(key, UUID) else UUID(key))
    except ValueError:
        found = None
    if found is None:
        raise Http404
    return found


def address_of(key: UUID) -> str:
    """A campaign's own page."""
    return reverse("admin:campaigns_campaign_change", args=[key])


def _demand_seen(request: HttpRequest, key: UUID) -> None:
    """Refuse to put words over those of somebody else, who wrote since the form was opened."""
    held = campaigns.lock(key)
    if held is None:
        raise Http404
    if request.POST.get("seen") != held.updated_at.isoformat():
        raise Refusal(
            "Somebody changed this draft since you opened it: keep it once more to put yours in its place, or leave and"
            " look at theirs."
        )


def _topic_size(key: str) -> dict[str, Any]:
    topic_id = topics.topic_id_of(key)
    if topic_id is None:
        return {"faults": [{"message": "There is no topic with this key.", "offset": None}]}
    size = topics.size_up_to(topic_id, FANOUT_COUNTED_TO)
    return {"count": size, "is_estimate": size >= FANOUT_COUNTED_TO, "sample": []}


def _asked_for(asked: OutlineAsked) -> list[dict[str, Any]]:
    """Every variable that one of the templates asks for, once; required where one of them requires it."""
    kind = types.type_for(asked.type)
    variants = [VariantBody(name=one, template_id=one) for one in asked.variants if one]
    named = template_ids(
        Written(name="-", type=asked.type, template_id=asked.template_id or None, variants=variants), kind
    )
    found: dict[str, dict[str, Any]] = {}
    for template in filter(None, map(templates.published, named)):
        for name, spec in template.variables.items():
            row = found.setdefault(name, {"name": name, "type": spec.get("type", "string"), "required": False})
            row["required"] = row["required"] or _is_demanded(spec)
            row.setdefault("default", spec.get("default"))
    return list(found.values())


def _is_demanded(spec: Mapping[str, Any]) -> bool:
    return bool(spec.get("required")) and spec.get("default") is None


def _faults(refusal: Refusal) -> list[dict[str, Any]]:
    """What a refusal says, each with its place in the text."""
    found = refusal.errors or (FieldError("", refusal.code, refusal.detail),)
    return [
        {"pointer": one.pointer, "message": one.message, **(one.position._asdict() if one.position else {})}
        for one in found
    ]
