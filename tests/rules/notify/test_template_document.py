"""A whole template as its author hands it in."""

from typing import Any

import pytest

from notify.rules.template_document import prepared
from notify.rules.trial_findings import Document, Finding
from notify.rules.variables import Variable


def findings(channels: Any, variables: dict[str, Variable] | None = None, default_locale: str = "en") -> list[Finding]:
    return prepared(Document(channels=channels, variables=variables or {}, default_locale=default_locale)).findings


def sms(source: str, **variables: Variable) -> list[Finding]:
    return findings({"sms": {"en": {"body": source}}}, variables)


def test_a_good_document_comes_back_spelled_and_built() -> None:
    channels = {"sms": {"en": {"body": "Hi"}, "PT_br": {"body": "Oi"}}, "push": {"en": {"title": "T", "body": ""}}}
    made = prepared(Document(channels=channels, variables={}, default_locale="en"))
    assert made.findings == []
    assert made.channels == {"sms": {"en": {"body": "Hi"}, "pt-BR": {"body": "Oi"}}, "push": {"en": {"title": "T"}}}
    assert made.compiled == made.channels


def test_a_finding_names_channel_language_field_and_variable() -> None:
    (finding,) = sms("{{ a }} {{ b.c }}", a=Variable())
    assert (finding.channel, finding.locale, finding.field, finding.name) == ("sms", "en", "body", "b")
    assert finding.pointer == "/channels/sms/en/body"
    assert finding.sentence().startswith('sms, en, body: the variable "b" is not among')


@pytest.mark.parametrize(
    "source", ["{{ user.user_id }}", "{% for x in l %}{{ x }}{{ loop.index }}{% endfor %}", "{{ l }}"]
)
def test_the_user_and_what_a_loop_brings_need_no_declaration(source: str) -> None:
    assert sms(source, l=Variable(type="list")) == []


def test_a_loops_element_is_unknown_outside_of_it() -> None:
    assert [one.name for one in sms("{% for x in l %}{% endfor %}{{ x }}", l=Variable(type="list"))] == ["x"]


@pytest.mark.parametrize(
    ("source", "variable", "codes"),
    [
        ("{{ n|round(1) }}", Variable(type="number"), ["template_fails"]),
        ("{{ n|default(0)|round(1) }}", Variable(type="number"), []),
        ("{{ n|round(1) }}", Variable(type="number", required=True), []),
        ("{{ n|round(1) }}", Variable(type="number", default=1), []),
        ("{{ n|truncate(5) }}", Variable(), ["template_syntax"]),
        ("{{ n|int }}", Variable(required=True), []),
        ("x" * 16_385, Variable(), ["message_too_long"]),
        ("{{ n }}" + "x" * 16_384, Variable(required=True), ["message_too_long"]),
    ],
)
def test_a_template_is_tried_with_all_its_variables_and_with_the_least(
    source: str, variable: Variable, codes: list[str]
) -> None:
    assert [one.code for one in sms(source, n=variable)] == codes


def test_faults_of_mjml_point_at_the_mjml() -> None:
    channels = {"email": {"en": {"subject": "s", "mjml_body": "<mjml>"}}}
    assert [one.pointer for one in findings(channels)] == ["/channels/email/en/mjml_body"]


def test_what_mjml_becomes_is_checked_too() -> None:
    body = "<mj-section><mj-column><mj-text><a href='{{ a }}{{ a }}'>x</a></mj-text></mj-column></mj-section>"
    channels = {"email": {"en": {"subject": "s", "mjml_body": f"<mjml><mj-body>{body}</mj-body></mjml>"}}}
    assert [one.code for one in findings(channels, {"a": Variable()})] == ["template_unsafe"]


def test_one_template_may_have_fifty_languages_and_no_more() -> None:
    many = {f"a{chr(97 + at // 26)}{chr(97 + at % 26)}": {"body": "x"} for at in range(50)}
    assert findings({"sms": {**many}}, default_locale="aaa") == []
    assert [one.code for one in findings({"sms": {**many, "en": {"body": "x"}}})] == ["invalid_locale"]


def test_a_pointer_escapes_what_json_pointers_escape() -> None:
    assert Finding(code="c", message="m", channel="a/b", locale="~").pointer == "/channels/a~1b/~0"
