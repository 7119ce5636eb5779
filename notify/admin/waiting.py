"""Waiting work: the pages of ids that remain to be done, by step and priority, with their age."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from channels.admin.desk import PAGE_SIZE, Desk
from notify.models import Page
from notify.policy import MAX_STRIKES
from notify.store import backlog


@admin.register(Page)
class PageDesk(Desk):
    """What the workers have not come to yet."""

    heading = "Waiting work"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Pages per step and priority, and the ones that have waited longest."""
        del extra_context
        self.demand_view(request)
        oldest = Page.objects.annotate(size=F("ids__len")).defer("ids").order_by("due_at")[:PAGE_SIZE]
        context = {"steps": backlog.backlog().pages, "oldest": oldest, "max_strikes": MAX_STRIKES}
        return self.show(request, "admin/notify/waiting.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A page of work has no page of its own."""
        del object_id, form_url, extra_context
        self.demand_view(request)
        return redirect(reverse("admin:notify_page_changelist"))
