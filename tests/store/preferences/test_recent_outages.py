"""The cache is the truth whatever is written, flushed, killed and cut off, in any order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels import conf as channels_conf
from channels import policy as channels_policy
from channels import redis_state
from channels.vocabulary import Channel, Platform
from preferences import allow, policy, register, store, upsert
from preferences.rules.requests import DeviceBody, UserPatch
from preferences.store import recent
from preferences.vocabulary import (
    ConsentActor,
    ConsentMeans,
    ContactKind,
    Origin,
    Preferences,
    Profile,
    RecipientFacts,
    SuppressionReason,
)
from tests.private_redis import PrivateRedis
from tests.providers.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ORIGIN = Origin(means=ConsentMeans.API, actor=ConsentActor.APPLICATION)
NOWHERE = "redis://127.0.0.1:1/0"
#: Few enough to be told by name.
PEOPLE = 3


class World:
    """People, a Redis, and two processes: one writes and reads, the other reads."""

    def __init__(self, server: PrivateRedis, monkeypatch: pytest.MonkeyPatch) -> None:
        self._server, self._patch = server, monkeypatch
        self._memories = [recent._Memory(), recent._Memory()]
        self._runs = True
        self._count = 0
        store.upsert({f"u{n}": _profile(n) for n in range(PEOPLE)})
        self.ids = [ref.id for ref in store.resolve([f"u{n}" for n in range(PEOPLE)]).values()]

    def write(self, what: int) -> None:
        """Some change of somebody."""
        self._count += 1
        user, index = f"u{what % PEOPLE}", store.index_of(ContactKind.EMAIL, f"u{what % PEOPLE}@example.com")
        match what // PEOPLE:
            case 0:
                upsert.patch_user(user, UserPatch(attributes={"n": self._count}))
            case 1:
                wanted = Preferences(global_opt_out=bool(self._count % 2))
                allow.put_preferences(user, wanted, lambda _: True, ORIGIN)
            case 2:
                body = DeviceBody(device_id="d", platform=Platform.ANDROID, token=f"token-{self._count}-{user}" * 9)
                register.register_device(user, body, now=NOW)
            case 3:
                store.suppress([index], Channel.EMAIL, SuppressionReason.HARD_BOUNCE)
            case 4:
                store.release([index], Channel.EMAIL, ORIGIN)
            case _:
                store.upsert({user: _profile(what % PEOPLE)})

    def write_cut_off(self, what: int) -> None:
        """A change by somebody whom Redis does not answer, though it answers others; and the seconds after it."""
        self._at(NOWHERE)
        self.write(what)
        self._home()
        self.pass_time()

    def read(self, process: int) -> dict[int, RecipientFacts]:
        """What a process is answered."""
        recent._memory = self._memories[process]
        return store.recent_facts(self.ids)

    def flush(self) -> None:
        """Redis forgets everything."""
        if self._runs:
            redis_state._client().redis.flushall()

    def save(self) -> None:
        """Redis writes down what it knows, and forgets what it was told to forget."""
        if self._runs:
            client = redis_state._client().redis
            client.delete(*(f"carillon:facts:mark:{one}" for one in self.ids))
            client.save()

    def kill(self) -> None:
        """Redis dies."""
        self._server.stop()
        self._runs = False

    def revive(self) -> None:
        """Redis is there again, with what it once wrote down; and the seconds after that."""
        if not self._runs:
            self._server.start()
            self._runs = True
            eventually(redis_state.answers)
            self.pass_time()

    def pass_time(self) -> None:
        """As long as a season is believed, and as a process remembers by itself."""
        for memory in self._memories:
            memory.season_until = 0.0
            memory.people.clear()

    def close(self) -> None:
        for memory in self._memories:
            memory.listener.close()

    def _at(self, url: str) -> None:
        self._patch.setattr(channels_conf, "redis_url", lambda: url)

    def _home(self) -> None:
        self._at(f"redis://127.0.0.1:{self._server.port}/0")


def _profile(number: int) -> Profile:
    mail = f"u{number}@example.com"
    return Profile(email=mail, phone=None, locale="", timezone="", country_code="", attributes="{}")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateRedis]:
    monkeypatch.setattr(channels_policy, "REDIS_AWAY_SECONDS", 0.0)
    server = PrivateRedis(tmp_path)
    monkeypatch.setattr(channels_conf, "redis_url", lambda: f"redis://127.0.0.1:{server.port}/0")
    eventually(redis_state.answers)
    yield server
    server.stop()


writes = st.integers(0, 6 * PEOPLE - 1)
steps = st.one_of(
    st.tuples(st.just("write"), writes),
    st.tuples(st.just("write_cut_off"), writes),
    st.tuples(st.sampled_from(["flush", "save", "kill", "revive", "pass_time"]), st.none()),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, min_size=3, max_size=12))
def test_what_is_read_is_the_truth_after_any_story(
    server: PrivateRedis, monkeypatch: pytest.MonkeyPatch, story: Sequence[tuple[str, int | None]]
) -> None:
    monkeypatch.setattr(recent, "_memory", recent._memory)
    world = World(server, monkeypatch)
    for step, what in story:
        act: Callable[..., None] = getattr(world, step)
        act() if what is None else act(what)
        truth = store.facts_for(world.ids)
        for process in (0, 1, 0, 1):
            assert world.read(process) == truth
    world.revive()
    world.close()


def test_a_redis_that_comes_back_from_its_disk_is_not_believed(
    server: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "_memory", recent._memory)
    world = World(server, monkeypatch)
    world.read(0)
    world.save()
    world.write(0)
    world.kill()
    world.revive()
    assert redis_state._client().redis.exists(*(f"carillon:facts:of:{one}" for one in world.ids)) == PEOPLE
    assert world.read(1) == store.facts_for(world.ids)
    world.close()


def test_a_full_redis_keeps_nothing_and_loses_nothing(server: PrivateRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "_memory", recent._memory)
    world = World(server, monkeypatch)
    world.read(0)
    redis_state._client().redis.config_set("maxmemory", 1)
    world.write(0)
    world.pass_time()
    assert world.read(0) == world.read(1) == store.facts_for(world.ids)
    world.close()


def test_a_page_waits_for_a_dead_redis_once(server: PrivateRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "_memory", recent._memory)
    monkeypatch.setattr(channels_policy, "REDIS_AWAY_SECONDS", 60.0)
    monkeypatch.setattr(policy, "NEARBY_PAGE", 0)
    world = World(server, monkeypatch)
    world.read(0)
    world.kill()
    asked: list[object] = []
    monkeypatch.setattr(redis_state, "_log", _Counting(asked))
    for _ in range(20):
        world.read(0)
    assert len(asked) == 1


class _Counting:
    def __init__(self, asked: list[object]) -> None:
        self._asked = asked

    def warning(self, *said: object, **_: object) -> None:
        self._asked.append(said)
