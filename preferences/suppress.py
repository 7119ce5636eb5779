"""An operator closes an address, or opens it again."""

from __future__ import annotations

from channels.vocabulary import Channel
from preferences.errors import UnknownSuppression
from preferences.rules.intake import address_on
from preferences.rules.requests import SuppressedAddress, SuppressionQuery
from preferences.store import contacts, suppressions
from preferences.store.suppressions import Suppressed
from preferences.vocabulary import Origin, SuppressionReason


def list_suppressed(query: SuppressionQuery, after: tuple[bytes, str]) -> list[Suppressed]:
    """Entries of the list from behind one on, one more than asked for where there are more."""
    return suppressions.list_suppressions(after, query.limit + 1, query.channel, query.reason)


def find_suppressed(body: SuppressedAddress) -> list[Suppressed]:
    """The entry of an address on its channel, if there is one."""
    return [one for one in suppressions.suppressions_of([_index(body)]) if one.channel == body.channel]


def suppress_address(body: SuppressedAddress, origin: Origin) -> tuple[Suppressed, bool]:
    """Send nothing to an address any more; the flag says whether that is new."""
    index, channel = _index(body), Channel(body.channel)
    is_new = bool(suppressions.suppress([index], channel, SuppressionReason.MANUAL, origin))
    return next(one for one in suppressions.suppressions_of([index]) if one.channel is channel), is_new


def release_address(body: SuppressedAddress, origin: Origin) -> bytes:
    """Take an address off the list of a channel, and answer its hash; raises `UnknownSuppression` for one not on it."""
    index = _index(body)
    if not suppressions.release([index], Channel(body.channel), origin):
        raise UnknownSuppression
    return index


def _index(body: SuppressedAddress) -> bytes:
    if body.address_hash:
        return bytes.fromhex(body.address_hash)
    channel = Channel(body.channel)
    return contacts.index_on(channel, address_on(channel, body.address))
