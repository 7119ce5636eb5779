"""Everybody who is written to, their devices, the types and the templates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.bench import readers
from tests.bench.stack import Stack
from tests.bench.workload import BULK_TYPE, URGENT_TYPE, Crowd, person, template_body, type_body, users_bodies

#: Of a template: an earlier crowd was told the same.
_THERE_ALREADY = 409


def settle_in(
    stack: Stack,
    population: int,
    crowd: Crowd = Crowd.ANDROID,
    types: Iterable[str] = (BULK_TYPE, URGENT_TYPE),
) -> None:
    """Create what runs need: people and types through the API, and the devices by `tests.bench.devices`."""
    _call(stack, [*_people(population, crowd), *_types(types)])
    if person(0, crowd).token:
        stack.run("-m", "tests.bench.devices", crowd, str(population))


def settle_readers(stack: Stack, first: int, end: int) -> None:
    """Create the readers of campaigns from a number up to another; what they are told, with the first of them."""
    key, type_of = readers.NEWS_TYPE, readers.type_body
    if not first:
        words = ("POST", "/v1/templates", readers.template_body())
        before, after = (("PUT", f"/v1/types/{key}", type_of(template=there)) for there in (False, True))
        _call(stack, [before, words, after])
    stack.run("-m", "tests.bench.readers_fill", str(first), str(end))


def _call(stack: Stack, calls: Iterable[tuple[str, str, bytes]]) -> None:
    with stack.connection() as api:
        for method, path, body in calls:
            answer = api.call(method, path, body)
            if answer.status not in {200, 201, _THERE_ALREADY}:
                raise SystemExit(f"bench: {method} {path} was answered {answer.status} {answer.body[:500]!r}")


def _people(population: int, crowd: Crowd) -> Iterator[tuple[str, str, bytes]]:
    for body in users_bodies(population, crowd):
        yield "POST", "/v1/users/bulk", body


def _types(types: Iterable[str]) -> Iterator[tuple[str, str, bytes]]:
    for key in types:
        yield "PUT", f"/v1/types/{key}", type_body(key, template=False)
        yield "POST", "/v1/templates", template_body(key)
        yield "PUT", f"/v1/types/{key}", type_body(key, template=True)
