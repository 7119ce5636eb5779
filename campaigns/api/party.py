"""The caller of a view as campaigns know them."""

from __future__ import annotations

from rest_framework.request import Request

from campaigns.rules.access import Party
from notify.api.auth import caller_of
from notify.vocabulary import Scope

#: Who may write and move campaigns, and who may look at them.
WRITERS = (Scope.BULK.value,)
READERS = (Scope.BULK.value, Scope.READ.value)


def party_of(request: Request) -> Party:
    """Who asks: the key's application; with the scope `operate` it sees those of the others too."""
    caller = caller_of(request)
    return Party(
        actor=f"application:{caller.application_id}",
        application_id=caller.application_id,
        is_test=caller.is_test,
        sees_all=Scope.OPERATE.value in caller.scopes,
        may_be_critical=Scope.SEND_CRITICAL.value in caller.scopes,
    )
