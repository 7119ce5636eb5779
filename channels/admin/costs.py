"""What messages cost: the months, their budgets, and the rate card. Prices are added; history is never rewritten."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any

import msgspec
from django.contrib import admin, messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse

from channels import conf, costs, store
from channels.admin.desk import Desk
from channels.models import Rate
from channels.rules.rates import amount_of, micros_of, price_of
from channels.vocabulary import Channel

#: Months that are shown, this one included.
_MONTHS = 6
#: Countries of a month that are named; the rest is in the sum.
_COUNTRIES = 8
#: Lines of the card that are shown; a carrier's whole list is read from a file, and not on a screen.
_LINES = 500
_FIELDS = ("channel", "provider", "destination", "price", "valid_from")


class BudgetLine(msgspec.Struct, frozen=True):
    """A channel's month, and its limits as they are typed; empty without one."""

    channel: str
    spent: str
    soft: str
    hard: str
    #: Of the hard limit; None without one.
    percent: int | None
    #: `good`, `warn` or `bad`.
    meaning: str


class MonthTotal(msgspec.Struct, frozen=True):
    """A channel's sum of a month, and where most of it went."""

    month: date
    channel: str
    messages: int
    units: int
    amount: str
    countries: str


@admin.register(Rate)
class CostDesk(Desk):
    """One page: what was spent, what may be spent, what things cost."""

    heading = "Costs"

    def pages(self) -> list[URLPattern]:
        """Setting a budget and adding a price."""
        return [
            self.post("budget/<str:channel>/", self.budget_view, "budget"),
            self.post("price/", self.price_view, "price"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The page."""
        del extra_context
        self.demand_view(request)
        today = datetime.now(UTC).date()
        rates = Rate.objects.order_by("channel", "provider", "destination", "-valid_from")
        context = {
            "currency": conf.currency(),
            "budgets": [_budget_line(*one) for one in costs.standing(today)],
            "months": month_totals(today),
            "rates": [(rate, amount_of(rate.price_micros)) for rate in rates[:_LINES]],
            "lines": rates.count(),
            "shown": _LINES,
            "channels": [channel.value for channel in Channel],
            "today": today,
        }
        return self.show(request, "admin/channels/costs.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A price has no page of its own."""
        del object_id, form_url, extra_context
        self.demand_view(request)
        return redirect(_list_address())

    def budget_view(self, request: HttpRequest, channel: str) -> HttpResponse:
        """Set what a channel may cost in a month."""
        self.demand_change(request)
        if channel not in list(Channel):
            raise Http404
        typed = {name: str(request.POST.get(name, "")).strip() for name in ("soft", "hard")}
        try:
            limits = {name: micros_of(text) if text else None for name, text in typed.items()}
        except ValueError as fault:
            messages.error(request, f"{channel}: {fault}")
            return redirect(_list_address())
        said = ", ".join(f"{name} limit {text or 'none'}" for name, text in typed.items())
        with transaction.atomic():
            store.set_budget(Channel(channel), limits["soft"], limits["hard"], by=request.user.get_username())
            self.note(request, f"budget-{channel}", f"budget of {channel}", said)
        messages.success(request, f"{channel}: {said}")
        return redirect(_list_address())

    def price_view(self, request: HttpRequest) -> HttpResponse:
        """Add a price to the card; for the same thing and day it takes the place of the one before."""
        self.demand_change(request)
        typed = [str(request.POST.get(name, "")).strip() for name in _FIELDS]
        try:
            price = price_of(*typed)
        except ValueError as fault:
            messages.error(request, str(fault))
            return redirect(_list_address())
        said = " ".join(word for word in typed if word)
        with transaction.atomic():
            store.put_prices([price], by=request.user.get_username())
            self.note(request, f"price-{price.channel}", f"price of {price.channel}", said)
        messages.success(request, f"On the card: {said}")
        return redirect(_list_address())


def month_totals(today: date) -> list[MonthTotal]:
    """The last months, newest first; of each the channels that cost something."""
    first = (today.year * 12 + today.month - 1) - (_MONTHS - 1)
    lines = sorted(
        store.spend_by_month(date(first // 12, first % 12 + 1, 1)), key=lambda line: (line.month, line.channel)
    )
    found = []
    for (month, channel), group in groupby(lines, key=lambda line: (line.month, line.channel)):
        mine = sorted(group, key=lambda line: -line.micros)
        found.append(
            MonthTotal(
                month,
                channel.value,
                sum(line.messages for line in mine),
                sum(line.units for line in mine),
                amount_of(sum(line.micros for line in mine)),
                ", ".join(f"{line.country} {amount_of(line.micros)}" for line in mine[:_COUNTRIES] if line.country),
            )
        )
    return found[::-1]


def _budget_line(channel: Channel, spent: int, soft: int | None, hard: int | None) -> BudgetLine:
    over_soft, over_hard = soft is not None and spent >= soft, hard is not None and spent >= hard
    return BudgetLine(
        channel.value,
        amount_of(spent),
        "" if soft is None else amount_of(soft),
        "" if hard is None else amount_of(hard),
        100 * spent // hard if hard else None,
        "bad" if over_hard else "warn" if over_soft else "good",
    )


def _list_address() -> str:
    return reverse("admin:channels_rate_changelist")
