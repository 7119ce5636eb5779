"""Paths of this app below /v1/."""

from __future__ import annotations

from django.urls import path

from campaigns.api import acts
from campaigns.api.campaigns import CampaignDetailView, CampaignsView
from campaigns.api.numbers import RecipientsView, StatsView
from campaigns.api.rehearsing import EstimateView, TestView
from campaigns.api.segments import SegmentPreviewView
from campaigns.api.starting import BulkView, FanoutDetailView, FanoutsView

_ONE = "campaigns/<uuid:campaign_id>"

_campaigns = [
    path("campaigns", CampaignsView.as_view(), name="campaigns"),
    path(_ONE, CampaignDetailView.as_view(), name="campaign"),
    path(f"{_ONE}/estimate", EstimateView.as_view(), name="campaign-estimate"),
    path(f"{_ONE}/test", TestView.as_view(), name="campaign-test"),
    path(f"{_ONE}/submit", acts.SubmitView.as_view(), name="campaign-submit"),
    path(f"{_ONE}/approve", acts.ApproveView.as_view(), name="campaign-approve"),
    path(f"{_ONE}/reject", acts.RejectView.as_view(), name="campaign-reject"),
    path(f"{_ONE}/start", acts.StartView.as_view(), name="campaign-start"),
    path(f"{_ONE}/pause", acts.PauseView.as_view(), name="campaign-pause"),
    path(f"{_ONE}/resume", acts.ResumeView.as_view(), name="campaign-resume"),
    path(f"{_ONE}/cancel", acts.CancelView.as_view(), name="campaign-cancel"),
    path(f"{_ONE}/recipients", RecipientsView.as_view(), name="campaign-recipients"),
    path(f"{_ONE}/stats", StatsView.as_view(), name="campaign-stats"),
]

_at_once = [
    path("notifications/bulk", BulkView.as_view(), name="notifications-bulk"),
    path("notifications/batch", BulkView.as_view(), name="notifications-batch"),
    path("fanouts", FanoutsView.as_view(), name="fanouts"),
    path("fanouts/<uuid:fanout_id>", FanoutDetailView.as_view(), name="fanout"),
]

_segments = [
    path("segments/preview", SegmentPreviewView.as_view(), name="segment-preview"),
]

urlpatterns = [*_campaigns, *_at_once, *_segments]
