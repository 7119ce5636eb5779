"""What is told to whom, in order; each telling is one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from config.demo.people import Person
from config.demo.words import PAYMENT_FAILED, REMINDER_EN, REMINDER_ES, TYPES

#: Long enough to be seen waiting, and the rest is through by then.
SOON = timedelta(seconds=5)
_LATER = timedelta(hours=1)


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """One call of `POST /v1/notifications`, and what is done about it afterwards."""

    key: str
    type: str
    people: tuple[Person, ...]
    variables: dict[str, Any] = {}
    #: By name of the person.
    own_variables: dict[str, dict[str, Any]] = {}
    content: dict[str, str] | None = None
    fallback: tuple[str, ...] = ()
    #: How far ahead it is scheduled.
    ahead: timedelta | None = None
    is_cancelled: bool = False
    #: The next call waits until this one has come to its end.
    is_awaited: bool = False

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels of its type."""
        return tuple(TYPES[self.type]["channels"])

    @property
    def is_mandatory(self) -> bool:
        """Whether it cannot be switched off."""
        return bool(TYPES[self.type].get("mandatory"))

    def body(self, schedule_at: str | None) -> dict[str, Any]:
        """In the words of the API."""
        recipients = [
            {"user_id": person.user_id, "variables": self.own_variables.get(person.name, {})} for person in self.people
        ]
        body: dict[str, Any] = {"type": self.type, "recipients": recipients, "variables": self.variables}
        if self.content is not None:
            body["content"] = self.content
        if self.fallback:
            body["fallback_channels"] = list(self.fallback)
        if schedule_at is not None:
            body["schedule_at"] = schedule_at
        return body


def story(people: Sequence[Person]) -> Iterator[Telling]:
    """The calls of an ordinary day, in half a minute."""
    called = {person.name: person for person in people}
    yield Telling(
        key="payment",
        type="PAYMENT_FAILED",
        people=(called["Grace"], called["Nils"], called["Dora"]),
        content=PAYMENT_FAILED,
        fallback=("sms",),
        is_awaited=True,
    )
    yield _reminder("soon", called["Lucia"], REMINDER_ES, ahead=SOON)
    yield _reminder("cancelled", called["Ravi"], REMINDER_EN, ahead=_LATER, is_cancelled=True)
    for number, person in enumerate(people, start=1):
        yield _order(number, person)
        yield _code(number, person)
    yield Telling(key="followers", type="NEW_FOLLOWER", people=tuple(people), own_variables=_followers(people))


def _reminder(key: str, person: Person, content: dict[str, str], **more: Any) -> Telling:
    return Telling(key=f"reminder-{key}", type="MEETING_REMINDER", people=(person,), content=content, **more)


def _order(number: int, person: Person) -> Telling:
    carrier = ("FedEx", "DHL", "UPS")[number % 3]
    variables = {"order_id": f"ORD-{12_340 + number}", "carrier": carrier, "eta": f"{number}/12"}
    return Telling(key=f"order-{number}", type="ORDER_SHIPPED", people=(person,), variables=variables)


def _code(number: int, person: Person) -> Telling:
    return Telling(
        key=f"code-{number}",
        type="VERIFICATION_CODE",
        people=(person,),
        variables={"code": f"{number * 271_828 % 1_000_000:06}"},
    )


def _followers(people: Sequence[Person]) -> dict[str, dict[str, Any]]:
    """Everybody is followed by whoever stands before them."""
    return {person.name: {"follower": people[number - 1].name} for number, person in enumerate(people)}
