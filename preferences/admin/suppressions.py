"""The suppression list: addresses nothing is sent to, by keyed hashes. An address is typed, hashed and forgotten."""

from __future__ import annotations

from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse

from channels.admin.desk import Desk, tell, write_note
from channels.errors import Refusal
from channels.vocabulary import Channel
from preferences import suppress
from preferences.admin.staff import by_staff
from preferences.models import Suppression
from preferences.rules.requests import SuppressedAddress, SuppressionQuery
from preferences.store.suppressions import Suppressed
from preferences.vocabulary import SuppressionReason

#: Entries of one page, as the API's longest.
_SHOWN = 100
_ANY = ("", "any")
_CHANNELS = [Channel.EMAIL.value, Channel.SMS.value]
_WHYS = ("the person asked", "the address works again", "listed by mistake", "a test")


class FilterForm(forms.Form):
    """Which entries are listed; `after` is where the page before ended."""

    channel = forms.ChoiceField(required=False, choices=[_ANY, *((one, one) for one in _CHANNELS)])
    reason = forms.ChoiceField(required=False, choices=[_ANY, *((one.value, one.value) for one in SuppressionReason)])
    after = forms.RegexField(r"^[0-9a-f]{32}\.[a-z_]+\Z", required=False)


class AddressForm(forms.Form):
    """An address in clear, or the hash of a listed one, and its channel."""

    channel = forms.ChoiceField(choices=[(one, one) for one in _CHANNELS])
    address = forms.CharField(required=False, max_length=320)
    address_hash = forms.RegexField(r"^[0-9a-f]{32}\Z", required=False)

    def body(self) -> SuppressedAddress:
        """The address; raises a `Refusal` that never repeats it."""
        given = self.cleaned_data if self.is_valid() else {}
        if not given.get("address") and not given.get("address_hash"):
            raise Refusal("Type an e-mail address, or a phone number with its country code.")
        return SuppressedAddress(**{name: given[name] for name in ("channel", "address", "address_hash")})


class WhyForm(forms.Form):
    """Why an entry goes: chosen and not typed, so that nobody's name gets into the log."""

    why = forms.ChoiceField(choices=[(one, one) for one in _WHYS])


class SuppressionPages(Desk):
    """Pages of the list, beside those of people: a table whose key is two columns has none of Django's own."""

    def pages(self) -> list[URLPattern]:
        """List, search, add, take off. An address is only ever posted: it belongs into no URL."""
        return [
            self.page("suppressions/", self.suppressions_view, "suppressions"),
            self.post("suppressions/find/", self.find_suppression_view, "find_suppression"),
            self.post("suppressions/add/", self.add_suppression_view, "add_suppression"),
            self.post("suppressions/remove/", self.remove_suppression_view, "remove_suppression"),
        ]

    def suppressions_view(self, request: HttpRequest) -> HttpResponse:
        """The list, in the order of the hashes, by channel and reason at will."""
        _demand(request, "view")
        form = FilterForm(request.GET)
        if not form.is_valid():
            messages.error(request, "Choose the filters from the lists.")
            return redirect(_list_address())
        wanted = form.cleaned_data
        query = SuppressionQuery(
            limit=_SHOWN,
            channel=Channel(wanted["channel"]) if wanted["channel"] else None,
            reason=SuppressionReason(wanted["reason"]) if wanted["reason"] else None,
        )
        digits, _, channel = wanted["after"].partition(".")
        found = suppress.list_suppressed(query, (bytes.fromhex(digits), channel))
        more = f"{found[_SHOWN - 1].index.hex()}.{found[_SHOWN - 1].channel}" if len(found) > _SHOWN else ""
        return self._listed(request, found[:_SHOWN], more=more, form=form)

    def find_suppression_view(self, request: HttpRequest) -> HttpResponse:
        """Whether nothing is sent to this address, and why."""
        _demand(request, "view")
        try:
            body = AddressForm(request.POST).body()
            found = suppress.find_suppressed(body)
        except Refusal as refusal:
            tell(request, refusal)
            return redirect(_list_address())
        if not found:
            messages.success(request, f"This address is not on the list of {body.channel}.")
            return redirect(_list_address())
        return self._listed(request, found, more="", form=FilterForm({}))

    def add_suppression_view(self, request: HttpRequest) -> HttpResponse:
        """Send nothing to an address any more, whoever has it."""
        _demand(request, "add")
        try:
            body = AddressForm(request.POST).body()
            with transaction.atomic():
                entry, is_new = suppress.suppress_address(body, by_staff(request))
                self._note_entry(request, entry.index, f"suppressed on {body.channel}")
        except Refusal as refusal:
            tell(request, refusal)
        else:
            said = "Nothing is sent to this address any more" if is_new else "It was on the list already"
            messages.success(request, f"{said}; reason: {entry.reason.value}.")
        return redirect(_list_address())

    def remove_suppression_view(self, request: HttpRequest) -> HttpResponse:
        """Take an address off the list; where it stood for somebody's word, the ledger is told."""
        _demand(request, "delete")
        why = WhyForm(request.POST)
        if not why.is_valid():
            messages.error(request, "Choose why it goes from the list.")
            return redirect(_list_address())
        try:
            body = AddressForm(request.POST).body()
            with transaction.atomic():
                index = suppress.release_address(body, by_staff(request))
                self._note_entry(request, index, f"released on {body.channel}: {why.cleaned_data['why']}")
        except Refusal as refusal:
            tell(request, refusal)
        else:
            messages.success(request, "This address may be sent to again.")
        return redirect(_list_address())

    def _listed(self, request: HttpRequest, rows: list[Suppressed], *, more: str, form: FilterForm) -> HttpResponse:
        context = {
            "rows": [(row, row.index.hex()) for row in rows],
            "form": form,
            "older": f"?{urlencode({**request.GET.dict(), 'after': more})}" if more else "",
            "channels": _CHANNELS,
            "whys": _WHYS,
            "may_add": request.user.has_perm("preferences.add_suppression"),
            "may_remove": request.user.has_perm("preferences.delete_suppression"),
        }
        return self.show(request, "admin/preferences/suppressions.html", context, title="Suppression list")

    def _note_entry(self, request: HttpRequest, index: bytes, message: str) -> None:
        """The log names an entry by the beginning of its hash, which nobody can turn back."""
        write_note(request, Suppression, index.hex(), f"address {index.hex()[:8]}…", message)


def _demand(request: HttpRequest, verb: str) -> None:
    if not request.user.has_perm(f"preferences.{verb}_suppression"):
        raise PermissionDenied


def _list_address() -> str:
    return reverse("admin:preferences_recipient_suppressions")
