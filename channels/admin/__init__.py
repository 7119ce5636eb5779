"""The admin's pages of this app, and what the pages of all apps share (`desk`)."""

from __future__ import annotations

from channels.admin import costs as costs
from channels.admin import providers as providers
