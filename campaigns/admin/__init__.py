"""Campaigns in the admin."""

from __future__ import annotations

from campaigns.admin import campaigns as campaigns
from campaigns.admin import imports as imports
