"""Facts from the cache are the facts: after every writer, through every outage, and in every race."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from channels import conf as channels_conf
from channels import redis_state
from channels.rules.sealing import Keyring
from channels.vocabulary import Channel, Platform
from preferences import allow, cache, policy, register, store, upsert
from preferences.conf import KEYRING
from preferences.erase import erase_person
from preferences.rules.requests import DeviceBody, DevicePatch, UserPatch
from preferences.store import changes, recent, rotation
from preferences.vocabulary import (
    Category,
    ConsentActor,
    ConsentMeans,
    ContactKind,
    Origin,
    Preferences,
    Profile,
    RecipientFacts,
    RecipientRef,
    SuppressionReason,
)

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ORIGIN = Origin(means=ConsentMeans.API, actor=ConsentActor.APPLICATION)
MAIL, PHONE = "alice@example.com", "+15559876543"
MAIL_INDEX = store.index_of(ContactKind.EMAIL, MAIL)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """No season of another test, and no pause after what it cut off."""
    recent.forget()
    redis_state._client().away_until = 0.0


@pytest.fixture
def alice(make_profile: Callable[..., Profile]) -> RecipientRef:
    """Reachable on every channel, in the cache and in this process's memory."""
    store.upsert({"u_alice": make_profile(email=MAIL, phone=PHONE, attributes='{"name": "Alice Liddell"}')})
    give_device("tok-1")
    ref = store.resolve(["u_alice"])["u_alice"]
    warm(ref.id)
    return ref


def give_device(token: str, device_id: str = "d1", user_id: str = "u_alice") -> None:
    body = DeviceBody(device_id=device_id, platform=Platform.IOS, token=token * 16)
    register.register_device(user_id, body, now=NOW)


def warm(person: int) -> RecipientFacts:
    """Read until Redis and this process remember, as if the last change had been long ago."""
    redis_state._client().redis.delete(f"carillon:facts:mark:{person}")
    for _ in range(2):
        facts = store.recent_facts([person])[person]
    return facts


def held(person: int) -> bytes | None:
    """What Redis holds of somebody."""
    found = cache.look([person])
    assert found is not None
    return found.entries[0]


def elsewhere(person: int) -> RecipientFacts | None:
    """What another process is answered, which has nothing in its own memory."""
    recent._memory.people.clear()
    return store.recent_facts([person]).get(person)


def stop(person: int) -> None:
    store.stop_marketing([person], [], ORIGIN)


def leave(person: int) -> None:
    allow.leave(person, Channel.EMAIL, category=Category.SOCIAL, origin=ORIGIN)


def device_of(person: int) -> int:
    return store.facts_for([person])[person].devices[0].id


def someone_takes_the_token(_: int) -> None:
    store.upsert({"u_bob": Profile(email=None, phone=None, locale="", timezone="", country_code="", attributes="{}")})
    give_device("tok-1", user_id="u_bob")


def new_token(_: int) -> None:
    body = DevicePatch(token="tok-2" * 16, old_token="tok-1" * 16)
    register.refresh_device("u_alice", "d1", body, now=NOW)


def the_token_moves_to_another_device(_: int) -> None:
    body = DevicePatch(platform=Platform.IOS, token="tok-2" * 16, old_token="tok-1" * 16)
    register.refresh_device("u_alice", "d2", body, now=NOW)


def replace(_: int) -> None:
    profile = Profile(email=None, phone=PHONE, locale="de", timezone="", country_code="", attributes="{}")
    store.upsert({"u_alice": profile})


def rotate(_: int) -> None:
    fresh = Keyring({"next": bytes(32), KEYRING.current_id: bytes(32)})
    fresh._by_id[KEYRING.current_id] = KEYRING._current
    rotation.rewrap_page(fresh, 0, 100)


WRITERS: dict[str, Callable[[int], Any]] = {
    "a user is replaced": replace,
    "a user is patched": lambda _: upsert.patch_user("u_alice", UserPatch(locale="es")),
    "a user is deleted": lambda _: upsert.delete_user("u_alice"),
    "a user is erased": lambda _: erase_person("u_alice", ORIGIN),
    "preferences are written": lambda _: allow.put_preferences(
        "u_alice", Preferences(global_opt_out=True), lambda _: True, ORIGIN
    ),
    "a link is followed": leave,
    "marketing is stopped": stop,
    "an address is suppressed": lambda _: store.suppress([MAIL_INDEX], Channel.EMAIL, SuppressionReason.HARD_BOUNCE),
    "an address is closed by hand": lambda _: store.suppress([MAIL_INDEX], Channel.EMAIL, SuppressionReason.MANUAL),
    "a device is registered": lambda _: give_device("tok-9", "d9"),
    "a token is replaced": new_token,
    "a token moves to another device": the_token_moves_to_another_device,
    "somebody else has the token now": someone_takes_the_token,
    "a device is removed": lambda _: register.remove_device("u_alice", "d1"),
    "a device is rejected": lambda person: store.deactivate_rejected({device_of(person): NOW + timedelta(days=1)}),
    "a device is stale": lambda _: store.deactivate_stale(NOW + timedelta(days=1), 10),
    "a key is wrapped anew": rotate,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_is_seen_at_once_here_and_elsewhere(name: str, alice: RecipientRef) -> None:
    assert held(alice.id) is not None
    before = store.recent_facts([alice.id])[alice.id]
    WRITERS[name](alice.id)
    truth = store.facts_for([alice.id])[alice.id]
    assert truth != before
    assert store.recent_facts([alice.id])[alice.id] == truth
    assert elsewhere(alice.id) == truth


def test_an_address_that_is_opened_again_is_seen_at_once(alice: RecipientRef) -> None:
    store.suppress([MAIL_INDEX], Channel.EMAIL, SuppressionReason.HARD_BOUNCE)
    assert not warm(alice.id).email.usable  # type: ignore[union-attr]  # she has one
    store.release([MAIL_INDEX], Channel.EMAIL, ORIGIN)
    assert elsewhere(alice.id) == store.facts_for([alice.id])[alice.id]


def test_nothing_clear_goes_to_redis(alice: RecipientRef) -> None:
    entry = held(alice.id)
    assert entry is not None
    assert not any(word in entry for word in (b"Liddell", b"alice", b"example.com", b"6543", b"tok-1", b"u_alice"))


def test_a_page_is_one_call_and_no_statement_when_all_are_remembered(
    make_profile: Callable[..., Profile], count_statements: Callable[[], Any]
) -> None:
    store.upsert({f"u{n}": make_profile(email=f"u{n}@example.com") for n in range(100)})
    ids = [ref.id for ref in store.resolve([f"u{n}" for n in range(100)]).values()]
    with count_statements() as first:
        assert store.recent_facts(ids) == store.facts_for(ids)
    with count_statements() as second:
        again = store.recent_facts(ids)
    assert (len(first), second) == (3 + 3 + 1, [])  # read, compared with, and the epoch
    assert again == store.facts_for(ids)


def test_that_somebody_has_nothing_is_remembered_too(
    make_person: Callable[..., RecipientRef], count_statements: Callable[[], Any]
) -> None:
    ref = make_person()
    warm(ref.id)
    with count_statements() as seen:
        facts = elsewhere(ref.id)
    assert facts is not None
    assert (seen, facts.email, facts.devices, facts.preferences) == ([], None, (), Preferences())


def test_nobody_is_not_remembered(alice: RecipientRef) -> None:
    nobody = alice.id + 10**9
    assert store.recent_facts([nobody]) == {}
    assert held(nobody) is None


def test_devices_are_kept_while_the_rest_is_read_anew(
    alice: RecipientRef, monkeypatch: pytest.MonkeyPatch, count_statements: Callable[[], Any]
) -> None:
    early = cache.Found([held(alice.id)], cache.look([alice.id]).at + policy.FACTS_SECONDS)  # type: ignore[union-attr]  # Redis is there
    monkeypatch.setattr(cache, "look", lambda _: early)
    with count_statements() as seen:
        assert elsewhere(alice.id) == store.facts_for([alice.id])[alice.id]
    assert sum("preferences_device" in one for one in seen) == 1  # the truth it is compared with
    assert sum("preferences_contact_point" in one for one in seen) == 2


def test_an_entry_goes_after_an_hour_and_a_page_not_all_at_once(make_profile: Callable[..., Profile]) -> None:
    store.upsert({f"u{n}": make_profile() for n in range(200)})
    ids = [ref.id for ref in store.resolve([f"u{n}" for n in range(200)]).values()]
    store.recent_facts(ids)
    client = redis_state._client().redis
    left = [client.ttl(f"carillon:facts:of:{one}") for one in ids]
    assert 0.79 * policy.DEVICES_SECONDS < min(left) <= max(left) <= policy.DEVICES_SECONDS
    assert len(set(left)) > 50


def test_inside_the_transaction_that_changes_somebody_the_database_answers(alice: RecipientRef) -> None:
    with transaction.atomic():
        upsert.patch_user("u_alice", UserPatch(locale="es"))
        assert store.recent_facts([alice.id])[alice.id].locale == "es"
        assert held(alice.id) is not None
    assert held(alice.id) is None


def test_a_change_that_is_rolled_back_forgets_nobody(alice: RecipientRef) -> None:
    with transaction.atomic():
        upsert.patch_user("u_alice", UserPatch(locale="es"))
        transaction.set_rollback(True)
    assert held(alice.id) is not None
    assert store.recent_facts([alice.id])[alice.id].locale == ""


def test_what_was_read_before_a_change_is_not_kept_after_it(
    alice: RecipientRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The classic race: look, read, (somebody writes and forgets), keep."""
    cache.forget([alice.id])
    redis_state._client().redis.delete(f"carillon:facts:mark:{alice.id}")
    read = recent._read

    def overtaken(*asked: Any) -> dict[int, RecipientFacts]:
        old = read(*asked)
        monkeypatch.setattr(recent, "_read", read)
        in_another_thread(lambda: upsert.patch_user("u_alice", UserPatch(locale="es")))
        return old

    monkeypatch.setattr(recent, "_read", overtaken)
    assert elsewhere(alice.id).locale == ""  # type: ignore[union-attr]  # as it was when it was read
    assert held(alice.id) is None
    assert store.recent_facts([alice.id])[alice.id].locale == "es"


def test_what_was_read_longer_ago_than_a_mark_stands_is_not_kept(alice: RecipientRef) -> None:
    entry, found = held(alice.id), cache.look([alice.id])
    assert entry is not None
    assert found is not None
    redis_state._client().redis.delete(f"carillon:facts:of:{alice.id}")
    for at in (found.at - policy.FACTS_MARK_SECONDS, found.at + 60):
        cache.keep(at, [cache.Entry(alice.id, 60, entry)])
        assert held(alice.id) is None
    cache.keep(found.at, [cache.Entry(alice.id, 60, entry)])
    assert held(alice.id) == entry


def test_readers_and_writers_at_once_leave_the_truth_behind(alice: RecipientRef) -> None:
    wrong: list[tuple[int, int]] = []
    written = [0]
    over = threading.Event()

    def write() -> None:
        for number in range(1, 60):
            upsert.patch_user("u_alice", UserPatch(attributes={"n": number}))
            written[0] = number
        over.set()

    def look() -> None:
        while not over.is_set():
            least = written[0]
            seen = elsewhere(alice.id).attributes.get("n", 0)  # type: ignore[union-attr]  # she exists
            if seen < least:
                wrong.append((seen, least))

    threads = [threading.Thread(target=closing(work)) for work in (write, look, look)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == []
    assert elsewhere(alice.id) == store.facts_for([alice.id])[alice.id]


def test_many_changes_are_told_as_anybody(alice: RecipientRef, make_profile: Callable[..., Profile]) -> None:
    crowd = {f"u{n}": make_profile() for n in range(policy.FACTS_NAMED_CHANGES)}
    store.upsert(crowd)
    recent._heed()
    assert recent._memory.people
    in_another_thread(lambda: store.upsert(crowd | {"u_alice": make_profile(locale="fr")}))
    assert store.recent_facts([alice.id])[alice.id].locale == "fr"


def test_a_line_that_was_lost_forgets_everybody(alice: RecipientRef) -> None:
    assert recent._memory.people
    recent._memory.listener._line.connection._sock.shutdown(socket.SHUT_RDWR)
    recent._heed()
    assert recent._memory.people == {}


def test_new_people_are_told_to_nobody(make_profile: Callable[..., Profile], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(cache, "forget", told.append)
    store.upsert({f"u{n}": make_profile(email=f"u{n}@example.com") for n in range(10)})
    assert told == []


def test_with_redis_away_the_database_answers(alice: RecipientRef, redis_away: None) -> None:
    recent.forget()
    upsert.patch_user("u_alice", UserPatch(locale="es"))
    assert store.recent_facts([alice.id]) == store.facts_for([alice.id])


def test_a_change_that_could_not_be_told_voids_what_others_read(
    alice: RecipientRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away:
        away.setattr(channels_conf, "redis_url", lambda: "redis://127.0.0.1:1/0")
        before = changes.epoch()
        upsert.patch_user("u_alice", UserPatch(locale="es"))
        assert changes.epoch() != before
    assert held(alice.id) is not None
    recent._memory.season_until = 0.0  # five seconds later
    assert elsewhere(alice.id).locale == "es"  # type: ignore[union-attr]


def in_another_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=closing(work))
    thread.start()
    thread.join()


def closing(work: Callable[[], object]) -> Callable[[], None]:
    """Work, and give the thread's connections back."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()
            recent.forget()

    return run
