"""The one Redis client of this app: state that processes share and can do without.

Whoever asks gets None when Redis is away, and falls back to a state of its own process: Redis is a convenience, and no
message waits for it longer than its time-out. After a failure the process does without it for a moment instead of
paying the time-out on every page.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from channels import conf, policy
from channels.rules.bucket import Taken

_log = structlog.get_logger(__name__)

# The sums of channels/rules/bucket.py, on the server's clock, in one step. The time comes from the server because
# clients' clocks differ: fed with theirs, a bucket refilled backwards (performance.md 1). Numbers go back as text:
# Lua's would lose their fractions.
_TAKE = """
local rate, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local state = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(state[1]), tonumber(state[2])
if tokens == nil or at == nil then
  tokens = burst
else
  tokens = math.min(burst, tokens + math.max(0, now - at) * rate)
end
local granted = math.min(wanted, math.floor(tokens))
local left = tokens - granted
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', left), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - left) / rate * 1000) + 1000)
local missing = math.min(wanted - granted, math.max(1, math.floor(burst)))
local wait = 0
if missing > 0 then wait = math.max(0, (missing - left) / rate) end
return {granted, math.floor(left), tostring((burst - left) / rate), tostring(wait)}
"""

_BEATS = "carillon:beats"

_BEAT = "return redis.call('HSET', KEYS[1], ARGV[1], redis.call('TIME')[1])"

_BEAT_AGES = """
local now, beats = redis.call('TIME')[1], redis.call('HGETALL', KEYS[1])
for i = 2, #beats, 2 do beats[i] = tostring(math.max(0, now - beats[i])) end
return beats
"""


class _Client:
    """A Redis connection of this process, and until when to leave it alone."""

    def __init__(self, url: str) -> None:
        self.pid = os.getpid()
        self.away_until = 0.0
        self.redis: Any = Redis.from_url(
            url,
            socket_connect_timeout=policy.REDIS_TIMEOUT_SECONDS,
            socket_timeout=policy.REDIS_TIMEOUT_SECONDS,
            socket_keepalive=True,
            health_check_interval=10,
            # One more try at once where the server had closed an idle connection; none after a time-out was paid.
            retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        )
        self.take = self.redis.register_script(_TAKE)
        self.beat = self.redis.register_script(_BEAT)
        self.beat_ages = self.redis.register_script(_BEAT_AGES)


_clients: dict[str, _Client] = {}


def take(key: str, rate_per_second: float, burst: float, wanted: int) -> Taken | None:
    """Up to `wanted` tokens of a shared bucket, atomically; None when Redis is away.

    The bucket refills `rate_per_second` up to `burst` and is forgotten once full. Takes one round trip whatever
    `wanted` is. The key is hash-tagged, so that it may live in a Redis Cluster.
    """
    keys, numbers = [f"carillon:{{{key}}}:tokens"], [rate_per_second, burst, wanted]
    answer = _asked(lambda client: client.take(keys=keys, args=numbers))
    if answer is None:
        return None
    granted, remaining, reset, wait = answer
    return Taken(int(granted), int(remaining), float(reset), float(wait))


def beat(name: str) -> None:
    """Say that something is alive and working, by the server's clock."""
    _asked(lambda client: client.beat(keys=[_BEATS], args=[name]))


def beat_ages() -> dict[str, float] | None:
    """Seconds since each last beat, by name; None when Redis is away."""
    answer = _asked(lambda client: client.beat_ages(keys=[_BEATS]))
    if answer is None:
        return None
    return {name.decode(): float(age) for name, age in zip(answer[::2], answer[1::2], strict=True)}


def answers() -> bool:
    """Whether Redis answers now."""
    return _asked(lambda client: client.redis.ping()) is not None


def _asked(question: Callable[[_Client], Any]) -> Any:
    """The answer of Redis, or None when it is away or was away a moment ago."""
    client = _client()
    if time.monotonic() < client.away_until:
        return None
    try:
        return question(client)
    except RedisError as fault:
        client.away_until = time.monotonic() + policy.REDIS_AWAY_SECONDS
        _log.warning("redis.away", error=type(fault).__name__)
        return None


def _client() -> _Client:
    """The client of this process: a socket shared over a fork would mix two processes' answers."""
    url = conf.redis_url()
    client = _clients.get(url)
    if client is None or client.pid != os.getpid():
        client = _clients[url] = _Client(url)
    return client
