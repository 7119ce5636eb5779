"""Whatever is written and whatever comes in: refused, cut off or rendered; never anything else."""

import html
import time
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from notify.rules.html_context import contexts_of
from notify.rules.rendering import CompiledTemplate, TemplateFault, TemplateFlaw
from notify.rules.template_lint import examine
from notify.rules.template_syntax import pieces_of

SNIPPETS = [
    *("{{ a }}", "{{ b|upper }}", "{{ l|join(', ') }}", "{{ o.k }}", "{{ o['k'].k[0] }}", "{{ user.attributes.plan }}"),
    *(
        "{% if a %}",
        "{% elif b == 'x' %}",
        "{% else %}",
        "{% endif %}",
        "{% for x in l %}",
        "{% for k, v in o|items %}",
    ),
    *("{% endfor %}", "{{ x }}", "{{ x.k|default('?') }}", "{{ loop.index }}", "{{ l|length }}", "{{ l|sort|first }}"),
    *("{{ l|map(attribute='k')|list }}", "{{ a ~ b ~ l }}", "{{ b[1:] }}", "{{ l[0] }}", "{{ o|tojson }}", "{# c #}"),
    *(
        "{{- a -}}",
        "{%- if a -%}",
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "{",
        "}",
        "'",
        '"',
        "\\",
        "\n",
        " ",
        "{{{",
        "%}}",
    ),
    *("<p>", "</p>", "<a href='", '<a href="', "<b ", "<!--", "-->", "<style>", "</style>", "style='", ">", "<", "/"),
    *("<title>", "</title>", "https://x/", "java", "script:", ":", "=", "onclick=", "<!--[if mso]>", "<![endif]-->"),
    *("(", ")", "[", "]", "|", ".", "is", "not", "in", "set", "range", "_tick", "__class__", "* 9", "safe", "&", ";"),
]
SOURCES = st.lists(st.one_of(st.sampled_from(SNIPPETS), st.text(max_size=4)), max_size=14).map("".join)
TEXTS = st.one_of(
    st.text(max_size=20), st.sampled_from(["<script>", "javascript:alert(1)", "'\"><img src=x>", "\u202e😀"])
)
SCALARS = st.one_of(TEXTS, st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.booleans(), st.none())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("kqz"), inner, max_size=3),
    max_leaves=8,
)
VARIABLES = st.fixed_dictionaries({}, optional=dict.fromkeys("abloq", VALUES))
FUZZ = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])


def rendered(source: str, field: str, variables: dict[str, Any]) -> str | None:
    """The field as it goes out; None when it was refused or cut off with a reason."""
    given_values = {name: value for name, value in variables.items() if value is not None}
    try:
        template = CompiledTemplate.of({"email": {"en": {field: source, "subject": "s"}}}, {}, "en")
        return str(
            getattr(template.render("email", "en", given_values, {"attributes": {"plan": "<gold>"}}).content, field)
        )
    except (TemplateFlaw, TemplateFault):
        return None


@FUZZ
@given(SOURCES, VARIABLES)
@example("{{{ a }}", {"a": "x"})
@example("{{ a }}}", {"a": "x"})
@example("{%- if a -%}{{- a -}}{%- endif -%}", {"a": 2**70})
def test_any_text_template_ends_in_one_of_three_ways_and_soon(source: str, variables: dict[str, Any]) -> None:
    started = time.process_time()
    rendered(source, "body", variables)
    assert time.process_time() - started < 1


@FUZZ
@given(SOURCES, VARIABLES)
def test_no_value_brings_markup_into_any_html_template(source: str, variables: dict[str, Any]) -> None:
    marked = dict.fromkeys(variables, "\ue0a0<i a='1' b=\"2\">&")
    text = rendered(source, "html_body", marked)
    if text is not None:
        for part in text.split("\ue0a0")[1:]:
            assert not part.startswith(("<", "'", '"'))


@FUZZ
@given(SOURCES)
def test_the_pieces_of_a_template_are_the_whole_of_it(source: str) -> None:
    try:
        pieces = pieces_of(source)
    except TemplateFlaw:
        return
    assert "".join(piece.source for piece in pieces) == source


@FUZZ
@given(st.lists(st.sampled_from(SNIPPETS), max_size=20).map("".join))
def test_every_tag_of_accepted_html_has_a_context(source: str) -> None:
    try:
        pieces = examine(source).pieces
        contexts = contexts_of(pieces)
    except TemplateFlaw:
        return
    assert len(contexts) == len(pieces)


@FUZZ
@given(TEXTS)
def test_a_value_arrives_unchanged_in_text_and_escaped_in_html(value: str) -> None:
    clean = "".join(sign for sign in value if sign.isprintable())
    assert rendered("<{{ a }}>", "body", {"a": clean}) == f"<{clean}>"
    escaped = rendered("({{ a }})", "html_body", {"a": clean})
    assert escaped is not None
    assert html.unescape(escaped) == f"({clean})"
    assert not set(escaped) & set("<>\"'")
