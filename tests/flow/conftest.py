"""Flow tests: HTTP in, the pipeline's own tasks, HTTP out. Providers are the sandbox and its magic addresses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection

from notify import dispatch, plan, render
from notify.store import pages
from tests.factories import Api, make_template, make_type

#: One after the other, so that a test can say what happened before.
_SOON = timedelta(minutes=5)


def waiting_pages(within: timedelta = _SOON) -> list[tuple[UUID, str]]:
    """(id, step) of the pages that are due within a while: those the queues hold, without those of later schedules."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, step FROM notify_page WHERE due_at <= now() + %s ORDER BY due_at, id", (within,))
        return cursor.fetchall()


def drain() -> int:
    """Run every waiting page to its end, as the workers would; answers how many steps that took."""
    steps = 0
    while pages := waiting_pages():
        for page_id, step in pages:
            steps += 1
            if step == "send":
                send_page(page_id)
            else:
                plan_page(page_id)
    return steps


def plan_only() -> None:
    """Plan what was accepted, and stop there."""
    for page_id, step in waiting_pages():
        if step == "plan":
            plan_page(page_id)


def plan_page(page_id: UUID) -> None:
    """Plan one page, and leave what it planned as a worker that went away would: to be rendered by another."""
    for planned in plan.plan_page(page_id):
        pages.hand_over(planned.page)


def send_page(page_id: UUID) -> None:
    """Render and dispatch one page."""
    rendered = render.render_page(page_id)
    if rendered is not None:
        dispatch.dispatch_page(page_id, render.hand_on(rendered))


@pytest.fixture(autouse=True)
def _own_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the sandbox got lies in a folder of this test."""
    monkeypatch.setitem(settings.CARILLON, "HOME", tmp_path)


@pytest.fixture
def shop(api: Api) -> Api:
    """A caller whose ORDER_SHIPPED has a template for push and e-mail."""
    make_template()
    make_type(template_id="order_shipped")
    return api


Send = Callable[..., dict[str, Any]]


@pytest.fixture
def send(shop: Api) -> Send:
    """Send ORDER_SHIPPED to people by user_id, with fields of the body at will; answers the 202's body."""
    calls = iter(range(1_000_000))

    def accepted(*user_ids: str, **body: Any) -> dict[str, Any]:
        request = {
            "type": "ORDER_SHIPPED",
            "recipients": [{"user_id": user_id} for user_id in user_ids],
            "variables": {"order_id": "ORD-1"},
            **body,
        }
        response = shop.post("/v1/notifications", request, Idempotency_Key=f"key-{next(calls)}")
        assert response.status_code == 202, response.content
        answer: dict[str, Any] = response.json()
        return answer

    return accepted


@pytest.fixture
def status(api: Api) -> Callable[[str], dict[str, Any]]:
    """The status of a notification, by id."""

    def read(notification_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = api.get(f"/v1/notifications/{notification_id}/status").json()
        return answer

    return read
