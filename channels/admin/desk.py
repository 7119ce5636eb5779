"""What the admin's pages share: rows that only verbs change, lists that never count, entries in the log.

Pages are views of a `ModelAdmin`, so that Django's permissions, addresses and navigation apply to them; but no form of
Django's ever writes a row behind a verb's back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from channels.errors import Refusal

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

    BaseAdmin = ModelAdmin[Any]
else:
    # Unfold has no types; its class is Django's with other templates.
    from unfold.admin import ModelAdmin as BaseAdmin

#: Rows of a page: a screenful or two, and one bounded query.
PAGE_SIZE = 50

Page = Callable[..., HttpResponseBase]


class Slice(NamedTuple):
    """One page of a list that goes from new to old."""

    rows: list[Any]
    #: Where the next older page begins; None at the end.
    before: Any


def newest_first(rows: QuerySet[Any], *, before: Any = None, size: int = PAGE_SIZE) -> Slice:
    """The newest rows older than the key `before`: one index range, however long the table is."""
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: size + 1])
    return Slice(found[:size], found[size - 1].pk if len(found) > size else None)


class Desk(BaseAdmin):
    """A table of which people see pages of our own, and which they change only through verbs.

    `change` as a permission means the page's actions; `view` the page.
    """

    #: Shown above every page of the table.
    heading = ""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody adds rows by hand."""
        del request, obj
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes rows by hand."""
        del request, obj
        return False

    def get_urls(self) -> list[URLPattern]:
        """The pages of this table before Django's own addresses."""
        return [*self.pages(), *super().get_urls()]

    def pages(self) -> list[URLPattern]:
        """Addresses beside the list and the row; see `page`."""
        return []

    def page(self, route: str, view: Page, name: str) -> URLPattern:
        """An address below the table's, for staff only; the view itself asks for its permission."""
        return path(route, self.admin_site.admin_view(view), name=f"{self._prefix()}_{name}")

    def post(self, route: str, view: Page, name: str) -> URLPattern:
        """The same, for actions: anything but POST is refused."""

        def only_post(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            return view(request, *args, **kwargs)

        return self.page(route, only_post, name)

    def _prefix(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}"

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """The row's history, for those who may see the row."""
        self.demand_view(request)
        return super().history_view(request, object_id, extra_context)

    def demand_view(self, request: HttpRequest) -> None:
        """Refuse whoever may not see this table."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied

    def demand_change(self, request: HttpRequest) -> None:
        """Refuse whoever may not act on this table."""
        if not self.has_change_permission(request):
            raise PermissionDenied

    def show(self, request: HttpRequest, template: str, context: Mapping[str, Any], *, title: str = "") -> HttpResponse:
        """A page inside the admin's frame."""
        request.current_app = self.admin_site.name
        frame = self.admin_site.each_context(request)
        own = {
            "title": title or self.heading,
            "heading": self.heading,
            "may_change": self.has_change_permission(request),
        }
        return TemplateResponse(request, template, {**frame, **own, **context})

    def note(self, request: HttpRequest, key: object, label: str, message: str) -> None:
        """Write into the log who did what to which row; never personal data."""
        write_note(request, self.model, key, label, message)


def write_note(request: HttpRequest, model: type[Model], key: object, label: str, message: str) -> None:
    """An entry of the log: the person, the time, the row and what was done to it."""
    LogEntry.objects.create(
        user_id=request.user.pk or 0,
        content_type=ContentType.objects.get_for_model(model),
        object_id=str(key),
        object_repr=label[:200],
        action_flag=CHANGE,
        change_message=message,
    )


def tell(request: HttpRequest, refusal: Refusal) -> None:
    """Show a refusal with its cure on the next page."""
    for line in [one.message for one in refusal.errors] or [refusal.detail]:
        messages.error(request, line)
