"""Everybody who is written to, their devices, the types and the templates."""

from __future__ import annotations

from tests.bench.stack import Stack
from tests.bench.workload import PRIORITIES, template_body, type_body, users_bodies


def settle_in(stack: Stack, population: int) -> None:
    """Create all that the runs need: through the API, and the devices by `tests.bench.devices`."""
    calls = [("POST", "/v1/users/bulk", body) for body in users_bodies(population)]
    for key in PRIORITIES:
        calls += [
            ("PUT", f"/v1/types/{key}", type_body(key, template=False)),
            ("POST", "/v1/templates", template_body(key)),
            ("PUT", f"/v1/types/{key}", type_body(key, template=True)),
        ]
    with stack.connection() as api:
        for method, path, body in calls:
            answer = api.call(method, path, body)
            if answer.status not in {200, 201}:
                raise SystemExit(f"bench: {method} {path} was answered {answer.status} {answer.body[:500]!r}")
    stack.run("-m", "tests.bench.devices", str(population))
