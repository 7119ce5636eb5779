"""The admin's pages of this app: the recipients."""

from __future__ import annotations

from preferences.admin import recipients as recipients
