"""Every path the program answers. The API stands under /v1/ and, for callers that expect it, under /api/v1/."""

from __future__ import annotations

import sys

import structlog
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views import defaults

from channels.errors import Refusal
from config.health import livez, readyz
from config.inbox_demo import inbox_demo
from config.metrics import metrics
from notify.api import centre, pages
from notify.api.answers import problem
from notify.api.errors import INTERNAL, bad_request, forbidden, not_found

log = structlog.get_logger(__name__)

#: Each app's paths.
_API = [include(f"{app}.api.urls") for app in ("campaigns", "notify", "preferences", "channels")]

urlpatterns = [
    *(path("v1/", paths) for paths in _API),
    *(path("api/v1/", paths) for paths in _API),
    path("t/o/<str:token>.gif", pages.open_pixel, name="open-pixel"),
    path("t/c/<str:token>", pages.follow_link, name="follow-link"),
    path("c/<str:token>", pages.confirm, name="confirm"),
    path("u/<str:token>", pages.leave, name="leave"),
    path("p/<str:token>", centre.preferences, name="preferences"),
    path("livez", livez, name="livez"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("admin/", admin.site.urls),
]
if not settings.PRODUCTION:
    urlpatterns.append(path("inbox-demo", inbox_demo, name="inbox-demo"))


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A request Django itself cannot read."""
    return _page_or_problem(request, bad_request()) or defaults.bad_request(request, exception)


def handler403(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Refused by Django itself."""
    return _page_or_problem(request, forbidden()) or defaults.permission_denied(request, exception)


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A path that is not ours."""
    return _page_or_problem(request, not_found()) or defaults.page_not_found(request, exception)


def handler500(request: HttpRequest) -> HttpResponse:
    """Whatever got past every view; called while the exception is being handled."""
    log.error("request.failed", exc_info=sys.exc_info())
    return _page_or_problem(request, INTERNAL) or defaults.server_error(request)


def _page_or_problem(request: HttpRequest, refusal: Refusal) -> HttpResponse | None:
    """A problem for machines; people in the admin get Django's plain page."""
    return None if request.path_info.startswith("/admin/") else problem(request, refusal)
