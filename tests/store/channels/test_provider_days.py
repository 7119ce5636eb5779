from __future__ import annotations

import threading
from datetime import date

import pytest
from django.db import connection

from channels import store

TODAY = date(2027, 3, 1)


@pytest.mark.django_db
def test_a_day_is_taken_until_it_is_used_up() -> None:
    assert [store.reserve_day("a", TODAY, 40, limit=100) for _ in range(4)] == [40, 40, 20, 0]
    assert store.reserve_day("b", TODAY, 500, limit=100) == 100
    assert store.used_of_day(TODAY) == {"a": 100, "b": 100}


@pytest.mark.django_db
def test_what_is_given_back_can_be_taken_again_and_the_next_day_is_new() -> None:
    store.reserve_day("a", TODAY, 100, limit=100)
    store.return_day("a", TODAY, 30)
    assert store.reserve_day("a", TODAY, 50, limit=100) == 30
    assert store.reserve_day("a", date(2027, 3, 2), 50, limit=100) == 50


@pytest.mark.django_db
def test_a_limit_that_was_lowered_grants_nothing_and_takes_nothing_back() -> None:
    store.reserve_day("a", TODAY, 100, limit=100)
    assert store.reserve_day("a", TODAY, 10, limit=50) == 0
    assert store.used_of_day(TODAY) == {"a": 100}


@pytest.mark.django_db(transaction=True)
def test_many_at_once_are_never_granted_more_than_the_day() -> None:
    granted: list[int] = []

    def take() -> None:
        granted.extend(store.reserve_day("a", TODAY, 7, limit=100) for _ in range(5))
        connection.close()

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 100
    assert store.used_of_day(TODAY) == {"a": 100}
