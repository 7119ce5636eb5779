"""Templates that would loop for ever, eat memory or look where they must not: refused, or cut off in time."""

import resource
import time

import pytest

from notify.rules.rendering import CompiledTemplate, TemplateFault, TemplateFlaw

#: name → (field, source); refused when the template is saved.
REFUSED = {
    "a doubling chain by set": "{% set a = 'xxxxxxxxxx' %}" + "{% set a = a ~ a %}" * 60 + "{{ a }}",
    "a doubling chain by set blocks": "{% set a %}{{ a }}{{ a }}{% endset %}" * 40,
    "a namespace": "{% set ns = namespace(a='x') %}{% for i in l %}{% set ns.a = ns.a ~ ns.a %}{% endfor %}",
    "a string times a billion": "{{ 'a' * 10**9 }}",
    "a string times many": "{{ 'a' * 100000000 }}",
    "a list times many": "{{ [1] * 100000000 }}",
    "a power": "{{ 9 ** 9999999 }}",
    "a range of a billion": "{% for i in range(1000000000) %}x{% endfor %}",
    "a range as a list": "{{ range(1000000000)|list }}",
    "nested ranges": "{% for i in range(9000) %}{% for j in range(9000) %}{% endfor %}{% endfor %}",
    "a macro that calls itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a recursive loop": "{% for i in l recursive %}{{ loop(l) }}{% endfor %}",
    "a call of the loop": "{% for i in l %}{{ loop(l) }}{% endfor %}",
    "a filter block": "{% filter upper %}x{% endfilter %}",
    "a call block": "{% call m() %}{% endcall %}",
    "an include": "{% include '/etc/passwd' %}",
    "an import": "{% import 'x' as y %}",
    "a from": "{% from 'x' import y %}",
    "an extends": "{% extends 'x' %}",
    "a block": "{% block x %}{% endblock %}",
    "a with": "{% with a = 1 %}{% endwith %}",
    "a do": "{% do x.append(1) %}",
    "autoescape off": "{% autoescape false %}{{ a }}{% endautoescape %}",
    "Django's load": "{% load log %}{% debug %}",
    "a raw block": "{% raw %}{{ a }}{% endraw %}",
    "a padding format": "{{ '%9999999s'|format(a) }}",
    "a wide indent": "{{ a|indent(100000000) }}",
    "batches without end": "{{ l|batch(3000000000, 'x') }}",
    "slices without end": "{{ l|slice(300000000) }}",
    "a replacement by a variable": "{{ a|replace('a', a) }}",
    "a separator from a variable": "{{ l|join(a) }}",
    "a long separator": "{{ l|join('" + "x" * 65 + "') }}",
    "replacements in a row": "{{ a|replace('a','aaaaaaaaaa')|replace('a','aaaaaaaaaa') }}",
    "quoting in a row": "{{ a|tojson|tojson|tojson|tojson }}",
    "a filter by name": "{{ l|map('tojson')|list }}",
    "a list that doubles": "{% for b in [a ~ a] %}{% for c in [b ~ b] %}{{ c }}{% endfor %}{% endfor %}",
    "a loop over a sum": "{% for b in l + l %}{{ b }}{% endfor %}",
    "a loop over a text": "{% for b in 'abc' %}{{ b }}{% endfor %}",
    "four loops deep": "{% for a in l %}" * 4 + "{% endfor %}" * 4,
    "blocks nine deep": "{% if a %}" * 9 + "{% endif %}" * 9,
    "a thousand brackets": "{{ " + "(" * 1000 + "1" + ")" * 1000 + " }}",
    "twenty thousand nots": "{{ " + "not " * 20_000 + "a }}",
    "ninety thousand minuses": "{{ " + "-" * 90_000 + "1 }}",
    "thirty thousand sums": "{{ 1" + "+1" * 30_000 + " }}",
    "thirty thousand attributes": "{{ a" + ".a" * 30_000 + " }}",
    "eight thousand conditions": "{% if a %}" + "{% elif a %}" * 8_000 + "{% endif %}",
    "too many tags": "{{ a }}" * 501,
    "a huge literal": "{{ '" + "a" * 50_000 + "' }}",
    "a huge number": "{{ " + "9" * 400 + " }}",
    "a huge field": "x" * 262_145,
    "a class": "{{ a.__class__ }}",
    "a class by filter": "{{ a|attr('__class__') }}",
    "a class by subscript": "{{ a['__class__'] }}",
    "a class by map": "{{ l|map(attribute='__class__')|list }}",
    "the whole ladder": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals of a method": "{{ user.items.__globals__ }}",
    "a private variable": "{{ _tick }}",
    "the safeguard itself": "{{ a|_link }}",
    "a method": "{{ user.items() }}",
    "a method that changes": "{{ user.clear() }}",
    "a method of text": "{{ 'a'.upper() }}",
    "a call of a variable": "{{ a() }}",
    "a call of a subscript": "{{ a[0]() }}",
    "a call of brackets": "{{ (a)() }}",
    "a function": "{{ debug() }}",
    "settings": "{{ settings.SECRET_KEY }}{{ settings['x']() }}",
    "a value marked safe": "{{ a|safe }}",
    "an object literal": "{{ {'a': 1} }}",
    "an assignment": "{{ a = 1 }}",
    "a lambda": "{{ lambda: 1 }}",
    "no end": "{{ a",
    "no end of a comment": "{# a",
    "no end of a text": "{{ 'a }}",
    "no end of a condition": "{% if a %}x",
    "an end too many": "{% endif %}",
    "crossed blocks": "{% if a %}{% for b in l %}{% endif %}{% endfor %}",
    "two elses": "{% if a %}{% else %}{% else %}{% endif %}",
    "an empty tag": "{{ }}",
    "an empty statement": "{% %}",
    "a mark of ours": "\u27e612\u27e7",
}

BIG = "x" * 60_000
#: source, variables; accepted, and cut off when it renders.
CUT_OFF = {
    "a loop in a loop in a loop": (
        "{% for a in l %}{% for b in l %}{% for c in l %}{% endfor %}{% endfor %}{% endfor %}",
        {"l": [1] * 30_000},
    ),
    "a long loop": (
        "{% for a in l %}{% if a %}{% if a %}{% if a %}{% endif %}{% endif %}{% endif %}{% endfor %}",
        {"l": [1] * 32_000},
    ),
    "a long text in a loop": ("{% for a in l %}" + "y" * 90_000 + "{% endfor %}", {"l": [1] * 30_000}),
    "a long value in a loop": ("{% for a in l %}{{ b }}{% endfor %}", {"l": [1] * 1_000, "b": BIG}),
    "a list printed in a loop": ("{% for a in l %}{{ l }}{% endfor %}", {"l": [1] * 5_000}),
    "a long value many times": ("{{ b }}" * 500, {"b": BIG}),
    "a long value joined to itself": ("{{ b ~ b ~ b ~ b ~ b ~ b ~ b ~ b }}" * 60, {"b": BIG}),
    "sorting in a loop": ("{% for a in l %}{% if l|sort|first %}{% endif %}{% endfor %}", {"l": [1] * 30_000}),
    "sorting many times": ("{% if l|sort|unique|reverse|list %}{% endif %}" * 100, {"l": list(range(10_000))}),
    "replacing in a loop": (
        "{% for a in l %}{{ b|replace('x', '" + "y" * 60 + "') }}{% endfor %}",
        {"l": [1] * 1_000, "b": BIG},
    ),
    "splitting in a loop": (
        "{% for a in l %}{% for c in b|split('') %}{% endfor %}{% endfor %}",
        {"l": [1] * 1_000, "b": BIG},
    ),
    "json in a loop": ("{% for a in l %}{{ l|tojson }}{% endfor %}", {"l": [1] * 10_000}),
    "searching in a loop": ("{% for a in l %}{% if 0 in l %}{% endif %}{% endfor %}", {"l": [1] * 30_000}),
    "searching many times": ("{% if 0 in l or 0 in l or 0 in l %}{% endif %}" * 5, {"l": [1] * 30_000}),
    "comparing in a loop": (
        "{% for a in l %}{% if o == p %}{% endif %}{% endfor %}",
        {"l": [1] * 9_000, "o": {"a": list(range(3_500))}, "p": {"a": list(range(3_500))}},
    ),
    "capitals in a loop": (
        "{% for a in l %}{% if b|title == 'x' %}{% endif %}{% endfor %}",
        {"l": [1] * 500, "b": BIG},
    ),
    "capitals many times": ("{% if b|upper ~ b|lower ~ b|title ~ b|upper == 'x' %}{% endif %}" * 100, {"b": BIG}),
    "slices many times": ("{% if b[1:] ~ b[2:] ~ b[3:] ~ b[4:] ~ b[5:] == 'x' %}{% endif %}" * 20, {"b": BIG}),
    "unique in a loop": ("{% for a in l %}{% if l|unique %}{% endif %}{% endfor %}", {"l": list(range(12_000))}),
    "a joined list": ("{{ l|join('" + "-" * 64 + "') }}", {"l": [1] * 30_000}),
}


def compiled(source: str, channel: str = "sms", field: str = "body") -> CompiledTemplate:
    return CompiledTemplate.of({channel: {"en": {field: source}}}, {}, "en")


@pytest.mark.parametrize("source", REFUSED.values(), ids=REFUSED.keys())
def test_an_attack_is_refused_with_a_reason_before_the_engine_sees_it(source: str) -> None:
    started = time.process_time()
    with pytest.raises(TemplateFlaw) as refused:
        compiled(source)
    assert time.process_time() - started < 2  # the attack would take minutes; what else runs here is not counted
    assert refused.value.code.startswith("template_")
    assert len(refused.value.message) < 600


@pytest.mark.parametrize(("source", "variables"), CUT_OFF.values(), ids=CUT_OFF.keys())
def test_an_attack_by_data_is_cut_off_soon_and_cheaply(source: str, variables: dict[str, object]) -> None:
    template = compiled(source, "email", "html_body")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    with pytest.raises(TemplateFault) as cut_off:
        template.render("email", "en", variables, {})
    # About 100 ms on an idle machine; the bound leaves room for a busy one.
    assert time.process_time() - started < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 50 * 1024
    assert cut_off.value.code in ("template_too_costly", "template_output_too_long", "message_too_long")
    assert "xxx" not in cut_off.value.detail


def test_a_neighbour_of_a_cut_off_template_renders_as_if_nothing_had_been() -> None:
    bad = compiled("{% for a in l %}{{ b }}{% endfor %}", "email", "html_body")
    good = compiled("{% for a in l %}{{ a }},{% endfor %}", "email", "html_body")
    with pytest.raises(TemplateFault):
        bad.render("email", "en", {"l": [1] * 1_000, "b": BIG}, {})
    assert good.render("email", "en", {"l": [1, 2]}, {}).content.html_body == "1,2,"
