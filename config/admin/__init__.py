"""The admin's first page, the pages of what belongs to no app of ours, and the groups of staff."""

from __future__ import annotations

from django.contrib import admin

from config.admin import staff as staff

admin.site.index_template = "admin/notify/overview.html"
