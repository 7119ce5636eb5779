"""`POST /v1/segments/preview`: how many, some of them, and where a segment is wrong."""

from __future__ import annotations

import pytest

from notify.vocabulary import Scope
from preferences import store
from preferences.vocabulary import Profile
from tests.factories import Api, make_key

pytestmark = pytest.mark.django_db

PATH = "/v1/segments/preview"


@pytest.fixture
def _people(db: None) -> None:
    def person(country: str, last_active: str) -> Profile:
        attributes = f'{{"last_active": "{last_active}"}}'
        return Profile(email=None, phone=None, locale="en", timezone="", country_code=country, attributes=attributes)

    store.upsert(
        {
            "u_us": person("US", "2026-03-01T10:00:00Z"),
            "u_ca": person("CA", "2026-03-01"),
            "u_gb": person("GB", "2026-03-01"),
            "u_old": person("US", "2025-12-31T23:59:59Z"),
        }
    )


@pytest.mark.usefixtures("_people")
def test_a_segment_is_counted_and_some_of_its_people_are_shown(api: Api) -> None:
    answer = api.post(PATH, {"segment": "last_active > '2026-01-01' AND country IN ('US','CA')"})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["count"], body["is_estimate"]) == (2, False)
    assert {one["user_id"] for one in body["sample"]} == {"u_us", "u_ca"}
    assert {"user_id": "u_us", "country_code": "US", "locale": "en", "timezone": ""} in body["sample"]


@pytest.mark.usefixtures("_people")
@pytest.mark.parametrize(("segment", "count"), [("TRUE", 4), ("FALSE", 0), ("EXISTS nothing", 0), ("NOT nothing", 4)])
def test_everybody_and_nobody_are_answered_as_any_other(api: Api, segment: str, count: int) -> None:
    body = api.post(PATH, {"segment": segment}).json()
    assert (body["count"], len(body["sample"])) == (count, count)


def test_a_bad_segment_is_refused_with_the_position_of_the_fault(api: Api) -> None:
    answer = api.post(PATH, {"segment": "plan = 'gold'\nAND country = 'UK'"})
    assert answer.status_code == 422
    body = answer.json()
    assert body["code"] == "invalid_segment"
    assert body["detail"] == "This is no ISO 3166-1 country; write two letters, for example GB. (line 2, column 15)"
    (error,) = body["errors"]
    assert (error["pointer"], error["code"]) == ("/segment", "invalid_segment")
    assert error["position"] == {"line": 2, "column": 15, "offset": 28}


def test_a_fault_of_a_whole_field_has_no_position(api: Api) -> None:
    for body in ({"segment": 5}, {"segment": "a" * 50_001}, {}):
        (error,) = api.post(PATH, body).json()["errors"]
        assert (error["code"], set(error)) == ("invalid_segment", {"pointer", "code", "message"})


@pytest.mark.parametrize(("scope", "status"), [(Scope.BULK, 200), (Scope.READ, 200), (Scope.SEND, 403)])
def test_who_sends_in_bulk_or_reads_may_ask(scope: Scope, status: int) -> None:
    assert Api(make_key(scopes=[scope])).post(PATH, {"segment": "TRUE"}).status_code == status


def test_a_stranger_may_not_ask(stranger: Api) -> None:
    assert stranger.post(PATH, {"segment": "TRUE"}).status_code == 401
