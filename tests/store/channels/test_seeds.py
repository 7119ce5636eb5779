"""The tables are born with prices, also for the test that comes after one that emptied them."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection


@pytest.mark.django_db(transaction=True)
def test_prices_are_there_after_a_flush() -> None:
    call_command("flush", verbosity=0, interactive=False)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) > 0 FROM channel_rate")
        assert cursor.fetchone() == (True,)
