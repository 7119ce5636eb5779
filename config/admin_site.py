"""How the admin presents itself: names, menu, style sheets, and what its pages may load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.urls import reverse_lazy


def _file(path: str) -> Callable[[HttpRequest], str]:
    return lambda request: static(path)  # noqa: ARG005 - Unfold hands the request over


def _seen_with(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)


def _item(title: str, icon: str, model: str, permission: str, page: str = "changelist") -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{model}_{page}"),
        "permission": _seen_with(permission),
    }


#: Indigo, as Tailwind has it: calmer than Unfold's own in large areas.
_PRIMARY = {
    "50": "oklch(96.2% .018 272.314)",
    "100": "oklch(93% .034 272.788)",
    "200": "oklch(87% .065 274.039)",
    "300": "oklch(78.5% .115 274.713)",
    "400": "oklch(67.3% .182 276.935)",
    "500": "oklch(58.5% .233 277.117)",
    "600": "oklch(51.1% .262 276.966)",
    "700": "oklch(45.7% .24 277.023)",
    "800": "oklch(39.8% .195 277.366)",
    "900": "oklch(35.9% .144 278.697)",
    "950": "oklch(25.7% .09 281.288)",
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Carillon",
    "SITE_HEADER": "Carillon",
    "SITE_SYMBOL": "notifications_active",
    "SITE_URL": None,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "notify.admin.dashboard.show",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _file("desk/bell.svg")}],
    "STYLES": [_file("desk/desk.css")],
    "BORDER_RADIUS": "6px",
    "COLORS": {"primary": _PRIMARY},
    "SIDEBAR": {
        "show_search": False,
        "navigation": [
            {"items": [{"title": "Overview", "icon": "dashboard", "link": reverse_lazy("admin:index")}]},
            {
                "title": "What is said",
                "items": [
                    _item("Types", "category", "notify_notificationtype", "notify.view_notificationtype"),
                    _item("Templates", "edit_note", "notify_template", "notify.view_template"),
                    _item("Campaigns", "campaign", "campaigns_campaign", "campaigns.view_campaign"),
                ],
            },
            {
                "title": "What became of it",
                "items": [
                    _item("Notifications", "notifications", "notify_notification", "notify.view_notification"),
                    _item("Recipients", "group", "preferences_recipient", "preferences.view_recipient"),
                    _item("Imports", "upload_file", "campaigns_import", "campaigns.view_import"),
                    _item(
                        "Suppressions", "block", "preferences_recipient", "preferences.view_suppression", "suppressions"
                    ),
                    _item("Dead letters", "report", "notify_deadletter", "notify.view_deadletter"),
                    _item("Waiting work", "hourglass_top", "notify_page", "notify.view_page"),
                ],
            },
            {
                "title": "How it runs",
                "items": [
                    _item("System mode", "tune", "notify_systemmodechange", "notify.view_systemmodechange"),
                    _item("Providers", "alt_route", "channels_providerswitch", "channels.view_providerswitch"),
                    _item("Costs", "payments", "channels_rate", "channels.view_rate"),
                    _item("Applications", "key", "notify_application", "notify.view_application"),
                    _item(
                        "Schedule",
                        "schedule",
                        "django_celery_beat_periodictask",
                        "django_celery_beat.view_periodictask",
                    ),
                ],
            },
            {
                "title": "Who works here",
                "items": [
                    _item("Staff", "badge", "auth_user", "auth.view_user"),
                    _item("Groups", "groups", "auth_group", "auth.view_group"),
                    _item("Log", "history", "admin_logentry", "admin.view_logentry"),
                ],
            },
        ],
    },
}

#: No inline script anywhere. Unfold's menus are Alpine, which evaluates attributes: hence `unsafe-eval`. Previews of
#: mails show their pictures, and run in a frame without scripts and without an origin.
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
    "img-src 'self' data: https:; connect-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


#: Where config/urls.py mounts the admin.
_ADMIN = "/admin/"


class AdminPolicyMiddleware:
    """The content policy on every page of the admin; a page that names its own keeps it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, and add the policy below the admin's address."""
        response = self.get_response(request)
        if request.path_info.startswith(_ADMIN):
            response.headers.setdefault("Content-Security-Policy", POLICY)
            response.headers.setdefault("Referrer-Policy", "same-origin")
        return response
