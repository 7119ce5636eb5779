"""This app's settings, read once."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from notify.conf import KEYRING

__all__ = ["APPROVAL_ABOVE", "COMPLAINTS_PAUSE", "ERRORS_PAUSE", "KEYRING", "PAGES_AHEAD", "RATE"]

_WHOLE = 100


def _percent(written: str) -> float:
    """A share, from its percentage; a wrong one is named, with its cure."""
    share = float(written) if written.replace(".", "", 1).isdigit() else 0.0
    if not 0 < share <= _WHOLE:
        text = f"CARILLON_CAMPAIGN_COMPLAINTS_PAUSE: '{written}' is no percentage. Write for example 0.3."
        raise ImproperlyConfigured(text)
    return share / _WHOLE


#: People above which a second person must approve.
APPROVAL_ABOVE: int = settings.CARILLON["CAMPAIGN_APPROVAL_ABOVE"]
#: People a second, for all campaigns together; 0: no limit of ours.
RATE: int = settings.CARILLON["CAMPAIGN_RATE"]
#: Pages on their way.
PAGES_AHEAD: int = settings.CARILLON["CAMPAIGN_PAGES_AHEAD"]
#: Shares at which a run is paused.
ERRORS_PAUSE: float = settings.CARILLON["CAMPAIGN_ERRORS_PAUSE"] / _WHOLE
COMPLAINTS_PAUSE: float = _percent(settings.CARILLON["CAMPAIGN_COMPLAINTS_PAUSE"])
