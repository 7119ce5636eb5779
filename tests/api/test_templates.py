"""`/v1/templates` over HTTP: create, add, publish, roll back, change, read, list."""

from typing import Any

import pytest

from notify.vocabulary import Scope
from tests.factories import Api, make_key
from tests.wordings import SECOND, SHIPPED


@pytest.fixture
def shop(api: Api) -> Api:
    """A caller whose template has been created."""
    assert api.post("/v1/templates", SHIPPED).status_code == 201
    return api


def test_a_new_template_is_published_at_once(api: Api) -> None:
    answer = api.post("/v1/templates", SHIPPED)
    made = answer.json()
    assert answer.status_code == 201
    assert (made["version"], made["published_version"]) == (1, 1)
    assert made["channels"] == SHIPPED["channels"]
    assert made["variables"]["name"] == {"type": "string", "required": False, "default": "friend"}
    assert made["versions"][0]["created_by"].startswith("API key ")
    assert api.get("/v1/templates/order_shipped").json() == made


def test_a_new_template_can_wait_to_be_published(api: Api) -> None:
    made = api.post("/v1/templates", {**SHIPPED, "publish": False}).json()
    assert (made["version"], made["published_version"], made["versions"][0]["published_at"]) == (1, None, None)


def test_an_id_can_be_taken_once(shop: Api) -> None:
    answer = shop.post("/v1/templates", {**SHIPPED, **SECOND})
    assert (answer.status_code, answer.json()["code"]) == (409, "template_exists")
    assert shop.get("/v1/templates/order_shipped").json()["channels"] == SHIPPED["channels"]


def test_a_version_waits_until_it_is_published_and_an_older_one_rolls_back(shop: Api) -> None:
    added = shop.post("/v1/templates/order_shipped/versions", SECOND)
    assert (added.status_code, added.json()["version"], added.json()["published_version"]) == (201, 2, 1)
    published = shop.post("/v1/templates/order_shipped/versions/2/publish")
    assert (published.status_code, published.json()["published_version"]) == (200, 2)
    assert shop.get("/v1/templates/order_shipped").json()["channels"] == SECOND["channels"]
    back = shop.post("/v1/templates/order_shipped/versions/1/publish").json()
    assert back["published_version"] == 1
    assert [line["is_published"] for line in back["versions"]] == [False, True]


def test_a_version_can_be_published_with_its_creation(shop: Api) -> None:
    added = shop.post("/v1/templates/order_shipped/versions", {**SECOND, "publish": True}).json()
    assert (added["version"], added["published_version"]) == (2, 2)


def test_the_words_of_any_version_can_be_read(shop: Api) -> None:
    shop.post("/v1/templates/order_shipped/versions", {**SECOND, "publish": True})
    assert shop.get("/v1/templates/order_shipped?version=1").json()["channels"] == SHIPPED["channels"]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/v1/templates/none", "unknown_template"),
        ("GET", "/v1/templates/a%20b", "unknown_template"),
        ("GET", "/v1/templates/order_shipped?version=2", "unknown_version"),
        ("PATCH", "/v1/templates/none", "unknown_template"),
        ("POST", "/v1/templates/none/versions", "unknown_template"),
        ("POST", "/v1/templates/none/versions/1/publish", "unknown_template"),
        ("POST", "/v1/templates/order_shipped/versions/2/publish", "unknown_version"),
        ("POST", "/v1/templates/order_shipped/versions/99999999999999999999/publish", "unknown_version"),
        ("POST", "/v1/templates/none/preview", "unknown_template"),
    ],
)
def test_what_does_not_exist_is_404_with_its_code(shop: Api, method: str, path: str, code: str) -> None:
    body = SECOND if path.endswith("versions") else {}
    answer = shop.call(method, path, body if method != "GET" else None)
    assert (answer.status_code, answer.json()["code"]) == (404, code)


@pytest.mark.parametrize(
    ("channels", "code", "pointer", "words"),
    [
        ({"push": {"en": {"title": "{{ nobody }}"}}}, "undeclared_variable", "/channels/push/en/title", "nobody"),
        ({"push": {"en": {"title": "{% set a = 1 %}"}}}, "template_unsafe", "/channels/push/en/title", "line 1"),
        ({"push": {"en": {"title": "{{ order_id"}}}, "template_syntax", "/channels/push/en/title", "no end"),
        ({"push": {"en": {"titel": "x", "body": "y"}}}, "unknown_field", "/channels/push/en/titel", "title"),
        ({"push": {"de": {"title": "x"}}}, "missing_default_locale", "/channels/push", "en"),
        (
            {"push": {"en": {"title": "x"}, "not a tag": {"title": "x"}}},
            "invalid_locale",
            "/channels/push/not a tag",
            "BCP",
        ),
        ({"push": {"en": {}}}, "missing_field", "/channels/push/en", "title"),
        ({"email": {"en": {"body": "x"}}}, "missing_field", "/channels/email/en/subject", "subject"),
        ({"fax": {"en": {"body": "x"}}}, "invalid_channels", "/channels/fax", "push"),
        ({}, "invalid_channels", "/channels", "channel"),
        (
            {"email": {"en": {"subject": "x", "mjml_body": "<mjml>"}}},
            "invalid_mjml",
            "/channels/email/en/mjml_body",
            "MJML",
        ),
        (
            {"email": {"en": {"subject": "x", "html_body": "<script>1</script>"}}},
            "template_unsafe",
            "/channels/email/en/html_body",
            "script",
        ),
        ({"push": {"en": {"title": "x", "action_url": "javascript:1"}}}, "invalid_link", "/channels/push/en", "https"),
    ],
)
def test_a_faulty_template_is_refused_with_channel_locale_field_and_cure(
    api: Api, channels: Any, code: str, pointer: str, words: str
) -> None:
    answer = api.post("/v1/templates", {**SHIPPED, "channels": channels})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_template")
    error = answer.json()["errors"][0]
    assert (error["code"], error["pointer"]) == (code, pointer)
    assert words.replace("BCP", "language tag") in error["message"]
    assert api.get("/v1/templates/order_shipped").status_code == 404


def test_every_undeclared_variable_is_told_at_once(api: Api) -> None:
    channels = {"push": {"en": {"title": "{{ a }}{{ b }}"}, "de": {"title": "{{ c }}"}}}
    errors = api.post("/v1/templates", {**SHIPPED, "channels": channels}).json()["errors"]
    assert [error["message"].split(": ")[0] for error in errors] == [
        "push, en, title",
        "push, en, title",
        "push, de, title",
    ]


@pytest.mark.parametrize(
    ("variables", "pointer"),
    [
        ({"user": {"type": "string"}}, "/variables/user"),
        ({"_x": {"type": "string"}}, "/variables/_x"),
        ({"n": {"type": "number", "default": "seven"}}, "/variables/n"),
    ],
)
def test_a_faulty_schema_is_refused_by_name(api: Api, variables: Any, pointer: str) -> None:
    answer = api.post("/v1/templates", {**SHIPPED, "channels": SECOND["channels"], "variables": variables})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


def test_a_template_that_crashes_its_reader_is_refused_and_the_next_one_is_not(api: Api) -> None:
    deep = "<mjml><mj-body>" + "<mj-wrapper>" * 3_000 + "</mj-wrapper>" * 3_000 + "</mj-body></mjml>"
    email = {"email": {"en": {"subject": "x", "mjml_body": deep}}}
    answer = api.post("/v1/templates", {**SHIPPED, "channels": email})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "template_too_costly")
    assert api.post("/v1/templates", SHIPPED).status_code == 201


def test_the_default_language_changes_only_to_one_the_words_have(shop: Api) -> None:
    answer = shop.patch("/v1/templates/order_shipped", {"default_locale": "es"})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "missing_default_locale")
    assert shop.patch("/v1/templates/order_shipped", {"default_locale": "en-gb"}).json()["default_locale"] == "en-GB"


def test_the_type_changes_unless_another_one_names_the_template(shop: Api) -> None:
    shop.put("/v1/types/ORDER_SHIPPED", {"category": "transaction", "template_id": "order_shipped"})
    answer = shop.patch("/v1/templates/order_shipped", {"type": "OTHER"})
    assert (answer.status_code, answer.json()["code"]) == (422, "template_type_mismatch")
    shop.put("/v1/types/ORDER_SHIPPED", {"category": "transaction"})
    assert shop.patch("/v1/templates/order_shipped", {"type": "OTHER"}).json()["type"] == "OTHER"


def test_a_version_in_another_default_language_is_refused(shop: Api) -> None:
    answer = shop.post("/v1/templates/order_shipped/versions", {**SECOND, "default_locale": "pt"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_default_locale")
    assert shop.post("/v1/templates/order_shipped/versions", {**SECOND, "default_locale": "EN"}).status_code == 201


def test_templates_are_listed_in_pages_and_by_type(shop: Api) -> None:
    shop.post("/v1/templates", {"template_id": "a_code", "type": "VERIFICATION_CODE", **SECOND, "publish": False})
    first = shop.get("/v1/templates?limit=1").json()
    assert [row["template_id"] for row in first["data"]] == ["a_code"]
    assert (first["data"][0]["published_version"], first["data"][0]["latest_version"]) == (None, 1)
    second = shop.get(f"/v1/templates?cursor={first['page']['next_cursor']}").json()
    assert second["data"][0]["channels"] == ["email", "push", "sms"]
    by_type = shop.get("/v1/templates?type=VERIFICATION_CODE").json()
    assert [row["template_id"] for row in by_type["data"]] == ["a_code"]


def test_languages_are_stored_in_their_usual_spelling(api: Api) -> None:
    body = {
        **SHIPPED,
        "default_locale": "EN_us",
        "channels": {"sms": {"en_us": {"body": "x"}, "zh-hant": {"body": "y"}}},
    }
    made = api.post("/v1/templates", body).json()
    assert made["default_locale"] == "en-US"
    assert sorted(made["channels"]["sms"]) == ["en-US", "zh-Hant"]


@pytest.mark.parametrize("path", ["/v1/templates", "/v1/templates/x", "/v1/types", "/v1/types/X"])
def test_types_and_templates_need_their_scope(db: None, path: str) -> None:
    assert Api().get(path).status_code == 401
    answer = Api(make_key(scopes=[Scope.SEND, Scope.READ])).get(path)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


def test_a_rich_push_is_kept_as_it_was_written(api: Api) -> None:
    push = {
        "title": "T",
        "badge": "{{ n }}",
        "actions": [{"id": "a", "title": "A {{ n }}", "url": "https://x.example/{{ n }}"}],
        "data": {"n": "{{ n }}", "fixed": "1"},
    }
    body = {
        "template_id": "rich",
        "type": "ORDER_SHIPPED",
        "channels": {"push": {"en": push}},
        "variables": {"n": {"type": "number"}},
    }
    made = api.post("/v1/templates", body)
    assert (made.status_code, made.json()["channels"]) == (201, {"push": {"en": push}})
    seen = api.post("/v1/templates/rich/preview", {"variables": {"n": 3}}).json()["channels"]["push"]
    assert seen == {
        "locale": "en",
        "title": "T",
        "badge": 3,
        "actions": [{"id": "a", "title": "A 3", "url": "https://x.example/3"}],
        "data": {"n": "3", "fixed": "1"},
    }


@pytest.mark.parametrize(
    ("push", "code", "pointer"),
    [
        ({"title": "T", "data": {"google.x": "1"}}, "invalid_data", "/channels/push/en/data/google.x"),
        ({"title": "T", "actions": [{"id": "a"}]}, "invalid_actions", "/channels/push/en/actions/0"),
        (
            {"title": "T", "actions": [{"id": "a", "title": "A", "icon": "x"}]},
            "unknown_field",
            "/channels/push/en/actions/0/icon",
        ),
        ({"title": "T", "data": {"n": "{{ missing }}"}}, "undeclared_variable", "/channels/push/en/data/n"),
        ({"title": ["x"]}, "invalid_channels", "/channels"),
        ({"title": {"x": "y"}}, "unknown_field", "/channels/push/en/title/x"),
        ({"actions": [{"id": "a", "title": "A"}]}, "missing_field", "/channels/push/en"),
    ],
)
def test_faults_of_a_rich_push_have_their_place(api: Api, push: dict[str, Any], code: str, pointer: str) -> None:
    body = {"template_id": "rich", "type": "ORDER_SHIPPED", "channels": {"push": {"en": push}}}
    answer = api.post("/v1/templates", body)
    assert answer.status_code == 422
    assert (code, pointer) in [(one["code"], one["pointer"]) for one in answer.json()["errors"]]
