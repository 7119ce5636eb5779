"""Whose word it is when staff put it down."""

from __future__ import annotations

from django.http import HttpRequest

from preferences.vocabulary import ConsentActor, ConsentMeans, Origin


def by_staff(request: HttpRequest) -> Origin:
    """A word that a member of staff puts down."""
    return Origin(means=ConsentMeans.ADMIN, actor=ConsentActor.STAFF, actor_id=str(request.user.pk))
