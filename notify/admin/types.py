"""Notification types: the policy that each kind of notification is told by."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from channels.admin.desk import BaseAdmin
from channels.vocabulary import Channel
from notify import author, conf
from notify.models import NotificationType, Template
from notify.rules.template_requests import Cap, TypeBody, is_key
from notify.vocabulary import OverCap, Priority, QuietHoursPolicy
from preferences.vocabulary import Category

if TYPE_CHECKING:
    TypeModelForm = forms.ModelForm[NotificationType]
else:
    TypeModelForm = forms.ModelForm

_CAP = re.compile(r"(\d{1,9}) per (\d{1,9}) ?([smhd])")
_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_MOST_CAPS, _MOST, _LONGEST_SECONDS, _LONGEST_WINDOW = 10, 1_000_000, 2_592_000, 31_536_000
_HELP = {
    "key": "What callers send as “type”, such as ORDER_SHIPPED. It cannot be changed later.",
    "mandatory": "Security notices and one-time passwords: people may choose the channel, but not switch it off.",
    "quiet_hours": "What becomes of it inside a person's quiet hours.",
    "digestible": "May wait and be gathered into a digest where a person asked for one.",
    "over_cap": "What becomes of it where a person has had enough for now: told in a digest, later, or not at all.",
    "exempt_from_caps": "Never counted against the frequency caps.",
    "retention_days": "Its words are cleared after so many days, in log and inbox; empty: when the log is dropped.",
    "track_opens": "Puts an invisible picture into its e-mails, which tells when a person reads: ask your counsel.",
    "track_clicks": "Has the links of its e-mails lead through us.",
    "ttl_seconds": "Not sent any more after so many seconds; empty: kept until it is sent.",
}


class CapsField(forms.CharField):
    """Frequency caps as people write them: one a line, such as `10 per 1h`."""

    def prepare_value(self, value: Any) -> Any:
        """The stored caps as lines; what was typed stays as it was."""
        return value if isinstance(value, str) else "\n".join(_line(cap) for cap in value or [])

    def clean(self, value: Any) -> list[dict[str, int]]:
        """The lines as they are stored."""
        lines = [line for line in str(value or "").splitlines() if line.strip()]
        if len(lines) > _MOST_CAPS:
            raise forms.ValidationError(f"Write at most {_MOST_CAPS} caps.")
        return [_cap(line) for line in lines]

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether other caps are meant, however they are written."""
        return str(self.prepare_value(initial)) != (data or "").replace("\r\n", "\n")


class TemplateChoice(forms.ModelChoiceField):  # type: ignore[type-arg]  # generic in the stubs only
    """A template, named by its id."""

    def label_from_instance(self, obj: Any) -> str:
        """The id."""
        return str(obj.pk)


class TypeForm(TypeModelForm):
    """A type, with each refusal naming its cure."""

    category = forms.ChoiceField(choices=[(one.value, one.value) for one in Category], widget=UnfoldAdminSelectWidget)
    channels = forms.MultipleChoiceField(
        choices=[(one.value, one.value) for one in Channel],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        error_messages={"required": "Tick at least one channel: without one, nothing could ever be sent."},
        help_text="Where it may go; a person's preferences and a request may narrow it.",
    )
    template = TemplateChoice(
        queryset=Template.objects.order_by("pk"),
        required=False,
        widget=UnfoldAdminSelectWidget,
        empty_label="none yet",
        help_text="The words of the type; only templates made for this type fit.",
    )
    caps = CapsField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        label="Frequency caps",
        help_text="At most so many for one person: a line each, such as “10 per 1h” or “2 per 1d” (s, m, h, d).",
    )
    ttl_seconds = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=_LONGEST_SECONDS,
        widget=UnfoldAdminIntegerFieldWidget,
        label="Lifetime in seconds",
        help_text=_HELP["ttl_seconds"],
        error_messages={
            "min_value": "Give at least one second, or nothing for no limit.",
            "max_value": "Give at most 30 days (2592000), or nothing for no limit.",
        },
    )

    class Meta:
        """All that the API knows of a type."""

        model = NotificationType
        fields = (
            "key",
            "category",
            "priority",
            "channels",
            "template",
            "mandatory",
            "quiet_hours",
            "digestible",
            "exempt_from_caps",
            "caps",
            "over_cap",
            "ttl_seconds",
            "retention_days",
            "track_opens",
            "track_clicks",
        )
        widgets = {"key": UnfoldAdminTextInputWidget}
        help_texts = _HELP

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer the templates that fit."""
        super().__init__(*args, **kwargs)
        if self.instance.pk and "template" in self.fields:
            self.fields["template"].queryset = Template.objects.filter(type_key=self.instance.pk)  # type: ignore[attr-defined]  # a ModelChoiceField

    def clean_key(self) -> str:
        """A word that can stand in an address."""
        key = str(self.cleaned_data["key"]).strip()
        if not is_key(key):
            raise forms.ValidationError("Write letters, digits and underscores without spaces, such as ORDER_SHIPPED.")
        return key

    def clean_channels(self) -> list[str]:
        """The ticked channels; those that were there before keep their order."""
        before: Sequence[str] = self.instance.channels or []
        chosen = self.cleaned_data["channels"]
        return sorted(chosen, key=lambda channel: before.index(channel) if channel in before else len(before))

    def clean(self) -> dict[str, Any]:
        """What must fit together."""
        cleaned: dict[str, Any] = super().clean() or {}
        template = cleaned.get("template")
        if template is not None and (cleaned.get("key") or self.instance.key) != template.type_key:
            made_for = f"“{template.pk}” was made for the type {template.type_key}; choose one made for this type."
            self.add_error("template", made_for)
        kept = cleaned.get("retention_days")
        if kept is not None and not 1 <= kept <= conf.RETENTION_DAYS:
            self.add_error("retention_days", f"Give 1 to {conf.RETENTION_DAYS} days, for which the log is kept.")
        return cleaned


@admin.register(NotificationType)
class TypeAdmin(BaseAdmin):
    """The types, edited as rows: nothing else happens when one changes."""

    form = TypeForm
    list_display = ("key", "category", "priority", "shown_channels", "template_id", "mandatory", "quiet_hours")
    list_filter = ("category", "priority", "mandatory")
    search_fields = ("key",)
    ordering = ("key",)
    list_per_page = 100
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("key", "category", "priority", "channels", "template")}),
        ("The person's wishes", {"fields": ("mandatory", "quiet_hours", "digestible")}),
        ("Limits", {"fields": ("exempt_from_caps", "caps", "over_cap", "ttl_seconds", "retention_days")}),
        ("Tracking of e-mails", {"fields": ("track_opens", "track_clicks")}),
    )

    @admin.display(description="Channels")
    def shown_channels(self, row: NotificationType) -> str:
        """The channels in a line."""
        return ", ".join(row.channels)

    def get_readonly_fields(self, request: HttpRequest, obj: NotificationType | None = None) -> tuple[str, ...]:
        """The key names a type for ever."""
        del request
        return ("key",) if obj is not None else ()

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The form, named by the key and not by the row's class."""
        named = {"title": unquote(object_id) if object_id else "New type", "original": object_id or ""}
        return super().changeform_view(request, object_id, form_url, {**named, **(extra_context or {})})

    def save_model(self, request: HttpRequest, obj: NotificationType, form: Any, change: Any) -> None:
        """Through the same verb as a PUT, so that both keep the same rows."""
        del request, form, change
        author.define_type(
            obj.key,
            TypeBody(
                category=Category(obj.category),
                priority=Priority(obj.priority),
                channels=[Channel(channel) for channel in obj.channels],
                exempt_from_caps=obj.exempt_from_caps,
                caps=[Cap(**cap) for cap in obj.caps],
                quiet_hours=QuietHoursPolicy(obj.quiet_hours),
                digestible=obj.digestible,
                over_cap=OverCap(obj.over_cap),
                mandatory=obj.mandatory,
                ttl_seconds=obj.ttl_seconds,
                retention_days=obj.retention_days,
                track_opens=obj.track_opens,
                track_clicks=obj.track_clicks,
                template_id=obj.template_id,
            ),
        )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Notifications that were sent name their type for as long as they are kept."""
        del request, obj
        return False


def _line(cap: dict[str, int]) -> str:
    """`10 per 1h` for the stored `{"max": 10, "per_seconds": 3600}`."""
    seconds = timedelta(seconds=cap["per_seconds"])
    unit = next(name for name in "dhms" if seconds % _UNITS[name] == timedelta())
    return f"{cap['max']} per {seconds // _UNITS[unit]}{unit}"


def _cap(line: str) -> dict[str, int]:
    match = _CAP.fullmatch(line.strip())
    if match is None:
        raise forms.ValidationError("Write each cap on a line of its own, such as “10 per 1h”.")
    most, seconds = int(match[1]), int(match[2]) * int(_UNITS[match[3]].total_seconds())
    if not (1 <= most <= _MOST and 1 <= seconds <= _LONGEST_WINDOW):
        raise forms.ValidationError(f"A cap counts 1 to {_MOST:,} over one second to one year.")
    return {"max": most, "per_seconds": seconds}
