"""An administrator for the browser and an API key for the demo itself."""

from __future__ import annotations

import secrets

from django.contrib.auth import get_user_model

from config.demo.client import Api
from config.demo.place import Access, Place
from notify.issue import issue_key
from notify.vocabulary import Scope, Tier

_APPLICATION = "demo"


def let_in(place: Place, url: str) -> Access:
    """Make both, or find that those of an earlier run are still good."""
    access = place.read_access()
    _keep_administrator(access)
    if not access.api_key or not Api(url, access.api_key).is_answered("/v1/types"):
        access.api_key = issue_key(_APPLICATION, scopes=list(Scope), tier=Tier.INTERNAL).text
    place.keep_access(access)
    return access


def _keep_administrator(access: Access) -> None:
    """The user of this name, with the password that is written down."""
    user, _ = get_user_model().objects.get_or_create(username=access.admin_user)
    if access.admin_password and user.is_active and user.is_superuser and user.check_password(access.admin_password):
        return
    access.admin_password = access.admin_password or secrets.token_urlsafe(12)
    user.is_active = user.is_staff = user.is_superuser = True
    user.set_password(access.admin_password)
    user.save()
