"""The form of a campaign: fields for people, the API's own body in between, and every fault back at its field."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import QueryDict

from campaigns.drafts import variables_of
from campaigns.errors import InvalidCampaign
from campaigns.policy import BUCKETS, MAX_VARIANTS
from campaigns.rules.planned import AGAIN, AT, BY_HAND, LOCAL, Planned, planned_of, schedule_of
from campaigns.rules.requests import CampaignBody, CampaignPatch
from campaigns.store.campaigns import CampaignRow
from channels.errors import FieldError, Refusal
from channels.rules.wire import decode
from channels.vocabulary import Channel
from notify.vocabulary import Priority

#: Whom a campaign may tell; people on a list are named through the API and stay who they are.
SEGMENT, TOPIC, LIST = "segment", "topic", "list"
_WHENS = [
    (BY_HAND, "when somebody starts it"),
    (AT, "once, at an instant"),
    (LOCAL, "once, at each reader's own hour"),
    (AGAIN, "again and again"),
]
#: Empty lines that are offered for further wordings.
_SPARE = 2
#: What is written as several fields, by the name the API has for it.
_WRITTEN_AS: dict[str, tuple[str, ...]] = {
    "throttle": ("max_per_second", "window_hours"),
    "audience": ("whom", "segment", "topic"),
    "schedule_at": ("when", "day", "hour", "zone", "cron"),
    "local_time": ("when", "day", "hour", "zone", "cron"),
    "timezone": ("when", "day", "hour", "zone", "cron"),
    "recurrence": ("when", "day", "hour", "zone", "cron"),
}
#: Pointers of faults, longest first, and the field that shows them.
_PLACES = {
    "/throttle/max_per_second": "max_per_second",
    "/throttle/window_hours": "window_hours",
    "/throttle": "max_per_second",
    "/recurrence/cron": "cron",
    "/recurrence/timezone": "zone",
    "/timezone": "zone",
    "/schedule_at": "day",
    "/local_time": "hour",
    "/audience/segment": "segment",
    "/audience/topic": "topic",
    "/audience": "whom",
}


class VariantsWidget(forms.Widget):
    """Lines of three fields each."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[dict[str, str]]:
        """The lines in which something is written."""
        del files, name
        if not isinstance(data, QueryDict):
            return []
        columns = [data.getlist(f"variant_{column}")[:MAX_VARIANTS] for column in ("name", "template", "weight")]
        lines = [[cell.strip() for cell in line] for line in zip(*columns, strict=False)]
        return [{"name": one, "template_id": two, "weight": three} for one, two, three in lines if one or two]


class VariantsField(forms.Field):
    """Wordings that are dealt out by weight."""

    widget = VariantsWidget

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether other wordings are meant."""
        return bool((initial or []) != (data or []))


class LinesField(forms.CharField):
    """Text of several lines, which a browser ends in its own way."""

    def to_python(self, value: Any) -> str:
        """The text with its lines as they are kept."""
        return str(super().to_python(value)).replace("\r\n", "\n")

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether another text is meant."""
        return self.to_python(initial) != self.to_python(data)


class VariablesField(LinesField):
    """Values by name, as JSON."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether other values are meant, however they are written."""
        try:
            return _variables(initial or "") != _variables(data or "")
        except InvalidCampaign:
            return True


class CampaignForm(forms.Form):
    """A campaign as people write it: its own checks are about fields, what they mean is checked as the API's is."""

    name = forms.CharField(error_messages={"required": "Give it a name by which people here know it."})
    type = forms.CharField(error_messages={"required": "Choose the notification type it is told as."})
    template_id = forms.CharField(required=False)
    channels = forms.MultipleChoiceField(required=False, choices=[(one.value, one.value) for one in Channel])
    whom = forms.CharField(required=False)
    segment = LinesField(required=False)
    topic = forms.CharField(required=False)
    variables = VariablesField(required=False)
    priority = forms.ChoiceField(required=False, choices=[(one.value, one.value) for one in Priority])
    max_per_second = forms.IntegerField(required=False, min_value=1, max_value=1_000_000)
    window_hours = forms.FloatField(required=False, min_value=0.01, max_value=720)
    when = forms.ChoiceField(required=False, choices=_WHENS)
    day = forms.CharField(required=False)
    hour = forms.CharField(required=False)
    zone = forms.CharField(required=False)
    cron = forms.CharField(required=False)
    variants = VariantsField(required=False)
    holdout_percent = forms.FloatField(required=False, min_value=0, max_value=50)
    test = forms.BooleanField(required=False)

    def clean_variants(self) -> list[dict[str, Any]]:
        """The wordings with their weights as numbers."""
        lines = self.cleaned_data["variants"] or []
        for at, line in enumerate(lines, start=1):
            if not line["name"] or not line["template_id"]:
                text = f"Wording {at} needs a name and a template."
                raise forms.ValidationError(text)
            if not re.fullmatch(r"[1-9][0-9]{0,4}", line["weight"] or "1"):
                text = f"Wording {at}: a weight is a whole number from 1 to {BUCKETS}."
                raise forms.ValidationError(text)
        return [{**line, "weight": int(line["weight"] or "1")} for line in lines]

    def clean(self) -> dict[str, Any]:
        """Somebody must be meant."""
        said = super().clean() or self.cleaned_data
        if said.get("whom") == TOPIC and not said.get("topic"):
            self.add_error("topic", "Choose a topic.")
        if said.get("whom") not in (TOPIC, LIST) and not said.get("segment"):
            self.add_error("segment", "Say what is true of the people who are told: country_code = 'GB'.")
        return said

    def body(self) -> CampaignBody:
        """A new campaign; raises `Refusal` with every fault of its fields."""
        return decode(_json({**self._wire(), "test": self.cleaned_data.get("test", False)}), CampaignBody)

    def patch(self) -> CampaignPatch:
        """What is written differently than before: what nobody touched stays, whoever else may have written it."""
        touched = set(self.changed_data)
        wire = self._wire()
        changes = {name: wire[name] for name in wire if touched.intersection(_WRITTEN_AS.get(name, (name,)))}
        if self.cleaned_data["whom"] == LIST:
            changes.pop("audience", None)
        return decode(_json(changes), CampaignPatch)

    def planned(self) -> Planned:
        """The fields that say when."""
        said = self.cleaned_data
        return Planned(when=said["when"] or BY_HAND, **{name: said[name] for name in ("day", "hour", "zone", "cron")})

    def variant_lines(self) -> list[dict[str, Any]]:
        """The lines of wordings with some empty ones."""
        lines = list(self["variants"].value() or [])
        return [*lines, *[{}] * min(_SPARE, MAX_VARIANTS - len(lines))]

    def show_faults(self, refusal: Refusal) -> None:
        """Put everything a refusal says at its field, and what belongs to none above them all."""
        for one in refusal.errors or [FieldError("", refusal.code, refusal.detail)]:
            where = one.position
            place = f" (line {where.line}, column {where.column})" if where is not None else ""
            field, message = _field_of(one.pointer), f"{one.message}{place}"
            self.add_error(field, message)

    def _wire(self) -> dict[str, Any]:
        """The body as the API has it; a number that is none stays text, and is refused at its place."""
        said = self.cleaned_data
        return {
            "name": said["name"],
            "type": said["type"],
            "template_id": said["template_id"] or None,
            "channels": said["channels"] or None,
            "audience": _audience(said),
            "variables": _variables(said["variables"]),
            "priority": said["priority"] or Priority.LOW.value,
            "throttle": {"max_per_second": said["max_per_second"], "window_hours": said["window_hours"]},
            **schedule_of(self.planned()),
            "variants": said["variants"],
            "holdout_percent": said["holdout_percent"] or 0,
        }


def fields_of(campaign: CampaignRow) -> dict[str, Any]:
    """What the form shows of a draft."""
    planned = planned_of(campaign)
    meant = campaign.audience
    return {
        "name": campaign.name,
        "type": campaign.type_key,
        "template_id": campaign.template_id,
        "channels": [one.value for one in campaign.channels or []],
        "whom": next((one for one in (SEGMENT, TOPIC) if one in meant), LIST),
        "segment": meant.get("segment", ""),
        "topic": meant.get("topic", ""),
        "variables": json.dumps(variables_of(campaign), ensure_ascii=False, indent=1),
        "priority": campaign.priority.value,
        "max_per_second": campaign.max_per_second,
        "window_hours": campaign.window_hours,
        "when": planned.when,
        "day": planned.day,
        "hour": planned.hour,
        "zone": planned.zone,
        "cron": planned.cron,
        "variants": [
            {"name": one.name, "template_id": one.template_id, "weight": str(one.weight)} for one in campaign.variants
        ],
        "holdout_percent": campaign.holdout_percent or None,
    }


#: What the form of a new campaign shows.
BLANK: dict[str, Any] = {
    "priority": Priority.LOW.value,
    "whom": SEGMENT,
    "when": BY_HAND,
    "zone": "UTC",
    "variables": "{}",
}


def _field_of(pointer: str) -> str | None:
    """The field that shows a fault; None: it belongs to none."""
    for place, field in _PLACES.items():
        if pointer == place or pointer.startswith(f"{place}/"):
            return field
    name = pointer.lstrip("/").split("/", 1)[0]
    return name if name in CampaignForm.base_fields else None


def _audience(said: Mapping[str, Any]) -> dict[str, Any]:
    """Exactly one of the two, whatever stands in the other's field."""
    return {"topic": said["topic"]} if said["whom"] == TOPIC else {"segment": said["segment"]}


def _variables(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidCampaign([FieldError("/variables", "invalid_variables", 'Write an object: {"name": "value"}.')])
    return found


def _json(wire: Mapping[str, Any]) -> bytes:
    return json.dumps(wire, ensure_ascii=False).encode(errors="surrogatepass")
