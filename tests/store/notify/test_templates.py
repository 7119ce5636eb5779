"""Templates as the pipeline reads them: few queries, cached, and never a neighbour's harm."""

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from notify import author
from notify.models import TemplateVersion
from notify.rules.rendering import TemplateFault
from notify.rules.template_requests import TemplateBody, VersionBody
from notify.store import templates

pytestmark = pytest.mark.django_db

SCHEMA: dict[str, Any] = {}


def created(template_id: str = "t", text: str = "one", *, publish: bool = True) -> None:
    """A template with one version."""
    body = TemplateBody(template_id=template_id, type="T", channels={"sms": {"en": {"body": text}}}, publish=publish)
    author.create_template(body, by="test")


def version_id(template_id: str = "t", number: int = 1) -> int:
    return TemplateVersion.objects.get(template_id=template_id, number=number).pk


def test_what_is_published_takes_one_query_a_second(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    created()
    with django_assert_num_queries(1):
        for _ in range(5):
            pinned = templates.published("t")
    assert pinned is not None
    assert (pinned.version_id, pinned.number, pinned.type_key, pinned.default_locale) == (version_id(), 1, "T", "en")


def test_that_nothing_is_published_is_remembered_too(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    created(publish=False)
    with django_assert_num_queries(2):
        for _ in range(5):
            assert templates.published("t") is None
            assert templates.published("none") is None


def test_a_publication_is_seen_at_once_by_the_process_that_made_it() -> None:
    created()
    templates.published("t")
    author.add_version("t", VersionBody(channels={"sms": {"en": {"body": "two"}}}, publish=True), by="test")
    pinned = templates.published("t")
    assert pinned is not None
    assert pinned.number == 2


def test_a_page_of_versions_takes_one_query_and_then_none(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for name in ("a", "b", "c"):
        created(name, name)
    ids = [version_id(name) for name in ("a", "b", "c")]
    with django_assert_num_queries(1):
        compiled = templates.compiled_versions(ids)
        assert templates.compiled(ids[0]) is compiled[ids[0]]
        assert templates.versions_by_ids(ids).keys() == set(ids)
    assert [compiled[at].render("sms", "en", {}, {}).content.body for at in ids] == ["a", "b", "c"]


def test_a_version_that_is_gone_fails_when_it_renders_and_its_neighbours_do_not() -> None:
    created()
    known = version_id()
    compiled = templates.compiled_versions([known, known + 1])
    assert compiled[known].render("sms", "en", {}, {}).content.body == "one"
    with pytest.raises(TemplateFault) as fault:
        compiled[known + 1].render("sms", "en", {}, {})
    assert fault.value.code == "template_gone"


def test_a_version_that_todays_rules_refuse_fails_when_it_renders() -> None:
    created()
    wording = {"sms": {"en": {"body": "{% set a = 1 %}"}}}
    TemplateVersion.objects.update(compiled=wording)
    with pytest.raises(TemplateFault) as fault:
        templates.compiled(version_id()).render("sms", "en", {}, {})
    assert fault.value.code == "template_unsafe"


def test_a_version_is_known_by_its_row_and_an_unknown_one_is_an_error() -> None:
    created()
    row = templates.version(version_id())
    assert (row.template_id, row.number, row.compiled) == ("t", 1, {"sms": {"en": {"body": "one"}}})
    with pytest.raises(templates.UnknownVersion):
        templates.version(version_id() + 1)


def test_memory_is_bounded_and_the_least_used_version_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "_MOST_VERSIONS", 2)
    for name in ("a", "b", "c"):
        created(name)
    first, second, third = (version_id(name) for name in ("a", "b", "c"))
    for at in (first, second, first, third):
        templates.compiled(at)
    assert list(templates._Known.versions) == [first, third]


def test_a_version_is_compiled_once_though_its_row_is_read_again(
    django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    created()
    compiled = templates.compiled(version_id())
    at = version_id()
    monkeypatch.setattr(templates, "_VERSION_FOR", -1.0)
    templates._Known.versions[at] = (0.0, *templates._Known.versions[at][1:])
    with django_assert_num_queries(1):
        assert templates.compiled(at) is compiled


def test_another_default_language_is_seen_when_the_row_is_read_again() -> None:
    created()
    at = version_id()
    author.add_version(
        "t", VersionBody(channels={"sms": {"en": {"body": "x"}, "de": {"body": "y"}}}, publish=True), by="t"
    )
    templates.compiled(version_id(number=2))
    author.change_template("t", author.TemplatePatch(default_locale="de"))
    assert templates.compiled(version_id(number=2)).render("sms", "fr", {}, {}).content.body == "y"
    assert templates.compiled(at).render("sms", "en", {}, {}).content.body == "one"
