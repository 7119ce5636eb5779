"""Imports of people: upload, watch, cancel, and fetch the report."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from campaigns import import_page, import_people
from campaigns.admin.uploading import SealingUpload
from campaigns.errors import WrongFile
from campaigns.import_people import Upload
from campaigns.models import Import
from campaigns.policy import MAX_CSV_BYTES
from campaigns.rules.csv_report import HEADER, report_line
from campaigns.vocabulary import ImportMode
from channels.admin.desk import Desk, newest_first, tell

#: What a form has beside its file.
_FORM_BYTES = 65_536
#: Seconds after which a page that watches asks again.
_AGAIN = 2
_OPEN = ("uploading", "running")
#: Refused rows that are shown; the report has them all.
_SHOWN = 20


class ImportForm(forms.Form):
    """What is done with the rows."""

    mode = forms.ChoiceField(choices=[(one.value, one.value) for one in ImportMode])
    dry_run = forms.BooleanField(required=False)
    topic = forms.CharField(required=False, max_length=128)


@admin.register(Import)
class ImportDesk(Desk):
    """Files of people, how far each is, and what it came to."""

    heading = "Imports"

    def pages(self) -> list[URLPattern]:
        """The upload, and what is done with one import."""
        return [
            self.page("upload/", self.upload_view, "upload"),
            self.post("<int:key>/cancel/", self.cancel_view, "cancel"),
            self.page("<int:key>/report/", self.report_view, "report"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The newest imports, and the form."""
        del extra_context
        self.demand_view(request)
        before = request.GET.get("before", "")
        found = newest_first(
            Import.objects.defer("layout"), before=int(before) if before.isascii() and before.isdigit() else None
        )
        context = {"rows": found.rows, "before": found.before, "form": ImportForm(), "largest": MAX_CSV_BYTES}
        return self.show(request, "admin/campaigns/imports.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One import; while it is under way the page asks again by itself."""
        del form_url, extra_context
        self.demand_view(request)
        row = _import(object_id)
        is_open = row.status in _OPEN
        seconds = ((row.ended_at or timezone.now()) - row.created_at).total_seconds()
        context = {
            "one": row,
            "is_open": is_open,
            "percent": 100 * row.offset // row.size if row.size else 0,
            "rate": round((row.created + row.updated + row.refused) / max(seconds, 1)),
            "refusals": import_page.first_refusals(row.pk, _SHOWN),
        }
        answer = self.show(request, "admin/campaigns/import.html", context, title=f"Import {row.pk}")
        if is_open:
            answer.headers["Refresh"] = str(_AGAIN)
        return answer

    @csrf_exempt
    def upload_view(self, request: HttpRequest) -> HttpResponseBase:
        """Take a file. The token is in the form, so the form is read by a handler of ours before it is looked at."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        self.demand_change(request)
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_CSV_BYTES + _FORM_BYTES:
            tell(request, import_page.too_large())
            return redirect(_list_address())
        incoming = SealingUpload(request.user.get_username(), request.user.pk or 0)
        request.upload_handlers = [incoming]
        try:
            return csrf_protect(self._taken)(request, incoming)
        finally:
            if incoming.upload is not None:
                incoming.upload.discard("The upload was refused, or broke off.")

    def _taken(self, request: HttpRequest, incoming: SealingUpload) -> HttpResponse:
        form = ImportForm(request.POST)
        if incoming.upload is None or not form.is_valid():
            messages.error(request, "Choose a file that is not empty, and the mode from the list.")
            return redirect(_list_address())
        try:
            self._begin(request, incoming, incoming.upload, form.cleaned_data)
        except WrongFile as refusal:
            incoming.upload.discard(refusal.detail)
            tell(request, refusal)
            return redirect(_list_address())
        return redirect(_address_of(incoming.upload.id))

    def _begin(self, request: HttpRequest, incoming: SealingUpload, upload: Upload, said: dict[str, Any]) -> None:
        """Its rows are written from now on, and the log says who wanted it."""
        if incoming.fault is not None:
            raise incoming.fault
        wanted = incoming.wanted(ImportMode(said["mode"]), dry_run=said["dry_run"], topic_key=said["topic"].strip())
        with transaction.atomic():
            upload.finish(wanted)
            words = [wanted.mode.value, *(["dry run"] if wanted.dry_run else [])]
            self.note(request, upload.id, f"Import {upload.id}", f"uploaded: {', '.join(words)}")

    def cancel_view(self, request: HttpRequest, key: int) -> HttpResponse:
        """Stop behind the page that is being written."""
        self.demand_change(request)
        _import(str(key))
        with transaction.atomic():
            if import_people.cancel(key):
                self.note(request, key, f"Import {key}", "cancelled")
                messages.success(request, "Cancelled. What was written stays.")
            else:
                messages.warning(request, "This import had ended.")
        return redirect(_address_of(key))

    def report_view(self, request: HttpRequest, key: int) -> HttpResponseBase:
        """The refused rows as CSV: lines and reasons, nothing of the people, and no cell a formula."""
        self.demand_view(request)
        _import(str(key))
        answer = StreamingHttpResponse(_report(key), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="import-{key}-refused.csv"'
        return answer


class _Line:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def _report(import_id: int) -> Iterator[str]:
    writer = csv.writer(_Line(), quoting=csv.QUOTE_ALL)
    yield writer.writerow(HEADER)
    for refused in import_page.report(import_id):
        yield writer.writerow(report_line(refused))


def _import(key: str) -> Import:
    found = Import.objects.filter(pk=int(key)).first() if key.isascii() and key.isdigit() else None
    if found is None:
        raise Http404
    return found


def _list_address() -> str:
    return reverse("admin:campaigns_import_changelist")


def _address_of(key: int) -> str:
    return reverse("admin:campaigns_import_change", args=[key])
