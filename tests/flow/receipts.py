"""A provider that tells its results in the signed form, for tests: its account, and its calls."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection
from django.test import Client

from channels.rules import standard_webhooks
from notify import receive
from notify.vocabulary import ReceiptOutcome

_KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(_KEY).decode()}"
_numbers: Iterator[int] = count(1)


def declare(folder: Path, *accounts: tuple[str, str]) -> Path:
    """A providers file of sandboxes (name, channel) whose receipts are signed with `SECRET`."""
    secret = folder / "receipts-secret"
    secret.write_text(SECRET)
    file = folder / "providers.toml"
    file.write_text(
        "\n".join(
            f'[[provider]]\nname = "{name}"\nadapter = "sandbox"\nchannel = "{channel}"\npriority = {rank}\n'
            f'secrets = {{ receipts_secret = "file:{secret}" }}\n'
            for rank, (name, channel) in enumerate(accounts, start=1)
        )
    )
    return file


class Gateway:
    """The provider of one account, calling us as it would from outside."""

    def __init__(self, account: str) -> None:
        self.account = account
        self._client = Client(raise_request_exception=False)

    def says(self, *events: dict[str, Any], key: bytes = _KEY) -> int:
        """Post events in one call; the status of the answer."""
        return int(self.post(msgspec.json.encode({"events": list(events)}), key=key).status_code)

    def post(self, body: bytes, *, key: bytes = _KEY, at: int | None = None) -> Any:
        """Post a body, signed."""
        when, name = int(time.time()) if at is None else at, f"call-{next(_numbers)}"
        headers = {
            "webhook-id": name,
            "webhook-timestamp": str(when),
            "webhook-signature": standard_webhooks.signature(key, name, when, body),
        }
        path = f"/v1/receipts/{self.account}"
        return self._client.generic("POST", path, body, content_type="application/json", headers=headers)


def event(kind: str, delivery_id: str | UUID | None = None, **more: Any) -> dict[str, Any]:
    """An event with an id of its own."""
    about = {} if delivery_id is None else {"delivery_id": str(delivery_id)}
    return {"id": f"event-{next(_numbers)}", "event": kind, **about, **more}


def apply() -> int:
    """Work off what waits, as the pool would, whatever its instant; how many receipts were looked at."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE notify_receipt SET due_at = now() WHERE due_at IS NOT NULL")
    return receive.receive()


def outcomes() -> list[ReceiptOutcome | None]:
    """What came of each receipt, in the order they came; None: it waits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT outcome FROM notify_receipt ORDER BY id")
        return [ReceiptOutcome(word) if word else None for (word,) in cursor.fetchall()]
