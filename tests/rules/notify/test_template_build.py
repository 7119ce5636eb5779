"""MJML becomes HTML, style sheets become attributes, HTML becomes text; the tags stay what they were."""

import re

import pytest

from notify.rules.rendering import CompiledTemplate
from notify.rules.template_build import built, html_of_mjml, text_of_html, with_inlined_styles
from notify.rules.template_syntax import TemplateFlaw, pieces_of


def mjml(inside: str, head: str = "") -> str:
    return f"<mjml><mj-head>{head}</mj-head><mj-body>{inside}</mj-body></mjml>"


def column(inside: str) -> str:
    return mjml(f"<mj-section><mj-column>{inside}</mj-column></mj-section>")


def tags(source: str) -> list[str]:
    return [piece.source for piece in pieces_of(source) if piece.source.startswith(("{{", "{%"))]


def rendered(fields: dict[str, str], **variables: object) -> dict[str, str]:
    template = CompiledTemplate.of({"email": {"en": {"subject": "s", **fields}}}, {}, "en")
    content = template.render("email", "en", variables, {}).content
    return {"html": content.html_body, "text": content.body}


def test_variables_in_text_and_attributes_survive_mjml() -> None:
    source = column(
        '<mj-text css-class="{{ kind }}">Hi {{ name|default("you & me") }} 👩‍💻</mj-text>'
        '<mj-button href="{{ url }}">Go</mj-button><mj-image src="https://x/{{ id }}.png" alt="{{ alt }} 👩‍💻é"/>'
    )
    made = html_of_mjml(source)
    assert tags(made) == ["{{ kind }}", '{{ name|default("you & me") }}', "{{ url }}", "{{ alt }}", "{{ id }}"]
    assert 'href="{{ url }}"' in made
    assert "{{ alt }} 👩‍💻é" in made


@pytest.mark.parametrize(
    "source",
    [
        mjml("{% if a < 1 and b > 2 %}<mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section>{% endif %}"),
        mjml("<mj-section>{% for c in l %}<mj-column><mj-text>{{ c }}</mj-text></mj-column>{% endfor %}</mj-section>"),
        column("{% if a %}<mj-text>x</mj-text>{% else %}<mj-text>y</mj-text>{% endif %}"),
        column("<mj-text>{% if a %}<b>x</b>{% else %}y{% endif %}</mj-text>"),
        column("<mj-table>{% for r in l %}<tr><td>{{ r }}</td></tr>{% endfor %}</mj-table>"),
        column("<mj-button href='https://x/{% if a %}1{% else %}2{% endif %}'>Go</mj-button>"),
        column("<mj-raw>{% if a %}</mj-raw><mj-text>x</mj-text><mj-raw>{% endif %}</mj-raw>"),
    ],
)
def test_conditions_and_loops_survive_mjml_in_their_places(source: str) -> None:
    made = html_of_mjml(source)
    assert tags(made) == tags(source)
    for value in (True, False):
        assert rendered({"html_body": made}, a=1 if value else 0, b=3, l=["one", "two"])["html"]


def test_a_loop_in_an_mjml_table_repeats_its_rows() -> None:
    made = html_of_mjml(column("<mj-table>{% for r in l %}<tr><td>{{ r }}</td></tr>{% endfor %}</mj-table>"))
    text = rendered({"html_body": made}, l=["one", "<two>"])["html"]
    assert "<tr><td>one</td></tr><tr><td>&lt;two&gt;</td></tr>" in text


def test_a_condition_in_a_title_and_a_preview_survives() -> None:
    made = html_of_mjml(mjml("", "<mj-title>{{ a }}</mj-title><mj-preview>{% if a %}x{% endif %}</mj-preview>"))
    assert "<title>{{ a }}</title>" in made
    assert "{% if a %}x{% endif %}" in made


@pytest.mark.parametrize(
    "source",
    [
        "no mjml at all",
        "<mjml><mj-body>",
        "<mjml><mj-body><mj-section></mj-body></mjml>",
        column("<mj-text>a & b < c</mj-text>"),
        mjml("<mj-include path='/etc/passwd'/>"),
        column("<mj-text {% if a %}color='red'{% endif %}>x</mj-text>"),
    ],
)
def test_what_is_no_mjml_is_refused_with_a_cure(source: str) -> None:
    with pytest.raises(TemplateFlaw) as flaw:
        html_of_mjml(source)
    assert flaw.value.code == "invalid_mjml"
    assert "root:" not in flaw.value.message


def test_a_mail_loads_no_fonts_from_elsewhere() -> None:
    assert "fonts.googleapis" not in html_of_mjml(column("<mj-text>x</mj-text>"))


def test_style_sheets_become_attributes_and_tags_stay() -> None:
    source = (
        "<style>p { color: {{ colour }} } a:hover { color: red } @media (max-width:9px) { p { color: blue } }</style>"
        '<p>Hi {{ name }}</p>{% if url %}<a href="{{ url }}">x</a>{% endif %}'
    )
    made = with_inlined_styles(source)
    assert '<p style="color: {{ colour }};">Hi {{ name }}</p>' in made
    assert "a:hover" in made
    assert "@media" in made
    assert '{% if url %}<a href="{{ url }}">x</a>{% endif %}' in made


def test_a_loop_over_rows_survives_inlining() -> None:
    source = "<style>td { color: red }</style><table>{% for r in l %}<tr><td>{{ r }}</td></tr>{% endfor %}</table>"
    text = rendered({"html_body": with_inlined_styles(source)}, l=[1, 2])["html"]
    assert re.findall(r"<td style=\"color: red;\">(\d)</td>", text) == ["1", "2"]


@pytest.mark.parametrize(
    "source",
    [
        "<p>No style sheet, {{ name }}, and a <b>fragment",
        "<style>{% if a %}p { color: red }{% endif %}</style><p>x</p>",
        "<style>p { color: red }</style><p {% if a %}class='x'{% else %}class='y'{% endif %}>x</p>",
    ],
)
def test_html_that_cannot_gain_stays_as_it_was(source: str) -> None:
    assert with_inlined_styles(source) == source


def test_no_style_sheet_is_fetched() -> None:
    source = "<link rel='stylesheet' href='http://127.0.0.1:1/x.css'><style>p { color: red }</style><p>x</p>"
    assert '<p style="color: red;">x</p>' in with_inlined_styles(source)


def test_text_is_made_of_html_with_its_links_and_tags() -> None:
    source = (
        "<html><head><title>T</title><style>p{}</style></head><body><h1>Hello {{ name }}</h1>"
        "<table><tr><td>One</td><td>Two</td></tr>{% for r in l %}<tr><td>{{ r }}</td></tr>{% endfor %}</table>"
        "<!-- hidden --><!--[if mso]>Outlook<![endif]--><p>See <a href='{{ url }}'>your order</a>.</p></body></html>"
    )
    text = text_of_html(source)
    assert rendered({"body": text}, name="<Ana>", l=["x", "y"], url="https://x.example")["text"] == (
        "Hello <Ana>\n\nOne Two\nx\ny\n\nSee your order (https://x.example)."
    )


def test_an_email_with_only_html_gains_a_text() -> None:
    assert built({"subject": "s", "html_body": "<p>Hi {{ a }}</p>"})["body"] == "Hi {{ a }}"
    assert built({"subject": "s", "html_body": "<p>Hi</p>", "body": "Own"})["body"] == "Own"
    assert built({"subject": "s", "body": "Only text"}) == {"subject": "s", "body": "Only text"}


def test_an_email_from_mjml_has_html_and_text_and_no_mjml_left() -> None:
    fields = built({"subject": "s", "mjml_body": column("<mj-text>Hi {{ a }}</mj-text>")})
    assert sorted(fields) == ["body", "html_body", "subject"]
    assert fields["body"] == "Hi {{ a }}"
