"""Facts as they were committed a moment ago, for whoever may be a moment late: planning, and the choice of words.

Three places in turn: what this process read a few seconds ago, Redis, PostgreSQL. Redis keeps one entry of a person,
with an end for each part of it, since opening entries is what costs most; it is sealed as a whole, since names and
attributes are in it. Nobody may be told anything on these facts alone: the claim reads PostgreSQL.
"""

from __future__ import annotations

import os
import threading
import time
import zlib
from collections.abc import Collection, Mapping, Sequence

import msgspec

from channels.rules.sealing import Unreadable
from channels.vocabulary import Channel
from preferences import cache, policy
from preferences.conf import KEYRING, MARKETING_DEFAULT
from preferences.store import changes
from preferences.store.facts import FIELDS, STATEMENTS, Part, facts_for, facts_of, parts_for, read_part
from preferences.vocabulary import RecipientFacts

#: Another shape of what is packed is never read as this one.
_SHAPE = f"{zlib.crc32(repr((STATEMENTS, RecipientFacts.__struct_fields__, MARKETING_DEFAULT)).encode()):x}"
_SECONDS = {
    Part.PEOPLE: policy.FACTS_SECONDS,
    Part.CONTACTS: policy.FACTS_SECONDS,
    Part.DEVICES: policy.DEVICES_SECONDS,
}
#: Seconds by part and the last bits of an id: their last fifth is spread, so that a page is not forgotten all at once.
_SPREAD = 64
_LASTING = {part: [most - most // 5 * step // _SPREAD for step in range(_SPREAD)] for part, most in _SECONDS.items()}

_Parts = tuple[Part, ...]


class _Held(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What Redis holds of a person."""

    #: By `Part`: until when it is good, in seconds of the server's clock; 0: it was not read.
    until: tuple[int, ...]
    facts: RecipientFacts


_pack = msgspec.msgpack.Encoder().encode
_held_of = msgspec.msgpack.Decoder(_Held).decode


class _Memory(threading.local):
    """What one thread of this process remembers."""

    def __init__(self) -> None:
        self.listener = cache.Listener()
        #: Until when, and what is known.
        self.people: dict[tuple[int, _Parts], tuple[float, RecipientFacts]] = {}
        #: Binds what Redis holds to the start of its server, the epoch and the shape.
        self.season = b""
        self.season_until = 0.0


_memory = _Memory()


def forget() -> None:
    """Remember nothing, as a new process does."""
    _memory.listener.close()
    _memory.people.clear()
    _memory.season_until = 0.0


os.register_at_fork(after_in_child=forget)


def recent_facts(
    recipient_ids: Sequence[int], channels: Collection[Channel] = tuple(Channel)
) -> dict[int, RecipientFacts]:
    """What `facts_for` answers, or answered milliseconds ago; in one call of Redis and at most three queries.

    What had to be read is kept for minutes: for people who are likely to be asked for again. With Redis away, and
    inside a transaction that has changed people, PostgreSQL answers. There may be addresses of other channels too.
    """
    ids = list(set(recipient_ids))
    if not ids or changes.is_changing():
        return facts_for(ids, channels)
    parts = parts_for(channels)
    if len(ids) > policy.NEARBY_PAGE:
        return _through_redis(ids, parts)
    return _through_memory(ids, parts)


def _through_memory(ids: list[int], parts: _Parts) -> dict[int, RecipientFacts]:
    """Few people: those this process has just read are told again, unless they have changed."""
    now = time.monotonic()
    _heed()
    known = _memory.people
    near = {one: said[1] for one in ids if (said := known.get((one, parts))) is not None and said[0] > now}
    missing = [one for one in ids if one not in near]
    if not missing:
        return near
    read = _through_redis(missing, parts)
    if _memory.listener.is_listening:
        if len(known) + len(read) > policy.NEARBY_PEOPLE:
            known.clear()
        known.update({(one, parts): (now + policy.NEARBY_SECONDS, facts) for one, facts in read.items()})
    return near | read


def _heed() -> None:
    """Drop what has changed, or everything where that may have gone unheard."""
    changed = _memory.listener.heard()
    if changed is None:
        _memory.people.clear()
    elif changed and _memory.people:
        gone = set(changed)
        for key in [key for key in _memory.people if key[0] in gone]:
            del _memory.people[key]


def _through_redis(ids: list[int], parts: _Parts) -> dict[int, RecipientFacts]:
    season = _season()
    found = None if season is None else cache.look(ids)
    if season is None or found is None:
        _memory.season_until = 0.0
        return facts_of({part: read_part(part, ids) for part in parts})
    held = {
        person: one
        for person, sealed in zip(ids, found.entries, strict=True)
        if sealed is not None and (one := _opened(sealed, season, person)) is not None
    }
    lacking = _lacking(ids, held, parts, found.at)
    if lacking:
        read = _read(lacking, parts).values()
        renewed = [_renewed(held.get(new.id), new, lacking[new.id], found.at) for new in read]
        cache.keep(found.at, [_entry(one, season, found.at) for one in renewed])
        held |= {one.facts.id: one for one in renewed}
    return {person: one.facts for person, one in held.items()}


def _opened(sealed: bytes, season: bytes, person: int) -> _Held | None:
    """What is held of a person, if it is of this season."""
    try:
        return _held_of(KEYRING.unseal_blob(sealed, season + b"%d" % person))
    except Unreadable:
        return None


def _lacking(ids: list[int], held: Mapping[int, _Held], parts: _Parts, at: int) -> dict[int, _Parts]:
    """What must be read, by person: whatever it is, who they are and what they allow is read with it."""
    lacking = {person: parts for person in ids if person not in held}
    for person, one in held.items():
        old = [part for part in parts if one.until[part] <= at]
        if old:
            lacking[person] = tuple({*old, Part.PEOPLE})
    return lacking


def _read(lacking: Mapping[int, _Parts], parts: _Parts) -> dict[int, RecipientFacts]:
    asked = {part: [person for person, theirs in lacking.items() if part in theirs] for part in parts}
    return facts_of({part: read_part(part, people) for part, people in asked.items() if people})


def _renewed(old: _Held | None, new: RecipientFacts, read: _Parts, at: int) -> _Held:
    """What was read, and of the other parts what is still good."""
    until = [0] * len(Part) if old is None else [*old.until]
    for part in read:
        until[part] = at + _LASTING[part][new.id % _SPREAD]
    if old is not None:
        kept = [field for part in Part if part not in read and until[part] > at for field in FIELDS[part]]
        new = msgspec.structs.replace(new, **{field: getattr(old.facts, field) for field in kept})
    return _Held(tuple(until), new)


def _entry(one: _Held, season: bytes, at: int) -> cache.Entry:
    person = one.facts.id
    return cache.Entry(person, max(one.until) - at, KEYRING.seal_blob(_pack(one), season + b"%d" % person))


def _season() -> bytes | None:
    """What entries must be bound to; None when Redis is away. Asked for anew every few seconds.

    A server that was started again may remember what it was told to forget, if it came back from a disk; and where a
    change could not be told, its writer has raised the epoch in PostgreSQL.
    """
    now = time.monotonic()
    if now < _memory.season_until:
        return _memory.season
    server = cache.server()
    if server is None:
        return None
    season = f"facts:{changes.epoch()}.{server}.{_SHAPE}:".encode()
    if season != _memory.season:
        _memory.people.clear()
    _memory.season, _memory.season_until = season, now + policy.SEASON_SECONDS
    return season
