"""Template and variables become words."""

from typing import Any

import pytest

from notify.rules.rendering import CompiledTemplate, TemplateFault
from notify.vocabulary import Content

USER = {
    "user_id": "u_alice",
    "locale": "en-GB",
    "timezone": "Europe/London",
    "attributes": {"plan": "gold", "none": None, "orders": [{"id": 1, "sum": 9.5}, {"id": 2, "sum": 12}]},
}


def body(source: str, *, field: str = "body", channel: str = "email", **variables: Any) -> str:
    """One field as it goes out."""
    template = CompiledTemplate.of({channel: {"en": {"subject": "s", "body": "b", field: source}}}, {}, "en")
    return str(getattr(template.render(channel, "en", variables, USER).content, field))


def test_a_push_gets_its_four_fields() -> None:
    words = {
        "title": "Hello {{ name }}",
        "body": "Order {{ id }} 🚚",
        "image_url": "https://x.example/{{ id }}.png",
        "action_url": "myapp://orders/{{ id }}",
    }
    rendered = CompiledTemplate.of({"push": {"en": words}}, {}, "en").render(
        "push", "en", {"name": "Ana", "id": 7}, USER
    )
    assert rendered.content == Content(
        title="Hello Ana",
        body="Order 7 🚚",
        image_url="https://x.example/7.png",
        action_url="myapp://orders/7",
    )


@pytest.mark.parametrize(
    ("wish", "locale"),
    [("pt-BR", "pt"), ("pt_br", "pt"), ("PT", "pt"), ("zh-Hant-TW", "zh-Hant"), ("de", "en"), (None, "en"), ("", "en")],
)
def test_the_language_falls_back_to_its_prefix_and_then_to_the_default(wish: str | None, locale: str) -> None:
    words = {tag: {"body": tag} for tag in ("en", "pt", "zh-Hant")}
    template = CompiledTemplate.of({"sms": words}, {}, "en")
    for _ in range(2):
        rendered = template.render("sms", wish, {}, USER)
        assert (rendered.locale, rendered.content.body) == (locale, locale)


def test_each_channel_falls_back_by_itself() -> None:
    template = CompiledTemplate.of(
        {"sms": {"en": {"body": "x"}, "pt": {"body": "y"}}, "push": {"en": {"body": "z"}}}, {}, "en"
    )
    assert template.render("sms", "pt-BR", {}, USER).locale == "pt"
    assert template.render("push", "pt-BR", {}, USER).locale == "en"


def test_a_channel_without_words_is_a_fault() -> None:
    template = CompiledTemplate.of({"sms": {"en": {"body": "x"}}}, {}, "en")
    with pytest.raises(TemplateFault) as fault:
        template.render("push", "en", {}, USER)
    assert fault.value.code == "no_content"


def test_many_languages_asked_for_do_not_fill_the_memory() -> None:
    template = CompiledTemplate.of({"sms": {"en": {"body": "x"}}}, {}, "en")
    for number in range(1_000):
        template.render("sms", f"x{number}", {}, USER)
    assert len(template._chosen) <= 256


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Hi {{ name }}!", "Hi Ana!"),
        ("{{ missing }}.", "."),
        ("{{ missing.deeper.still }}.", "."),
        ("{{ missing|default('you') }}", "you"),
        ("{{ missing|upper }}{{ missing|join(',') }}.", "."),
        ("{{ missing|length }}", "0"),
        ("{% if missing %}a{% elif name == 'Ana' %}b{% else %}c{% endif %}", "b"),
        ("{% if name is defined and missing is not defined %}y{% endif %}", "y"),
        ("{% for x in missing %}{{ x }}{% else %}none{% endfor %}", "none"),
        ("{% for x in numbers %}{{ loop.index }}:{{ x }} {% endfor %}", "1:3 2:1 3:2"),
        ("{% for x in numbers|sort %}{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}", "1, 2, 3"),
        ("{% for k, v in plan|items %}{{ k }}={{ v }}{% endfor %}", "a=1"),
        ("{{ numbers|join(' + ') }} = {{ numbers|sum }}", "3 + 1 + 2 = 6"),
        ("{{ numbers[0] }}{{ numbers[-1] }}{{ numbers[9] }}.", "32."),
        ("{{ name|lower }} {{ name|upper }} {{ name|title }}", "ana ANA Ana"),
        ("{{ name ~ '-' ~ 7 }} {{ 7 // 2 + 7 % 2 }} {{ price|round(1) }}", "Ana-7 4 9.9"),
        ("{{ 'yes' if flag else 'no' }}", "yes"),
        ("{{ name if missing }}.", "."),
        ("{{ plan['a'] }}{{ plan.a }}{{ plan[key] }}", "111"),
        ("a{# a comment #}b", "ab"),
        ("a  {{- name -}}  b", "aAnab"),
        ("{{ '{{' }} {{ '%}' }}", "{{ %}"),
        ("{ {name} } {name} %}", "{ {name} } {name} %}"),
        ("{{ numbers|tojson }} {{ plan|tojson }}", '[3,1,2] {"a":1}'),
        ("{{ name|replace('a', 'o') }} {{ 'a b&c'|urlencode }}", "Ano a%20b%26c"),
        ("{{ 3 }} item{{ 3|pluralize }}", "3 items"),
        ("{{ 'Ana Maria'|truncate(length=4, leeway=0, end='…') }}", "Ana…"),
        ("{{ orders|map(attribute='id')|join('/') }}", "1/2"),
        ("{{ orders|selectattr('paid')|list|length }}", "1"),
    ],
)
def test_the_language_of_templates(source: str, text: str) -> None:
    variables = {
        "name": "Ana",
        "numbers": [3, 1, 2],
        "plan": {"a": 1},
        "key": "a",
        "price": 9.94,
        "flag": True,
        "orders": [{"id": 1, "paid": True}, {"id": 2, "paid": False}],
    }
    assert body(source, **variables) == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ user.user_id }} {{ user.locale }} {{ user.timezone }}", "u_alice en-GB Europe/London"),
        ("{{ user.attributes.plan }}", "gold"),
        ("{{ user.attributes.none }}{{ user.attributes.nothing }}{{ user.nothing.at.all }}.", "."),
        ("{% for o in user.attributes.orders %}{{ o.id }}={{ o.sum }};{% endfor %}", "1=9.5;2=12;"),
    ],
)
def test_a_template_sees_the_user(source: str, text: str) -> None:
    assert body(source) == text


@pytest.mark.parametrize("name", ["items", "keys", "values", "get", "pop", "update", "copy", "clear"])
def test_a_missing_key_never_finds_pythons_method_of_that_name(name: str) -> None:
    source = (
        f"{{{{ o.{name} }}}}{{% if o.{name} %}}there{{% endif %}}{{% for x in o.{name} %}}{{{{ x }}}}{{% endfor %}}."
    )
    assert body(source, o={"k": 1}) == "."
    assert body(source, o={name: ["v"]}) == "['v']therev."


@pytest.mark.parametrize("name", ["items", "keys", "values", "get", "pop", "update", "copy", "clear"])
def test_a_missing_variable_never_finds_pythons_method_of_that_name(name: str) -> None:
    source = (
        f"{{{{ {name} }}}}{{% if {name} is defined %}}there{{% endif %}}{{% for {name} in {name} %}}"
        f"{{{{ {name} }}}}{{% endfor %}}{{{{ {name}|default('none') }}}}."
    )
    assert body(source) == "none."
    assert body(source, **{name: "ab"}) == "abthereabab."
    assert body(f"{{{{ {name} }}}}.") == "."
    assert body(f"{{{{ {name} }}}}.", **{name: 7}) == "7."


def test_a_method_of_a_list_is_nothing_either() -> None:
    assert body("{{ l.append }}{{ l.sort }}{{ l['index'] }}.", l=[1]) == "."


def test_html_is_escaped_and_text_is_not() -> None:
    value = "<b> & \"quoted\" 'single' 👩‍💻"
    assert body("{{ v }}", v=value) == value
    assert body("<p>{{ v }}</p>", field="html_body", v=value) == (
        "<p>&lt;b&gt; &amp; &quot;quoted&quot; &#x27;single&#x27; 👩‍💻</p>"
    )


@pytest.mark.parametrize(
    "source", ['<a title="{{ v|tojson }}">x</a>', "<a title='{{ v }}'>x</a>", '<p title="{{ l|join }}">']
)
def test_no_filter_brings_a_quote_out_of_an_attribute(source: str) -> None:
    text = body(source, field="html_body", v="\" onmouseover='x' <", l=['"', "'", "<"])
    assert text.count('"') + text.count("'") == 2
    assert "<" not in text[1:].replace("</a>", "")


def test_a_line_loses_its_line_ends_and_control_characters() -> None:
    assert (
        body("Hi {{ v }}", field="subject", v="a\r\nBcc: x@y.example\x00\x1b\u2028end") == "Hi a Bcc: x@y.example end"
    )


def test_a_text_keeps_its_lines_and_loses_other_control_characters() -> None:
    assert body("{{ v }}", v="a\r\nb\tc\x00\x07\n\nd 🎉") == "a\nb\tc\n\nd 🎉"


@pytest.mark.parametrize(
    ("link", "sent"),
    [
        ("https://x.example/a b?q=ä&r=1#f", "https://x.example/a%20b?q=%C3%A4&r=1#f"),
        ("myapp://orders/7", "myapp://orders/7"),
        ("tel:+15551234", "tel:+15551234"),
        ("", ""),
        ("  https://x.example  ", "https://x.example"),
    ],
)
def test_a_link_is_made_fit(link: str, sent: str) -> None:
    assert body("{{ v }}", field="action_url", channel="push", v=link) == sent


@pytest.mark.parametrize(
    "link",
    [
        *(
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " java\nscript:alert(1)",
            "\x01javascript:x",
            "data:text/html,x",
        ),
        *(
            "vbscript:x",
            "file:///etc/passwd",
            "//x.example",
            "/orders/7",
            "orders",
            "https:",
            "https://",
            "http:x",
            ":x",
        ),
        *("https://" + "x" * 2_048, "blob:https://x", "1a:b", "ht tp://x"),
    ],
)
def test_a_link_of_another_kind_is_a_fault(link: str) -> None:
    with pytest.raises(TemplateFault) as fault:
        body("{{ v }}", field="action_url", channel="push", v=link)
    assert fault.value.code in ("invalid_link", "message_too_long")
    assert "passwd" not in fault.value.detail


def test_an_image_comes_from_the_web() -> None:
    with pytest.raises(TemplateFault):
        body("{{ v }}", field="image_url", channel="push", v="myapp://picture")


@pytest.mark.parametrize(
    ("channel", "field", "size", "code"),
    [
        ("push", "body", 3_201, "message_too_long"),
        ("push", "title", 256, "message_too_long"),
        ("email", "subject", 256, "message_too_long"),
        ("email", "body", 16_385, "message_too_long"),
        ("sms", "body", 16_385, "message_too_long"),
        ("in_app", "body", 16_385, "message_too_long"),
    ],
)
def test_every_channel_has_its_limits(channel: str, field: str, size: int, code: str) -> None:
    with pytest.raises(TemplateFault) as fault:
        body("{{ v }}", field=field, channel=channel, v="x" * size)
    assert fault.value.code == code
    assert body("{{ v }}", field=field, channel=channel, v="x" * min(size - 1, 3_100)) == "x" * min(size - 1, 3_100)


def test_a_push_is_measured_in_bytes() -> None:
    assert body("{{ v }}", channel="push", v="ж" * 1_500)
    with pytest.raises(TemplateFault):
        body("{{ v }}", channel="push", v="ж" * 1_700)


@pytest.mark.parametrize("channel", ["push", "email", "sms", "in_app"])
def test_a_message_that_says_nothing_is_a_fault(channel: str) -> None:
    template = CompiledTemplate.of({channel: {"en": {"body": "{{ v }}", "subject": "s"}}}, {}, "en")
    with pytest.raises(TemplateFault) as fault:
        template.render(channel, "en", {"v": " "}, USER)
    assert fault.value.code == "empty_message"


@pytest.mark.parametrize(
    "source",
    ["{{ v + 1 }}", "{{ v / 0 }}", "{{ v|round }}", "{{ v|int }}", "{% for x in v.y %}{{ x|round }}{% endfor %}"],
)
def test_what_cannot_be_done_with_a_value_is_a_fault_that_does_not_quote_it(source: str) -> None:
    with pytest.raises(TemplateFault) as fault:
        body(source, v={"y": ["secret"]} if ".y" in source else "secret")
    assert fault.value.code == "template_fails"
    assert "secret" not in fault.value.detail
    assert "secret" not in str(fault.value)


def test_a_refused_template_fails_in_rendering_only() -> None:
    template = CompiledTemplate.refused("template_gone", "this version no longer exists")
    with pytest.raises(TemplateFault) as fault:
        template.render("sms", "en", {}, USER)
    assert fault.value.code == "template_gone"


def test_html_between_two_metered_renderings_is_not_counted_twice() -> None:
    source = "{% for x in l %}{{ x }}{% endfor %}"
    for _ in range(3):
        assert len(body(source, field="html_body", l=["x" * 1_000] * 200)) == 200_000
