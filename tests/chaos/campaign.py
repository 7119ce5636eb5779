"""A campaign while everything dies: each process several times, at seeded moments, with pauses in between."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator
from typing import NamedTuple

import orjson

from notify.policy import PAGE_SIZE
from tests.bench.people import settle_readers
from tests.bench.readers import NEWS_TYPE, By, Told, population_of, type_body
from tests.bench.results import Goal
from tests.bench.stack import Stack
from tests.bench.workload import Crowd, person
from tests.chaos.arena import Arena
from tests.chaos.faults import BLOWS
from tests.chaos.ordeal import HOLDS_WITHIN, LEASES, Ordeal, leaving, say_no, undergo
from tests.chaos.scene import Scene, Sizes, at_most, exactly, told
from tests.chaos.told import Campaign, Standing

_PUT = {200, 201}
#: Seconds after which a no must have been heard by every page.
_HEARD_WITHIN = 1.0


class Ledger(NamedTuple):
    """The stand-in's ledger, held against the audience."""

    #: People of whom it heard at all.
    people: int
    lost: int
    repeats: int
    #: Messages to people who were not to get one, or with other words.
    uncalled: int
    #: Messages to people who had said no before.
    after_no: int
    #: People who were told, and then said no before a blow let them be told anew: their row says that they were not.
    regretted: int
    #: Epoch seconds of the last arrival.
    last: float


def play(arena: Arena, sizes: Sizes) -> list[Goal]:
    """Start it, let blow after blow fall, wait for its end, and compare ledger, rows and what the API says."""
    meant = _meant(sizes)
    for how in ("opted out", "erased"):
        say_no(arena, meant, how)
    arena.lab.reset()
    started = time.time()
    campaign = Campaign(arena, meant, sizes.campaign_rate)
    ordeal = undergo(arena, sizes, campaign, meant)
    arena.wait(arena.is_idle)
    ledger = _compare(arena, meant, ordeal)
    audience = len({*meant.members()}.difference(leaving(meant, "erased")))
    return [
        *_told_once(ledger, ordeal),
        *_paused(ordeal),
        *_agreed(campaign.standing(), ledger, audience),
        exactly("pages, slices and halts left", _left(arena), 0),
        told("from its start to the last arrival", ledger.last - started, "s"),
        at_most("from the last blow to its completion", ordeal.waited, round(ordeal.pace + LEASES), "s"),
        *(told(f"struck: {fault.name}", times) for fault, times in ordeal.blows.items()),
    ]


def _meant(sizes: Sizes) -> Told:
    return Told(run=f"chaos{sizes.seed}", by=By.PUSH, population=population_of(sizes.campaign_people))


def _settle_in(stack: Stack, sizes: Sizes) -> None:
    """Its people, and a type of which nobody may get more than one a day: whoever is told anew has a place already."""
    settle_readers(stack, 0, _meant(sizes).population)
    body = orjson.loads(type_body(template=True)) | {"caps": [{"max": 1, "per_seconds": 86_400}]}
    with stack.connection() as api:
        answer = api.call("PUT", f"/v1/types/{NEWS_TYPE}", orjson.dumps(body))
    if answer.status not in _PUT:
        raise SystemExit(f"chaos: the cap was answered {answer.status} {answer.body[:500]!r}")


def _compare(arena: Arena, meant: Told, ordeal: Ordeal) -> Ledger:
    """Who was told how often: the others by nobody, and those who said no on its way only before."""
    arrivals = arena.lab.arrivals()
    came: Counter[tuple[str, str]] = Counter()
    for one in arrivals.values():
        came[one.address, one.content_hash] += one.times
    gone = {*leaving(meant, "opted out"), *leaving(meant, "erased")}
    number_of = {mark: number for number, mark in zip(meant.readers(), meant.expected(), strict=True)}
    wanted = {mark for mark, number in number_of.items() if number not in gone and number not in ordeal.noes}
    told_numbers = {number_of[mark] for mark in came if mark in number_of}
    late = (
        one.at > ordeal.noes.get(number_of.get((one.address, one.content_hash), -1), one.at) + _HEARD_WITHIN
        for one in arrivals.values()
    )
    return Ledger(
        people=len({address for address, _ in came}),
        lost=sum(mark not in came for mark in wanted),
        repeats=came.total() - len(came),
        uncalled=sum(times for mark, times in came.items() if number_of.get(mark, -1) in {-1, *gone}),
        after_no=sum(late),
        regretted=len(told_numbers & _suppressed(arena, ordeal.noes)),
        last=max(one.at for one in arrivals.values()),
    )


def _suppressed(arena: Arena, numbers: Collection[int]) -> set[int]:
    """Who of these was not told, by the rows."""
    number_of = {person(number, Crowd.READER).user_id: number for number in numbers}
    asked = """SELECT r.user_id FROM notify_delivery d JOIN notify_notification n ON n.id = d.notification_id
               JOIN preferences_recipient r ON r.id = n.recipient_id WHERE d.status = 'suppressed'"""
    return {number_of[user_id] for (user_id,) in arena.rows(asked) if user_id in number_of}


def _told_once(ledger: Ledger, ordeal: Ordeal) -> Iterator[Goal]:
    in_flight = sum(BLOWS[fault] * times for fault, times in ordeal.blows.items()) * PAGE_SIZE
    yield told("people told", ledger.people)
    yield exactly("lost", ledger.lost, 0)
    yield at_most("repeats (bound: the pages in hand at the blows)", ledger.repeats, in_flight)
    yield exactly("told without being meant, or with other words", ledger.uncalled, 0)
    yield exactly("told after their no", ledger.after_no, 0)
    yield told("blows", ordeal.blows.total())


def _paused(ordeal: Ordeal) -> Iterator[Goal]:
    yield told("pauses, each with a blow in it", len(ordeal.pauses))
    yield exactly(f"arrivals later than {HOLDS_WITHIN:g} s after a pause", sum(one.late for one in ordeal.pauses), 0)
    yield told("a pause → the last arrival", max((one.last_after for one in ordeal.pauses), default=0.0), "s")


def _agreed(standing: Standing, ledger: Ledger, audience: int) -> Iterator[Goal]:
    """What the API says is what the ledger says."""
    yield exactly("ended otherwise than completed", int(standing.status != "completed"), 0)
    yield exactly("`total_recipients`", standing.total_recipients, audience)
    yield told("told, and no more when they were to be told anew after a blow", ledger.regretted)
    yield exactly("`sent`", standing.sent, ledger.people - ledger.regretted)
    yield exactly("`suppressed`", standing.suppressed, audience - ledger.people + ledger.regretted)
    others = standing.failed + standing.open + standing.waiting + standing.expired + standing.cancelled
    yield exactly("failed, open, waiting, expired or cancelled", others, 0)


def _left(arena: Arena) -> int:
    tables = ("notify_page", "campaigns_slice", "notify_halt")
    return sum(int(arena.one(f"SELECT count(*) FROM {table}")) for table in tables)


SCENE = Scene("a campaign while everything dies", play, _settle_in)
