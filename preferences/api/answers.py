"""Bodies and headers of this app's answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from channels.vocabulary import Channel
from preferences.conf import MARKETING_DEFAULT
from preferences.vocabulary import DeviceRecord, Preferences

_encode = msgspec.json.Encoder().encode
_ALL_ON = dict.fromkeys(Channel, True)


class OnlyPage(msgspec.Struct, frozen=True):
    """The links of a list that is never longer than one page."""

    next_cursor: str | None = None
    has_more: bool = False


class DeviceList(msgspec.Struct, frozen=True):
    """A user's devices; there are never more than a page."""

    data: list[DeviceRecord]
    page: OnlyPage


def json_answer(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """A struct or a dict as JSON."""
    return HttpResponse(_encode(body), status=status, content_type="application/json", headers=headers)


def preferences_answer(preferences: Preferences) -> HttpResponse:
    """The whole document, defaults spelt out, with its version as ETag."""
    wants = MARKETING_DEFAULT if preferences.marketing_opt_in is None else preferences.marketing_opt_in
    document = msgspec.structs.asdict(preferences) | {
        "channels": _ALL_ON | preferences.channels,
        "marketing_opt_in": wants,
    }
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
