"""The addresses of ours that stand in messages: a pixel, a redirect, a way out, the page of what a person allows.

Each holds sealed all that answering it takes: no row is read, so they work while PostgreSQL is away, and after the log
they belong to was dropped. Nobody else can make one, alter one, or make one kind of another.

    /t/o/<token>.gif   delivery
    /t/c/<token>       delivery, destination
    /u/<token>         recipient, delivery, channel, category, type
    /p/<token>         recipient, the day on which it is too old
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from channels.rules.sealing import Keyring, Unreadable
from channels.vocabulary import Channel
from notify.policy import MAX_TOKEN, PREFERENCE_LINK_LIFETIME
from preferences.vocabulary import Category

_OPEN, _CLICK, _LEAVE, _UNDO, _VISIT, _CONFIRM = b"open", b"click", b"leave", b"undo", b"visit", b"confirm"
_ID_BYTES = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


class Leaving(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """Who wants to hear no more of what, on which channel, and by which message they said so."""

    recipient_id: int
    delivery_id: UUID
    channel: Channel
    category: Category
    #: The one type it is about; empty: the whole category.
    type_key: str = ""


class Visit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Who may look at their own preference page, and until when."""

    recipient_id: int
    #: The first day of UTC, counted from 1970, on which it is too late: addresses made on one day are the same.
    end_day: int

    @classmethod
    def since(cls, recipient_id: int, instant: datetime) -> Visit:
        """A visit that is good for at least `PREFERENCE_LINK_LIFETIME` from an instant on."""
        return cls(recipient_id, (instant + PREFERENCE_LINK_LIFETIME - _EPOCH) // _DAY + 1)

    @property
    def ends_at(self) -> datetime:
        """The instant from which on it is too late."""
        return _EPOCH + self.end_day * _DAY


class Undoing(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Who takes back which leaving, and until when: seconds of the epoch."""

    leaving: Leaving
    until: int


class Confirming(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Who confirms which request for marketing."""

    recipient_id: int
    nonce: int


class SignedLinks:
    """Makes and reads the addresses of one installation; the functions that read raise `Unreadable`."""

    def __init__(self, keyring: Keyring, public_url: str) -> None:
        """Everything begins with the public URL, which has no slash at its end."""
        self._keyring = keyring
        self._url = public_url
        #: What our own addresses begin with: they are never redirected to.
        self.own = tuple(f"{public_url}/{place}/" for place in ("u", "p", "t", "c"))

    def open_url(self, delivery_id: UUID) -> str:
        """The pixel of a mail."""
        return f"{self._url}/t/o/{self._token(delivery_id.bytes, _OPEN)}.gif"

    def clicks_of(self, delivery_id: UUID) -> Callable[[str], str]:
        """Makes the redirects of one delivery, each from its destination."""
        head, seal, place = delivery_id.bytes, self._keyring.seal_link, f"{self._url}/t/c/"

        def redirect_to(destination: str) -> str:
            return place + _spelled(seal(head + destination.encode(), _CLICK))

        return redirect_to

    def leave_url(self, leaving: Leaving) -> str:
        """The page on which a person leaves; the same address takes the one click of RFC 8058."""
        return f"{self._url}/u/{self._token(_encode(leaving), _LEAVE)}"

    def visit_url(self, visit: Visit) -> str:
        """The page on which a person sees and changes what they allow."""
        return f"{self._url}/p/{self.visit_token(visit)}"

    def visit_token(self, visit: Visit) -> str:
        """The last part of that address: all that another page of ours needs to lead there."""
        return self._token(_encode(visit), _VISIT)

    def confirm_url(self, confirming: Confirming) -> str:
        """The page on which a person confirms that they want marketing."""
        return f"{self._url}/c/{self._token(_encode(confirming), _CONFIRM)}"

    def undo_token(self, undoing: Undoing) -> str:
        """What the form holds that takes a leaving back; it stands in no address."""
        return self._token(_encode(undoing), _UNDO)

    def read_open(self, token: str) -> UUID:
        """The delivery a pixel belongs to."""
        return UUID(bytes=self._plain(token, _OPEN))

    def read_click(self, token: str) -> tuple[UUID, str]:
        """The delivery, and where its link leads."""
        plain = self._plain(token, _CLICK)
        return UUID(bytes=plain[:_ID_BYTES]), plain[_ID_BYTES:].decode()

    def read_leave(self, token: str) -> Leaving:
        """Who leaves what."""
        return _decode_leaving(self._plain(token, _LEAVE))

    def read_visit(self, token: str) -> Visit:
        """Whose page it is, be it too late or not."""
        return _decode_visit(self._plain(token, _VISIT))

    def read_confirm(self, token: str) -> Confirming:
        """What is confirmed, be it too late or not."""
        return _decode_confirming(self._plain(token, _CONFIRM))

    def read_undo(self, token: str) -> Undoing:
        """What is taken back, be it too late or not."""
        return _decode_undoing(self._plain(token, _UNDO))

    def _token(self, plain: bytes, purpose: bytes) -> str:
        return _spelled(self._keyring.seal_link(plain, purpose))

    def _plain(self, token: str, purpose: bytes) -> bytes:
        return self._keyring.unseal_link(_bytes_of(token), purpose)


_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
_decode_leaving = msgspec.msgpack.Decoder(Leaving).decode
_decode_visit = msgspec.msgpack.Decoder(Visit).decode
_decode_confirming = msgspec.msgpack.Decoder(Confirming).decode
_decode_undoing = msgspec.msgpack.Decoder(Undoing).decode


def _spelled(sealed: bytes) -> str:
    return urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _bytes_of(token: str) -> bytes:
    """The bytes of a token in its only spelling: base64 itself would read a last sign with other idle bits."""
    if not token.isascii() or len(token) > MAX_TOKEN:
        raise Unreadable("no token")
    raw = token.encode()
    try:
        sealed = urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
    except ValueError:
        raise Unreadable("no token") from None
    if _spelled(sealed) != token:
        raise Unreadable("not the token as it was made")
    return sealed
