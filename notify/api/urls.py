"""Paths of this app below /v1/."""

from __future__ import annotations

from django.urls import path

from channels.vocabulary import InboxMark
from notify.api.docs import DocsView, SchemaView
from notify.api.inbox import EventsView, InboxView, MarkView, ReadAllView
from notify.api.notifications import NotificationsView
from notify.api.privacy import EraseView, ExportView
from notify.api.reading import NotificationView, StatusView, TraceView
from notify.api.receipts import ReceiptsView
from notify.api.sending import CancelView, ResendView
from notify.api.simulating import SimulateView
from notify.api.stream import StreamView
from notify.api.system import ModeView
from notify.api.templates import PreviewView, PublishView, TemplateDetailView, TemplatesView, VersionsView
from notify.api.tokens import PreferenceLinkView, UserTokenView
from notify.api.types import TypesView, TypeView

_sending = [
    path("notifications", NotificationsView.as_view(), name="notifications"),
    path("notifications/simulate", SimulateView.as_view(), name="notifications-simulate"),
    path("notifications/<uuid:notification_id>/cancel", CancelView.as_view(), name="notification-cancel"),
    path("notifications/<uuid:notification_id>/resend", ResendView.as_view(), name="notification-resend"),
]

_reading = [
    path("notifications/<uuid:notification_id>", NotificationView.as_view(), name="notification"),
    path("notifications/<uuid:notification_id>/status", StatusView.as_view(), name="notification-status"),
    path("notifications/<uuid:notification_id>/trace", TraceView.as_view(), name="notification-trace"),
]

_users = [
    path("users/<str:user_id>/token", UserTokenView.as_view(), name="user-token"),
    path("users/<str:user_id>/preference-link", PreferenceLinkView.as_view(), name="user-preference-link"),
    path("users/<str:user_id>/erase", EraseView.as_view(), name="user-erase"),
    path("users/<str:user_id>/export", ExportView.as_view(), name="user-export"),
]

_of_inboxes = [
    path("users/<str:user_id>/notifications", InboxView.as_view(), name="inbox"),
    path("users/<str:user_id>/notifications/stream", StreamView.as_view(), name="inbox-stream"),
    path("notifications/read-all", ReadAllView.as_view(), name="inbox-read-all"),
    *(
        path(f"notifications/<uuid:notification_id>/{mark}", MarkView.as_view(mark=mark), name=f"inbox-{mark}")
        for mark in InboxMark
    ),
    path("notifications/<uuid:notification_id>/events", EventsView.as_view(), name="notification-events"),
]

_from_providers = [
    path("receipts/<str:provider_name>", ReceiptsView.as_view(), name="receipts"),
]

_words = [
    path("types", TypesView.as_view(), name="types"),
    path("types/<str:key>", TypeView.as_view(), name="type"),
    path("templates", TemplatesView.as_view(), name="templates"),
    path("templates/<str:template_id>", TemplateDetailView.as_view(), name="template"),
    path("templates/<str:template_id>/versions", VersionsView.as_view(), name="template-versions"),
    path("templates/<str:template_id>/versions/<int:n>/publish", PublishView.as_view(), name="template-publish"),
    path("templates/<str:template_id>/preview", PreviewView.as_view(), name="template-preview"),
]

_system = [
    path("system/mode", ModeView.as_view(), name="system-mode"),
]

_about = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", DocsView.as_view(), name="docs"),
]

urlpatterns = [*_sending, *_reading, *_users, *_of_inboxes, *_from_providers, *_words, *_system, *_about]
