"""Addresses that nothing is sent to, and what leads there: bounces, complaints, a STOP."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import msgspec
from django.db import connection, transaction

from channels.vocabulary import Channel
from preferences.conf import DOUBLE_OPT_IN
from preferences.policy import SOFT_BOUNCES, SOFT_BOUNCES_OVER
from preferences.rules.ledger import MARKETING, Said
from preferences.rules.suppression import BounceStory, is_marketing_only, origin_of
from preferences.store import consents, opt_ins
from preferences.store.changes import addresses_changed, changed
from preferences.vocabulary import ConsentState, ContactKind, ContactStatus, Origin, SuppressionReason

#: What a suppression says of the address itself; an operator's says nothing.
_STATUS_AFTER = {
    SuppressionReason.HARD_BOUNCE: ContactStatus.BOUNCED,
    SuppressionReason.SOFT_BOUNCE: ContactStatus.BOUNCED,
    SuppressionReason.COMPLAINT: ContactStatus.COMPLAINED,
    SuppressionReason.UNSUBSCRIBE: ContactStatus.UNSUBSCRIBED,
    SuppressionReason.INVALID: ContactStatus.INVALID,
}
_KIND_ON = {Channel.EMAIL: ContactKind.EMAIL, Channel.SMS: ContactKind.PHONE}
#: The words of suppressions that a stronger one replaces, by channel.
_WEAK = {channel: [str(one) for one in SuppressionReason if is_marketing_only(channel, one)] for channel in Channel}


class Suppressed(msgspec.Struct, frozen=True, gc=False):
    """An entry of the suppression list."""

    index: bytes
    channel: Channel
    reason: SuppressionReason
    created_at: datetime
    #: What may be shown of the address; empty once nobody has it.
    hint: str = ""


def suppress(
    indexes: Iterable[bytes], channel: Channel, reason: SuppressionReason | str, origin: Origin | None = None
) -> int:
    """Close these addresses on this channel, whoever has them; the number of entries that are new or reach further.

    The first reason stands, except that one which closes an address altogether replaces one which closes it to
    marketing. An entry outlives the recipient, so that an address imported again stays suppressed. Somebody's word
    goes into the ledger, in the same transaction; who said it follows from the reason where no origin is given.
    """
    chosen, reason = sorted(set(indexes)), SuppressionReason(reason)
    if not chosen:
        return 0
    weak = [] if str(reason) in _WEAK[channel] else _WEAK[channel]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO preferences_suppression (index, channel, reason, created_at)
               SELECT unnest(%s::bytea[]), %s, %s, now()
               ON CONFLICT (index, channel) DO UPDATE SET reason = excluded.reason, created_at = excluded.created_at
               WHERE preferences_suppression.reason = ANY(%s::text[]) RETURNING index""",
            (chosen, channel.value, reason.value, weak),
        )
        added = [row[0] for row in cursor.fetchall()]
        if channel in _KIND_ON and reason in _STATUS_AFTER:
            cursor.execute(
                """UPDATE preferences_contact_point SET status = %s
                   WHERE index = ANY(%s) AND kind = %s AND status = ANY(%s::text[])""",
                (
                    _STATUS_AFTER[reason].value,
                    chosen,
                    _KIND_ON[channel].value,
                    ["active", *(status.value for one, status in _STATUS_AFTER.items() if one in weak)],
                ),
            )
        said_by = origin_of(channel, reason) if origin is None else origin
        if said_by is not None and origin_of(channel, reason) is not None:
            consents.append_addresses(added, channel, ConsentState.WITHDRAWN, said_by)
        addresses_changed(chosen)
    return len(added)


def release(indexes: Iterable[bytes], channel: Channel, origin: Origin) -> int:
    """Take addresses off the suppression list of a channel; the number of entries that were there.

    Where an entry was somebody's word, taking it back is one too.
    """
    chosen = sorted(set(indexes))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM preferences_suppression WHERE index = ANY(%s) AND channel = %s RETURNING index, reason",
            (chosen, channel.value),
        )
        removed = [(row[0], SuppressionReason(row[1])) for row in cursor.fetchall()]
        said = [index for index, reason in removed if origin_of(channel, reason) is not None]
        consents.append_addresses(said, channel, ConsentState.GIVEN, origin)
        if channel in _KIND_ON:
            cursor.execute(
                """UPDATE preferences_contact_point SET status = 'active', soft_bounces = 0,
                          soft_bounced_since = NULL, updated_at = now()
                   WHERE index = ANY(%s) AND kind = %s AND (status <> 'active' OR soft_bounces > 0)""",
                (chosen, _KIND_ON[channel].value),
            )
        addresses_changed(chosen)
    return len(removed)


def suppressions_of(indexes: Sequence[bytes]) -> list[Suppressed]:
    """The entries that concern these addresses, on any channel."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT index, channel, reason, created_at FROM preferences_suppression
               WHERE index = ANY(%s) ORDER BY index, channel""",
            (list(indexes),),
        )
        return [Suppressed(row[0], Channel(row[1]), SuppressionReason(row[2]), row[3]) for row in cursor.fetchall()]


def list_suppressions(
    after: tuple[bytes, str], limit: int, channel: Channel | None, reason: SuppressionReason | None
) -> list[Suppressed]:
    """Entries of the list by their hashes, from behind one on; each with a hint while somebody has the address."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT s.index, s.channel, s.reason, s.created_at,
                      coalesce((SELECT c.hint FROM preferences_contact_point c WHERE c.index = s.index LIMIT 1), '')
               FROM preferences_suppression s
               WHERE (s.index, s.channel) > (%s, %s) AND (%s::text IS NULL OR s.channel = %s)
                 AND (%s::text IS NULL OR s.reason = %s)
               ORDER BY s.index, s.channel LIMIT %s""",
            (*after, channel, channel, reason, reason, limit),
        )
        return [
            Suppressed(row[0], Channel(row[1]), SuppressionReason(row[2]), row[3], row[4]) for row in cursor.fetchall()
        ]


def note_bounces(stories: Sequence[BounceStory]) -> list[bytes]:
    """Count the temporary failures of e-mail addresses; answers those that have now failed too often for too long."""
    if not stories:
        return []
    chosen = sorted(stories, key=lambda one: one.index)
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE preferences_contact_point c SET
                   soft_bounces = least(v.failures + CASE WHEN v.arrived THEN 0 ELSE c.soft_bounces END, 1000),
                   soft_bounced_since = CASE WHEN v.failures = 0 THEN NULL
                       WHEN v.arrived THEN v.first ELSE coalesce(c.soft_bounced_since, v.first) END
               FROM unnest(%s::bytea[], %s::boolean[], %s::integer[], %s::timestamptz[], %s::timestamptz[])
                    AS v(index, arrived, failures, first, last)
               WHERE c.index = v.index AND c.kind = 'email' AND (v.failures > 0 OR c.soft_bounces > 0)
               RETURNING c.index,
                   c.soft_bounces >= %s AND v.last - c.soft_bounced_since >= make_interval(days => %s)""",
            (
                [one.index for one in chosen],
                [one.arrived for one in chosen],
                [one.failures for one in chosen],
                [one.first for one in chosen],
                [one.last for one in chosen],
                SOFT_BOUNCES,
                SOFT_BOUNCES_OVER.days,
            ),
        )
        return [row[0] for row in cursor.fetchall() if row[1]]


def stop_marketing(recipient_ids: Collection[int], indexes: Collection[bytes], origin: Origin) -> int:
    """Note that these recipients, and whoever has these addresses, want no marketing; of how many that is new."""
    if not recipient_ids and not indexes:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """SELECT id FROM preferences_recipient WHERE status <> 'erased' AND (id = ANY(%s) OR id IN (
                   SELECT recipient_id FROM preferences_contact_point WHERE index = ANY(%s)))
               ORDER BY user_id FOR NO KEY UPDATE""",
            (sorted(recipient_ids), sorted(indexes)),
        )
        chosen = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            """INSERT INTO preferences_preference AS p (recipient_id, document, version, updated_at)
               SELECT unnest(%s::bigint[]), '{"marketing_opt_in": false, "version": 1}', 1, now()
               ON CONFLICT (recipient_id) DO UPDATE SET version = p.version + 1, updated_at = now(),
                   document = p.document || jsonb_build_object('marketing_opt_in', false, 'version', p.version + 1)
               WHERE p.document->>'marketing_opt_in' IS DISTINCT FROM 'false' RETURNING recipient_id""",
            (chosen,),
        )
        stopped = {row[0] for row in cursor.fetchall()}
        if DOUBLE_OPT_IN:
            stopped |= set(opt_ins.withdraw(chosen))
        consents.append_page(stopped, Said(MARKETING, ConsentState.WITHDRAWN), origin)
        changed(stopped)
        return len(stopped)


def unchanged_since(wanted: Iterable[tuple[int, Channel, datetime]]) -> dict[tuple[int, Channel], bytes]:
    """The index of each recipient's address on a channel, where it is still the one of that instant."""
    chosen = [(person, channel, _KIND_ON[channel], at) for person, channel, at in wanted if channel in _KIND_ON]
    if not chosen:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT v.recipient_id, v.channel, c.index
               FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[])
                    AS v(recipient_id, channel, kind, at)
               JOIN preferences_contact_point c
                    ON c.recipient_id = v.recipient_id AND c.kind = v.kind AND c.updated_at <= v.at""",
            (
                [one[0] for one in chosen],
                [one[1].value for one in chosen],
                [one[2].value for one in chosen],
                [one[3] for one in chosen],
            ),
        )
        return {(row[0], Channel(row[1])): row[2] for row in cursor.fetchall()}
