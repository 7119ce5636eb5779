"""Inboxes full of entries: `python -m tests.bench.inbox_fill FROM TO PEOPLE`, in the product's environment.

Most rows are of people who are never read over HTTP, and hold noise; those of `PEOPLE` real ones, a hundred each, open.
Rows of one inbox lie far apart, as they do where everybody gets something now and then. A fifth is unread.
"""

from __future__ import annotations

import os
import sys

#: Of the noise: entries of one inbox, and where its ids begin.
PER_INBOX = 100
NOISE = 1_000_000_000
#: In so many turns, real ones and noise by turns.
_ROUNDS = 20

_NOISE = """
INSERT INTO inbox_message (id, recipient_id, notification_id, type, sealed, created_at, read_at)
SELECT lpad(to_hex(i), 32, '0')::uuid, %(noise)s::bigint + i %% %(inboxes)s::bigint,
       lpad(to_hex(i), 32, '0')::uuid, 'BENCH', decode(repeat(md5(i::text), 18), 'hex'),
       now() - interval '1 second' * (%(to)s::bigint - i),
       CASE WHEN (i / %(inboxes)s::bigint) %% 5 = 0 THEN NULL ELSE now() END
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS i
"""


def main() -> None:
    """Fill, and put the indexes back."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from django.db import connection

    start, to, people = map(int, sys.argv[1:])
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT indexname, indexdef FROM pg_indexes
               WHERE tablename = 'inbox_message' AND indexname <> 'inbox_message_pkey'"""
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        for turn in range(_ROUNDS):
            first, last = (start + (to - start) * part // _ROUNDS for part in (turn, turn + 1))
            values = {"noise": NOISE, "inboxes": to // PER_INBOX, "to": to, "first": first, "last": last - 1}
            cursor.execute(_NOISE, values)
            tell(people, PER_INBOX // _ROUNDS)
        cursor.execute("SET maintenance_work_mem = '512MB'")
        for _, definition in indexes:
            cursor.execute(definition)
        cursor.execute("VACUUM (ANALYZE) inbox_message")


def tell(people: int, entries: int) -> None:
    """So many entries more for each real person, every fifth of them unread."""
    import msgspec
    from django.db import connection

    from channels.rules.sealing import seal
    from channels.store import insert_inbox
    from channels.vocabulary import InAppMessage
    from notify.rules.ids import ENTROPY, delivery_id, new_ids
    from notify.rules.ready import entry_place
    from preferences import store
    from preferences.vocabulary import Profile

    if not people:
        return
    nobody = Profile(email=None, phone=None, locale="", timezone="", country_code="", attributes="{}")
    names = [f"reader-{number}" for number in range(people)]
    if len(store.resolve(names)) < people:
        store.upsert(dict.fromkeys(names, nobody))
    content = msgspec.json.encode({"title": "Your order is on its way", "body": "It comes on Friday. " * 8})
    keys = {one.id: store.data_key(one.wrapped_key, one.id) for one in store.resolve(names).values()}
    for _ in range(entries):
        page = []
        for told, (recipient_id, key) in zip(new_ids(people, **fresh(people * ENTROPY)), keys.items(), strict=True):
            entry = delivery_id(told, "in_app", 0)
            sealed = seal(key, content, entry_place(entry))
            page.append(
                InAppMessage(id=entry, recipient_id=recipient_id, notification_id=told, type="BENCH", sealed=sealed)
            )
        insert_inbox(page)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inbox_message SET read_at = now() WHERE type = 'BENCH' AND recipient_id < %s", (NOISE,))


def fresh(size: int) -> dict[str, object]:
    """What ids are made of."""
    from django.utils import timezone

    return {"now": timezone.now(), "entropy": os.urandom(size)}


if __name__ == "__main__":
    main()
