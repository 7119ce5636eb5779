"""The one Redis client of this app: state that processes share and can do without.

Whoever asks gets None when Redis is away, and falls back to a state of its own process: Redis is a convenience, and no
message waits for it longer than its time-out. After a failure the process does without it for a moment instead of
paying the time-out on every page.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from channels import conf, policy
from channels.rules.bucket import Taken
from channels.rules.gate import Admission, Ask, Changed, Gate, GateRead, Report
from channels.rules.scorecard import Minute
from channels.rules.windows import Counter, Log, Place, Wish

_log = structlog.get_logger(__name__)
_Answer = TypeVar("_Answer")

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

_LUA = Path(__file__).parent / "lua"
_GATE = (_LUA / "gate.lua").read_text(encoding="utf-8")
_ADMIT = _GATE + (_LUA / "admit.lua").read_text(encoding="utf-8")
_REPORT = _GATE + (_LUA / "report.lua").read_text(encoding="utf-8")

_COUNTERS_KEPT = (_LUA / "counters.lua").read_text(encoding="utf-8")
_WINDOWS = _COUNTERS_KEPT + (_LUA / "windows.lua").read_text(encoding="utf-8")
_GIVE_BACK = _COUNTERS_KEPT + (_LUA / "windows_back.lua").read_text(encoding="utf-8")


class Counted(msgspec.Struct, frozen=True):
    """The answer of the counters: a place for each wish, or the names of those that Redis may have forgotten."""

    unknown: list[str]
    places: list[Place]


_pack = msgspec.msgpack.Encoder().encode
_admission_of = msgspec.msgpack.Decoder(Admission).decode
_changed_of = msgspec.msgpack.Decoder(Changed).decode
_gate_of = msgspec.msgpack.Decoder(Gate).decode
_counted_of = msgspec.msgpack.Decoder(Counted).decode
_minute_of = msgspec.msgpack.Decoder(Minute).decode

#: What the scripts must know of channels/policy.py.
_NUMBERS = _pack(
    {
        "window_seconds": policy.BREAKER_WINDOW_SECONDS,
        "window_requests": policy.BREAKER_WINDOW_REQUESTS,
        "window_share": policy.BREAKER_WINDOW_SHARE,
        "gate_seconds": policy.GATE_SECONDS,
        "minutes": policy.SCORECARD_MINUTES,
    }
)

_BEATS = "carillon:beats"

# All counters in one slot of a Redis Cluster: a page asks for all its recipients in one step.
_COUNTERS = ["carillon:{windows}:since", "carillon:{windows}:"]

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
        self.admit = self.redis.register_script(_ADMIT)
        self.report = self.redis.register_script(_REPORT)
        self.windows = self.redis.register_script(_WINDOWS)
        self.give_back = self.redis.register_script(_GIVE_BACK)
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


def admit(name: str, ask: Ask) -> Admission | None:
    """Ask for a page on an account, atomically for all processes; None when Redis is away."""
    packed = _pack(ask)
    answer = _asked(lambda client: client.admit(keys=_gate_keys(name), args=[packed, _NUMBERS]))
    return None if answer is None else _admission_of(answer)


def report(name: str, said: Report) -> Changed | None:
    """Say what came of a page; None when Redis is away."""
    packed = _pack(said)
    answer = _asked(lambda client: client.report(keys=_gate_keys(name), args=[packed, _NUMBERS]))
    return None if answer is None else _changed_of(answer)


def read_gates(names: Sequence[str]) -> dict[str, GateRead] | None:
    """What is known of these accounts, in one round trip; None when Redis is away."""
    answer = _asked(lambda client: _read_gates(client, names))
    if answer is None:
        return None
    clock, rest = answer[0], answer[1:]
    now = clock[0] + clock[1] / 1_000_000
    return {
        name: GateRead(
            None if packed is None else _gate_of(packed),
            {int(number): _minute_of(line) for number, line in lines.items()},
            now,
        )
        for name, packed, lines in zip(names, rest[::2], rest[1::2], strict=True)
    }


def _read_gates(client: _Client, names: Sequence[str]) -> list[Any]:
    questions = client.redis.pipeline(transaction=False)
    questions.time()
    for name in names:
        gate, minutes = _gate_keys(name)
        questions.get(gate)
        questions.hgetall(minutes)
    answers: list[Any] = questions.execute()
    return answers


def _gate_keys(name: str) -> list[str]:
    # Both in one slot of a Redis Cluster. A change of what is packed into the first is a new name for it.
    return [f"carillon:{{provider:{name}}}:gate:1", f"carillon:{{provider:{name}}}:minutes:1"]


def count(
    wishes: Sequence[Wish], known: Mapping[str, Log], *, now_ms: int, margin_ms: int, anew: bool, dry: bool
) -> Counted | None:
    """Take places on counters, atomically for all processes; None when Redis is away.

    `known` are the logs of counters as they stand elsewhere; they are added to what Redis has. `anew` lets Redis forget
    all counters first, `dry` leaves them as they are.
    """
    call = {
        "now": now_ms,
        "margin": margin_ms,
        "wishes": wishes,
        "known": [(name, list(log.items())) for name, log in known.items()],
        "anew": anew,
        "dry": dry,
    }
    packed = _pack(call)
    answer = _asked(lambda client: client.windows(keys=_COUNTERS, args=[packed]))
    return None if answer is None else _counted_of(answer)


def give_back(places: Sequence[tuple[Counter, str]]) -> None:
    """Free these members' places on these counters."""
    if places:
        packed = _pack([(counter.owner, counter.name, member) for counter, member in places])
        _asked(lambda client: client.give_back(keys=_COUNTERS, args=[packed]))


def beat(name: str) -> None:
    """Say that something is alive and working, by the server's clock."""
    _asked(lambda client: client.beat(keys=[_BEATS], args=[name]))


def beat_ages() -> dict[str, float] | None:
    """Seconds since each last beat, by name; None when Redis is away."""
    answer = _asked(lambda client: client.beat_ages(keys=[_BEATS]))
    if answer is None:
        return None
    return {name.decode(): float(age) for name, age in zip(answer[::2], answer[1::2], strict=True)}


def ask(question: Callable[[Any], _Answer]) -> _Answer | None:
    """What this process's client answers to a question of another app's door; None when Redis is away.

    The question is handed the client of redis-py, and whatever that raises counts as Redis being away.
    """
    answer: _Answer | None = _asked(lambda client: question(client.redis))
    return answer


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
