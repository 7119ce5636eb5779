"""The in-app inbox: the provider that is our own database, and knows at once that it delivered."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

from django.db import Error as DatabaseError

from channels import store
from channels.conf import Secret
from channels.provider import Capabilities
from channels.rules.accounts import Account
from channels.vocabulary import Channel, InAppMessage, ReceiptKind, SendOutcome, SendResult


class Inbox:
    """Writes a page of messages by one statement; a page sent twice shows once."""

    capabilities: ClassVar[Capabilities] = Capabilities(channels=frozenset({Channel.IN_APP}))

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        del secrets
        self._name = account.name

    def send_many(self, messages: Sequence[InAppMessage], *, deadline: float) -> list[SendResult]:
        """Put the page into its recipients' inboxes, whole or not at all."""
        started_at, clock = time.time(), time.monotonic()
        if not messages or clock >= deadline:
            return self._answer(messages, SendOutcome.THROTTLED, "page_deadline", started_at)
        try:
            store.insert_inbox(messages)
        except DatabaseError:
            # One statement: where it failed nothing of the page was written, and if it was, writing again is harmless.
            return self._answer(messages, SendOutcome.TRANSIENT, "database_unavailable", started_at)
        latency_ms = (time.monotonic() - clock) * 1000
        return self._answer(messages, SendOutcome.ACCEPTED, "", started_at, latency_ms)

    def close(self) -> None:
        """The connection is Django's."""

    def _answer(
        self,
        messages: Sequence[InAppMessage],
        outcome: SendOutcome,
        code: str,
        started_at: float,
        latency_ms: float = 0.0,
    ) -> list[SendResult]:
        receipt = ReceiptKind.DELIVERED if outcome is SendOutcome.ACCEPTED else None
        return [
            SendResult(
                id=message.id,
                outcome=outcome,
                provider=self._name,
                provider_message_id=message.id.hex if receipt else "",
                code=code,
                receipt=receipt,
                started_at=started_at,
                latency_ms=latency_ms,
            )
            for message in messages
        ]


ADAPTER = Inbox
