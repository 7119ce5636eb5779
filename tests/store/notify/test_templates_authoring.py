"""What authors keep: versions, publications, differences; each in a fixed number of statements."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from notify import author, trial
from notify.errors import InvalidTemplate, TemplateExists, UnknownTemplateVersion
from notify.rules.template_requests import TemplateBody, VersionBody
from notify.rules.trial_findings import Document
from notify.rules.variables import Variable
from notify.store import authoring

HELLO = {"sms": {"en": {"body": "Hello"}}}
MJML = "<mjml><mj-body><mj-section><mj-column><mj-text>Hi {{ a }}</mj-text></mj-column></mj-section></mj-body></mjml>"


def created(template_id: str = "t") -> None:
    author.create_template(TemplateBody(template_id=template_id, type="T", channels=HELLO), by="ana")


@pytest.mark.django_db
def test_reading_a_template_takes_three_queries_however_many_versions(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    created()
    for _ in range(3):
        author.add_version("t", VersionBody(channels=HELLO), by="ben")
    with django_assert_num_queries(3):
        view = author.view_template("t")
    assert [(line.number, line.created_by, line.is_published) for line in view.versions] == [
        (4, "ben", False),
        (3, "ben", False),
        (2, "ben", False),
        (1, "ana", True),
    ]


@pytest.mark.django_db
def test_a_list_of_templates_is_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for name in ("a", "b"):
        created(name)
    with django_assert_num_queries(1):
        rows = authoring.list_templates("", 10, None)
    assert [(row.template_id, row.latest_version, row.channels) for row in rows] == [
        ("a", 1, ["sms"]),
        ("b", 1, ["sms"]),
    ]


@pytest.mark.django_db
def test_what_is_kept_beside_the_words_is_what_is_rendered() -> None:
    channels = {"email": {"en": {"subject": "s", "mjml_body": MJML}}}
    body = TemplateBody(template_id="t", type="T", channels=channels, variables={"a": Variable()})
    author.create_template(body, by="ana")
    words = authoring.words("t", 1)
    assert words is not None
    assert words.channels == channels
    assert sorted(words.compiled["email"]["en"]) == ["body", "html_body", "subject"]


@pytest.mark.django_db
def test_nothing_of_a_refused_template_is_kept() -> None:
    with pytest.raises(InvalidTemplate):
        author.create_template(
            TemplateBody(template_id="t", type="T", channels={"sms": {"en": {"body": "{{ a }}"}}}), by="ana"
        )
    assert authoring.head("t") is None


@pytest.mark.django_db
def test_two_versions_are_compared_field_by_field() -> None:
    created()
    other = {"sms": {"en": {"body": "Hi"}, "de": {"body": "Hallo"}}}
    author.add_version("t", VersionBody(channels=other, variables={"a": Variable()}), by="ana")
    changes = [(one.channel, one.locale, one.field, one.before, one.after) for one in author.compare("t", 1, 2)]
    assert changes == [
        ("sms", "de", "body", None, "Hallo"),
        ("sms", "en", "body", "Hello", "Hi"),
        ("variables", "", "a", None, '{"default":null,"required":false,"type":"string"}'),
    ]
    with pytest.raises(UnknownTemplateVersion):
        author.compare("t", 1, 3)


@pytest.mark.django_db
def test_an_editor_sees_words_that_nobody_has_saved() -> None:
    document = Document(
        channels={"sms": {"en": {"body": "Hi {{ a }}"}, "de": {"body": "Hallo {{ a }}"}}},
        variables={"a": Variable(required=True)},
        default_locale="en",
    )
    assert author.preview_draft(document)["sms"].body == "Hi Example"
    assert author.preview_draft(document, locale="de-AT", variables={"a": "Ana"})["sms"].body == "Hallo Ana"


@pytest.mark.django_db(transaction=True)
def test_versions_added_at_the_same_moment_get_numbers_of_their_own() -> None:
    created()

    def add(_: int) -> int:
        try:
            return author.add_version("t", VersionBody(channels=HELLO), by="ana").version
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(add, range(4)))
    assert sorted(numbers) == [2, 3, 4, 5]


@pytest.mark.django_db(transaction=True)
def test_an_id_taken_at_the_same_moment_is_kept_once() -> None:
    def create(_: int) -> bool:
        try:
            created("same")
        except TemplateExists:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(create, range(3))) == [False, False, True]


def test_a_trial_tells_nothing_of_this_process_to_its_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARILLON_SECRET_KEY", "secret")
    tell = "import json, os; print(json.dumps({'findings': [{'code': name, 'message': ''} for name in os.environ]}))"
    monkeypatch.setattr(trial, "_CHILD", tell)
    found = trial.try_out(Document(channels=HELLO, variables={}, default_locale="en")).findings
    assert [one.code for one in found] == ["LC_ALL"]


@pytest.mark.parametrize("field", ["html_body", "mjml_body"])
def test_a_trial_that_crashes_or_takes_too_long_is_a_finding(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    html = "<style>p{color:red}</style>" + "<p>" * 33_000
    deep = {"html_body": html, "mjml_body": "<mjml><mj-body>" + "<mj-group>" * 9_000}[field]
    started = time.monotonic()
    document = Document(channels={"email": {"en": {"subject": "s", field: deep}}}, variables={}, default_locale="en")
    findings = trial.try_out(document).findings
    assert [one.code for one in findings] in (["template_too_costly"], ["template_too_large"])
    assert time.monotonic() - started < 10


def test_a_trial_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "TRIAL_SECONDS", 0.2)
    monkeypatch.setattr(trial, "_CHILD", "while True: pass")
    assert [
        one.code for one in trial.try_out(Document(channels=HELLO, variables={}, default_locale="en")).findings
    ] == ["template_too_costly"]


def test_a_trial_that_eats_memory_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    greedy = trial._CHILD.replace("prepared_json(sys.stdin.buffer.read())", "b'x' * (1 << 30)")
    assert greedy != trial._CHILD
    monkeypatch.setattr(trial, "_CHILD", greedy)
    assert trial.try_out(Document(channels=HELLO, variables={}, default_locale="en")).findings
