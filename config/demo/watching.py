"""Telling, and watching from the outside what becomes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from threading import Event
from time import monotonic

import msgspec

from config.demo.client import Api, Delivery, Notification
from config.demo.expectation import Expected, expected
from config.demo.people import Person
from config.demo.place import DemoFault
from config.demo.providers import SILENT
from config.demo.story import Telling
from notify.rules.lifecycle import FINAL
from notify.vocabulary import DeliveryStatus, NotificationStatus

#: Seconds between two calls: an application's day, quickly.
_PAUSE = 0.15
_LOOK_EVERY = 0.05
#: Seconds after the last call until everything must have come to its end.
PATIENCE = 30.0


class Followed(msgspec.Struct, kw_only=True):
    """One notification and what the API said of it last."""

    person: Person
    telling: Telling
    id: str
    expected: dict[str, tuple[Expected, ...]]
    seen: Notification | None = None

    @property
    def is_settled(self) -> bool:
        """Whether it has come to its end on every channel."""
        if self.seen is None:
            return False
        if self.telling.is_cancelled:
            return self.seen.status == NotificationStatus.CANCELLED
        reached = {one.channel for one in self.seen.deliveries if _has_ended(one)}
        return reached >= set(self.expected) and all(_has_ended(one) for one in self.seen.deliveries)

    @property
    def lateness(self) -> timedelta | None:
        """How long after its time a scheduled notification was first handed to a provider; None: it was not."""
        if self.seen is None or self.seen.scheduled_at is None or not self.seen.attempts:
            return None
        return min(attempt.started_at for attempt in self.seen.attempts) - self.seen.scheduled_at


def _has_ended(delivery: Delivery) -> bool:
    """Whether nothing more is to be heard of it: a receipt, where the provider sends any."""
    if delivery.status == DeliveryStatus.SENT:
        return delivery.provider in SILENT
    return delivery.status in FINAL


class Watch:
    """All notifications of this run."""

    def __init__(self, api: Api, run: str, show: Callable[[Watch], None]) -> None:
        self.followed: list[Followed] = []
        self.started = monotonic()
        self._api = api
        self._run = run
        self._show = show

    def tell(self, telling: Telling) -> None:
        """Make one call, and cancel at once what is to be cancelled."""
        at = None if telling.ahead is None else (datetime.now(UTC) + telling.ahead).isoformat()
        key = f"{self._run}-{telling.key}"
        answer = self._api.post("/v1/notifications", telling.body(at), **{"Idempotency-Key": key})
        if answer["rejected"]:
            raise DemoFault(f"{telling.type} was refused for {answer['rejected'][0]['user_id']}")
        named = {person.user_id: person for person in telling.people}
        for one in answer["notifications"]:
            person = named[one["user_id"]]
            found = Followed(person=person, telling=telling, id=one["id"], expected=expected(person, telling))
            self.followed.append(found)
            if telling.is_cancelled:
                self._api.post(f"/v1/notifications/{found.id}/cancel", {})

    def tell_all(self, tellings: Iterable[Telling]) -> None:
        """Make the calls one after the other, then wait for the last to come to its end."""
        for telling in tellings:
            self.tell(telling)
            if telling.is_awaited:
                self._look_until(lambda: not self._open(), PATIENCE)
            else:
                self._look_until(lambda: False, _PAUSE)
        self._look_until(lambda: not self._open(), PATIENCE)

    def counts(self) -> dict[tuple[str, str], Counter[str]]:
        """How many deliveries stand where, by priority and channel."""
        found: dict[tuple[str, str], Counter[str]] = {}
        for one in self.followed:
            if one.seen is not None:
                for delivery in one.seen.deliveries:
                    found.setdefault((one.seen.priority, delivery.channel), Counter())[delivery.status] += 1
        return found

    def waiting(self) -> Sequence[Followed]:
        """Those that are scheduled and not planned yet."""
        return [one for one in self._open() if one.telling.ahead is not None and not (one.seen and one.seen.deliveries)]

    def _open(self) -> list[Followed]:
        return [one for one in self.followed if not one.is_settled]

    def _look_until(self, is_over: Callable[[], bool], seconds: float) -> None:
        end, pause = monotonic() + seconds, Event()
        while True:
            for one in self._open():
                one.seen = self._api.get(f"/v1/notifications/{one.id}", Notification)
            self._show(self)
            left = end - monotonic()
            if left <= 0 or is_over():
                return
            pause.wait(min(left, _LOOK_EVERY))
