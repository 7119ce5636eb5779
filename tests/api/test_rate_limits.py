from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from channels import redis_state
from notify.api import metering
from notify.api.auth import Caller, mint_user_token
from notify.api.metering import draw
from notify.policy import CALL_RATES, USER_CALL_RATE, CallRate
from notify.vocabulary import Tier
from tests.factories import Api, key_row, make_key, make_recipient

PATH = "/v1/notifications"
TIGHT = CallRate(per_second=0.5, burst=3)


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch, empty_redis: None, db: None) -> Api:
    """A caller who may call three times, and then every other second."""
    monkeypatch.setitem(CALL_RATES, Tier.STANDARD, TIGHT)
    return Api(make_key(tier=Tier.STANDARD))


def test_the_tiers_are_those_of_the_contract() -> None:
    standard, bulk = CALL_RATES[Tier.STANDARD], CALL_RATES[Tier.BULK]
    assert standard is not None
    assert bulk is not None
    assert standard.per_second * 60 == pytest.approx(1000)
    assert bulk.per_second == 100
    assert CALL_RATES[Tier.INTERNAL] is None


def test_an_exhausted_key_is_429_with_retry_after(tight: Api) -> None:
    answers = [tight.get(PATH) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    refused = answers[-1]
    assert refused.json()["code"] == "rate_limited"
    assert 1 <= int(refused["Retry-After"]) <= 2


def test_every_answer_says_what_is_left(tight: Api) -> None:
    left = [tight.get(PATH)["RateLimit-Remaining"] for _ in range(4)]
    assert left == ["2", "1", "0", "0"]
    answer = tight.get(PATH)
    assert answer["RateLimit-Limit"] == "3"
    assert int(answer["RateLimit-Reset"]) in (5, 6)


@pytest.mark.parametrize("path", [PATH, "/v1/nothing", "/v1/schema/", "/api/v1/nothing"])
def test_answers_to_strangers_say_what_is_left_too(stranger: Api, path: str) -> None:
    first, second = (int(stranger.get(path)["RateLimit-Remaining"]) for _ in range(2))
    assert first - second == 1


def test_a_stranger_who_keeps_guessing_is_429(stranger: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metering, "STRANGER_CALL_RATE", TIGHT)
    codes = [stranger.get(PATH).json()["code"] for _ in range(4)]
    assert codes == ["invalid_key", "invalid_key", "invalid_key", "rate_limited"]


def test_the_internal_tier_is_never_refused_and_its_answers_still_have_the_headers(api: Api) -> None:
    answer = api.get(PATH)
    assert int(answer["RateLimit-Remaining"]) > 1_000_000
    assert answer["RateLimit-Reset"] == "0"


def test_each_key_has_a_bucket_of_its_own(tight: Api) -> None:
    for _ in range(4):
        tight.get(PATH)
    assert Api(make_key(tier=Tier.STANDARD)).get(PATH).status_code == 200


def test_each_user_of_an_application_has_a_bucket_of_their_own(tight: Api, empty_redis: None) -> None:
    make_recipient("u_alice")
    key = key_row(make_key(tier=Tier.STANDARD))
    caller = Caller(
        application_id=key.application_id, key_id=key.id, scopes=frozenset(), tier=Tier.STANDARD, is_test=False
    )
    token = mint_user_token(caller, "u_alice", now=datetime.now(UTC), lifetime=timedelta(hours=1))
    answer = Api(token).get("/v1/users/u_alice/preferences")
    assert answer["RateLimit-Limit"] == str(USER_CALL_RATE.burst)


def test_with_redis_away_each_process_keeps_a_bucket(tight: Api, redis_away: None) -> None:
    assert [tight.get(PATH).status_code for _ in range(5)] == [200, 200, 200, 429, 429]


def spend(name: str, rate: CallRate, seconds: float, tick: Callable[[], None]) -> int:
    """How many calls got through in this time, as fast as they come."""
    ends, granted = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        granted += draw(name, rate).wait_seconds == 0
        tick()
    return granted


def test_a_busy_caller_gets_the_rate_and_not_a_call_more(empty_redis: None) -> None:
    rate = CallRate(per_second=200.0, burst=100)
    granted = spend("busy", rate, 1.0, lambda: None)
    assert 250 <= granted <= 100 + 200 + 4


def test_two_processes_share_one_bucket(empty_redis: None) -> None:
    mine: dict[str, metering._Purse] = {}
    theirs: dict[str, metering._Purse] = {}

    def swap() -> None:
        nonlocal mine, theirs
        mine, theirs = theirs, mine
        metering._Known.purses = mine

    granted = spend("shared", CallRate(per_second=200.0, burst=100), 1.0, swap)
    assert 250 <= granted <= 100 + 200 + 4


def test_a_slow_caller_is_not_charged_for_what_was_not_used(empty_redis: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metering, "_BUSY_SECONDS", 0.0)
    states = [draw("slow", CallRate(per_second=0.1, burst=50)).state.remaining for _ in range(10)]
    assert states == list(range(49, 39, -1))


def test_under_load_most_calls_cost_no_round_trip(empty_redis: None, monkeypatch: pytest.MonkeyPatch) -> None:
    trips = []
    real = redis_state.take

    def counted(*arguments: object) -> object:
        trips.append(arguments)
        return real(*arguments)  # type: ignore[arg-type]  # whatever the caller gave

    monkeypatch.setattr(redis_state, "take", counted)
    rate = CALL_RATES[Tier.STANDARD]
    assert rate is not None
    for _ in range(400):
        draw("load", rate)
    assert len(trips) < 40
