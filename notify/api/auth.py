"""Who calls, and what they may: API keys of applications, and short-lived tokens of one user each.

Default deny: a view says in `scopes` which scope each of its methods needs (or which of several will do), and
`user_token_allowed = True` where the user of the path may call with their own token; where no user stands in the
path, `asks_owner = True` says that the view itself keeps to the caller's own. A view that says nothing is closed to
everybody.
"""

from __future__ import annotations

import hmac
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
import msgspec
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from notify import conf
from notify.api.metering import meter_stranger
from notify.errors import ExpiredKey, InvalidKey, MissingScope, RateLimited
from notify.rules.credentials import parse_key, secret_hash
from notify.store import keys
from notify.vocabulary import Tier
from preferences.errors import UnknownUser

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which imports this module, by the settings

#: Seconds a process may go on with what it knows of a key: a revoked one fails everywhere within a second.
_KNOWN_FOR = 0.9
#: Prefixes a process remembers at once, good or not, so that guessing cannot fill its memory.
_MOST_KNOWN = 10_000
#: Seconds between two looks at `last_used_at` by one process.
_USE_NOTED_EVERY = 60.0

_AUDIENCE = "carillon:user"
_TICKETS = "carillon:stream"
#: Compared against where no key is found, so that the answer takes as long.
_NOBODY = bytes(32)


class Caller(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who calls: an application, or through it one of its users."""

    application_id: int
    key_id: int
    scopes: frozenset[str]
    tier: Tier
    is_test: bool
    #: Whose token it is; None for an API key.
    user_id: str | None = None
    #: Epoch seconds at which the credential ends; None: not by itself.
    until: float | None = None


class _Known:
    """What this process remembers of keys."""

    rows: dict[str | int, tuple[float, keys.KeyRow | None]] = {}
    use_noted: dict[int, float] = {}


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer …` with an API key or a user token; the caller stands in `request.auth`."""

    def authenticate(self, request: Request) -> tuple[None, Caller]:
        """Raises `InvalidKey` or `ExpiredKey`; failures are metered by address, and too many are 429."""
        try:
            return None, _caller_of(request.META.get("HTTP_AUTHORIZATION", ""))
        except InvalidKey:
            wait = meter_stranger(request)
            if wait:
                raise RateLimited(wait) from None
            raise

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - DRF's signature
        """What a caller without a credential is asked for."""
        return 'Bearer realm="carillon"'


class HasScope(BasePermission):
    """The caller's key has the scope that the view's method names; a user token fits where its user is the path's."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Raises the refusal itself, so that its code is the API's."""
        caller = request.auth
        if not isinstance(caller, Caller):
            raise InvalidKey
        method = "GET" if request.method == "HEAD" else request.method or ""
        wanted = scopes_of(view, method)
        if not wanted and method != "OPTIONS" and not hasattr(view, method.lower()):
            return True  # no such method here: DRF answers 405
        if caller.user_id is not None:
            return _is_own(caller, view)
        if caller.scopes.isdisjoint(wanted):
            raise MissingScope(*wanted)
        return True


def caller_of(request: Request) -> Caller:
    """The caller of a view that is not public."""
    caller = request.auth
    assert isinstance(caller, Caller), "a public view has no caller"
    return caller


def scopes_of(view: APIView | type[APIView], method: str) -> tuple[str, ...]:
    """The scopes of which a method needs one; none declared: nobody may."""
    wanted: str | tuple[str, ...] = getattr(view, "scopes", {}).get(method, ())
    return (wanted,) if isinstance(wanted, str) else tuple(wanted)


def mint_user_token(caller: Caller, user_id: str, *, now: datetime, lifetime: timedelta) -> str:
    """A token by which one user's app or browser calls in the name of the key that minted it."""
    claims = {
        "aud": _AUDIENCE,
        "sub": user_id,
        "key": caller.key_id,
        "iat": now,
        "exp": now + lifetime,
    }
    return jwt.encode(claims, conf.USER_TOKEN_KEY, algorithm="HS256")


def mint_ticket(caller: Caller, user_id: str, *, now: datetime, lifetime: timedelta, stays: timedelta) -> str:
    """What opens one user's stream within `lifetime`, and nothing else: it may stand in an address.

    The stream may stay open for `stays`, or as long as the credential it was minted for.
    """
    until = (now + stays).timestamp()
    claims = {
        "aud": _TICKETS,
        "sub": user_id,
        "key": caller.key_id,
        "exp": now + lifetime,
        "until": until if caller.until is None else min(until, caller.until),
    }
    return jwt.encode(claims, conf.USER_TOKEN_KEY, algorithm="HS256")


def caller_of_ticket(credential: str) -> Caller:
    """Who comes with a ticket, or with a user token in its place; raises `InvalidKey` or `ExpiredKey`."""
    try:
        return _caller_of_token(credential, _TICKETS)
    except ExpiredKey:
        raise
    except InvalidKey:
        return _caller_of_token(credential)


def is_still_good(caller: Caller) -> bool:
    """Whether a caller who was let in would be let in now: the key is not revoked, the credential has not ended."""
    row = _known(caller.key_id)
    return row is not None and not row.is_stopped and (caller.until is None or caller.until > time.time())


def check_reader(caller: Caller, user_id: str, *scopes: str) -> None:
    """For callers who come by another way than a view: raises `MissingScope`, or `UnknownUser` for anybody else's."""
    if caller.user_id is not None:
        if caller.user_id != user_id:
            raise UnknownUser
    elif caller.scopes.isdisjoint(scopes):
        raise MissingScope(*scopes)


def _caller_of(header: str) -> Caller:
    scheme, _, credential = header.partition(" ")
    if scheme.lower() != "bearer":
        raise InvalidKey
    return _caller_of_key(credential) if credential.startswith("crl_") else _caller_of_token(credential)


def _caller_of_key(credential: str) -> Caller:
    parts = parse_key(credential)
    row = _known(parts.prefix) if parts is not None else None
    offered = secret_hash(parts.secret if parts is not None else credential, conf.KEY_PEPPER)
    is_genuine = hmac.compare_digest(row.secret_hash if row is not None else _NOBODY, offered)
    if parts is None or row is None or not is_genuine or row.is_test is not parts.is_test or row.is_stopped:
        raise InvalidKey
    if row.expires_at is not None and row.expires_at <= datetime.now(UTC):
        raise ExpiredKey
    _note_use(row.id)
    return Caller(
        application_id=row.application_id,
        key_id=row.id,
        scopes=row.scopes,
        tier=row.tier,
        is_test=row.is_test,
        until=None if row.expires_at is None else row.expires_at.timestamp(),
    )


def _caller_of_token(credential: str, audience: str = _AUDIENCE) -> Caller:
    """Revoking a key ends the tokens it minted; a key that merely ran out lets them run out too."""
    claims = _claims_of(credential, audience)
    row = _known(claims["key"])
    if row is None or row.is_stopped:
        raise InvalidKey
    return Caller(
        application_id=row.application_id,
        key_id=row.id,
        scopes=frozenset(),
        tier=row.tier,
        is_test=row.is_test,
        user_id=claims["sub"],
        until=float(claims["until"] if "until" in claims else claims["exp"]),
    )


def _claims_of(credential: str, audience: str) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            credential,
            conf.USER_TOKEN_KEY,
            algorithms=["HS256"],
            audience=audience,
            options={"require": ["exp", "sub", "key"]},
        )
    except jwt.ExpiredSignatureError:
        raise ExpiredKey from None
    except jwt.InvalidTokenError:
        raise InvalidKey from None
    return claims


def _is_own(caller: Caller, view: APIView) -> bool:
    """Whether the path is the token's own user; anybody else looks to them like nobody."""
    if not getattr(view, "user_token_allowed", False):
        raise MissingScope
    if not getattr(view, "asks_owner", False) and view.kwargs.get("user_id") != caller.user_id:
        raise UnknownUser
    return True


def _known(name: str | int) -> keys.KeyRow | None:
    """The row of a prefix or id, at most a second old."""
    now = time.monotonic()
    until, row = _Known.rows.get(name, (0.0, None))
    if now >= until:
        row = keys.find_key(name) if isinstance(name, str) else keys.key_by_id(name)
        if len(_Known.rows) >= _MOST_KNOWN:
            _Known.rows.clear()
        _Known.rows[name] = (now + _KNOWN_FOR, row)
    return row


def _note_use(key_id: int) -> None:
    now = time.monotonic()
    if now >= _Known.use_noted.get(key_id, 0.0):
        _Known.use_noted[key_id] = now + _USE_NOTED_EVERY
        keys.note_use(key_id)
