"""Bodies and headers of this app's answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from channels.vocabulary import Channel
from preferences.vocabulary import Preferences

_encode = msgspec.json.Encoder().encode
_ALL_ON = dict.fromkeys(Channel, True)


def json_answer(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """A struct or a dict as JSON."""
    return HttpResponse(_encode(body), status=status, content_type="application/json", headers=headers)


def whole_list(rows: Sequence[Any]) -> HttpResponse:
    """A list that is never longer than one page."""
    return json_answer({"data": rows, "page": {"next_cursor": None, "has_more": False}})


def preferences_answer(preferences: Preferences) -> HttpResponse:
    """The whole document, defaults spelt out, with its version as ETag."""
    document = msgspec.structs.asdict(preferences) | {"channels": _ALL_ON | preferences.channels}
    return json_answer(document, headers={"ETag": f'"{preferences.version}"'})


def if_match(request: Request) -> Callable[[int], bool]:
    """The condition of the `If-Match` header; none: any version will do.

    A proxy that compresses answers makes strong tags weak ones; ours name a version all the same.
    """
    header: str | None = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return lambda _: True
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}
    return lambda version: str(version) in tags
