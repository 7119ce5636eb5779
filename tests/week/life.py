"""What happens in the week: who is told what, who changes their mind, who leaves; each written down as it is said."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

from django.test import Client

from notify import tasks
from tests.factories import Api
from tests.week import kinds, people
from tests.week.gateway import ACCOUNTS, DEAD, RECEIPTS, Gateway, sign
from tests.week.people import Person
from tests.week.stage import Stage

HOUR, DAY = 3_600.0, 86_400.0
#: Of a person in nine days, at a pace of 1: what is told to them alone, and changes of mind.
_TOLD, _WORDS = 4, 5
#: Shares of all people to whom each of these happens once.
_SHARES: dict[str, float] = {
    "leave": 0.3,
    "complain": 0.06,
    "stop": 0.06,
    "bounce": 0.05,
    "suppress": 0.05,
    "erase": 0.05,
    "delete": 0.03,
    "new_mail": 0.1,
    "new_phone": 0.06,
    "lose_mailbox": 0.03,
    "new_device": 0.2,
    "lose_device": 0.1,
    "move_house": 0.12,
}
_ALONE = (
    *("LOGIN_CODE", "NEW_SIGN_IN", "ORDER", "ORDER", "ORDER", "RECEIPT", "RECEIPT", "TABLE_READY", "TERMS"),
    *("FOLLOWED", "FOLLOWED", "COMMENT", "COMMENT", "COMMENT", "APPOINTMENT", "PARCEL", "PARCEL", "WATER", "SCORE"),
)
_TO_ALL = ("OFFER", "OFFER", "NEWS", "NEWS", "FOLLOWED", "COMMENT", "APPOINTMENT", "PARCEL", "WATER", "SCORE", "TERMS")
_LINK = re.compile(r"<([^>]*/u/[^>]+)>")
_OK, _ACCEPTED, _GONE = 200, 202, 204


class Life:
    """The world outside: it calls the API, and keeps the journal that the checker reads."""

    def __init__(self, stage: Stage, api: Api, gateway: Gateway, chance: random.Random) -> None:
        self.journal: list[dict[str, Any]] = []
        self.people: list[Person] = []
        self.said = Counter[str]()
        self._stage, self._api, self._gateway, self._chance = stage, api, gateway, chance
        self._numbers, self._calls = count(1), count(1)
        self._looked = 0
        self._browser = Client()

    # --- the beginning

    def settle(self, number: int) -> None:
        """Types, words and people, before the week."""
        self._note("caps", **kinds.LIMITS)
        for key, kind in (kinds.KINDS | kinds.DIGESTS).items():
            self._put(f"/v1/types/{key}", kind)
            self._call("POST", "/v1/templates", kinds.templates()[key], 201)
            self._put(f"/v1/types/{key}", kind | {"template_id": key.lower()})
            self._note("type", key=key, **kind)
        zones = [people.ZONES[at % len(people.ZONES)] for at in range(number)]
        self.people = [people.born(at, self._chance, zone) for at, zone in enumerate(zones)]
        for at in range(0, number, 1_000):
            users = [self._profile(one) | {"user_id": one.user} for one in self.people[at : at + 1_000]]
            self._call("POST", "/v1/users/bulk", {"users": users}, _OK)
        for one in self.people:
            self._note("person", user=one.user, **self._profile(one))
            for device, token in one.tokens.items():
                self._register(one, device, token)
            self._say(one, people.first_word(self._chance))

    def foresee(self, start: float, end: float, pace: float) -> None:
        """Put all that will happen between two instants on the stage; `pace` says how much that is."""
        for one in self.people:
            for _ in range(_around(self._chance, _TOLD * pace)):
                self._at(start, end, partial(self._tell_alone, one))
            for _ in range(_around(self._chance, _WORDS * pace)):
                self._at(start, end, partial(self._change_mind, one))
        for name, share in _SHARES.items():
            for one in self._chance.sample(self.people, max(1, round(share * len(self.people)))):
                self._at(start, end, partial(getattr(self, f"_{name}"), one))
        at = start + HOUR
        while at < end:
            self._stage.at(at, partial(self._tell_all, self._chance.choice(_TO_ALL)))
            at += self._chance.uniform(3, 15) * HOUR / pace
        for number in range(int((end - start) / HOUR / 3)):
            self._stage.at(start + 3 * number * HOUR + 61, self._deliver)
        self._stage.at(start + 4 * DAY, partial(self._spare, "degraded"))
        self._stage.at(start + 4 * DAY + 9 * HOUR, partial(self._spare, "normal"))

    # --- what is told

    def _tell_alone(self, one: Person) -> None:
        """Something for one person; codes and gossip come in bursts."""
        key = self._chance.choice(_ALONE)
        self._send(key, [one], **self._whims(key, one))
        if self._chance.random() < 0.2:
            self._will_object(one, key)
        burst = {
            "LOGIN_CODE": 200.0,
            "FOLLOWED": 300.0,
            "COMMENT": 400.0,
            "PARCEL": 500.0,
            "RECEIPT": 600.0,
            "SCORE": 900.0,
        }.get(key)
        if burst is None or self._chance.random() < 0.6:
            return
        keyed = {"collapse_key": f"game:{next(self._calls)}"} if key == "SCORE" else {}
        at = self._stage.clock.at
        for _ in range(self._chance.randint(2, 6)):
            at += self._chance.random() * burst
            self._stage.at(at, partial(self._send, key, [one], **keyed))

    def _whims(self, key: str, one: Person) -> dict[str, Any]:
        """Fields of a send that some have: a schedule, an expiry, a fallback, channels, a key; some are taken back."""
        at, chance = self._stage.clock.at, self._chance
        fields: dict[str, Any] = {}
        if chance.random() < 0.1:
            fields["schedule_at"] = _text(at + chance.uniform(0.1, 40) * HOUR)
        elif chance.random() < 0.1:
            fields["schedule_at"] = self._wall_clock()
        if chance.random() < 0.1 and "schedule_at" not in fields:
            fields["expires_at"] = _text(at + chance.uniform(0.5, 20) * HOUR)
        if chance.random() < 0.15 and key in ("ORDER", "APPOINTMENT", "TABLE_READY"):
            fields["fallback_channels"] = ["email"] if key != "ORDER" else ["sms"]
        if chance.random() < 0.1 and key == "ORDER":
            fields["collapse_key"] = f"order:{one.user}"
        if chance.random() < 0.1:
            fields["channels"] = chance.sample(people.CHANNELS, 2)
        return fields

    def _tell_all(self, key: str) -> None:
        """The same to everybody, and while it runs some of them change their minds or leave."""
        if self._chance.random() < 0.6:
            self._campaign(key)
        else:
            fields = {"schedule_at": self._wall_clock()} if self._chance.random() < 0.5 else {}
            for at in range(0, len(self.people), 1_000):
                self._send(key, self.people[at : at + 1_000], **fields)
        for one in self._chance.sample(self.people, len(self.people) // 6):
            self._will_object(one, key)

    def _campaign(self, key: str) -> None:
        """A campaign of many at a pace; some are paused on their way, and let go on."""
        told = [one.user for one in self.people if not one.gone and self._chance.random() < 0.9]
        number, priority = f"N{next(self._numbers):06d}", kinds.KINDS[key]["priority"]
        body = {"type": key, "user_ids": told, "variables": {"n": number}, "priority": priority}
        body["throttle"] = {"max_per_second": self._chance.choice((10, 50, 500))}
        headers = {"Idempotency_Key": f"call-{next(self._calls)}"}
        answer = self._api.post("/v1/notifications/bulk", body, **headers)
        assert answer.status_code == _ACCEPTED, answer.content
        name = answer.json()["campaign_id"]
        self._note("campaign", id=name, users=told, number=number, type=key)
        if self._chance.random() < 0.4:
            at = self._stage.clock.at + self._chance.random() * 5
            self._stage.at(at, partial(self._halt, name, "pause"))
            self._stage.at(at + self._chance.uniform(5, 1_000), partial(self._halt, name, "resume"))

    def _halt(self, campaign: str, act: str) -> None:
        if self._api.post(f"/v1/campaigns/{campaign}/{act}").status_code == _OK:
            self._note(act, id=campaign)

    def _wall_clock(self) -> dict[str, str]:
        """A time on everybody's own clock, in the next two days; often one that is skipped or comes twice."""
        day = self._stage.clock.now().date() + timedelta(days=self._chance.randint(2, 3))
        hour = self._chance.choice(("09:00", "18:30", "02:30", "01:15", "03:00", "23:45", "00:30"))
        return {"local_time": f"{day.isoformat()}T{hour}", "timezone": "recipient"}

    def _send(self, key: str, told: list[Person], **fields: Any) -> None:
        numbers = {one.user: f"N{next(self._numbers):06d}" for one in told}
        items = [{"user_id": user, "variables": {"n": number}} for user, number in numbers.items()]
        headers = {"Idempotency_Key": f"call-{next(self._calls)}"}
        answer = self._api.post("/v1/notifications", {"type": key, "recipients": items, **fields}, **headers)
        if answer.status_code != _ACCEPTED:
            gone = {one["code"] for one in answer.json().get("rejected", answer.json().get("errors", []))}
            self._note("refused", type=key, users=list(numbers), codes=sorted(gone), status=answer.status_code)
            return
        for row in answer.json()["notifications"]:
            self._note("send", id=row["id"], user=row["user_id"], number=numbers[row["user_id"]], type=key, **fields)
        if len(told) == 1 and self._chance.random() < 0.05:
            later = self._stage.clock.at + self._chance.choice((0.2, 3.0, 3_000.0, 20_000.0))
            self._stage.at(later, partial(self._cancel, answer.json()["notifications"][0]["id"]))

    def _cancel(self, name: str) -> None:
        if self._api.post(f"/v1/notifications/{name}/cancel").status_code == _OK:
            self._note("cancel", id=name)

    def _spare(self, mode: str) -> None:
        self._put("/v1/system/mode", {"mode": mode, "reason": "a drill"})
        self._note("mode", mode=mode)

    # --- what people say and do

    def _change_mind(self, one: Person) -> None:
        if not one.gone:
            self._say(one, people.a_word(self._chance))

    def _will_object(self, one: Person, key: str) -> None:
        """Somebody will have enough of just this, while it is sent, waits for the morning, or is tried again."""
        wait = self._chance.choice((1.5, 600.0, 9 * HOUR)) * self._chance.random()
        said = people.an_objection(self._chance, key, kinds.KINDS[key])
        self._stage.at(self._stage.clock.at + wait, partial(self._object, one, *said))

    def _object(self, one: Person, no: dict[str, Any], yes: dict[str, Any]) -> None:
        """A no, which most people take back a day later."""
        if one.gone:
            return
        self._say(one, no)
        if self._chance.random() < 0.7:
            self._stage.at(self._stage.clock.at + DAY, partial(self._relent, one, yes))

    def _relent(self, one: Person, yes: dict[str, Any]) -> None:
        if not one.gone:
            self._say(one, yes)

    def _say(self, one: Person, patch: dict[str, Any]) -> None:
        self._call("PATCH", f"/v1/users/{one.user}/preferences", patch, _OK)
        self._note("say", user=one.user, patch=patch)

    def _leave(self, one: Person) -> None:
        """By the link in the last mail that has one; who has no such mail yet waits for one."""
        mails = [line for line in self._gateway.received if line["to"] == one.email and line["way_out"]]
        if not mails or one.gone:
            if not one.gone:
                self._stage.at(self._stage.clock.at + 12 * HOUR, partial(self._leave, one))
            return
        link = _LINK.search(mails[-1]["way_out"])
        assert link is not None
        path = "/u/" + link[1].partition("/u/")[2]
        answer = self._browser.post(path, {"List-Unsubscribe": "One-Click"})
        assert answer.status_code == _OK, answer.content
        self._note("leave", user=one.user, delivery=mails[-1]["id"])

    def _complain(self, one: Person) -> None:
        self._tell_of(one, "email", "complained")

    def _stop(self, one: Person) -> None:
        self._tell_of(one, "sms", "unsubscribed")

    def _bounce(self, one: Person) -> None:
        self._tell_of(one, self._chance.choice(("email", "sms")), "bounced")

    def _tell_of(self, one: Person, channel: str, event: str) -> None:
        """The gateway says something of the last message to this person's address of now."""
        to = one.email if channel == "email" else one.phone
        lines = [line for line in self._gateway.received if line["to"] == to and line["channel"] == channel]
        if not lines or one.gone:
            if not one.gone and to is not None and self._chance.random() < 0.9:
                self._stage.at(self._stage.clock.at + 6 * HOUR, partial(self._tell_of, one, channel, event))
            return
        self.report([(lines[-1], event)])
        tasks.receive_receipts()
        self._note(event, channel=channel, address=to, delivery=lines[-1]["id"])

    def _deliver(self) -> None:
        """Most of what the gateway took since it last said so has arrived."""
        new = self._gateway.received[self._looked :]
        self._looked += len(new)
        self.report([(line, "delivered") for line in new if self._chance.random() < 0.7])

    def report(self, events: list[tuple[dict[str, Any], str]]) -> None:
        """Receipts of the gateway, in one signed call for each account."""
        at = int(self._stage.clock.at)
        for account in ACCOUNTS:
            told = [
                {"id": f"{line['id']}:{event}", "delivery_id": line["id"], "event": event, "occurred_at": at}
                for line, event in events
                if line["account"] == account
            ]
            if not told:
                continue
            body, call_id = json.dumps({"events": told}).encode(), f"receipt-{next(self._calls)}"
            signature = sign(RECEIPTS, call_id, at, body)
            headers = {"webhook-id": call_id, "webhook-timestamp": str(at), "webhook-signature": signature}
            path = f"/v1/receipts/{account}"
            answer = self._browser.generic("POST", path, body, content_type="application/json", headers=headers)
            assert answer.status_code < 300, answer.content

    def _suppress(self, one: Person) -> None:
        """By staff, and for half of them taken back a day later."""
        channel, address = ("email", one.email) if one.email else ("sms", one.phone)
        if address is None or one.gone:
            return
        self._call("POST", "/v1/suppressions", {"channel": channel, "address": address}, 201, _OK)
        self._note("suppress", channel=channel, address=address)
        if self._chance.random() < 0.5:
            self._stage.at(self._stage.clock.at + DAY, partial(self._release, channel, address))

    def _release(self, channel: str, address: str) -> None:
        self._call("DELETE", "/v1/suppressions", {"channel": channel, "address": address}, _GONE, _OK, 404)
        self._note("release", channel=channel, address=address)

    def _erase(self, one: Person) -> None:
        self._call("POST", f"/v1/users/{one.user}/erase", None, _ACCEPTED)
        one.gone = True
        self._note("erase", user=one.user)

    def _delete(self, one: Person) -> None:
        if not one.gone:
            self._call("DELETE", f"/v1/users/{one.user}", None, _GONE)
            one.gone = True
            self._note("delete", user=one.user)

    def _new_mail(self, one: Person) -> None:
        self._profile_change(one, email=f"{one.user}.{next(self._calls)}@example.org")

    def _new_phone(self, one: Person) -> None:
        self._profile_change(one, phone=people.phone_of(5_000_000 + next(self._calls)))

    def _lose_mailbox(self, one: Person) -> None:
        self._profile_change(one, email=f"{DEAD}.{one.user}@example.net")

    def _move_house(self, one: Person) -> None:
        self._profile_change(one, timezone=self._chance.choice(people.ZONES))

    def _profile_change(self, one: Person, **fields: str) -> None:
        if not one.gone:
            self._call("PATCH", f"/v1/users/{one.user}", fields, _OK)
            one.email, one.phone = fields.get("email", one.email), fields.get("phone", one.phone)
            self._note("profile", user=one.user, **fields)

    def _new_device(self, one: Person) -> None:
        if not one.gone:
            number = next(self._calls)
            self._register(one, f"{one.user}-{number}", people.token_of(one.user, number))

    def _register(self, one: Person, device: str, token: str) -> None:
        body = {"device_id": device, "platform": "android", "token": token}
        self._call("POST", f"/v1/users/{one.user}/devices", body, 201)
        one.tokens[device] = token
        self._note("device", user=one.user, device=device, token=token)

    def _lose_device(self, one: Person) -> None:
        if not one.gone and one.tokens:
            device = self._chance.choice(sorted(one.tokens))
            self._call("DELETE", f"/v1/users/{one.user}/devices/{device}", None, _GONE)
            del one.tokens[device]
            self._note("device", user=one.user, device=device, token=None)

    # --- what all of it is written with

    def _at(self, start: float, end: float, deed: Callable[[], None]) -> None:
        self._stage.at(self._chance.uniform(start, end), deed)

    def _note(self, what: str, **more: Any) -> None:
        self.said[what] += 1
        self.journal.append({"at": self._stage.clock.at, "what": what, **more})

    def _profile(self, one: Person) -> dict[str, Any]:
        return {"email": one.email, "phone": one.phone, "timezone": one.zone}

    def _put(self, path: str, body: Any) -> None:
        self._call("PUT", path, body, _OK, 201)

    def _call(self, method: str, path: str, body: Any, *wanted: int) -> Any:
        answer = self._api.call(method, path, body)
        assert answer.status_code in wanted, (method, path, answer.status_code, answer.content)
        return answer


def _around(chance: random.Random, mean: float) -> int:
    """A number of times, about so often."""
    return round(chance.uniform(0.5, 1.5) * mean)


def _text(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
