"""Two versions of a template side by side, and the schema as it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from notify.rules.template_requests import Change
from notify.rules.trial_findings import Wordings
from notify.rules.variables import Variable

#: Where the variables stand among the changes: beside the channels.
VARIABLES = "variables"


def schema_of(variables: Mapping[str, Variable]) -> dict[str, dict[str, Any]]:
    """The schema as it is stored."""
    return {name: msgspec.structs.asdict(variable) for name, variable in variables.items()}


def differences(
    channels: Wordings, variables: Mapping[str, Any], other: Wordings, other_variables: Mapping[str, Any]
) -> list[Change]:
    """Every field that is not the same in both, in the order of channel, language and field."""
    before = _flat(channels) | _flat_schema(variables)
    after = _flat(other) | _flat_schema(other_variables)
    return [
        Change(channel=place[0], locale=place[1], field=place[2], before=before.get(place), after=after.get(place))
        for place in sorted(before.keys() | after.keys())
        if before.get(place) != after.get(place)
    ]


def _flat(channels: Wordings) -> dict[tuple[str, str, str], str]:
    return {
        (channel, locale, field): source
        for channel, locales in channels.items()
        for locale, fields in locales.items()
        for field, source in fields.items()
    }


def _flat_schema(variables: Mapping[str, Any]) -> dict[tuple[str, str, str], str]:
    return {
        (VARIABLES, "", name): msgspec.json.encode(spec, order="sorted").decode() for name, spec in variables.items()
    }
