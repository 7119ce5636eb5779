"""Error reports to Sentry, when SENTRY_DSN is set: what went wrong and where, never with whose data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sentry_sdk
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.transport import Transport
from sentry_sdk.types import Event, Hint
from structlog.contextvars import get_contextvars

from config.masking import mask_all

if TYPE_CHECKING:
    from sentry_sdk._types import DataCollectionUserOptions

#: Parts of a report that hold what a caller sent.
_DROPPED_OF_REQUEST = ("data", "cookies", "query_string", "env")


#: The SDK collects nothing of its own accord (the successor of `send_default_pii=False`, and stricter).
_NOTHING: DataCollectionUserOptions = {
    "user_info": False,
    "cookies": {"mode": "off"},
    "http_headers": {"request": {"mode": "off"}},
    "http_bodies": [],
    "url_query_params": {"mode": "off"},
    "graphql": {"document": False, "variables": False},
    "gen_ai": {"inputs": False, "outputs": False},
    "database_query_data": False,
    "queues": False,
    "stack_frame_variables": False,
    "frame_context_lines": 0,
}


def start(dsn: str, *, release: str, transport: type[Transport] | Transport | None = None) -> bool:
    """Begin to report; without a DSN nothing is installed. `transport` takes the reports' place in tests."""
    if not dsn:
        return False
    sentry_sdk.init(
        dsn=dsn,
        release=release,
        transport=transport,
        data_collection=_NOTHING,
        max_request_body_size="never",
        max_breadcrumbs=20,
        traces_sample_rate=0.0,
        before_send=scrub,
        before_breadcrumb=_scrub_breadcrumb,
        integrations=[LoggingIntegration(event_level=None)],
    )
    return True


def scrub(event: Event, _hint: Hint) -> Event:
    """The report without addresses, credentials, bodies; with the ids under which the logs tell the rest."""
    kept: dict[str, Any] = {**event}
    request = kept.get("request")
    if isinstance(request, dict):
        kept["request"] = {key: value for key, value in request.items() if key not in _DROPPED_OF_REQUEST}
    kept.pop("user", None)
    kept.pop("extra", None)
    scrubbed: Event = mask_all(kept)
    scrubbed["tags"] = {**(scrubbed.get("tags") or {}), **_ids()}
    return scrubbed


def _scrub_breadcrumb(crumb: dict[str, Any], _hint: Hint) -> dict[str, Any]:
    masked: dict[str, Any] = mask_all(crumb)
    return masked


def _ids() -> dict[str, str]:
    bound = get_contextvars()
    return {name: str(bound[name]) for name in ("request_id", "trace_id", "page") if name in bound}
