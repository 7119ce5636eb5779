"""Provider accounts: what the file declares, and the switch and the weight that operators set over it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse

from channels import conf, policy, scorecard, store
from channels.admin.desk import Desk
from channels.errors import ConfigurationFault, Fault
from channels.models import ProviderSwitch
from channels.rules.accounts import Account
from channels.scorecard import Card
from channels.store import Switch
from channels.vocabulary import Channel

_AS_DECLARED = Switch(enabled=True, weight=None)


class SwitchForm(forms.Form):
    """What an operator may decide about an account at run time."""

    enabled = forms.BooleanField(required=False)
    weight = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=policy.MAX_WEIGHT,
        error_messages={
            "invalid": "The weight is a whole number; leave it empty for the file's.",
            "min_value": "The weight is 0 or more; 0 takes traffic only when the others failed.",
            "max_value": f"The weight is at most {policy.MAX_WEIGHT:,}.",
        },
    )


class AccountLine(msgspec.Struct, frozen=True):
    """One account as the page shows it."""

    account: Account
    switch: Switch
    card: Card
    #: Share in percent among the enabled accounts of its channel and priority, as they do at the moment.
    share: int
    #: Percent of the requests of the last minutes that were no fault of the provider's; None: no traffic.
    success: int | None
    changed_by: str
    changed_at: Any


@admin.register(ProviderSwitch)
class ProviderDesk(Desk):
    """The accounts by channel, in the order in which they are tried."""

    heading = "Providers"

    def pages(self) -> list[URLPattern]:
        """The one action: setting an account's switch and weight."""
        return [self.post("<str:name>/set/", self.set_view, "set")]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """All accounts, whether or not anybody ever touched their switch."""
        del extra_context
        self.demand_view(request)
        declared, faults = _declared()
        context = {
            "channels": _by_channel(declared),
            "faults": faults,
            "file": conf.accounts_file(),
            "delay": policy.SWITCH_AGE_SECONDS,
        }
        return self.show(request, "admin/channels/providers.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A switch has no page of its own: its row in the list is the form."""
        del object_id, form_url, extra_context
        self.demand_view(request)
        return redirect(_list_address())

    def set_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Switch an account on or off, or give it another weight."""
        self.demand_change(request)
        declared, _ = _declared()
        account = next((one for one in declared if one.name == name), None)
        if account is None:
            raise Http404
        form = SwitchForm(request.POST)
        if not form.is_valid():
            for error in form.errors.values():
                messages.error(request, f"{name}: {error[0]}")
            return redirect(_list_address())
        self._set(request, account, Switch(enabled=form.cleaned_data["enabled"], weight=form.cleaned_data["weight"]))
        _warn_of_an_empty_channel(request, declared, account.channel)
        return redirect(_list_address())

    def _set(self, request: HttpRequest, account: Account, wanted: Switch) -> None:
        """Keep the decision and who made it, both or neither; nothing is written when nothing changes."""
        present = store.provider_switches().get(account.name, _AS_DECLARED)
        changes = _changes(account, present, wanted)
        if not changes:
            messages.info(request, f"{account.name} is as it was.")
            return
        with transaction.atomic():
            store.set_switch(account.name, wanted, by=request.user.get_username())
            self.note(request, account.name, account.name, changes)
        messages.success(request, f"{account.name}: {changes}")


def switched_off() -> tuple[list[str], bool]:
    """Names of the declared accounts that are switched off, and whether the providers file has faults."""
    declared, faults = _declared()
    switches = store.provider_switches()
    names = (account.name for account in declared)
    return sorted(name for name in names if not switches.get(name, _AS_DECLARED).enabled), bool(faults)


def _list_address() -> str:
    return reverse("admin:channels_providerswitch_changelist")


def _declared() -> tuple[tuple[Account, ...], tuple[Fault, ...]]:
    """The accounts, or what is wrong with the file that declares them."""
    try:
        return conf.accounts(), ()
    except ConfigurationFault as fault:
        return (), fault.faults


def _by_channel(declared: tuple[Account, ...]) -> list[tuple[str, list[AccountLine]]]:
    rows = {row.name: row for row in ProviderSwitch.objects.all()}
    switches = {name: Switch(row.enabled, row.weight) for name, row in rows.items()}
    cards = {card.name: card for card in scorecard.cards()} if declared else {}
    lines = []
    for account in sorted(declared, key=lambda one: (one.priority, one.name)):
        row, card = rows.get(account.name), cards[account.name]
        rate = card.recent.success_rate
        lines.append(
            AccountLine(
                account,
                switches.get(account.name, _AS_DECLARED),
                card,
                _share(card, cards.values()),
                None if rate is None else round(100 * rate),
                row.updated_by if row else "",
                row.updated_at if row else None,
            )
        )
    return [(channel.value, [line for line in lines if line.account.channel is channel]) for channel in Channel]


def _share(card: Card, cards: Iterable[Card]) -> int:
    """Percent of the traffic of this channel and priority that goes to the account first."""
    equals = [one for one in cards if (one.channel, one.priority) == (card.channel, card.priority) and one.enabled]
    total = sum(one.effective_weight for one in equals)
    return round(100 * card.effective_weight / total) if total and card.enabled else 0


def _changes(account: Account, present: Switch, wanted: Switch) -> str:
    """What a person reads in the log; empty when nothing changes."""
    said = []
    if present.enabled != wanted.enabled:
        said.append("switched on" if wanted.enabled else "switched off")
    if present.weight != wanted.weight:
        said.append(f"weight {_words(account, present.weight)} → {_words(account, wanted.weight)}")
    return ", ".join(said)


def _words(account: Account, weight: int | None) -> str:
    return f"{account.weight} (file)" if weight is None else str(weight)


def _warn_of_an_empty_channel(request: HttpRequest, declared: tuple[Account, ...], channel: Channel) -> None:
    switches = store.provider_switches()
    if not any(one.channel is channel and switches.get(one.name, _AS_DECLARED).enabled for one in declared):
        messages.warning(request, f"{channel.value} has no account left: its messages are held until one is on again.")
