"""Buttons of a campaign: each act by the API's own verb, confirmed where it cannot be undone, and written down."""

from __future__ import annotations

import json
import secrets
from functools import partial
from typing import NamedTuple
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse
from django.utils import timezone

from campaigns import compose, conf
from campaigns.admin.editor import address_of, row_or_404
from campaigns.admin.staff import may_do, may_run, party_of
from campaigns.errors import NotConfirmed
from campaigns.policy import MAX_TESTERS
from campaigns.rehearse import Rehearsal, rehearse
from campaigns.rules.confirmation import is_confirmed, words_for
from campaigns.rules.requests import ActBody, TestBody
from campaigns.rules.transitions import FOR_PEOPLE, acts_in
from campaigns.store.campaigns import CampaignRow
from campaigns.vocabulary import Act, CampaignKind, CampaignStatus
from channels.admin.desk import Desk, tell
from channels.errors import Refusal
from channels.rules.wire import decode
from notify.api.context import context_of
from notify.rules.intake import Rejection

#: What a button says, and what the next page says when it was pressed.
_SAID = {
    Act.SUBMIT: ("Submit for approval", "Submitted: somebody approves it now, or sends it back."),
    Act.APPROVE: ("Approve", "Approved: from now on its schedule holds."),
    Act.REJECT: ("Send back", "Sent back: it is a draft again."),
    Act.START: ("Start now", "Started."),
    Act.PAUSE: ("Pause", "Paused: nothing more of it is handed to a provider."),
    Act.RESUME: ("Resume", "It goes on where it stood."),
    Act.CANCEL: ("Cancel", "Cancelled: who has not been told is not told."),
}
#: Acts that ask for a word why; everybody who sees the campaign reads it.
_NOTED = (Act.REJECT, Act.CANCEL)
#: The random key of a form, so that pressing twice sends once.
_KEY_CHARACTERS = 64


class Button(NamedTuple):
    """One act that somebody may do now."""

    act: Act
    label: str
    #: What must be typed first; empty: nothing.
    typed: str
    #: Whether it must be confirmed.
    asks: bool
    noted: bool


class ActPages(Desk):
    """The acts on a campaign, and its test."""

    def pages(self) -> list[URLPattern]:
        """An address for each act."""
        acts = [self.post(f"<uuid:key>/{act}/", partial(self.act_view, act=act), act.value) for act in FOR_PEOPLE]
        return [*acts, self.post("<uuid:key>/test/", self.test_view, "test")]

    def act_view(self, request: HttpRequest, key: UUID, act: Act) -> HttpResponse:
        """Do it, if it is confirmed and its state allows it; a pause needs nothing but the press."""
        if not may_do(request, act):
            raise PermissionDenied
        campaign = row_or_404(key)
        try:
            _demand_confirmed(request, campaign, act)
            note = decode(json.dumps({"note": request.POST.get("note", "").strip()}).encode(), ActBody).note
            with transaction.atomic():
                done = compose.act_for(party_of(request), key, act, now=timezone.now(), note=note)
                self.note(request, key, campaign.name, _logged(act, done))
        except Refusal as refusal:
            tell(request, refusal)
        else:
            messages.success(request, f"{campaign.name}: {_SAID[act][1]}")
        if request.POST.get("back") == "list":
            return redirect(reverse("admin:campaigns_campaign_changelist"))
        return redirect(address_of(key))

    def test_view(self, request: HttpRequest, key: UUID) -> HttpResponse:
        """Send every wording to a few people."""
        if not may_run(request):
            raise PermissionDenied
        campaign = row_or_404(key)
        context = context_of(request)
        try:
            testers = _testers(request.POST.get("user_ids", ""))
            with transaction.atomic():
                sent = rehearse(
                    campaign,
                    testers,
                    party_of(request),
                    key=request.POST.get("key", "")[:_KEY_CHARACTERS] or new_key(),
                    request_id=context.request_id,
                    trace_id=context.trace_id,
                    now=timezone.now(),
                )
                self.note(request, key, campaign.name, f"sent as a test to {len(sent[0].notifications)} people")
        except Refusal as refusal:
            tell(request, refusal)
        else:
            _tell_sent(request, sent)
        return redirect(address_of(key))


def new_key() -> str:
    """The random key of a form: whoever presses twice is obeyed once."""
    return secrets.token_hex(16)


def buttons_of(request: HttpRequest, campaign: CampaignRow) -> list[Button]:
    """The acts that this campaign's state and this person's permissions allow, in the order of a campaign's life."""
    limit = conf.APPROVAL_ABOVE
    return [
        Button(
            act=act,
            label=_SAID[act][0],
            typed=(typed := words_for(act, campaign, limit)),
            asks=bool(typed) or act is Act.CANCEL,
            noted=act in _NOTED,
        )
        for act in acts_in(campaign.status)
        if may_do(request, act) and not _would_be_refused(request, campaign, act)
    ]


def waits_for(request: HttpRequest, campaign: CampaignRow) -> str:
    """What a campaign waits for, told to whoever cannot do it; empty: nothing is in the way."""
    if campaign.status is CampaignStatus.DRAFT and _is_large(campaign) and campaign.kind is CampaignKind.CAMPAIGN:
        return f"Above {conf.APPROVAL_ABOVE:,} people it is submitted, and approved by somebody else, before it starts."
    if campaign.status is not CampaignStatus.PENDING_APPROVAL:
        return ""
    if _is_own(request, campaign):
        return "You submitted it: it is approved by somebody else."
    return "" if may_do(request, Act.APPROVE) else "It waits for somebody who may approve campaigns."


def _testers(text: str) -> list[str]:
    """User ids as people list them; raises `Refusal` for none, too many, or what is none."""
    named = text.replace(",", " ").split()
    if not 1 <= len(named) <= MAX_TESTERS:
        raise Refusal(f"Name one to {MAX_TESTERS} user ids, with spaces or commas between them.")
    return decode(json.dumps({"user_ids": named}).encode(), TestBody).user_ids


def _would_be_refused(request: HttpRequest, campaign: CampaignRow, act: Act) -> bool:
    """What the verb refuses in any case is not offered."""
    if act is Act.APPROVE:
        return _is_own(request, campaign)
    is_unseen = campaign.status is CampaignStatus.DRAFT and campaign.kind is CampaignKind.CAMPAIGN
    return act is Act.START and is_unseen and _is_large(campaign)


def _is_own(request: HttpRequest, campaign: CampaignRow) -> bool:
    return _is_large(campaign) and campaign.submitted_by == party_of(request).actor


def _is_large(campaign: CampaignRow) -> bool:
    return bool(words_for(Act.START, campaign, conf.APPROVAL_ABOVE))


def _demand_confirmed(request: HttpRequest, campaign: CampaignRow, act: Act) -> None:
    wanted = words_for(act, campaign, conf.APPROVAL_ABOVE)
    if wanted and not is_confirmed(request.POST.get("typed", ""), wanted):
        raise NotConfirmed(wanted)
    if act is Act.CANCEL and request.POST.get("sure") != "yes":
        raise NotConfirmed


def _logged(act: Act, campaign: CampaignRow) -> str:
    size = f", about {campaign.estimated:,} people" if campaign.estimated is not None else ""
    return (
        f"{act}: it is {campaign.status.replace('_', ' ')}{size if act in (Act.SUBMIT, Act.APPROVE, Act.START) else ''}"
    )


def _tell_sent(request: HttpRequest, sent: list[Rehearsal]) -> None:
    """How many got every wording, and who is not known."""
    wordings = [one.variant for one in sent if one.variant]
    said = f", in {len(wordings)} wordings ({', '.join(wordings)})" if wordings else ""
    messages.success(
        request, f"On its way to {len(sent[0].notifications)} people{said}; the campaign does not count it."
    )
    refused: dict[str, Rejection] = {one.user_id: one for one in sent[0].rejected}
    for one in refused.values():
        messages.warning(request, f"{one.user_id}: {one.detail}")
