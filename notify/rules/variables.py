"""What a template may be told: its schema of variables, and one recipient's values against it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from notify.policy import MAX_VARIABLES, MAX_VARIABLES_BYTES

Schema = Mapping[str, Mapping[str, Any]]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
#: Names that mean something else inside a template.
RESERVED = frozenset(
    [
        *("user", "unsubscribe_url", "preferences_url", "loop", "self", "and", "or", "not", "in", "is"),
        *("if", "elif", "else", "endif", "for", "endfor"),
        *("true", "false", "none", "True", "False", "None"),
    ]
)
_FITS: dict[str, frozenset[type]] = {
    "string": frozenset({str}),
    "number": frozenset({int, float}),
    "boolean": frozenset({bool}),
    "list": frozenset({list}),
    "object": frozenset({dict}),
}
#: What a variable without a default is tried with.
_EXAMPLES: dict[str, Any] = {
    "string": "Example",
    "number": 7,
    "boolean": True,
    "list": [{"name": "Example"}, {"name": "Sample"}],
    "object": {"name": "Example"},
}
_encode = msgspec.json.Encoder().encode


class Variable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of the schema, as api.md section 5 writes it."""

    type: Literal["string", "number", "boolean", "list", "object"] = "string"
    required: bool = False
    default: Any = None


Variables = Annotated[dict[str, Variable], Meta(max_length=MAX_VARIABLES)]


class VariableFault(Exception):
    """A value the template cannot be rendered with. The message names the variable, never its value."""

    def __init__(self, name: str, code: str, message: str) -> None:
        """Keep the variable's name (empty: all of them together), the stable word and the cure."""
        super().__init__(message)
        self.name = name
        self.code = code
        self.message = message


def check(schema: Schema, variables: dict[str, Any]) -> dict[str, Any]:
    """The values a template is rendered with: defaults filled in, nulls and what the schema lacks left out.

    Raises `VariableFault` for a required variable that is missing, a value of another type, or too much of it all.
    The argument itself comes back when nothing had to change.
    """
    whole = variables.keys() <= schema.keys()
    for name, spec in schema.items():
        value = variables.get(name)
        if value is None:
            if spec.get("default") is not None or name in variables:
                whole = False
            elif spec.get("required"):
                raise _missing(name, spec)
        elif type(value) not in _FITS[spec.get("type", "string")]:
            raise _misfit(name, spec)
    checked = variables if whole else _merged(schema, variables)
    if len(_encode(checked)) > MAX_VARIABLES_BYTES:
        text = f"The variables of one recipient may hold {MAX_VARIABLES_BYTES} bytes of JSON; send less."
        raise VariableFault("", "invalid_variables", text)
    return checked


def schema_faults(variables: Mapping[str, Variable]) -> list[VariableFault]:
    """What is wrong with a schema: names a template cannot say, defaults of another type."""
    faults: list[VariableFault] = []
    for name, spec in variables.items():
        if not _NAME.fullmatch(name) or name in RESERVED:
            text = "A variable's name is a letter, then letters, digits or _, and none of the template's own words."
            faults.append(VariableFault(name, "invalid_variable_name", text))
        elif spec.default is not None and type(spec.default) not in _FITS[spec.type]:
            text = f"The default must be a {spec.type}, as the variable's type says, or null."
            faults.append(VariableFault(name, "invalid_default", text))
    return faults


def examples(schema: Schema, *, complete: bool) -> dict[str, Any]:
    """Values to try a template with: all of them, or only those it can count on."""
    return {
        name: spec["default"] if spec.get("default") is not None else _EXAMPLES[spec.get("type", "string")]
        for name, spec in schema.items()
        if complete or spec.get("required") or spec.get("default") is not None
    }


def _merged(schema: Schema, variables: dict[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for name, spec in schema.items():
        value = variables.get(name)
        if value is None:
            value = spec.get("default")
        if value is not None:
            merged[name] = value
        elif spec.get("required"):
            raise _missing(name, spec)
    return merged


def _missing(name: str, spec: Mapping[str, Any]) -> VariableFault:
    text = f'The template needs the variable "{name}" ({spec.get("type", "string")}); give it a value.'
    return VariableFault(name, "missing_variable", text)


def _misfit(name: str, spec: Mapping[str, Any]) -> VariableFault:
    text = f'The variable "{name}" must be a {spec.get("type", "string")}, as the template says.'
    return VariableFault(name, "invalid_variable", text)
