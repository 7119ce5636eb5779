from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from channels.errors import FieldError, Refusal
from channels.rules.wire import MAX_DEPTH, decode, from_query, schema_of, to_pointer


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    user_id: Annotated[str, Meta(min_length=1)]
    variables: dict[str, Any] = {}
    counts: dict[str, int] = {}


class Outer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    recipients: list[Inner] = []
    colour: Colour | None = None
    at: datetime | None = None
    metadata: Any = None


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    type: str = ""


def refusal(body: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        decode(body, Outer)
    return caught.value


def test_a_good_body_becomes_the_struct() -> None:
    assert decode(b'{"recipients":[{"user_id":"u_1"}]}', Outer) == Outer(recipients=[Inner("u_1")])


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"metadata": NaN}', b'{"metadata":"\x00"}', b"{}x", b"nul"])
def test_what_is_no_json_is_400(body: bytes) -> None:
    caught = refusal(body)
    assert (caught.status, caught.code, caught.errors) == (400, "malformed_json", ())


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        (b"[]", "invalid_body", ""),
        (b'{"colour":"green"}', "invalid_colour", "/colour"),
        (b'{"recipients":[{"user_id":"a"},{"user_id":7}]}', "invalid_user_id", "/recipients/1/user_id"),
        (b'{"recipients":[{}]}', "invalid_user_id", "/recipients/0/user_id"),
        (b'{"recipients":[{"user_id":"a","counts":{"x":"y"}}]}', "invalid_counts", "/recipients/0/counts"),
        (b'{"at":"tomorrow"}', "invalid_at", "/at"),
        (b'{"nope":1}', "unknown_field", "/nope"),
        (b'{"recipients":[{"user_id":"a","a/b~c":1}]}', "unknown_field", "/recipients/0/a~1b~0c"),
    ],
)
def test_a_wrong_shape_is_422_with_its_place(body: bytes, code: str, pointer: str) -> None:
    caught = refusal(body)
    assert (caught.status, caught.code) == (422, code)
    assert [(error.pointer, error.code) for error in caught.errors] == [(pointer, code)]


def test_the_message_tells_the_cure_and_not_what_was_sent() -> None:
    assert refusal(b'{"colour":"+15551234567"}').detail == "Give one of red, blue."
    assert refusal(b'{"nope":1}').detail == "There is no such field here; known are recipients, colour, at, metadata."
    assert refusal(b'{"recipients":{}}').detail == "Expected a list, got an object."


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        (rb'{"metadata":{"a":["x","\u0000"]}}', "invalid_metadata", "/metadata/a/1"),
        (rb'{"recipients":[{"user_id":"\ud800"}]}', "invalid_user_id", "/recipients/0/user_id"),
        (
            rb'{"recipients":[{"user_id":"a","variables":{"n":"\udc00x"}}]}',
            "invalid_variables",
            "/recipients/0/variables/n",
        ),
        (rb'{"metadata":{"\u0000":1}}', "invalid_metadata", "/metadata"),
    ],
)
def test_text_that_cannot_be_stored_is_422_with_its_place(body: bytes, code: str, pointer: str) -> None:
    caught = refusal(body)
    assert (caught.status, caught.code, caught.errors[0].pointer) == (422, code, pointer)


def test_whole_surrogate_pairs_and_written_escapes_are_text() -> None:
    assert decode(rb'{"metadata":"\ud83d\ude00 \\u0000"}', Outer).metadata == "\U0001f600 \\u0000"


@pytest.mark.parametrize("noise", [b"", b'"]"', b'"\\"]["', b'"[[[["', b'"}\\\\"'])
def test_only_nesting_beyond_the_limit_is_refused(noise: bytes) -> None:
    def nested(depth: int) -> bytes:
        inner = b"," + noise if noise else b""
        return b'{"metadata":' + b"[1," * depth + (noise or b"0") + (inner + b"]") * depth + b"}"

    decode(nested(MAX_DEPTH - 1), Outer)
    assert refusal(nested(MAX_DEPTH)).errors[0].code == "invalid_body"
    assert refusal(nested(50_000)).code == "invalid_body"


@given(
    st.recursive(
        st.text(st.characters(exclude_categories=["Cs"])) | st.integers(-(2**60), 2**60),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=12,
    )
)
def test_whatever_is_json_is_decoded_or_refused(value: Any) -> None:
    body = msgspec.json.encode({"metadata": value})
    if rb"\u0000" in body:
        assert refusal(body).status == 422
    else:
        assert decode(body, Outer).metadata == value


def test_query_parameters_are_converted_and_named() -> None:
    assert from_query({"limit": "5"}, Query) == Query(limit=5)
    with pytest.raises(Refusal) as caught:
        from_query({"limit": "500"}, Query)
    assert caught.value.errors == (FieldError("limit", "invalid_limit", "Expected a whole number <= 100."),)
    with pytest.raises(Refusal, match="no such field"):
        from_query({"surprise": "5"}, Query)
    with pytest.raises(Refusal, match="not text"):
        from_query({"type": "a\0"}, Query)


def test_a_path_becomes_a_json_pointer() -> None:
    assert to_pointer("$.recipients[0].user_id") == "/recipients/0/user_id"
    assert to_pointer("$.data[...].x") == "/data"
    assert to_pointer("$") == ""


def test_a_schema_is_self_contained() -> None:
    schema = schema_of(Outer)
    assert schema["title"] == "Outer"
    assert schema["properties"]["recipients"]["items"]["required"] == ["user_id"]
    assert "$ref" not in str(schema)
