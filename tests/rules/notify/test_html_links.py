"""Links of a mail lead through us and come out the same; nothing else of the mail changes."""

from __future__ import annotations

from html import escape
from html.parser import HTMLParser
from urllib.parse import quote
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.rules.sealing import Keyring
from notify.policy import MAX_TRACKED_LINKS
from notify.rules.html_links import destination_of, links_in
from notify.rules.rendering import CompiledTemplate
from notify.rules.signed_links import SignedLinks
from notify.rules.tracking import Marks, marked, redirect_for, with_pixel, with_redirects
from notify.vocabulary import Content

OURS = "https://notify.example"
LINKS = SignedLinks(Keyring({"m1": bytes(range(32))}), OURS)
DELIVERY = UUID(int=7 << 80)
MARKS = Marks(redirect=redirect_for(LINKS, DELIVERY), pixel=LINKS.open_url(DELIVERY))

SAFE = "abcXYZ019-._~!$'()*+,;:@/?#[]%20&=<> \"üé€"
ADDRESSES = st.builds(
    lambda host, rest: f"https://{host}.example/{rest}",
    st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True),
    st.text(st.sampled_from(SAFE), max_size=40),
)
OTHERS = st.sampled_from(
    [
        "mailto:a@b.example",
        "tel:+15550100",
        "#top",
        "myapp://x",
        "/relative",
        "",
        "ftp://x.example/y",
        f"{OURS}/u/token",
    ]
)
TEXTS = st.text(st.sampled_from("ab <>&\"'=/\n"), max_size=20).map(escape)


def spelled(address: str, quote_sign: str) -> str:
    return f"{quote_sign}{escape(address)}{quote_sign}"


ANCHORS = st.builds(
    lambda before, address, sign, after, text: f"<a{before} href={spelled(address, sign)}{after}>{text}</a>",
    st.sampled_from([" ", ' class="x>y" ', "\n\ttitle='a \"b\" href=c' "]),
    ADDRESSES | OTHERS,
    st.sampled_from(['"', "'"]),
    st.sampled_from(["", " target=_blank", " data-no-track", ' style="color:red"', " /"]),
    TEXTS,
)
NOISE = st.sampled_from(
    [
        '<!-- <a href="https://hidden.example/">x</a> -->',
        '<style>a[href="https://style.example/"]{}</style>',
        '<img src="https://img.example/x.png" alt="a>b">',
        "<p>Hello</p>",
        '<abbr href="https://abbr.example">x</abbr>',
    ]
)
MAILS = st.lists(ANCHORS | NOISE | TEXTS, max_size=8).map("".join)


class Reader(HTMLParser):
    """A parser that is not ours: every start tag, with its attributes as a mail program reads them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.rest: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.rest.append(data)

    def handle_comment(self, data: str) -> None:
        self.rest.append(data)


def led_back(href: str | None) -> str | None:
    prefix = f"{OURS}/t/c/"
    return LINKS.read_click(href.removeprefix(prefix))[1] if href and href.startswith(prefix) else href


def is_tracked(href: str | None, attrs: list[tuple[str, str | None]]) -> bool:
    names = [name for name, _ in attrs]
    return bool(href) and href.startswith("https://") and not href.startswith(OURS) and "data-no-track" not in names


@given(MAILS)
def test_every_link_is_restored_by_its_token_and_nothing_else_has_changed(source: str) -> None:
    before, after = Reader(source), Reader(with_redirects(source, MARKS))
    assert before.rest == after.rest
    assert len(before.seen) == len(after.seen)
    for (tag, attrs), (tag_after, attrs_after) in zip(before.seen, after.seen, strict=True):
        assert tag == tag_after
        for (name, value), (name_after, value_after) in zip(attrs, attrs_after, strict=True):
            assert name == name_after
            if tag == "a" and name == "href" and is_tracked(value, attrs):
                assert str(value_after).startswith(f"{OURS}/t/c/")
                assert led_back(value_after) == quote(str(value).strip(), safe="%:/?#[]@!$&'()*+,;=-._~")
            else:
                assert value == value_after


@given(ADDRESSES)
def test_a_template_makes_the_same_of_a_link_as_words_given_with_a_call(address: str) -> None:
    source = f'<p>x</p><a href="{escape(address)}">y</a>'.replace("{", "").replace("}", "")
    template = CompiledTemplate.of({"email": {"en": {"subject": "s", "html_body": source}}}, {}, "en")
    content = template.render("email", "en", {}, {}, MARKS).content
    assert content.html_body == marked(Content(html_body=source), MARKS).html_body


DYNAMIC = [
    ('<a href="https://x.example/{{ v }}?b=1&amp;c={{ v }}">', "https://x.example/A?b=1&c=A"),
    ('<a href="{{ url }}">', "https://y.example/?q=1&r=2"),
    ('<a href="{% if v %}https://x.example/{{ v }}{% else %}https://z.example{% endif %}">', "https://x.example/A"),
    ("<a {% if v %}href='https://x.example/1'{% else %}href='https://x.example/2'{% endif %}>", "https://x.example/1"),
    ('{% for one in list %}<a href="https://x.example/{{ one }}">{% endfor %}', "https://x.example/L"),
    ('<a href="https://x.example/{# gone #}1">', "https://x.example/1"),
    ('<!--[if mso]><a href="https://x.example/{{ v }}">b</a><![endif]-->', "https://x.example/A"),
    ('<!--[if !mso]><!--><a href="https://x.example/{{ v }}">b</a><!--<![endif]-->', "https://x.example/A"),
]


@pytest.mark.parametrize(("source", "destination"), DYNAMIC)
def test_links_with_variables_lead_to_where_they_would_have_led(source: str, destination: str) -> None:
    schema = {"v": {"type": "string"}, "url": {"type": "string"}, "list": {"type": "list"}}
    template = CompiledTemplate.of({"email": {"en": {"subject": "s", "html_body": source}}}, schema, "en")
    values = {"v": "A", "url": "https://y.example/?q=1&r=2", "list": ["L"]}
    html = template.render("email", "en", values, {}, MARKS).content.html_body
    (token,) = [part.split('"')[0].split("'")[0] for part in html.split(f"{OURS}/t/c/")[1:]]
    assert LINKS.read_click(token) == (DELIVERY, destination)


def test_a_variable_that_pretends_to_be_an_edge_makes_no_redirect() -> None:
    source = '<p>{{ v }}</p><a href="https://x.example/{{ v }}">y</a>'
    template = CompiledTemplate.of({"email": {"en": {"subject": "s", "html_body": source}}}, {"v": {}}, "en")
    evil = "\x02" + "0" * 16 + "\x02https://evil.example\x02" + "0" * 16 + "\x02"
    html = template.render("email", "en", {"v": evil}, {}, MARKS).content.html_body
    assert html.count("/t/c/") == 1


@pytest.mark.parametrize(
    ("value", "destination"),
    [
        ("https://x.example/?a=1&copy=2", "https://x.example/?a=1&copy=2"),
        ("https://x.example/?a=1&amp;copy=2", "https://x.example/?a=1&copy=2"),
        ("https://x.example/?a=1&copy;", "https://x.example/?a=1%C2%A9"),
        ("https://x.example/?a=&#38;b", "https://x.example/?a=&b"),
        (" https://x.example/a b ", "https://x.example/a%20b"),
        ("https://x.exa\nmple/", "https://x.example/"),
        ("https&#58;//x.example/", "https://x.example/"),
        ("HTTPS://x.example/?utm_source=a%2Bb&amp;utm_id=%20", "HTTPS://x.example/?utm_source=a%2Bb&utm_id=%20"),
        ("javascript:alert(1)", ""),
        ("java&#10;script:alert(1)", ""),
        ("//evil.example", ""),
        ("https:/evil.example", ""),
        ("https:\\\\evil.example", ""),
        ("data:text/html,x", ""),
        ("https://x.example/" + "a" * 2048, ""),
    ],
)
def test_where_a_link_leads_is_read_as_a_browser_reads_it(value: str, destination: str) -> None:
    assert destination_of(value) == destination


def test_a_malformed_mail_is_searched_in_linear_time_and_left_alone() -> None:
    for source in ("<a '" * 60_000, "<!--" * 60_000, "<style>" * 30_000, '<a href="' * 30_000):
        assert list(links_in(source)) == []


def test_no_mail_has_more_redirects_than_policy_allows() -> None:
    source = '<a href="https://x.example/">x</a>' * (MAX_TRACKED_LINKS + 5)
    assert with_redirects(source, MARKS).count("/t/c/") == MAX_TRACKED_LINKS


@pytest.mark.parametrize(
    ("source", "rest"),
    [("<body>x</body></html>", "</body></html>"), ("<BODY>x</BODY>", "</BODY>"), ("<p>x</p>", "")],
)
def test_the_pixel_stands_at_the_end_of_the_body(source: str, rest: str) -> None:
    made = with_pixel(source, MARKS)
    assert made.endswith(f'alt="" style="display:block;border:0">{rest}')
    assert f'<img src="{LINKS.open_url(DELIVERY)}"' in made
