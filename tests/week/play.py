"""A week on the stage, from the first table to what became of the last message."""

from __future__ import annotations

import json
import random
from functools import partial
from typing import Any, NamedTuple

import django

django.setup()

from notify import tasks  # noqa: E402 - Django must be set up before its models are imported
from tests.factories import Api, make_key  # noqa: E402 - as above
from tests.week.clock import Clock  # noqa: E402 - as above
from tests.week.gateway import Gateway  # noqa: E402 - as above
from tests.week.life import Life  # noqa: E402 - as above
from tests.week.stage import Database, Stage  # noqa: E402 - as above


class Span(NamedTuple):
    """When the week begins, when it ends, and until when what still waits is waited for."""

    start: float
    end: float
    tail: float


def play(clock: Clock, gateway: Gateway, span: Span, *, people: int, pace: float, seed: int) -> dict[str, Any]:
    """All that the checker is told."""
    # What the program itself leaves to chance is the same again, but for its ids.
    random.seed(seed)
    chances = [random.Random(f"{seed} {what}") for what in ("stage", "life")]  # noqa: S311 - as above
    with Database():
        clock.install()
        stage = Stage(clock, chances[0])
        stage.run(tasks.maintain)
        api = Api(make_key())
        life = Life(stage, api, gateway, chances[1])
        stage.run(partial(life.settle, people))
        life.foresee(span.start, span.end, pace)
        stage.play(span.end)
        stage.play(span.tail)
        return _record(stage, life, gateway, api)


def _record(stage: Stage, life: Life, gateway: Gateway, api: Api) -> dict[str, Any]:
    """All that the checker is told: the journal, the gateway's lines, and what the API says is held of each person."""
    record: dict[str, Any] = {"journal": life.journal, "received": gateway.received, "refused": gateway.refused}
    record["stage"] = dict(sorted(stage.counts.items()))

    def look() -> None:
        started = [line["id"] for line in life.journal if line["what"] == "campaign"]
        record["campaigns"] = {name: _told(api, name) for name in started}
        record["held"] = {one.user: _held(api, one.user) for one in life.people}

    stage.clock.move(stage.clock.at)
    stage.run(look)
    return record


def _told(api: Api, campaign: str) -> dict[str, str]:
    """Whom a campaign has told, with the notification of each."""
    found: dict[str, str] = {}
    path, cursor = f"/v1/notifications?campaign_id={campaign}&limit=100", ""
    while True:
        answer = api.get(path + cursor).json()
        found |= {row["user_id"]: row["id"] for row in answer["data"]}
        if not answer["page"]["has_more"]:
            return found
        cursor = f"&cursor={answer['page']['next_cursor']}"


def _held(api: Api, user: str) -> dict[str, Any]:
    """One person's export, without what the checker does not look at."""
    answer = api.get(f"/v1/users/{user}/export")
    export = json.loads(b"".join(answer.streaming_content))
    assert export["complete"]
    return {
        "inbox": [
            {"id": one["notification_id"], "at": one["created_at"], "number": (one["content"] or {}).get("title")}
            for one in export["inbox"]
        ],
        "notifications": [
            {name: one[name] for name in ("id", "type", "status", "created_at", "variables")}
            | {"deliveries": [{name: leg[name] for name in _OF_A_LEG} for leg in one["deliveries"]]}
            for one in export["notifications"]
        ],
    }


_OF_A_LEG = ("id", "channel", "status", "reason_code", "sent_at")
