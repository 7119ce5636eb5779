"""Who puts down a word about consent by an API call."""

from __future__ import annotations

from msgspec import UnsetType
from rest_framework.request import Request
from structlog.contextvars import get_contextvars

from preferences.rules.requests import Evidence
from preferences.vocabulary import ConsentActor, ConsentMeans, Origin


def origin_of(request: Request, evidence: Evidence | UnsetType | None = None) -> Origin:
    """The caller, the call's trace, and what the caller knows of how it was said.

    A person's own token speaks for the person; only then is the address of the connection theirs.
    """
    given = evidence if isinstance(evidence, Evidence) else Evidence()
    person = getattr(request.auth, "user_id", None) is not None
    return Origin(
        means=ConsentMeans(given.means),
        actor=ConsentActor.PERSON if person else ConsentActor.APPLICATION,
        actor_id=str(getattr(request.auth, "application_id", "")),
        text_version=given.text_version,
        said_at=given.said_at,
        ip_address=request.META.get("REMOTE_ADDR", "") if person else given.ip_address,
        trace=str(get_contextvars().get("trace_id", "")),
    )
