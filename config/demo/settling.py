"""Everything that must be there before the first notification; doing it again changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from config.demo.client import Api
from config.demo.people import Person
from config.demo.place import DemoFault
from config.demo.words import TEMPLATES, TYPES


def settle_in(api: Api, people: Sequence[Person]) -> None:
    """Create people with their devices and preferences, types and templates, all through the API."""
    _create_people(api, people)
    for key, body in TYPES.items():
        if not api.is_answered(
            f"/v1/types/{key}"
        ):  # a template needs its type, and the type names the template afterwards
            api.put(f"/v1/types/{key}", {name: value for name, value in body.items() if name != "template_id"})
    for template in TEMPLATES:
        _create_template(api, template)
    for key, body in TYPES.items():
        api.put(f"/v1/types/{key}", body)


def _create_people(api: Api, people: Sequence[Person]) -> None:
    results = api.post("/v1/users/bulk", {"users": [person.profile() for person in people]})["results"]
    refused = [one for one in results if one["status"] == "rejected"]
    if refused:
        raise DemoFault(f"{refused[0]['user_id']} was refused as a user: {refused[0]['code']}")
    for person in people:
        path = f"/v1/users/{person.user_id}"
        api.put(f"{path}/preferences", person.preferences)
        for number, token in enumerate(person.tokens, start=1):
            api.put(f"{path}/devices/{person.user_id}-{number}", {"platform": person.platform, "token": token})


def _create_template(api: Api, template: dict[str, Any]) -> None:
    """Create a template, or a new version where an older demo has left other words."""
    name = template["template_id"]
    if not api.is_answered(f"/v1/templates/{name}"):
        api.post("/v1/templates", template)
        return
    words = {key: template[key] for key in ("channels", "variables")}
    published = api.get(f"/v1/templates/{name}", dict[str, Any])
    if published["channels"] != words["channels"]:
        api.post(f"/v1/templates/{name}/versions", words | {"publish": True})
