"""Data keys move under a new master key, whatever happens on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from channels.rules.sealing import Keyring
from preferences import conf, store
from preferences.rotate import rotate_keys
from preferences.store.contacts import key_place
from preferences.store.rotation import count_waiting
from preferences.vocabulary import Profile

MakeProfile = Callable[..., Profile]
NEW_KEY = f"next:{b64encode(b'n' * 32).decode()}"


def with_new_key() -> str:
    return f"{NEW_KEY},{settings.CARILLON['MASTER_KEYS']}"


def addresses(keyring: Keyring, count: int) -> set[str]:
    """Every e-mail address, opened with the given master keys only."""
    facts = store.facts_for([ref.id for ref in store.resolve([f"u{n}" for n in range(count)]).values()])
    keys = {one.id: keyring.unwrap(one.wrapped_key, key_place(one.id)) for one in facts.values()}
    return {store.address_of(one.email, keys[one.id]) for one in facts.values() if one.email is not None}


def enrol(count: int, make_profile: MakeProfile) -> set[str]:
    store.upsert({f"u{n}": make_profile(email=f"u{n}@example.com") for n in range(count)})
    return {f"u{n}@example.com" for n in range(count)}


@pytest.mark.django_db
def test_after_a_rotation_the_old_master_key_is_not_needed(make_profile: MakeProfile) -> None:
    expected = enrol(25, make_profile)
    steps = list(rotate_keys(Keyring.parse(with_new_key()), page=10))
    assert [step.moved for step in steps] == [10, 20, 25]
    assert addresses(Keyring.parse(NEW_KEY), 25) == expected


@pytest.mark.django_db
def test_a_second_rotation_finds_nothing_to_do(make_profile: MakeProfile) -> None:
    enrol(3, make_profile)
    keyring = Keyring.parse(with_new_key())
    assert len(list(rotate_keys(keyring))) == 1
    before = store.resolve(["u0"])
    assert list(rotate_keys(keyring)) == []
    assert store.resolve(["u0"]) == before


@pytest.mark.django_db
def test_erased_recipients_have_nothing_to_move(make_profile: MakeProfile) -> None:
    enrol(2, make_profile)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE preferences_recipient SET status = 'erased', data_key = NULL WHERE user_id = 'u0'")
    assert [step.moved for step in rotate_keys(Keyring.parse(with_new_key()))] == [1]


@pytest.mark.django_db
def test_keys_under_a_lost_master_key_are_named_and_left_alone(make_profile: MakeProfile) -> None:
    enrol(2, make_profile)
    lost = Keyring.parse(f"lost:{b64encode(b'l' * 32).decode()}")
    ref = store.resolve(["u0"])["u0"]
    wrapped = lost.wrap(conf.KEYRING.unwrap(ref.wrapped_key, key_place(ref.id)), key_place(ref.id))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE preferences_recipient SET data_key = %s WHERE id = %s", (wrapped, ref.id))
    (step,) = rotate_keys(Keyring.parse(with_new_key()))
    assert (step.moved, step.unreadable) == (1, [ref.id])
    assert store.resolve(["u0"])["u0"].wrapped_key == wrapped


@pytest.mark.django_db
def test_the_command_says_what_it_did(make_profile: MakeProfile) -> None:
    enrol(2, make_profile)
    said = StringIO()
    call_command("rotate_keys", stdout=said)
    assert f"All data keys are under master key {conf.KEYRING.current_id!r}; 0 were moved." in said.getvalue()


@pytest.mark.django_db
def test_the_command_fails_when_a_key_cannot_be_moved(make_profile: MakeProfile) -> None:
    enrol(1, make_profile)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE preferences_recipient SET data_key = data_key || 'x'")
        cursor.execute("UPDATE preferences_recipient SET data_key = set_byte(data_key, 2, 90)")
    with pytest.raises(CommandError, match="1 data keys are under no master key"):
        call_command("rotate_keys", stdout=StringIO())


def start_command(page: int) -> subprocess.Popen[str]:
    """`rotate_keys` in a process of its own, on the test's database."""
    at = connection.settings_dict
    url = f"postgres://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT'] or 5432}/{at['NAME']}"
    environment = os.environ | {"DATABASE_URL": url, "CARILLON_MASTER_KEYS": with_new_key()}
    return subprocess.Popen(
        [sys.executable, "manage.py", "rotate_keys", "--page", str(page)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


@pytest.mark.django_db(transaction=True)
def test_a_rotation_killed_in_the_middle_is_resumed_where_it_was(make_profile: MakeProfile) -> None:
    expected = enrol(1_000, make_profile)
    keyring = Keyring.parse(with_new_key())
    with start_command(page=1) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == "1 of 1000 data keys moved\n"
        command.send_signal(signal.SIGKILL)
    assert command.returncode == -signal.SIGKILL
    waiting = count_waiting(keyring)
    assert 0 < waiting < 1_000
    assert addresses(keyring, 1_000) == expected
    with start_command(page=500) as again:
        assert again.stdout is not None
        said = again.stdout.read()
    assert f"All data keys are under master key 'next'; {waiting} were moved." in said
    assert addresses(Keyring.parse(NEW_KEY), 1_000) == expected
