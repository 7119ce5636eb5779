"""The campaign of the scene, as its caller sees it: whatever is not answered is asked again."""

from __future__ import annotations

import time
from collections.abc import Collection

import msgspec
import orjson

from tests.bench.readers import Told
from tests.bench.wire import Answer
from tests.chaos.arena import Arena

_OK, _ACCEPTED, _CONFLICT, _FAULT_OF_OURS = 200, 202, 409, 500


class Standing(msgspec.Struct, kw_only=True):
    """What the platform says of a campaign, in people."""

    campaign_id: str
    status: str
    total_recipients: int = 0
    sent: int = 0
    delivered: int = 0
    suppressed: int = 0
    failed: int = 0
    open: int = 0
    waiting: int = 0
    expired: int = 0
    cancelled: int = 0

    @property
    def is_over(self) -> bool:
        """Whether it has ended, however."""
        return self.status not in {"running", "paused"}


class Campaign:
    """A bulk send at a pace, started when it is made."""

    def __init__(self, arena: Arena, told: Told, rate: int) -> None:
        self._arena = arena
        body = orjson.dumps(orjson.loads(told.body()) | {"throttle": {"max_per_second": rate}})
        answer = ask(arena, "POST", "/v1/notifications/bulk", body, expected={_ACCEPTED})
        self.id = str(orjson.loads(answer.body)["campaign_id"])

    def standing(self) -> Standing:
        """Where it stands."""
        return msgspec.json.decode(ask(self._arena, "GET", f"/v1/campaigns/{self.id}").body, type=Standing)

    def act(self, act: str) -> float:
        """Pause or resume it; the epoch second of the answer. A 409 says that an unanswered call had been heard."""
        ask(self._arena, "POST", f"/v1/campaigns/{self.id}/{act}", expected={_OK, _CONFLICT})
        answered = time.time()
        if (found := self.standing().status) != {"pause": "paused", "resume": "running"}[act]:
            raise SystemExit(f"chaos: the campaign is {found} after {act}")
        return answered


def ask(arena: Arena, method: str, path: str, body: bytes = b"", *, expected: Collection[int] = (_OK,)) -> Answer:
    """Call until it is answered so: a platform that is just dying answers 503, or nothing."""
    found: list[Answer] = []

    def is_answered() -> bool:
        try:
            with arena.stack.connection() as connection:
                found.append(connection.call(method, path, body))
        except OSError:
            return False
        status = found[-1].status
        if status not in expected and status < _FAULT_OF_OURS:
            raise SystemExit(f"chaos: {method} {path} was answered {status} {found[-1].body[:500]!r}")
        return status in expected

    arena.wait(is_answered)
    return found[-1]
