"""Where everybody stood at every instant, as the journal tells it. Written from the documents alone.

Nothing of the program is imported here: docs/why.md, docs/privacy.md, docs/caps-and-digests.md and docs/tracking.md say
what must hold, and zoneinfo says what people's clocks show.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, reset_tzpath

Event = dict[str, Any]
# The machine's own zone data may be years old, and are wrong then: those of the package tzdata are pinned.
reset_tzpath(to=())
#: What one click leaves as a whole; of other categories only the type is left.
_LEFT_WHOLE = {"marketing", "social", "reminder"}


@dataclass(frozen=True)
class Standing:
    """One person from one instant to the next."""

    gone: str = ""
    email: str | None = None
    phone: str | None = None
    tokens: frozenset[str] = frozenset()
    zone: str | None = None
    #: The preferences document.
    said: dict[str, Any] = field(default_factory=dict)
    #: Addresses of theirs that are closed: for everything, and for marketing.
    closed: frozenset[str] = frozenset()
    unwanted: frozenset[str] = frozenset()

    def address(self, channel: str) -> str | None:
        """Where they are reached; None: nowhere. The inbox is always there."""
        if channel == "push":
            return next(iter(self.tokens), None)
        return {"email": self.email, "sms": self.phone, "in_app": "inbox"}[channel]

    def local(self, at: float) -> datetime:
        """What their wall clock shows."""
        zone = self.said.get("timezone") or self.zone or "UTC"
        return datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone))

    def is_quiet(self, at: float) -> bool:
        """Whether it is night for them: the start is quiet, the end no more."""
        hours = self.said.get("quiet_hours")
        if not hours:
            return False
        clock, start, end = self.local(at).strftime("%H:%M"), hours["start"], hours["end"]
        return start <= clock < end if start < end else start != end and (clock >= start or clock < end)

    def gathers(self) -> bool:
        return self.said.get("digest_frequency", "realtime") != "realtime"

    def choices(self, key: str, kind: Event, channel: str) -> Iterator[str]:
        """What they have switched off that covers this type on this channel."""
        if self.said.get("channels", {}).get(channel) is False:
            yield "user_opted_out"
        if channel == "sms" and self.said.get("sms_preference") == "never":
            yield "user_opted_out"
        if self.said.get("types", {}).get(key, {}).get(channel) is False:
            yield "category_opted_out"
        if self.said.get("categories", {}).get(kind["category"], {}).get(channel) is False:
            yield "category_opted_out"

    def barriers(self, kind: Event, channel: str) -> Iterator[str]:
        """What stands in the way whatever they have switched: reasons in the words of the API."""
        is_marketing = kind["category"] == "marketing"
        if self.gone:
            yield f"user_{self.gone}"
        if self.said.get("global_opt_out") and not kind["mandatory"]:
            yield "user_opted_out"
        if channel in self.closed or (is_marketing and channel in self.unwanted):
            yield "suppressed_address"
        if is_marketing and not self.said.get("marketing_opt_in"):
            yield "category_opted_out"
        if self.address(channel) is None:
            yield "no_device" if channel == "push" else "no_address"

    def noes(self, key: str, kind: Event, channel: str) -> set[str]:
        """Every reason for which nothing of this may reach them here: of a mandatory type no switch counts."""
        chosen = set() if kind["mandatory"] else set(self.choices(key, kind, channel))
        return chosen | set(self.barriers(kind, channel))


class People:
    """Everybody's standings, in order."""

    def __init__(self, journal: list[Event], refused: list[Event]) -> None:
        self._at: dict[str, list[float]] = {}
        self._was: dict[str, list[Standing]] = {}
        self._devices: dict[str, dict[str, str]] = {}
        #: (channel, address) → how far it is closed.
        self._closed: dict[tuple[str, str], str] = {}
        self._kinds = {event["key"]: event for event in journal if event["what"] == "type"}
        #: Deliveries as the program names them, for events that name one: filled in by the checker.
        self.told: dict[str, tuple[str, str, str]] = {}
        self._events = sorted([*journal, *(_of_refusal(one) for one in refused)], key=lambda event: event["at"])

    def replay(self) -> None:
        """Work out all standings; `told` must be known."""
        for event in self._events:
            step = getattr(self, f"_{event['what']}", None)
            if step is not None:
                step(event)

    def known(self) -> list[str]:
        return list(self._at)

    def at(self, user: str, at: float) -> Standing:
        """Where somebody stood at an instant."""
        place = bisect_right(self._at[user], at) - 1
        return self._was[user][max(0, place)]

    def was_gone(self, user: str, at: float) -> bool:
        """Whether somebody was gone at an instant, or soon after."""
        return any(one.gone for one in self.between(user, at, at + 1_800.0))

    def between(self, user: str, start: float, end: float) -> list[Standing]:
        """Where somebody stood at any instant of a stretch of time."""
        first = max(0, bisect_right(self._at[user], start) - 1)
        return self._was[user][first : bisect_right(self._at[user], end)] or [self.at(user, start)]

    # --- what events do

    def _person(self, event: Event) -> None:
        user = event["user"]
        self._at[user], self._was[user], self._devices[user] = [], [], {}
        one = Standing(email=event["email"], phone=event["phone"], zone=event["timezone"])
        self._write(user, event["at"], one)

    def _profile(self, event: Event) -> None:
        now = self._now(event["user"])
        changed = replace(
            now,
            email=event.get("email", now.email),
            phone=event.get("phone", now.phone),
            zone=event.get("timezone", now.zone),
        )
        self._write(event["user"], event["at"], changed)

    def _device(self, event: Event) -> None:
        devices = self._devices[event["user"]]
        devices.pop(event["device"], None)
        if event["token"] is not None:
            devices[event["device"]] = event["token"]
        self._write(event["user"], event["at"], replace(self._now(event["user"]), tokens=frozenset(devices.values())))

    def _say(self, event: Event) -> None:
        self._change(event["user"], event["at"], event["patch"])

    def _leave(self, event: Event) -> None:
        user, key, channel = self.told[event["delivery"]]
        category = self._kinds[key]["category"]
        if category in _LEFT_WHOLE:
            self._change(user, event["at"], {"categories": {category: {channel: False}}})
        else:
            self._change(user, event["at"], {"types": {key: {channel: False}}})

    def _complained(self, event: Event) -> None:
        self._no_more_marketing(event)

    def _unsubscribed(self, event: Event) -> None:
        """A STOP closes a number; of mail it means no more marketing."""
        if event["channel"] == "sms":
            self._close(event, "all")
        else:
            self._no_more_marketing(event)

    def _no_more_marketing(self, event: Event) -> None:
        self._close(event, "marketing")
        writer = self.told[event["delivery"]][0]
        owners = [user for user in self._at if self._now(user).email == event["address"]]
        for user in {writer, *owners}:
            if self._now(user).gone != "erased":
                self._change(user, event["at"], {"marketing_opt_in": False})

    def _bounced(self, event: Event) -> None:
        self._close(event, "all")

    def _suppress(self, event: Event) -> None:
        self._close(event, "all")

    def _dead(self, event: Event) -> None:
        """The gateway knows no such address."""
        self._close(event, "all")

    def _release(self, event: Event) -> None:
        self._closed.pop((event["channel"], event["address"]), None)
        self._look_again(event["at"])

    def _erase(self, event: Event) -> None:
        self._write(event["user"], event["at"], Standing(gone="erased"))

    def _delete(self, event: Event) -> None:
        self._write(event["user"], event["at"], replace(self._now(event["user"]), gone="deleted"))

    # --- how they are written

    def _close(self, event: Event, far: str) -> None:
        place = event["channel"], event["address"]
        if self._closed.get(place) != "all":
            self._closed[place] = far
        self._look_again(event["at"])

    def _look_again(self, at: float) -> None:
        for user in self._at:
            now = self._now(user)
            if self._with_closed(now) != now:
                self._write(user, at, now)

    def _change(self, user: str, at: float, patch: Event) -> None:
        said = deepcopy(self._now(user).said)
        _merge(said, patch)
        self._write(user, at, replace(self._now(user), said=said))

    def _now(self, user: str) -> Standing:
        return self._was[user][-1]

    def _write(self, user: str, at: float, one: Standing) -> None:
        self._at[user].append(at)
        self._was[user].append(self._with_closed(one))

    def _with_closed(self, one: Standing) -> Standing:
        far = {channel: self._closed.get((channel, one.address(channel) or "")) for channel in ("email", "sms")}
        return replace(
            one,
            closed=frozenset(channel for channel, reach in far.items() if reach == "all"),
            unwanted=frozenset(channel for channel, reach in far.items() if reach == "marketing"),
        )


def _of_refusal(line: Event) -> Event:
    is_dead = line["code"] == "invalid_recipient" and line["channel"] != "push"
    return {
        "what": "dead" if is_dead else "nothing",
        **{key: line[key] for key in ("at", "channel")},
        "address": line["to"],
    }


def _merge(said: dict[str, Any], patch: dict[str, Any]) -> None:
    """A JSON merge patch (RFC 7396), in place."""
    for name, value in patch.items():
        if value is None:
            said.pop(name, None)
        elif isinstance(value, dict):
            inner = said.get(name)
            said[name] = inner if isinstance(inner, dict) else {}
            _merge(said[name], value)
        else:
            said[name] = json.loads(json.dumps(value))
