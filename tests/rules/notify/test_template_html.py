"""Where a tag may stand in HTML, and what its value may do there."""

import pytest

from notify.rules.html_context import Context, contexts_of
from notify.rules.rendering import CompiledTemplate, TemplateFault, TemplateFlaw
from notify.rules.template_lint import examine
from notify.rules.template_syntax import Kind


def contexts(source: str) -> list[Context]:
    pieces = examine(source).pieces
    found = zip(pieces, contexts_of(pieces), strict=True)
    return [context for piece, context in found if piece.kind is Kind.PRINT]


def html(source: str, **variables: object) -> str:
    template = CompiledTemplate.of({"email": {"en": {"subject": "s", "html_body": source}}}, {}, "en")
    return template.render("email", "en", variables, {}).content.html_body


@pytest.mark.parametrize(
    ("source", "context"),
    [
        ("<p>{{ v }}</p>", Context.TEXT),
        ("{{ v }}", Context.TEXT),
        ("<!DOCTYPE html><br/>{{ v }}", Context.TEXT),
        ("<p>I <3 {{ v }}</p>", Context.TEXT),
        ("<title>{{ v }}</title>", Context.ATTRIBUTE),
        ("<p title='{{ v }}'>", Context.ATTRIBUTE),
        ('<img alt="a {{ v }} b">', Context.ATTRIBUTE),
        ("<a href='{{ v }}'>", Context.LINK),
        ("<a href=' {{ v }}'>", Context.LINK),
        ("<a href='{% if a %}{{ v }}{% else %}https://x{% endif %}'>", Context.LINK),
        ('<img src="{{ v }}">', Context.LINK),
        ("<A HREF = '{{ v }}'>", Context.LINK),
        ("<td background='{{ v }}'>", Context.LINK),
        ("<a href='https://x/{{ v }}'>", Context.ATTRIBUTE),
        ("<a href='mailto:{{ v }}'>", Context.ATTRIBUTE),
        ("<a href='?q={{ v }}'>", Context.ATTRIBUTE),
        ("<p style='color: {{ v }}'>", Context.STYLE),
        ("<style>p { color: {{ v }} }</style>", Context.STYLE),
        ("<!-- {{ v }} -->", Context.COMMENT),
        ("<!--[if mso]><p>{{ v }}</p><![endif]-->", Context.TEXT),
        ("<!--[if !mso]><!--><a href='{{ v }}'></a><!--<![endif]-->", Context.LINK),
        ("<a href='{% if a %}{{ v }}{% endif %}'>", Context.LINK),
        ("<a href='{% if a %}https://x/{% else %}https://y/{% endif %}{{ v }}'>", Context.ATTRIBUTE),
        ("<p {% if a %}class='x'{% endif %}>{{ v }}", Context.TEXT),
        ("{% for a in b %}<tr><td>{{ v }}</td></tr>{% endfor %}", Context.TEXT),
    ],
)
def test_the_context_of_a_value(source: str, context: Context) -> None:
    assert contexts(source) == [context]


@pytest.mark.parametrize(
    "source",
    [
        *(
            "<p class={{ v }}>",
            "<p {{ v }}>",
            "<{{ v }}>",
            "<p{{ v }}>",
            "</{{ v }}>",
            "<p a{{ v }}='x'>",
            "<p a=x{{ v }}>",
        ),
        *(
            "<script>{{ v }}</script>",
            "<SCRIPT src='https://x'>",
            "<iframe src='https://x'>",
            "<svg/onload=x>",
            "<math>",
        ),
        *(
            "<object>",
            "<embed>",
            "<base href='https://x'>",
            "<p onclick='x'>",
            "<p ONCLICK=x>",
            "<p onclick='{{ v }}'>",
        ),
        *(
            "<a href='javascript:alert(1)'>",
            "<a href=javascript:1>",
            "<a href='java&#115;cript:1'>",
            "<a href=' data:x'>",
        ),
        *(
            "<a href='&#106;avascript:{{ v }}'>",
            "<a href='java\nscript:1'>",
            "<a href='{{ v }}:alert(1)'>",
            "<a href='x{{ v }}:1'>",
        ),
        *("<a href='{% if a %}#{% else %}javascript:1{% endif %}'>", "<a href='{% if a %}java{% endif %}script:1'>"),
        *("<a href='{% if a %}x{% else %}java{% endif %}script:1'>", "<a href='{% for x in a %}:{% endfor %}'>"),
        *("<meta http-equiv='refresh' content='0;url=x'>", "<meta http-equiv=refresh>", "<meta http-equiv='{{ v }}'>"),
        *("<iframe srcdoc='x'>", "<p srcdoc='x'>", "<a href='x", "<!-- x", "<p", "{% if a %}<p title='{% endif %}'>"),
        *(
            "<p title='{% if a %}'{% endif %}>",
            "{% if a %}<!--{% endif %}-->",
            "{% for x in l %}<style>{% endfor %}</style>",
        ),
        *("<p title=>", "<p title='a\"{{ v }}>", "<x:script>", "<template>", "<noembed>", "<", "</", "<!"),
    ],
)
def test_a_place_where_no_value_could_be_made_safe_is_refused(source: str) -> None:
    with pytest.raises(TemplateFlaw):
        contexts(source)


def test_a_flaw_in_html_names_its_line() -> None:
    with pytest.raises(TemplateFlaw) as flaw:
        contexts("<p>\n{{ v }}</p>\n\n<p onclick='x'>")
    assert flaw.value.message.startswith("line 4: ")


@pytest.mark.parametrize(
    "value", ["https://x.example/?a=1&b=2", "mailto:a@b.example", "/path", "#top", "myapp://x", ""]
)
def test_a_link_of_a_known_kind_goes_into_an_attribute(value: str) -> None:
    assert html("<a href='{{ v }}'>x</a>", v=value) == f"<a href='{value.replace('&', '&amp;')}'>x</a>"


@pytest.mark.parametrize("value", ["javascript:1", " jAvA\tscript:1", "data:text/html,x", "\x01vbscript:x", ":x"])
def test_a_link_that_would_run_something_is_a_fault(value: str) -> None:
    with pytest.raises(TemplateFault) as fault:
        html("<a href='{{ v }}'>x</a>", v=value)
    assert fault.value.code == "invalid_link"


@pytest.mark.parametrize(
    "source",
    [
        *(
            "{{ v }}{{ w }}",
            "java{{ v }}",
            "{% if v %}{{ v }}{% endif %}{{ w }}",
            "{% for w in v %}{{ w }}{% endfor %}",
        ),
        *(
            "{% if v %}java{% endif %}{{ w }}",
            "{% if v %}https://x/{% endif %}{{ w }}",
            "{{ v }}{% if w %}{{ w }}{% endif %}",
        ),
    ],
)
def test_a_scheme_cannot_be_put_together_from_parts(source: str) -> None:
    with pytest.raises(TemplateFlaw) as flaw:
        contexts(f"<a href='{source}'>")
    assert flaw.value.code == "template_unsafe"


def test_a_link_with_an_alternative_is_checked_too() -> None:
    source = "<a href='{{ v if v else \"https://x.example\" }}'>x</a>"
    assert html(source, v=None) == "<a href='https://x.example'>x</a>"
    with pytest.raises(TemplateFault):
        html(source, v="javascript:1")


@pytest.mark.parametrize("value", ["#ff0000", "red", "12px", "1.5", 12, "rgb 1", "50%", None])
def test_a_style_takes_colours_and_sizes(value: object) -> None:
    assert html("<p style='color: {{ v }}'>x</p>", v=value)


@pytest.mark.parametrize(
    "value", ["url(https://x)", "red; background: x", "expression(1)", "a}b", "x\\65", "/**/", "a:b"]
)
def test_a_style_takes_nothing_that_acts(value: str) -> None:
    with pytest.raises(TemplateFault) as fault:
        html("<p style='color: {{ v }}'>x</p>", v=value)
    assert fault.value.code == "invalid_style"
