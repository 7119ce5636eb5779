"""What Redis remembers of people for a while: a sealed entry by person, and who has changed.

Whoever reads PostgreSQL and then writes here what they found may be overtaken by a change in between. So a change
leaves a mark for some seconds, and while it stands nothing is kept of that person; what was read longer ago than a mark
stands is not kept either. Both are judged in one step, on the server's clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from channels import redis_state
from preferences import policy

_CHANGES = "carillon:facts:changes"

# Asked with {instant of the question, seconds a mark stands, [[person, seconds], …]}, and the entries, since Lua's
# MessagePack knows no bytes. Where Redis is full, nothing is kept.
_KEEP = """
local asked = cmsgpack.unpack(ARGV[1])
local age = redis.call('TIME')[1] - asked[1]
if age < 0 or age >= asked[2] then return 0 end
for at, one in ipairs(asked[3]) do
  if redis.call('EXISTS', string.format('carillon:facts:mark:%d', one[1])) == 0 then
    redis.pcall('SET', string.format('carillon:facts:of:%d', one[1]), ARGV[at + 1], 'EX', one[2])
  end
end
return 1
"""
# Asked with {people, seconds a mark stands}, and what is told to who listens. The mark stands two seconds longer than
# `_KEEP` needs, since TIME is cut to whole ones.
_FORGET = """
local asked = cmsgpack.unpack(ARGV[1])
for _, person in ipairs(asked[1]) do
  redis.call('DEL', string.format('carillon:facts:of:%d', person))
  redis.call('SET', string.format('carillon:facts:mark:%d', person), '', 'EX', asked[2] + 2)
end
redis.call('PUBLISH', KEYS[1], ARGV[2])
return 1
"""

_pack = msgspec.msgpack.Encoder().encode
_ids_of = msgspec.msgpack.Decoder(list[int]).decode


class Found(NamedTuple):
    """What was there."""

    #: In the order of the people; None: nothing.
    entries: list[bytes | None]
    #: The server's clock when it was asked, in whole seconds.
    at: int


class Entry(NamedTuple):
    """What is to be remembered of somebody."""

    person: int
    seconds: int
    sealed: bytes


def look(people: Sequence[int]) -> Found | None:
    """The entries of these people, in one round trip; None when Redis is away."""
    return redis_state.ask(lambda redis: _look(redis, people))


def _look(redis: Any, people: Sequence[int]) -> Found:
    questions = redis.pipeline(transaction=False)
    questions.time()
    questions.mget([b"carillon:facts:of:%d" % person for person in people])
    (seconds, _), entries = questions.execute()
    return Found(entries, seconds)


def keep(at: int, entries: Sequence[Entry]) -> None:
    """Remember what was read since that instant of the server's clock, but nothing of those who changed meanwhile."""
    packed = _pack([at, policy.FACTS_MARK_SECONDS, [one[:2] for one in entries]])
    redis_state.ask(lambda redis: redis.register_script(_KEEP)(args=[packed, *(one.sealed for one in entries)]))


def forget(people: Sequence[int]) -> bool:
    """Remember nothing of these people, and tell every process so; False: Redis could not be reached."""
    told = _pack(people) if len(people) <= policy.FACTS_NAMED_CHANGES else b""
    packed = _pack([people, policy.FACTS_MARK_SECONDS])
    done = redis_state.ask(lambda redis: redis.register_script(_FORGET)(keys=[_CHANGES], args=[packed, told]))
    return done is not None


def server() -> str | None:
    """Which start of which server this is; None when Redis is away."""
    found = redis_state.ask(lambda redis: redis.info("server"))
    return None if found is None else str(found["run_id"])


class Listener:
    """Hears in one thread who has changed."""

    def __init__(self) -> None:
        self._line: Any = None
        #: Whether every change since the last call of `heard` will be, or has been, told.
        self.is_listening = False

    def heard(self) -> list[int] | None:
        """People who changed since the last call, without waiting; None: it may have been anybody."""
        if self._line is None:
            self._line = redis_state.ask(_subscribed)
        said = None if self._line is None else redis_state.ask(lambda _: self._drain())
        if said is None:
            self.close()
        return said[0] if said else None

    def _drain(self) -> tuple[list[int] | None]:
        people: list[int] = []
        anybody = not self.is_listening
        while (message := self._line.get_message(timeout=0)) is not None:
            if message["type"] == "subscribe":
                self.is_listening = anybody = True
            elif message["data"]:
                people += _ids_of(message["data"])
            else:
                anybody = True
        return (None,) if anybody else (people,)

    def close(self) -> None:
        """Hang up."""
        line, self._line, self.is_listening = self._line, None, False
        if line is not None:
            line.close()


def _subscribed(redis: Any) -> Any:
    line = redis.pubsub()
    line.subscribe(_CHANGES)
    # A line that is lost must be noticed: connected anew in silence it would say nothing of what it has missed.
    line.connection.retry.update_retries(0)
    return line
