"""`POST /v1/segments/preview`: whom a segment would reach."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from campaigns.estimate import preview
from campaigns.rules.segment_requests import Preview, PreviewRequest
from channels.rules.wire import decode
from notify.api.answers import json_answer
from notify.vocabulary import Scope


class SegmentPreviewView(APIView):
    """Ask before telling many."""

    scopes: ClassVar[dict[str, str | tuple[str, ...]]] = {"POST": (Scope.BULK.value, Scope.READ.value)}
    bodies: ClassVar[dict[str, type]] = {"POST": PreviewRequest}
    answers: ClassVar[dict[str, dict[int, Any]]] = {"POST": {200: Preview}}
    refusals: ClassVar[dict[str, dict[int, tuple[str, ...]]]] = {
        "POST": {422: ("invalid_segment", "segment_too_slow")},
    }

    def post(self, request: Request) -> HttpResponse:
        """Count the people of a segment and show five of them.

        What cannot be counted within 1.5 seconds is estimated from a sample, and `is_estimate` says so. A fault in the
        segment is told with its line, column and offset.
        """
        segment = decode(request.body, PreviewRequest).segment
        return json_answer(preview(segment, now=timezone.now()))
