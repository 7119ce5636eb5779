"""Recipients: found by id or address, addresses masked, revealed one by one and on record."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, reverse

from channels.admin.desk import newest_first
from channels.errors import BadAddress
from channels.rules.addresses import normalise_email, normalise_phone
from channels.rules.sealing import Unreadable
from channels.vocabulary import Channel
from preferences import store
from preferences.admin.reading import Contact, contacts_of, ledger_of, sentences_of
from preferences.admin.staff import by_staff
from preferences.admin.suppressions import SuppressionPages
from preferences.models import Device, Recipient
from preferences.vocabulary import ContactKind, SuppressionReason

_CHANNEL_OF = {ContactKind.EMAIL: Channel.EMAIL, ContactKind.PHONE: Channel.SMS}


@admin.register(Recipient)
class RecipientDesk(SuppressionPages):
    """People, as staff may see them."""

    heading = "Recipients"

    def pages(self) -> list[URLPattern]:
        """Search and actions. All are POST: an address belongs into no URL, and so into no access log."""
        return [
            *super().pages(),
            self.post("find/", self.find_view, "find"),
            self.post("<int:key>/reveal/<str:kind>/", self.reveal_view, "reveal"),
            self.post("<int:key>/suppress/<str:kind>/", self.suppress_view, "suppress"),
            self.post("<int:key>/release/<str:kind>/", self.release_view, "release"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The newest recipients, and the search."""
        del extra_context
        self.demand_view(request)
        before = request.GET.get("before", "")
        people = newest_first(_people(), before=int(before) if before.isascii() and before.isdigit() else None)
        return self._list(request, people.rows, before=people.before)

    def find_view(self, request: HttpRequest) -> HttpResponse:
        """Whoever has this user id, e-mail address or phone number, exactly."""
        self.demand_view(request)
        wanted = request.POST.get("wanted", "").strip()
        try:
            found = _ids_for(wanted)
        except BadAddress as fault:
            messages.error(request, f"To search by address, {fault.cure}.")
            return redirect(_list_address())
        if len(found) == 1:
            return redirect(_address_of(found[0]))
        if not found:
            messages.warning(request, "Nobody has this id or address.")
            return redirect(_list_address())
        return self._list(request, list(_people().filter(pk__in=found).order_by("-pk")), before=None)

    def _list(self, request: HttpRequest, rows: list[Recipient], *, before: int | None) -> HttpResponse:
        return self.show(request, "admin/preferences/recipients.html", {"rows": rows, "before": before})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One recipient: addresses masked, devices, and what they allow."""
        del form_url, extra_context
        self.demand_view(request)
        return self._detail(request, _recipient(object_id))

    def _detail(
        self, request: HttpRequest, recipient: Recipient, *, revealed: dict[ContactKind, str] | None = None
    ) -> HttpResponse:
        facts = store.facts_for([recipient.pk])[recipient.pk]
        context = {
            "recipient": recipient,
            "contacts": contacts_of(recipient.pk, revealed or {}),
            "devices": Device.objects.filter(recipient_id=recipient.pk).order_by("-active", "-last_seen_at")[:100],
            "sentences": sentences_of(facts),
            "preferences": facts.preferences,
            "ledger": ledger_of(recipient.user_id),
            "may_reveal": request.user.has_perm("preferences.reveal_contact"),
            "may_suppress": request.user.has_perm("preferences.add_suppression"),
            "may_release": request.user.has_perm("preferences.delete_suppression"),
        }
        return self.show(request, "admin/preferences/recipient.html", context, title=f"Recipient {recipient.pk}")

    def reveal_view(self, request: HttpRequest, key: int, kind: str) -> HttpResponse:
        """One address in clear, on this page only; the log keeps who asked for whose, never the address."""
        self.demand_view(request)
        if not request.user.has_perm("preferences.reveal_contact"):
            raise PermissionDenied
        recipient, wanted = _recipient(key), _kind(kind)
        # Written first: whoever sees an address is in the log, whatever happens afterwards.
        self.note(request, recipient.pk, f"recipient {recipient.pk}", f"revealed the {wanted.value}")
        address = _open(recipient.pk, wanted)
        if address is None:
            messages.warning(request, f"There is no readable {wanted.value}.")
            return redirect(_address_of(recipient.pk))
        return self._detail(request, recipient, revealed={wanted: address})

    def suppress_view(self, request: HttpRequest, key: int, kind: str) -> HttpResponse:
        """Send nothing to this address any more, whoever has it."""
        if not request.user.has_perm("preferences.add_suppression"):
            raise PermissionDenied
        contact = self._contact(request, key, kind)
        with transaction.atomic():
            store.suppress([contact.index], _CHANNEL_OF[contact.kind], SuppressionReason.MANUAL, by_staff(request))
            self.note(request, key, f"recipient {key}", f"suppressed the {contact.kind.value}")
        messages.success(request, f"Nothing is sent to this {contact.kind.value} any more.")
        return redirect(_address_of(key))

    def release_view(self, request: HttpRequest, key: int, kind: str) -> HttpResponse:
        """Take the address off the suppression list."""
        if not request.user.has_perm("preferences.delete_suppression"):
            raise PermissionDenied
        contact = self._contact(request, key, kind)
        with transaction.atomic():
            store.release([contact.index], _CHANNEL_OF[contact.kind], by_staff(request))
            self.note(request, key, f"recipient {key}", f"released the {contact.kind.value}")
        messages.success(request, f"This {contact.kind.value} may be sent to again.")
        return redirect(_address_of(key))

    def _contact(self, request: HttpRequest, key: int, kind: str) -> Contact:
        self.demand_view(request)
        wanted = _kind(kind)
        contact = next((one for one in contacts_of(key, {}) if one.kind is wanted), None)
        if contact is None:
            raise Http404
        return contact


def _list_address() -> str:
    return reverse("admin:preferences_recipient_changelist")


def _address_of(key: int) -> str:
    return reverse("admin:preferences_recipient_change", args=[key])


def _people() -> Any:
    """What a list shows of people: no address, no attribute."""
    return Recipient.objects.only("user_id", "status", "locale", "country_code", "created_at")


def _recipient(key: object) -> Recipient:
    text = str(key)
    found = Recipient.objects.filter(pk=int(text)).first() if text.isascii() and text.isdigit() else None
    if found is None:
        raise Http404
    return found


def _kind(text: str) -> ContactKind:
    try:
        return ContactKind(text)
    except ValueError:
        raise Http404 from None


def _ids_for(wanted: str) -> list[int]:
    """Our ids of those whose user id or address this is; raises `BadAddress` for what can be neither."""
    by_id = store.resolve([wanted]).get(wanted)
    found = {by_id.id} if by_id is not None else set()
    try:
        found.update(_by_address(wanted))
    except BadAddress:
        if not found:
            raise
    return sorted(found)


def _by_address(wanted: str) -> list[int]:
    if "@" in wanted:
        return store.find_by_address(store.index_of(ContactKind.EMAIL, normalise_email(wanted)))
    if wanted.startswith("+"):
        return store.find_by_address(store.index_of(ContactKind.PHONE, normalise_phone(wanted)))
    return []


def _open(recipient_id: int, kind: ContactKind) -> str | None:
    """The address in clear; None where there is none, or its key is destroyed."""
    facts = store.facts_for([recipient_id])[recipient_id]
    fact = facts.email if kind is ContactKind.EMAIL else facts.phone
    if fact is None:
        return None
    try:
        return store.address_of(fact, store.data_key(facts.wrapped_key, recipient_id))
    except Unreadable:
        return None
