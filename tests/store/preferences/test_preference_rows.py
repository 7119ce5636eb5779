"""The preference document under writers who do not wait for each other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection, connections

from channels.vocabulary import Channel
from preferences import allow, store
from preferences.errors import VersionConflict
from preferences.rules.requests import PreferencesPatch
from preferences.store import documents
from preferences.vocabulary import Preferences, Profile, RecipientRef
from tests.factories import BY_APP


@pytest.mark.django_db(transaction=True)
def test_changes_made_at_once_are_all_kept(make_profile: Callable[..., Profile]) -> None:
    store.upsert({"u_alice": make_profile()})

    def switch_off(number: int) -> int:
        try:
            patch = PreferencesPatch(types={f"T{number}": {Channel.EMAIL: False}})
            return allow.patch_preferences("u_alice", patch, lambda _: True, BY_APP).version
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(switch_off, range(20)))
    assert sorted(versions) == list(range(1, 21))
    assert len(allow.get_preferences("u_alice").types) == 20


@pytest.mark.django_db(transaction=True)
def test_of_writers_who_read_the_same_version_one_wins(make_profile: Callable[..., Profile]) -> None:
    store.upsert({"u_alice": make_profile()})

    def claim(number: int) -> bool:
        try:
            wanted = Preferences(types={f"T{number}": {Channel.EMAIL: False}})
            allow.put_preferences("u_alice", wanted, lambda version: version == 0, BY_APP)
        except VersionConflict:
            return False
        else:
            return True
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(claim, range(12))) == 1
    assert allow.get_preferences("u_alice").version == 1


def test_the_version_in_the_column_is_the_one_in_the_document(make_person: Callable[..., RecipientRef]) -> None:
    ref = make_person()
    documents.save_preferences(ref, Preferences(), Preferences(version=1), BY_APP)
    with pytest.raises(IntegrityError, match="preference_version_counts"), connection.cursor() as cursor:
        cursor.execute("UPDATE preferences_preference SET version = 2")


def test_a_no_is_in_the_facts_as_soon_as_it_is_said(make_person: Callable[..., RecipientRef]) -> None:
    ref = make_person()
    allow.patch_preferences("u_alice", PreferencesPatch(global_opt_out=True), lambda _: True, BY_APP)
    assert store.facts_for([ref.id])[ref.id].preferences.global_opt_out
