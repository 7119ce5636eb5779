"""What comes in as JSON, checked against a struct; a fault names the field by JSON pointer and the cure.

`decode` is on the way of every request: its checks beyond msgspec's own are byte searches, unless something
is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, TypeVar

import msgspec
from msgspec import inspect as shapes

from channels.errors import FieldError, Refusal

#: Levels of lists and objects. Our deepest shape has six; the rest is the caller's variables and metadata.
MAX_DEPTH = 16
#: Characters of a caller's unknown field name that are shown back.
_SHOWN = 60

_Shape = TypeVar("_Shape")
_Path = list[str | int]
_decoders: dict[object, msgspec.json.Decoder[Any]] = {}

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_WHERE = re.compile(r"^(?P<text>.*?)(?: - at (?:`key` in )?`(?P<path>\$[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"^Object contains unknown field `(?P<name>.*)`$", re.DOTALL)
_MISSING = re.compile(r"^Object missing required field `(?P<name>.*)`$", re.DOTALL)
_KINDS = {
    "`str`": "a string",
    "`int`": "a whole number",
    "`float`": "a number",
    "`bool`": "true or false",
    "`object`": "an object",
    "`array`": "a list",
    "`null`": "null",
}
_OTHER = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


def decode(body: bytes, struct_type: type[_Shape]) -> _Shape:
    """The body as `struct_type`; raises `Refusal` 400 when it is no JSON, 422 when it has another shape.

    Strings with NUL or half a surrogate pair are refused too: PostgreSQL and the providers cannot hold them.
    """
    try:
        decoded = _decoder(struct_type).decode(body)
    except msgspec.ValidationError as fault:
        _refuse(fault, struct_type)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        _refuse_text(body, struct_type)
        raise _malformed(str(fault)) from None
    except RecursionError:
        raise _too_deep() from None
    if b"\\u0000" in body:
        _refuse_text(body, struct_type)
    if _is_deep(body):
        raise _too_deep()
    return decoded


def from_query(query: Mapping[str, str], struct_type: type[_Shape]) -> _Shape:
    """Query parameters as `struct_type`, each given once; the pointer of a fault is the parameter's name."""
    try:
        converted = msgspec.convert(dict(query), struct_type, strict=False)
    except msgspec.ValidationError as fault:
        _refuse(fault, struct_type, root="")
    for name, value in query.items():
        if _is_unfit(value):
            raise _fault(name, f"invalid_{name}", "Holds a character that is not text.")
    return converted


def to_pointer(path: str) -> str:
    """The path of msgspec as a JSON pointer: `$.recipients[0].user_id` is `/recipients/0/user_id`.

    It ends at the first object with free keys, because msgspec does not tell the key.
    """
    return _pointer(_steps(path))


def schema_of(struct_type: Any) -> dict[str, Any]:
    """The JSON schema of a struct (or any annotation), self-contained; structs carry their name as title."""
    (schema,), components = msgspec.json.schema_components([struct_type], ref_template="{name}")
    inlined: dict[str, Any] = _inlined(schema, components)
    return inlined


def _decoder(struct_type: type[_Shape]) -> msgspec.json.Decoder[_Shape]:
    """One compiled decoder per type: making one costs more than most bodies do."""
    decoder = _decoders.get(struct_type)
    if decoder is None:
        decoder = _decoders[struct_type] = msgspec.json.Decoder(struct_type)
    return decoder


def _inlined(node: Any, components: Mapping[str, Any]) -> Any:
    """The schema with every reference replaced by what it refers to."""
    if isinstance(node, dict):
        if "$ref" in node:
            return _inlined(components[node["$ref"]], components)
        return {key: _inlined(value, components) for key, value in node.items()}
    return [_inlined(value, components) for value in node] if isinstance(node, list) else node


def _is_deep(body: bytes) -> bool:
    """Whether well-formed JSON nests deeper than allowed; byte operations, no step per bracket."""
    brackets = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _OTHER).replace(b'""', b"")
    if b'"' in brackets:
        # Some string holds brackets: an opening quote before it found no partner.
        brackets = _TEXT.sub(b"", body).translate(None, _OTHER)
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    return bool(brackets)


def _refuse(fault: msgspec.ValidationError, struct_type: Any, *, root: str = "/") -> NoReturn:
    """Say in the caller's words what msgspec found."""
    found = _WHERE.match(str(fault))
    text, where = (found["text"], found["path"] or "$") if found else (str(fault), "$")
    steps = _steps(where)
    if unknown := _UNKNOWN.match(text):
        name = unknown["name"][:_SHOWN]
        known = _names_at(struct_type, steps)
        message = f"There is no such field here; known are {', '.join(known)}." if known else "There is no such field."
        raise _fault(root + _pointer([*steps, name])[1:], "unknown_field", message) from None
    if missing := _MISSING.match(text):
        steps = [*steps, missing["name"]]
        text = "This field is required"
    field, shape = _follow(struct_type, steps)
    message = f"{_in_words(text, shape)}."
    raise _fault(root + _pointer(steps)[1:] if steps else "", f"invalid_{field}", message) from None


def _refuse_text(body: bytes, struct_type: Any) -> None:
    """Refuse the first string that cannot be stored, by its place; return when there is none."""
    try:
        parsed = json.loads(body.decode())
    except (ValueError, RecursionError):
        return
    for path, text in _strings(parsed):
        if _is_unfit(text):
            field, _ = _follow(struct_type, path)
            message = "Holds NUL or half a surrogate pair; send well-formed Unicode text without them."
            raise _fault(_pointer(path), f"invalid_{field}", message) from None


def _is_unfit(text: str) -> bool:
    return "\0" in text or any("\ud800" <= character <= "\udfff" for character in text)


def _strings(parsed: Any) -> Iterator[tuple[_Path, str]]:
    """Every string of a parsed body with its path; a key stands for the object that holds it."""
    rest: list[tuple[_Path, Any]] = [([], parsed)]
    while rest:
        path, node = rest.pop()
        if isinstance(node, str):
            yield path, node
        elif isinstance(node, dict):
            rest += [(path, key) for key in node]
            rest += [([*path, key], value) for key, value in node.items() if not _is_unfit(key)]
        elif isinstance(node, list):
            rest += [([*path, at], value) for at, value in enumerate(node)]


def _steps(path: str) -> _Path:
    steps: _Path = []
    for match in _STEP.finditer(path):
        name, index = match.groups()
        if index == "...":
            break
        steps.append(name if name is not None else int(index))
    return steps


def _pointer(steps: _Path) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def _follow(struct_type: Any, steps: _Path) -> tuple[str, shapes.Type | None]:
    """The last declared field on the way (`body` when there is none), and the shape at its end."""
    field = "body"
    shape: shapes.Type | None = shapes.type_info(struct_type)
    for step in steps:
        shape, named = _step_into(shape, step)
        if named:
            field = str(step)
    return field, shape


def _step_into(shape: shapes.Type | None, step: str | int) -> tuple[shapes.Type | None, bool]:
    """The shape one step further in, and whether a struct declares it by name."""
    for option in _options(shape):
        if isinstance(option, shapes.StructType):
            for field in option.fields:
                if field.encode_name == step:
                    return field.type, True
        elif isinstance(option, shapes.DictType):
            return option.value_type, False
        elif isinstance(option, shapes.CollectionType):
            return option.item_type, False
    return None, False


def _names_at(struct_type: Any, steps: _Path) -> list[str]:
    """The fields a struct at this place has."""
    _, shape = _follow(struct_type, steps)
    structs = [option for option in _options(shape) if isinstance(option, shapes.StructType)]
    return [field.encode_name for option in structs for field in option.fields]


def _options(shape: shapes.Type | None) -> tuple[shapes.Type, ...]:
    if isinstance(shape, shapes.UnionType):
        return shape.types
    return (shape,) if shape is not None else ()


def _in_words(text: str, shape: shapes.Type | None) -> str:
    """Without Python's names; and for a word from a list, the list instead of what was sent."""
    for option in _options(shape):
        if text.startswith("Invalid enum value") and isinstance(option, (shapes.EnumType, shapes.LiteralType)):
            words = option.values if isinstance(option, shapes.LiteralType) else [one.value for one in option.cls]
            return f"Give one of {', '.join(str(word) for word in words)}"
    if text.startswith("Invalid RFC3339"):
        return f"{text.replace('RFC3339 encoded', 'RFC 3339')}; write for example 2027-04-15T12:00:00Z"
    for kind, word in _KINDS.items():
        text = text.replace(kind, word)
    return text


def _malformed(why: str) -> Refusal:
    # The reason may quote nothing of the body: msgspec tells byte positions only, the codec tells the byte.
    place = re.search(r"\(byte \d+\)", why)
    return Refusal(
        f"The body is not well-formed JSON in UTF-8{f' {place[0]}' if place else ''}.",
        code="malformed_json",
        status=400,
    )


def _too_deep() -> Refusal:
    return _fault("", "invalid_body", f"Lists and objects may nest {MAX_DEPTH} deep; flatten the body.")


def _fault(pointer: str, code: str, message: str) -> Refusal:
    return Refusal(message, code=code, status=422, errors=[FieldError(pointer, code, message)])
