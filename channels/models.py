"""The tables of this app: the operators' switches, the in-app inbox, and what messages cost."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Cast, Now

from channels.vocabulary import Channel

_TRANSACTION_ID = Cast(Cast(models.Func(function="pg_current_xact_id"), models.TextField()), models.BigIntegerField())


class ProviderSwitch(models.Model):
    """What an operator decided at run time about one provider account; no row means as the file says."""

    name = models.TextField(primary_key=True)
    enabled = models.BooleanField(default=True, db_default=True)
    #: Share of the traffic among accounts of equal priority; empty means the file's.
    weight = models.PositiveIntegerField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True, db_default=Now())
    updated_by = models.TextField(default="", db_default="", blank=True)

    class Meta:
        """Table name without the app's prefix twice."""

        db_table = "provider_switch"
        verbose_name = "provider switch"
        verbose_name_plural = "provider switches"


class InboxMessage(models.Model):
    """One entry of a recipient's inbox; the content is sealed under the recipient's key."""

    #: The delivery's id: delivering twice cannot show twice.
    id = models.UUIDField(primary_key=True)
    recipient_id = models.BigIntegerField()
    notification_id = models.UUIDField()
    type = models.TextField()
    sealed = models.BinaryField()
    #: When it came in, which is what the inbox is ordered by: a notification may have waited for weeks.
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    collapse_key = models.TextField(null=True)
    #: Id of the transaction that changed it last (`channels/store/inbox.py`, `news_of`).
    changed = models.BigIntegerField(db_default=_TRANSACTION_ID)
    #: What was told to a topic once, and has got a row here because its reader has touched it. Null: all else.
    broadcast_id = models.UUIDField(null=True)

    class Meta:
        """An index for each list: all that is shown, and what of it is unread, which is also what is counted."""

        db_table = "inbox_message"
        indexes = [
            models.Index(
                models.F("recipient_id"),
                models.F("created_at").desc(),
                models.F("id").desc(),
                condition=Q(archived_at__isnull=True),
                name="inbox_newest_first",
            ),
            models.Index(
                models.F("recipient_id"),
                models.F("created_at").desc(),
                models.F("id").desc(),
                include=["expires_at"],
                condition=Q(archived_at__isnull=True, read_at__isnull=True),
                name="inbox_unread",
            ),
            BrinIndex(fields=["created_at"], autosummarize=True, name="inbox_by_age"),
            models.Index(
                fields=["recipient_id", "broadcast_id"],
                condition=Q(broadcast_id__isnull=False),
                name="inbox_touched",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["recipient_id", "collapse_key"],
                condition=Q(collapse_key__isnull=False),
                name="inbox_one_of_a_key",
            )
        ]


class Rate(models.Model):
    """What one unit (a segment of SMS, a mail) costs from a day on; the best match counts, see `rules.rates`."""

    channel = models.TextField(choices=[(str(one), str(one).replace("_", " ")) for one in Channel])
    #: Name of an account or of an adapter; empty: whoever takes it.
    provider = models.TextField(default="", blank=True)
    #: ISO 3166 code of a country, or the beginning of a number in E.164; empty: wherever it goes.
    destination = models.TextField(default="", blank=True)
    #: In millionths of the installation's currency.
    price_micros = models.BigIntegerField()
    #: UTC day from which it counts. A price is never overwritten by its successor, so history stays right.
    valid_from = models.DateField()
    updated_at = models.DateTimeField(auto_now=True, db_default=Now())
    updated_by = models.TextField(default="", db_default="", blank=True)

    class Meta:
        """One price for one thing and day."""

        db_table = "channel_rate"
        constraints = [
            models.UniqueConstraint(fields=["channel", "provider", "destination", "valid_from"], name="rate_of_a_day"),
            models.CheckConstraint(condition=Q(channel__in=[str(one) for one in Channel]), name="rate_channel_known"),
            models.CheckConstraint(condition=Q(price_micros__gte=0), name="rate_price_not_negative"),
            models.CheckConstraint(
                condition=Q(destination__regex=r"^([A-Z]{2}|\+[1-9][0-9]{0,14})?$"), name="rate_destination_shape"
            ),
        ]


class Budget(models.Model):
    """What a channel may cost in a calendar month (UTC); no row means as much as it costs."""

    channel = models.TextField(primary_key=True)
    #: From here on it is said once a day; null: never.
    soft_micros = models.BigIntegerField(null=True, blank=True)
    #: From here on only what is critical or about security goes out; null: everything.
    hard_micros = models.BigIntegerField(null=True, blank=True)
    #: Last UTC day on which it was said that the soft limit is reached, and that the hard one is.
    warned_on = models.DateField(null=True)
    exhausted_on = models.DateField(null=True)
    updated_at = models.DateTimeField(auto_now=True, db_default=Now())
    updated_by = models.TextField(default="", db_default="", blank=True)

    class Meta:
        """The limits are no negative ones."""

        db_table = "channel_budget"
        constraints = [
            models.CheckConstraint(condition=Q(channel__in=[str(one) for one in Channel]), name="budget_channel_known"),
            models.CheckConstraint(
                condition=(Q(soft_micros__isnull=True) | Q(soft_micros__gte=0))
                & (Q(hard_micros__isnull=True) | Q(hard_micros__gte=0)),
                name="budget_not_negative",
            ),
        ]


class Spend(models.Model):
    """What accepted messages cost: a line for a day, channel, country and account, in a few slots.

    Each process writes to the slot of its number, so that two of them seldom wait for each other's commit.
    """

    pk = models.CompositePrimaryKey("channel", "day", "country", "provider", "slot")
    channel = models.TextField()
    #: UTC.
    day = models.DateField()
    #: ISO 3166 code; empty where the channel or the number names none.
    country = models.TextField()
    #: Name of the account.
    provider = models.TextField()
    slot = models.SmallIntegerField()
    messages = models.BigIntegerField()
    #: Segments of SMS; of other channels, messages.
    units = models.BigIntegerField()
    micros = models.BigIntegerField()

    class Meta:
        """The key is what is asked for: a channel's days."""

        db_table = "channel_spend"


class MonthSpend(models.Model):
    """The same by month: the few rows a budget is compared with."""

    pk = models.CompositePrimaryKey("channel", "month", "slot")
    channel = models.TextField()
    #: Its first day.
    month = models.DateField()
    slot = models.SmallIntegerField()
    micros = models.BigIntegerField()

    class Meta:
        """The key is what is asked for: a channel's month."""

        db_table = "channel_spend_month"


class ProviderDay(models.Model):
    """What an account with a daily limit has used of one day (UTC); a row per account and day, kept."""

    pk = models.CompositePrimaryKey("name", "day")
    name = models.TextField()
    day = models.DateField()
    used = models.BigIntegerField()
    #: What the last page was granted: the answer of the statement that granted it.
    granted = models.BigIntegerField()

    class Meta:
        """Table name without the app's prefix twice."""

        db_table = "provider_day"
