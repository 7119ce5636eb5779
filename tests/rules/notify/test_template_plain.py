"""What is put together without an engine is what the engine makes of it."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notify.rules.rendering import CompiledTemplate, TemplateFault, _Field
from notify.rules.template_syntax import TemplateFlaw
from notify.rules.tracking import NO_MARKS
from tests.rules.notify.test_render_fuzz import FUZZ, SNIPPETS, VALUES

TAGS = ["{{ a }}", "{{ b }}", "{{ o.k }}", "{{o.q.k}}", "{{ user.locale }}", "{{ user.attributes.k }}", "{# c #}"]
SOURCES = st.lists(st.one_of(st.sampled_from(TAGS), st.text(max_size=5)), max_size=8).map("".join)
VARIABLES = st.fixed_dictionaries({}, optional=dict.fromkeys("abo", VALUES))
ATTRIBUTES = st.dictionaries(st.sampled_from("kqz"), VALUES, max_size=3)


def field_of(source: str) -> tuple[CompiledTemplate, _Field] | None:
    """The body of a text message, compiled; None where there is none, or where it is the same for everybody."""
    try:
        template = CompiledTemplate.of({"sms": {"en": {"body": source}}}, {}, "en")
    except TemplateFlaw:
        return None
    fields = template._wordings["sms"]["en"].fields
    return (template, fields[0]) if fields else None


@FUZZ
@given(SOURCES, VARIABLES, ATTRIBUTES)
@example("{{ a }}{", {"a": "{{ b }}"}, {})
@example("{{ a }}", {"a": 2**63}, {})
@example("{{ a }}\r\n", {"a": -(2**63)}, {})
@example("{{ a }}{{ b }}", {"a": True, "b": 1.0}, {})
@example("{{ user.attributes.k }}", {}, {"k": None})
@example("{{ user.attributes.k }}", {}, {"k": "x" * 20_000})
def test_plain_words_are_those_of_the_engine(
    source: str, variables: dict[str, Any], attributes: dict[str, Any]
) -> None:
    compiled = field_of(source)
    if compiled is None or compiled[1].simple is None:
        return
    template, field = compiled
    given_values = {name: value for name, value in variables.items() if value is not None}
    user = {"locale": "de", "attributes": attributes}
    made = field.simple.filled(given_values, user, field.room)
    if made is not None:
        assert made == template._made(field, given_values, user, NO_MARKS)


@pytest.mark.parametrize("source", ["Hello {{ a }}", "{{ user.attributes.k }}{# c #} {{o.k}}", "{{ a }}\n"])
def test_what_only_prints_needs_no_engine(source: str) -> None:
    compiled = field_of(source)
    assert compiled is not None
    assert compiled[1].simple is not None


@pytest.mark.parametrize(
    "source",
    [
        *("{{ a|upper }}", "{{- a }}", "{{ o['k'] }}", "{{ l[0] }}", "{% if a %}x{% endif %}", "{{ a ~ b }}"),
        *("{{ items }}", "{{ o.items }}", "{{ true }}", "{{ 'a' }}", "{{ a }} {{ unsubscribe_url }}", "{{ (a) }}"),
    ],
)
def test_what_does_more_is_left_to_the_engine(source: str) -> None:
    compiled = field_of(source)
    assert compiled is None or compiled[1].simple is None


def test_too_many_characters_are_left_to_the_engine_to_refuse() -> None:
    compiled = field_of("{{ user.attributes.k }}")
    assert compiled is not None
    template, field = compiled
    user = {"attributes": {"k": "x" * (field.room + 1)}}
    assert field.simple is not None
    assert field.simple.filled({}, user, field.room) is None
    with pytest.raises(TemplateFault):
        template._made(field, {}, user, NO_MARKS)


@FUZZ
@given(st.lists(st.sampled_from(SNIPPETS), max_size=8).map("".join), VARIABLES)
def test_of_any_template_plain_words_are_those_of_the_engine(source: str, variables: dict[str, Any]) -> None:
    test_plain_words_are_those_of_the_engine.hypothesis.inner_test(source, variables, {"plan": "gold"})
