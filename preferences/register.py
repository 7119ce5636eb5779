"""Devices register, come back with another token, and leave."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from msgspec import UnsetType

from channels.rules.addresses import token_hint
from channels.vocabulary import Platform
from preferences import policy
from preferences.errors import TooManyDevices, UnknownDevice, UnknownUser, UserErased, invalid
from preferences.rules.intake import normalised_token
from preferences.rules.requests import DeviceBody, DevicePatch
from preferences.store import contacts, devices, recipients
from preferences.vocabulary import DeviceRecord, RecipientRef, RecipientStatus


def list_devices(user_id: str) -> list[DeviceRecord]:
    """A user's devices, the token only as a hint."""
    ref = recipients.resolve([user_id]).get(user_id)
    if ref is None:
        raise UnknownUser
    return devices.list_devices(ref.id)


def register_device(user_id: str, body: DeviceBody, *, now: datetime) -> tuple[DeviceRecord, bool]:
    """Register a device, or refresh it; the flag says whether it is new. Its token leaves whoever had it."""
    with transaction.atomic():
        ref = _locked(user_id)
        known = devices.find_device(ref.id, body.device_id)
        _put(ref, body.device_id, body.platform, body.token, body.app_version, now)
        return devices.read_device(ref.id, body.device_id), known is None or not known.is_listed


def refresh_device(user_id: str, device_id: str, body: DevicePatch, *, now: datetime) -> tuple[DeviceRecord, bool]:
    """Register or refresh a device under its id; what is left out stays as it is."""
    if not isinstance(body.device_id, UnsetType) and body.device_id != device_id:
        raise invalid("/device_id", "The body names another device than the path; leave it out.")
    with transaction.atomic():
        ref = _locked(user_id)
        known = devices.find_device(ref.id, device_id)
        if known is not None and not known.is_listed:
            known = None
        _refresh(ref, device_id, body, known, now)
        return devices.read_device(ref.id, device_id), known is None


def remove_device(user_id: str, device_id: str) -> None:
    """Send nothing to this device any more."""
    ref = recipients.resolve([user_id]).get(user_id)
    if ref is None:
        raise UnknownUser
    if not devices.remove_device(ref.id, device_id):
        raise UnknownDevice


def _locked(user_id: str) -> RecipientRef:
    ref = recipients.lock(user_id)
    if ref is None:
        raise UnknownUser
    if ref.status is RecipientStatus.ERASED:
        raise UserErased
    return ref


def _refresh(
    ref: RecipientRef, device_id: str, body: DevicePatch, known: devices.KnownDevice | None, now: datetime
) -> None:
    platform = _platform(body, known)
    version = body.app_version if isinstance(body.app_version, str) else known.app_version if known is not None else ""
    if isinstance(body.token, UnsetType):
        if known is None or platform is not known.platform or not known.active:
            raise invalid("/token", "Give the device's token; we have none that is good for it.")
        devices.touch_device(ref.id, device_id, version, now=now)
        return
    if not isinstance(body.old_token, UnsetType):
        old = normalised_token(platform, body.old_token, "/old_token")
        devices.retire_token(contacts.index_of_token(old), ref.id, device_id)
    _put(ref, device_id, platform, body.token, version, now)


def _platform(body: DevicePatch, known: devices.KnownDevice | None) -> Platform:
    if isinstance(body.platform, Platform):
        return body.platform
    if known is None:
        raise invalid("/platform", "Give the device's platform; this device is not registered yet.")
    return known.platform


def _put(
    ref: RecipientRef,
    device_id: str,
    platform: Platform,
    token: str | dict[str, Any],
    app_version: str,
    now: datetime,
) -> None:
    """Write the device with its token, if the recipient has room for it."""
    text = normalised_token(platform, token)
    index = contacts.index_of_token(text)
    devices.take_token(index, platform, ref.id, device_id)
    others = devices.count_others(ref.id, device_id)
    if others.active >= policy.MAX_ACTIVE_DEVICES:
        raise TooManyDevices(policy.MAX_ACTIVE_DEVICES)
    key = contacts.data_key(ref.wrapped_key, ref.id)
    address = contacts.seal_token(text, index, token_hint(text), key)
    devices.put_device(ref.id, device_id, platform, address, app_version, now=now)
    if others.total >= policy.MAX_DEVICE_ROWS:
        devices.trim_devices(ref.id, policy.MAX_DEVICE_ROWS)
