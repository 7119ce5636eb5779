"""Paths of this app below /v1/."""

from __future__ import annotations

from django.urls import path

from channels.api.views import ProvidersView, ProviderView

urlpatterns = [
    path("providers", ProvidersView.as_view(), name="providers"),
    path("providers/<str:name>", ProviderView.as_view(), name="provider"),
]
