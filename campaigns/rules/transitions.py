"""Which act leads from where to where. Checked under the campaign's row lock: a start pressed twice starts once."""

from __future__ import annotations

from typing import Final

from campaigns.vocabulary import Act, CampaignStatus

_S = CampaignStatus

#: By act: the states it may be done in, and the state it leads to (None: it stays).
ALLOWED: Final[dict[Act, tuple[frozenset[CampaignStatus], CampaignStatus | None]]] = {
    Act.CREATE: (frozenset(), _S.DRAFT),
    Act.CHANGE: (frozenset({_S.DRAFT}), None),
    Act.SUBMIT: (frozenset({_S.DRAFT}), _S.PENDING_APPROVAL),
    Act.APPROVE: (frozenset({_S.PENDING_APPROVAL}), _S.SCHEDULED),
    Act.REJECT: (frozenset({_S.PENDING_APPROVAL}), _S.DRAFT),
    Act.START: (frozenset({_S.DRAFT, _S.SCHEDULED}), _S.RUNNING),
    Act.LAUNCH: (frozenset({_S.SCHEDULED}), _S.RUNNING),
    Act.PAUSE: (frozenset({_S.RUNNING}), _S.PAUSED),
    Act.RESUME: (frozenset({_S.PAUSED}), _S.RUNNING),
    Act.CANCEL: (
        frozenset({_S.DRAFT, _S.PENDING_APPROVAL, _S.SCHEDULED, _S.RUNNING, _S.PAUSED}),
        _S.CANCELLED,
    ),
    Act.COMPLETE: (frozenset({_S.RUNNING}), _S.COMPLETED),
    Act.FAIL: (frozenset({_S.SCHEDULED, _S.RUNNING, _S.PAUSED}), _S.FAILED),
}

#: What may still be done in each state, for people: the buttons that are shown.
FOR_PEOPLE: Final = (Act.SUBMIT, Act.APPROVE, Act.REJECT, Act.START, Act.PAUSE, Act.RESUME, Act.CANCEL)


def is_allowed(act: Act, status: CampaignStatus) -> bool:
    """Whether this may be done to a campaign in this state."""
    return status in ALLOWED[act][0]


def after(act: Act, status: CampaignStatus) -> CampaignStatus:
    """The state an allowed act leads to."""
    return ALLOWED[act][1] or status


def acts_in(status: CampaignStatus) -> list[Act]:
    """What people may do to a campaign in this state."""
    return [act for act in FOR_PEOPLE if is_allowed(act, status)]
