"""Paths of this app below /v1/."""

from __future__ import annotations

from django.urls import path

from notify.api.docs import DocsView, SchemaView
from notify.api.notifications import NotificationsView
from notify.api.reading import NotificationView, StatusView, TraceView
from notify.api.sending import CancelView, ResendView
from notify.api.templates import PreviewView, PublishView, TemplateDetailView, TemplatesView, VersionsView
from notify.api.tokens import UserTokenView
from notify.api.types import TypesView, TypeView

_sending = [
    path("notifications", NotificationsView.as_view(), name="notifications"),
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

_about = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", DocsView.as_view(), name="docs"),
]

urlpatterns = [*_sending, *_reading, *_users, *_words, *_about]
