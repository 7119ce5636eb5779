"""Paths of this app below /v1/."""

from __future__ import annotations

from django.urls import path

from preferences.api.consents import ConsentsView
from preferences.api.suppressions import SuppressionsView
from preferences.api.topics import SubscribersView, TopicsView, TopicView
from preferences.api.views import BulkUsersView, DevicesView, DeviceView, PreferencesView, UserView

urlpatterns = [
    path("suppressions", SuppressionsView.as_view(), name="suppressions"),
    path("topics", TopicsView.as_view(), name="topics"),
    path("topics/<str:key>", TopicView.as_view(), name="topic"),
    path("topics/<str:key>/subscribers", SubscribersView.as_view(), name="topic-subscribers"),
    path("users/bulk", BulkUsersView.as_view(), name="users-bulk"),
    path("users/<str:user_id>", UserView.as_view(), name="user"),
    path("users/<str:user_id>/preferences", PreferencesView.as_view(), name="user-preferences"),
    path("users/<str:user_id>/consents", ConsentsView.as_view(), name="user-consents"),
    path("users/<str:user_id>/devices", DevicesView.as_view(), name="user-devices"),
    path("users/<str:user_id>/devices/<str:device_id>", DeviceView.as_view(), name="user-device"),
]
