"""Results told in our own signed form: by gateways, or by the apps on the phones through their backend.

For any account that has the secret `receipts_secret` and whose provider has no callbacks of its own that we read. The
form is `docs/adding-a-channel.md`: Standard Webhooks headers, at most five minutes old, and a body of
`{"events": [{"id": …, "delivery_id": …, "event": …, "code": …, "occurred_at": …}]}`.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

import msgspec

from channels import conf, policy
from channels.conf import Secret
from channels.errors import ConfigurationFault, Fault, NotGenuine, UnreadableReceipt
from channels.provider import SIGNS_RECEIPTS
from channels.rules import standard_webhooks
from channels.rules.accounts import Account
from channels.vocabulary import Receipt, ReceiptCall, ReceiptKind


class SignedReceipts:
    """Reads a list of events; several secrets, one a line, are all taken while one is being replaced."""

    def __init__(self, account: Account, secrets: Mapping[str, Secret]) -> None:
        try:
            self._keys = [standard_webhooks.key_of(one) for one in secrets[SIGNS_RECEIPTS].reveal().split()]
        except ValueError as fault:
            entry = f'provider "{account.name}"'
            raise ConfigurationFault(
                [Fault(conf.accounts_file(), entry, f"secrets.{SIGNS_RECEIPTS}", str(fault))]
            ) from None

    def read(self, call: ReceiptCall) -> list[Receipt]:
        """Every event of the call; one that is not understood is `unknown`, its neighbours count."""
        refusal = standard_webhooks.refusal(self._keys, call.headers, call.body, now=time.time())
        if refusal:
            raise NotGenuine(refusal)
        try:
            events = _decode(call.body).events
        except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
            raise UnreadableReceipt('an object with a list of "events" was expected') from fault
        if len(events) > policy.RECEIPT_EVENTS:
            raise UnreadableReceipt(f"at most {policy.RECEIPT_EVENTS} events in one call were expected")
        # The number makes up for an id that cannot be read: the same call again gives the same.
        call_id = _PLAIN_ID.sub("-", call.headers["webhook-id"])[:_ID_LENGTH]
        return [_receipt(raw, f"{call_id}:{number}") for number, raw in enumerate(events)]


RECEIPTS = SignedReceipts

_ID_LENGTH = 150
_PLAIN_ID = re.compile(r"[^A-Za-z0-9._:-]")
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+\Z")]
#: No row of digits that could be a number somebody is called by.
_CODE = re.compile(r"(?!.*[0-9]{7})[A-Za-z0-9_.:-]{1,64}\Z")


class _Events(msgspec.Struct):
    events: list[msgspec.Raw]


class _Event(msgspec.Struct):
    id: _Id
    event: ReceiptKind
    delivery_id: UUID | None = None
    #: The id the gateway gave in its answer.
    message_id: _Id | None = None
    #: Of an opt-out that answers no message.
    address: Annotated[str, msgspec.Meta(max_length=320)] = ""
    code: str = ""
    #: RFC 3339 with a zone, or epoch seconds.
    occurred_at: (
        Annotated[dt.datetime, msgspec.Meta(tz=True)] | Annotated[float, msgspec.Meta(ge=0, le=1e11)] | None
    ) = None
    by_machine: bool = False


_decode = msgspec.json.Decoder(_Events).decode
_decode_event = msgspec.json.Decoder(_Event).decode


def _receipt(raw: msgspec.Raw, place: str) -> Receipt:
    try:
        event = _decode_event(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Receipt(event_id=place, kind=ReceiptKind.UNKNOWN, code="unreadable")
    if event.delivery_id is None and event.message_id is None and not event.address:
        return Receipt(event_id=event.id, kind=ReceiptKind.UNKNOWN, code="about_nothing")
    at = event.occurred_at
    return Receipt(
        event_id=event.id,
        kind=event.event,
        delivery_id=event.delivery_id,
        provider_message_id=event.message_id or "",
        address=event.address,
        code=event.code if _CODE.match(event.code) else "",
        occurred_at=at.timestamp() if isinstance(at, dt.datetime) else at,
        by_machine=event.by_machine,
    )
