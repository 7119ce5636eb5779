"""A stranger who is told what the world said and what the edge received, and looks for broken promises.

Imports nothing of the program, and takes nothing of it for true but the ids it gave: every other fact is the world's
own journal, the gateway's lines, and at the end what the API says became of each notification.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.week.standing import Event, People, Standing

_NUMBER = re.compile(r"\bN\d{6}\b")
_GATHERED = re.compile(r"Gathered (\d+), unlisted (\d+):")
_FINAL = {"delivered", "partially_delivered", "sent", "suppressed", "failed", "expired", "cancelled"}
_ARRIVED = {"sent", "delivered", "bounced"}
_BOUGHT = {"push", "email", "sms"}
#: Seconds in which our clock and theirs may differ: none of either moves while the other looks.
_SLACK = 0.001
_PLANNED_WITHIN = 30.0
#: Seconds after which something must have held it up that the documents know.
_PATIENCE = 1_800.0


@dataclass(frozen=True)
class Arrival:
    """A message as it came out at the edge, or an entry of an inbox."""

    at: float
    channel: str
    delivery: str
    to: str
    numbers: tuple[str, ...]
    #: How many a digest says it gathers, and how many of them it does not list; None: it is no digest.
    gathered: tuple[int, int] | None = None


class Checker:
    """One record, checked once."""

    def __init__(self, record: Event) -> None:
        journal = record["journal"]
        self.checks: Counter[str] = Counter()
        self._found: list[Event] = []
        self._kinds = {event["key"]: event for event in journal if event["what"] == "type"}
        self._limits = next(event for event in journal if event["what"] == "caps")
        self._campaigns = {event["id"]: event for event in journal if event["what"] == "campaign"}
        sends = [event for event in journal if event["what"] == "send"]
        sends += [one for event in self._campaigns.values() for one in _shares(event, record["campaigns"])]
        #: By person and number: a campaign has one number for all.
        self._sends = {(event["user"], event["number"]): event for event in sends}
        self._by_id = {event["id"]: event for event in sends}
        self._cancelled = {event["id"]: event["at"] for event in journal if event["what"] == "cancel"}
        self._modes = [(event["at"], event["mode"]) for event in journal if event["what"] == "mode"]
        held = record["held"]
        told = [one | {"user": user} for user, mine in held.items() for one in mine["notifications"]]
        self._outcomes = {one["id"]: one for one in told if one["id"] in self._by_id}
        self._digests = [one for one in told if one["type"].startswith("DIGEST_")]
        self._held, self._stage = held, record["stage"]
        self._journal, self._refused = journal, record["refused"]
        self._digest_of = {leg["id"]: one for one in self._digests for leg in one["deliveries"]}
        self._people = People(journal, record["refused"])
        self._people.told = {
            leg["id"]: (one["user"], one["type"], leg["channel"]) for one in told for leg in one["deliveries"]
        }
        self._people.replay()
        self._arrivals = [*map(_received, record["received"]), *_entries(held)]
        self._arrivals.sort(key=lambda one: one.at)
        self._pauses = _pauses(journal)
        self._times = self._counters()
        self._keyed: dict[tuple[str, str], list[Event]] = defaultdict(list)
        for send in self._sends.values():
            if send.get("collapse_key"):
                self._keyed[send["user"], send["collapse_key"]].append(send)

    def check(self) -> list[Event]:
        """Every promise that was broken, with where and when."""
        for one in self._arrivals:
            if one.gathered is None:
                self._check_single(one)
            else:
                self._check_digest(one)
        self._check_repeats()
        self._check_caps()
        self._check_outcomes()
        self._check_erased()
        return sorted(self._found, key=lambda found: str(found.get("at", "")))

    def figures(self) -> dict[str, Any]:
        """How much there was to be checked."""
        said = Counter(event["what"] for event in self._journal)
        legs = [leg for one in self._outcomes.values() for leg in one["deliveries"]]
        zones = {
            self._people.at(user, event["at"]).local(event["at"]).tzinfo
            for event in self._journal
            if event["what"] in ("person", "say", "profile")
            for user in [event["user"]]
        }
        return {
            "stage": self._stage,
            "people": said["person"],
            "zones": len({str(zone) for zone in zones}),
            "notifications": len(self._by_id),
            "campaigns": said["campaign"],
            "campaigns paused": said["pause"],
            "changes of mind": said["say"] + said["leave"] - said["person"],
            "complaints, STOPs, bounces": said["complained"] + said["unsubscribed"] + said["bounced"],
            "erasures": said["erase"],
            "deletions": said["delete"],
            "cancelled": said["cancel"],
            "messages received": sum(one.channel in _BOUGHT for one in self._arrivals),
            "refused by the gateway": len(self._refused),
            "inbox entries": sum(one.channel == "in_app" for one in self._arrivals),
            "digests": sum(one.gathered is not None for one in self._arrivals),
            "members of digests": sum(len(one.numbers) for one in self._arrivals if one.gathered is not None),
            "deliveries": dict(sorted(Counter(leg["status"] for leg in legs).items())),
            "reasons": dict(sorted(Counter(leg["reason_code"] for leg in legs if leg["reason_code"]).items())),
        }

    # --- one message

    def _check_single(self, one: Arrival) -> None:
        """A message that tells one thing."""
        self.checks["messages"] += 1
        send = self._sends.get((self._user_of(one), one.numbers[0])) if len(one.numbers) == 1 else None
        if send is None:
            self._broken("unknown", one)
            return
        kind, person = self._kinds[send["type"]], self._people.at(send["user"], one.at)
        self._check_person(one, send["user"], send["type"], person)
        self._check_choice(one, send, kind)
        self._check_time(one, send, person, kind)
        self._check_mode(one, kind)
        if self._cancelled.get(send["id"], one.at) < one.at:
            self._broken("after_cancel", one, send=send["id"])
        if any(start < one.at < end for start, end in self._pauses[send.get("campaign", "")]):
            self._broken("while_paused", one, send=send["id"])
        if self._is_overtaken(send, one.at):
            self._broken("overtaken", one, send=send["id"])
        if self._would_gather(send, one, kind):
            self._broken("not_gathered", one, send=send["id"])
        if one.at - self._due(send) > _PATIENCE and not self._had_to_wait(send, one):
            self._broken("needless_wait", one, send=send["id"], seconds=one.at - self._due(send))

    def _check_digest(self, one: Arrival) -> None:
        """A message that tells several."""
        self.checks["digests"] += 1
        digest = self._digest_of.get(one.delivery)
        assert one.gathered is not None
        count, unlisted = one.gathered
        if digest is None or count != len(one.numbers) + unlisted:
            self._broken("digest_miscounts", one)
            return
        kind, person = self._kinds[digest["type"]], self._people.at(digest["user"], one.at)
        self._check_person(one, digest["user"], digest["type"], person)
        if person.is_quiet(one.at):
            self._broken("in_quiet_hours", one)
        self._check_mode(one, kind)
        for number in one.numbers:
            self._check_member(one, digest, number)

    def _check_member(self, one: Arrival, digest: Event, number: str) -> None:
        """Who has said no meanwhile is not told in a digest neither: as things stood when it was made."""
        self.checks["members"] += 1
        send = self._sends.get((digest["user"], number))
        if send is None:
            self._broken("digest_of_another", one, number=number)
            return
        kind = self._kinds[send["type"]]
        noes = self._people.at(send["user"], one.at).noes(send["type"], kind, one.channel)
        if noes:
            self._broken("after_no", one, number=number, noes=sorted(noes))
        if kind["category"] != self._kinds[digest["type"]]["category"]:
            self._broken("digest_of_another", one, number=number)
        if self._cancelled.get(send["id"], one.at) < one.at:
            self._broken("after_cancel", one, number=number)
        # What overtakes takes effect on digests when it is planned, a moment after it was accepted.
        if self._is_overtaken(send, one.at - _PLANNED_WITHIN):
            self._broken("overtaken", one, number=number)
        if _instant(digest["created_at"]) >= self._expiry(send):
            self._broken("expired", one, number=number)

    def _check_person(self, one: Arrival, user: str, key: str, person: Standing) -> None:
        """Never after no, and to nobody else."""
        self.checks["never after no"] += 1
        noes = person.noes(key, self._kinds[key], one.channel)
        if noes:
            self._broken("after_no", one, user=user, noes=sorted(noes))
        right = person.tokens if one.channel == "push" else {person.address(one.channel)}
        if one.channel != "in_app" and one.to not in right:
            self._broken("wrong_address", one, user=user)

    def _check_choice(self, one: Arrival, send: Event, kind: Event) -> None:
        """Of a mandatory type people choose the channel, as long as another one carries it."""
        if not kind["mandatory"]:
            return
        stood = self._people.between(send["user"], send["at"], one.at)
        if not all([*person.choices(send["type"], kind, one.channel)] for person in stood):
            return
        others = [channel for channel in send.get("channels") or kind["channels"] if channel != one.channel]
        if any(_is_open(stood, send["type"], kind, channel) for channel in others):
            self._broken("against_choice", one, send=send["id"])

    def _check_time(self, one: Arrival, send: Event, person: Standing, kind: Event) -> None:
        """Not at night, not before its time, not after its expiry."""
        self.checks["quiet hours"] += 1
        is_bold = kind["quiet_hours"] == "bypass" or kind["priority"] == "critical" or kind["category"] == "security"
        if not is_bold and one.channel != "in_app" and person.is_quiet(one.at):
            self._broken("in_quiet_hours", one, send=send["id"], clock=person.local(one.at).isoformat())
        if one.at < self._due(send) - _SLACK:
            self._broken("too_early", one, send=send["id"])
        if one.at >= self._expiry(send):
            self._broken("expired", one, send=send["id"])

    def _check_mode(self, one: Arrival, kind: Event) -> None:
        """While the system is spared, what can wait does."""
        mode = next((mode for at, mode in reversed(self._modes) if at <= one.at), "normal")
        can_wait = kind["priority"] == "low" or (kind["category"] == "marketing" and one.channel == "email")
        if mode == "degraded" and can_wait:
            self._broken("not_spared", one)

    def _is_overtaken(self, send: Event, at: float) -> bool:
        """Whether something newer with the same key had come by then."""
        newer = self._keyed.get((send["user"], send.get("collapse_key", "")), ())
        return any(
            send["at"] < other["at"] < at
            and self._due(other) <= at
            and not self._cancelled.get(other["id"], float("inf")) < at
            for other in newer
        )

    def _was_overtaken(self, send: Event) -> bool:
        """Whether anything newer with the same key ever came, if only to be taken back."""
        newer = self._keyed.get((send["user"], send.get("collapse_key", "")), ())
        return any(
            send["at"] < other["at"] and self._due(other) < self._cancelled.get(other["id"], float("inf"))
            for other in newer
        )

    def _would_gather(self, send: Event, one: Arrival, kind: Event) -> bool:
        """Whether the person wanted it gathered from when it was due until it came alone."""
        if not kind["digestible"] or one.channel == "in_app":
            return False
        stood = self._people.between(send["user"], self._due(send), one.at)
        return all(person.gathers() for person in stood)

    def _had_to_wait(self, send: Event, one: Arrival) -> bool:
        """Whether a night, a full counter, the system's mode or another channel's failure held it up."""
        due = self._due(send)
        minutes = range(int((one.at - due) / 60) + 1)
        return (
            any(self._people.at(send["user"], due + 60 * at).is_quiet(due + 60 * at) for at in minutes)
            or any(due < at < one.at for at, _ in self._modes)
            or any(end - start > _PATIENCE / 4 for start, end in self._pauses[send.get("campaign", "")])
            or one.channel in send.get("fallback_channels", ())
            or any(self._was_full(name, windows, due, one.at) for name, windows, _ in self._counted(one))
        )

    def _was_full(self, name: tuple[str, ...], windows: list[list[int]], due: float, at: float) -> bool:
        """Whether a counter may have had no room between two instants."""
        times = self._times[name][1]
        return any(sum(due - span - _PATIENCE < time < at for time in times) >= most for most, span in windows)

    def _due(self, send: Event) -> float:
        """When it was to be told, at the earliest."""
        wanted = send.get("schedule_at")
        if wanted is None:
            return float(send["at"])
        if isinstance(wanted, str):
            return _instant(wanted)
        person = self._people.at(send["user"], send["at"])
        zone = ZoneInfo(person.said.get("timezone") or person.zone or "UTC")
        at = datetime.fromisoformat(wanted["local_time"]).replace(tzinfo=zone, fold=0).timestamp()
        return max(at, send["at"])

    def _expiry(self, send: Event) -> float:
        if send.get("expires_at"):
            return _instant(send["expires_at"])
        life = self._kinds[send["type"]]["ttl_seconds"]
        return self._due(send) + life if life else float("inf")

    # --- all messages together

    def _check_repeats(self) -> None:
        """Nothing reaches one endpoint twice, alone or in digests; two people may share one."""
        seen: dict[tuple[str, str, str, str], Arrival] = {}
        for one in self._arrivals:
            user = self._key_and_user(one)[1] or ""
            for number in one.numbers:
                place = user, number, one.channel, one.to
                self.checks["told once"] += 1
                if place in seen:
                    self._broken("twice", one, number=number, first=seen[place].at)
                seen[place] = one

    def _check_caps(self) -> None:
        """No window of any counter holds more than it may, wherever it begins."""
        for name, (windows, times) in self._times.items():
            ordered = sorted(times)
            for most, span in windows:
                self.checks["windows"] += len(ordered)
                for first, last in zip(ordered, ordered[most:], strict=False):
                    if last - first < span:
                        self._found.append({"broken": "over_cap", "at": last, "counter": name, "most": most})

    def _counters(self) -> dict[tuple[str, ...], tuple[list[list[int]], list[float]]]:
        """The instants on each counter: a notification on a channel counts once, however many devices ring."""
        first: dict[tuple[str, ...], tuple[list[list[int]], dict[tuple[str, ...], float]]] = {}
        for one in self._arrivals:
            for name, windows, unit in self._counted(one):
                first.setdefault(name, (windows, {}))[1].setdefault(unit, one.at)
        return {name: (windows, list(times.values())) for name, (windows, times) in first.items()}

    def _counted(self, one: Arrival) -> Iterator[tuple[tuple[str, ...], list[list[int]], tuple[str, ...]]]:
        if one.channel == "in_app":
            return
        key, user = self._key_and_user(one)
        if key is None or user is None:
            return
        kind, channels = self._kinds[key], self._limits["channels"]
        is_security = kind["category"] == "security"
        if is_security and one.channel in ("email", "sms"):
            yield ("address", one.channel, one.to), self._limits["security"], one.numbers
        if kind["exempt_from_caps"]:
            return
        if not is_security and one.channel in channels:
            yield ("person", one.channel, user), channels[one.channel], one.numbers
        if kind["caps"]:
            yield ("type", key, user), [[cap["max"], cap["per_seconds"]] for cap in kind["caps"]], one.numbers

    def _key_and_user(self, one: Arrival) -> tuple[str | None, str | None]:
        single = (self._user_of(one), one.numbers[0] if one.numbers else "")
        found = self._digest_of.get(one.delivery) if one.gathered else self._sends.get(single)
        return (found["type"], found["user"]) if found else (None, None)

    def _user_of(self, one: Arrival) -> str:
        """Whom it was meant for, as the program says; that it came to one of their addresses is another question."""
        if one.channel == "in_app":
            return one.to
        return self._people.told.get(one.delivery, ("", "", ""))[0]

    # --- what became of everything

    def _check_outcomes(self) -> None:
        """Accepted means kept: each came out, or says truly why not; and each that was gathered was told."""
        came = {one.delivery for one in self._arrivals if one.gathered is None}
        gathered: dict[tuple[str, str, str], list[Arrival]] = defaultdict(list)
        for one in self._arrivals:
            if one.gathered is not None and one.delivery in self._digest_of:
                for number in one.numbers:
                    gathered[self._digest_of[one.delivery]["user"], one.channel, number].append(one)
        for name, send in self._by_id.items():
            self.checks["outcomes"] += 1
            for leg in self._legs(name, send):
                digests = gathered.get((send["user"], leg["channel"], send["number"]), [])
                there = send["id"] if leg["channel"] == "in_app" else leg["id"]
                self._check_leg(send, leg, digests, came=there in came)

    def _legs(self, name: str, send: Event) -> list[Event]:
        """The deliveries of what has ended; what has not, and should have, is lost."""
        outcome = self._outcomes.get(name)
        if outcome is not None and outcome["status"] in _FINAL and outcome["deliveries"]:
            legs: list[Event] = outcome["deliveries"]
            return legs
        is_taken_back = outcome is not None and outcome["status"] == "cancelled"
        # Who left before a campaign read its audience is not in it.
        never_told = "campaign" in send and outcome is None and self._people.was_gone(send["user"], send["at"])
        if not is_taken_back and not never_told:
            self._lost(send, "it has not ended", outcome and outcome["status"])
        return []

    def _check_leg(self, send: Event, leg: Event, digests: list[Arrival], *, came: bool) -> None:
        """One delivery against what was received."""
        self.checks["deliveries"] += 1
        status, channel = leg["status"], leg["channel"]
        if channel == "in_app":
            if status == "delivered" and not came and not self._may_miss_entry(send):
                self._lost(send, "its entry is in no inbox", leg["id"])
            return
        if status in _ARRIVED and not came and not digests:
            self._lost(send, "called sent, and never received", leg["id"])
        if came and digests:
            self._broken("twice", digests[0], number=send["number"])
        told = {one.delivery for one in digests}
        if len({self._digest_of[name]["id"] for name in told}) > 1:
            self._broken("twice", digests[0], number=send["number"])
        if status not in _ARRIVED and came:
            self._lost(send, f"received, and called {status}", leg["id"])
        if status in ("suppressed", "expired", "failed", "dead", "cancelled"):
            self._check_reason(send, leg)

    def _check_erased(self) -> None:
        """Of who was erased nothing can be read any more."""
        for user in self._people.known():
            if self._people.at(user, float("inf")).gone != "erased":
                continue
            self.checks["erasures"] += 1
            held = self._held[user]
            if held["inbox"] or any(one["variables"] is not None for one in held["notifications"]):
                self._found.append({"broken": "not_erased", "user": user})

    def _check_reason(self, send: Event, leg: Event) -> None:
        """Nobody is left untold without one of the reasons that are documented, and it must have been true."""
        self.checks["reasons"] += 1
        reason, key, channel = leg["reason_code"], send["type"], leg["channel"]
        kind = self._kinds[key]
        stood = self._people.between(send["user"], send["at"], float("inf"))
        noes = {no for one in stood for no in one.noes(key, kind, channel)}
        noes |= {no for one in stood for no in one.choices(key, kind, channel)}
        digest = f"DIGEST_{kind['category'].upper()}"
        if digest in self._kinds:
            noes |= {no for one in stood for no in one.choices(digest, self._kinds[digest], channel)}
        if reason in noes:
            return
        true = {
            "sms_not_justified": channel == "sms",
            "frequency_cap": kind["over_cap"] == "suppress" or kind["category"] == "security",
            "quiet_hours": kind["quiet_hours"] == "drop" and any(one.said.get("quiet_hours") for one in stood),
            "superseded": self._was_overtaken(send),
            # One of several devices may have gone, and the others have been told.
            "no_device": len({one.tokens for one in stood}) > 1,
            "expired": self._expiry(send) < float("inf"),
            "cancelled": send["id"] in self._cancelled,
            "invalid_recipient": channel in self._refusals_of(send, leg, "invalid_recipient"),
            "retries_exhausted": len(self._refusals_of(send, leg, "unavailable")) > 1,
        }
        if not true.get(reason, False):
            self._lost(send, f"kept back for an untrue reason: {reason}", leg["id"])

    def _refusals_of(self, send: Event, leg: Event, code: str) -> list[str]:
        """The channels of what the gateway refused of a delivery, or of a digest that may have been to tell it."""
        names = {leg["id"]} | {name for name, one in self._digest_of.items() if one["user"] == send["user"]}
        return [line["channel"] for line in self._refused if line["code"] == code and line["id"] in names]

    def _may_miss_entry(self, send: Event) -> bool:
        """An inbox is gone with its person, and a newer entry takes the place of an older one with the same key."""
        last = self._people.at(send["user"], float("inf"))
        return last.gone == "erased" or self._was_overtaken(send)

    # --- what is found

    def _lost(self, send: Event, why: str, what: Any) -> None:
        found = {key: send[key] for key in ("id", "at", "user", "number", "type")}
        self._found.append({"broken": "lost", **found, "why": why, "what": what})

    def _broken(self, promise: str, one: Arrival, **more: Any) -> None:
        found = {"at": one.at, "channel": one.channel, "delivery": one.delivery, "numbers": one.numbers[:3]}
        self._found.append({"broken": promise, **found, **more})


def _shares(event: Event, told: dict[str, dict[str, str]]) -> Iterator[Event]:
    """A campaign as a send to each; where the program names no notification, the name says so."""
    for user in event["users"]:
        name = told[event["id"]].get(user, f"untold {event['id']} {user}")
        plain = {key: event[key] for key in ("at", "number", "type")}
        yield {"what": "send", "id": name, "user": user, "campaign": event["id"], **plain}


def _pauses(journal: list[Event]) -> dict[str, list[tuple[float, float]]]:
    """From when to when each campaign stood still."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for event in sorted(journal, key=lambda one: one["at"]):
        if event["what"] == "pause":
            found[event["id"]].append((event["at"], float("inf")))
        elif event["what"] == "resume":
            found[event["id"]][-1] = found[event["id"]][-1][0], event["at"]
    return found


def _is_open(stood: list[Standing], key: str, kind: Event, channel: str) -> bool:
    """Whether nothing was in the way on a channel, all the time."""
    return not any([*one.choices(key, kind, channel), *one.barriers(kind, channel)] for one in stood)


def _received(line: Event) -> Arrival:
    words = line["words"]
    digest = _GATHERED.search(words)
    numbers = tuple(_NUMBER.findall(words))
    gathered = (int(digest[1]), int(digest[2])) if digest else None
    return Arrival(line["at"], line["channel"], line["id"], line["to"], numbers, gathered)


def _entries(held: Event) -> Iterator[Arrival]:
    for user, mine in held.items():
        for one in mine["inbox"]:
            yield Arrival(_instant(one["at"]), "in_app", one["id"], user, (one["number"],))


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()
