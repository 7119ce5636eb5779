"""Members of staff as campaigns know them: in whose name they act, and which acts are theirs."""

from __future__ import annotations

from django.http import HttpRequest

from campaigns.rules.access import Party
from campaigns.vocabulary import Act

_WRITE, _APPROVE = "campaigns.change_campaign", "campaigns.approve_campaign"


def party_of(request: HttpRequest) -> Party:
    """Who asks: a person, who sees the campaigns of all. Only who may approve may also say that one is critical."""
    return Party(
        actor=f"staff:{request.user.get_username()}",
        sees_all=True,
        may_be_critical=request.user.has_perm(_APPROVE),
    )


def may_run(request: HttpRequest) -> bool:
    """Whether somebody may start, pause, resume and cancel: whoever writes campaigns, or approves them."""
    return request.user.has_perm(_WRITE) or request.user.has_perm(_APPROVE)


def may_do(request: HttpRequest, act: Act) -> bool:
    """Whether an act is somebody's, were its campaign in the state for it."""
    if act is Act.SUBMIT:
        return request.user.has_perm(_WRITE)
    if act in (Act.APPROVE, Act.REJECT):
        return request.user.has_perm(_APPROVE)
    return may_run(request)
