"""Verify a provider's callback, and cut it into receipts: the only door for what providers say afterwards."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec

from channels import conf, policy, registry
from channels.errors import ConfigurationFault, Fault, NotGenuine
from channels.provider import ReceiptReader
from channels.rules.accounts import Account
from channels.vocabulary import Channel, Receipt, ReceiptCall


class UnknownAccountError(Exception):
    """There is no such provider account, or none that takes callbacks."""


class Callback(msgspec.Struct, frozen=True):
    """A genuine callback, understood."""

    channel: Channel
    receipts: list[Receipt]


class _Readers:
    """The readers this process has built, and when: they keep fetched certificates and parsed keys."""

    pid = os.getpid()
    built: dict[str, tuple[float, ReceiptReader]] = {}


def read(account_name: str, *, query: str, headers: Mapping[str, str], body: bytes) -> Callback:
    """The receipts of a callback to an account.

    `query` is the URL's, without the question mark; everything before it is taken from our public URL, whatever a
    proxy made of it. Raises `UnknownAccountError`, `NotGenuine` (nothing of it may be kept), `UnreadableReceipt`, or
    `ConfigurationFault` when the account's secrets are not in order.
    """
    account = next((one for one in conf.accounts() if one.name == account_name), None)
    if account is None:
        raise UnknownAccountError
    address = conf.receipts_url(account.name)
    call = ReceiptCall(
        url=f"{address}?{query}" if query else address,
        headers={name.lower(): value for name, value in headers.items()},
        body=body,
        query=parse_qsl(query, keep_blank_values=True),
    )
    try:
        return Callback(account.channel, _reader(account).read(call))
    except NotGenuine:
        # The secret may have been replaced since the reader was built.
        if not _is_fresh(account):
            del _Readers.built[account.name]
            return Callback(account.channel, _reader(account).read(call))
        raise


def _reader(account: Account) -> ReceiptReader:
    if _Readers.pid != os.getpid():
        _Readers.pid, _Readers.built = os.getpid(), {}
    known = _Readers.built.get(account.name)
    if known is None:
        known = _Readers.built[account.name] = (time.monotonic(), _build(account))
    return known[1]


def _is_fresh(account: Account) -> bool:
    return time.monotonic() - _Readers.built[account.name][0] < policy.REBUILD_AFTER_SECONDS


def _build(account: Account) -> ReceiptReader:
    for key, reference in account.secrets.items():
        try:
            conf.resolve(reference)
        except LookupError as fault:
            entry = f'provider "{account.name}"'
            raise ConfigurationFault([Fault(conf.accounts_file(), entry, f"secrets.{key}", str(fault))]) from None
    try:
        return registry.receipt_reader(account)
    except LookupError as fault:
        raise UnknownAccountError(str(fault)) from None
