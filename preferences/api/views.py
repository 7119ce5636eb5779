"""Users, what they allow, and their devices."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from channels.rules.wire import decode
from preferences import allow, register, upsert
from preferences.api.answers import DeviceList, OnlyPage, if_match, json_answer, preferences_answer
from preferences.api.origins import origin_of
from preferences.errors import UnknownDevice, UnknownUser
from preferences.rules.intake import bulk_bodies, invalid_id, is_id
from preferences.rules.requests import (
    BulkUsers,
    DeviceBody,
    DevicePatch,
    PreferencesBody,
    PreferencesPatch,
    UserBody,
    UserPatch,
)
from preferences.upsert import UpsertResults
from preferences.vocabulary import DeviceRecord, Preferences, UserRecord

_CREATED, _OK, _NO_CONTENT = 201, 200, 204
_USERS = "users"

#: What the views say of themselves for the OpenAPI document, by method.
_Bodies = dict[str, type]
_Answers = dict[str, dict[int, Any]]
_Codes = dict[int, tuple[str, ...]]
_Refusals = dict[str, _Codes]

_UNKNOWN: _Codes = {404: ("unknown_user",)}
_ERASED: _Codes = {409: ("user_erased",)}
_STALE: _Codes = {412: ("version_conflict",)}
_CROWDED: _Codes = {422: ("too_many_devices",)}


class _OfUser(APIView):
    """Whatever lies below one user: a path that can name none is answered before the database is asked."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Credential and scope first, so that nothing is learnt without them."""
        super().initial(request, *args, **kwargs)
        for name, unknown in (("user_id", UnknownUser), ("device_id", UnknownDevice)):
            if name in kwargs and not is_id(kwargs[name]):
                raise invalid_id(name) if request.method == "PUT" else unknown()


class UserView(_OfUser):
    """One user, in full: for the owner's own systems only."""

    scopes: ClassVar[dict[str, str]] = dict.fromkeys(("GET", "PUT", "PATCH", "DELETE"), _USERS)
    bodies: ClassVar[_Bodies] = {"PUT": UserBody, "PATCH": UserPatch}
    answers: ClassVar[_Answers] = {
        "GET": {200: UserRecord},
        "PUT": {200: UserRecord, 201: UserRecord},
        "PATCH": {200: UserRecord},
        "DELETE": {204: None},
    }
    refusals: ClassVar[_Refusals] = {"GET": _UNKNOWN, "PUT": _ERASED, "PATCH": _UNKNOWN | _ERASED, "DELETE": _UNKNOWN}

    def get(self, _request: Request, user_id: str) -> HttpResponse:
        """The user with status and addresses."""
        return json_answer(upsert.get_user(user_id))

    def put(self, request: Request, user_id: str) -> HttpResponse:
        """Create or replace; 201 when new."""
        record, is_new = upsert.put_user(user_id, decode(request.body, UserBody))
        return json_answer(record, status=_CREATED if is_new else _OK)

    def patch(self, request: Request, user_id: str) -> HttpResponse:
        """Change some fields (RFC 7396)."""
        return json_answer(upsert.patch_user(user_id, decode(request.body, UserPatch)))

    def delete(self, _request: Request, user_id: str) -> HttpResponse:
        """Stop sending to the user; what is held of them stays until they are erased."""
        upsert.delete_user(user_id)
        return HttpResponse(status=_NO_CONTENT)


class BulkUsersView(APIView):
    """Up to 1,000 users at once."""

    scopes: ClassVar[dict[str, str]] = {"POST": _USERS}
    bodies: ClassVar[_Bodies] = {"POST": BulkUsers}
    answers: ClassVar[_Answers] = {"POST": {200: UpsertResults}}
    refusals: ClassVar[_Refusals] = {"POST": {422: ("too_many_users",)}}

    def post(self, request: Request) -> HttpResponse:
        """Create or replace each; those in error are told one by one and do not hold up the others."""
        return json_answer({"results": upsert.put_users(bulk_bodies(request.body))})


class PreferencesView(_OfUser):
    """What a user allows."""

    scopes: ClassVar[dict[str, str]] = dict.fromkeys(("GET", "PUT", "PATCH"), _USERS)
    user_token_allowed = True
    bodies: ClassVar[_Bodies] = {"PUT": PreferencesBody, "PATCH": PreferencesPatch}
    headers: ClassVar[dict[str, tuple[str, ...]]] = {"PUT": ("If-Match",), "PATCH": ("If-Match",)}  # type: ignore[misc, assignment]  # DRF's view has a `headers` of its own
    answers: ClassVar[_Answers] = {method: {200: Preferences} for method in ("GET", "PUT", "PATCH")}
    refusals: ClassVar[_Refusals] = {"GET": _UNKNOWN} | dict.fromkeys(("PUT", "PATCH"), _UNKNOWN | _ERASED | _STALE)

    def get(self, _request: Request, user_id: str) -> HttpResponse:
        """The document and its ETag."""
        return preferences_answer(allow.get_preferences(user_id))

    def put(self, request: Request, user_id: str) -> HttpResponse:
        """Replace the document; with `If-Match` only the version that was read."""
        body = decode(request.body, PreferencesBody)
        origin = origin_of(request, body.evidence)
        return preferences_answer(allow.put_preferences(user_id, body.document(), if_match(request), origin))

    def patch(self, request: Request, user_id: str) -> HttpResponse:
        """Change some of it (RFC 7396); with `If-Match` only of the version that was read."""
        patch = decode(request.body, PreferencesPatch)
        origin = origin_of(request, patch.evidence)
        return preferences_answer(allow.patch_preferences(user_id, patch, if_match(request), origin))


class DevicesView(_OfUser):
    """A user's devices."""

    scopes: ClassVar[dict[str, str]] = dict.fromkeys(("GET", "POST"), _USERS)
    user_token_allowed = True
    bodies: ClassVar[_Bodies] = {"POST": DeviceBody}
    answers: ClassVar[_Answers] = {"GET": {200: DeviceList}, "POST": {200: DeviceRecord, 201: DeviceRecord}}
    refusals: ClassVar[_Refusals] = {"GET": _UNKNOWN, "POST": _UNKNOWN | _ERASED | _CROWDED}

    def get(self, _request: Request, user_id: str) -> HttpResponse:
        """List a user's devices, each token only by its end."""
        return json_answer(DeviceList(register.list_devices(user_id), OnlyPage()))

    def post(self, request: Request, user_id: str) -> HttpResponse:
        """Register a device; 201 when new, 200 when it was registered already."""
        body = decode(request.body, DeviceBody)
        view, is_new = register.register_device(user_id, body, now=timezone.now())
        return json_answer(view, status=_CREATED if is_new else _OK)


class DeviceView(_OfUser):
    """One device."""

    scopes: ClassVar[dict[str, str]] = dict.fromkeys(("PUT", "DELETE"), _USERS)
    user_token_allowed = True
    bodies: ClassVar[_Bodies] = {"PUT": DevicePatch}
    answers: ClassVar[_Answers] = {"PUT": {200: DeviceRecord, 201: DeviceRecord}, "DELETE": {204: None}}
    refusals: ClassVar[_Refusals] = {
        "PUT": _UNKNOWN | _ERASED | _CROWDED,
        "DELETE": {404: ("unknown_user", "unknown_device")},
    }

    def put(self, request: Request, user_id: str, device_id: str) -> HttpResponse:
        """Register it, say that it was seen, or exchange its token."""
        body = decode(request.body, DevicePatch)
        view, is_new = register.refresh_device(user_id, device_id, body, now=timezone.now())
        return json_answer(view, status=_CREATED if is_new else _OK)

    def delete(self, _request: Request, user_id: str, device_id: str) -> HttpResponse:
        """Send nothing to it any more."""
        register.remove_device(user_id, device_id)
        return HttpResponse(status=_NO_CONTENT)
