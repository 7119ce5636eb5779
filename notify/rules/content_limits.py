"""What rendered words must be for a channel to carry them: one line, clean text, a safe link, not too long."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from channels.rules.sms import transliterated, truncated
from channels.vocabulary import Channel
from notify.policy import MAX_BADGE, MAX_HTML, MAX_LINE, MAX_PUSH_BYTES, MAX_TEXT, MAX_URL
from notify.rules.links import encoded, is_absolute, is_safe_start, is_web_address
from notify.rules.template_weave import TemplateFault
from notify.vocabulary import Content

#: Line ends and control characters: in a subject or title they would begin a new header, or garble a screen.
_BREAKS = re.compile(
    r"[\x00-\x20\x7f-\x9f\u2028\u2029]*[\x00-\x1f\x7f-\x9f\u2028\u2029][\x00-\x20\x7f-\x9f\u2028\u2029]*"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def fit_line(field: str, text: str) -> str:
    """One line: line ends and control characters become a space."""
    if not text.isprintable():
        text = _BREAKS.sub(" ", text)
    if len(text) > MAX_LINE:
        raise _too_long(field, MAX_LINE)
    return text.strip()


def fit_text(field: str, text: str) -> str:
    """Text of many lines, without control characters."""
    if not text.isprintable():
        text = _CONTROLS.sub("", text.replace("\r\n", "\n"))
    if len(text) > MAX_TEXT:
        raise _too_long(field, MAX_TEXT)
    return text.strip()


def fit_html(field: str, text: str) -> str:
    """HTML, without control characters."""
    text = _CONTROLS.sub("", text)
    if len(text) > MAX_HTML:
        raise _too_long(field, MAX_HTML)
    return text


def fit_link(field: str, text: str) -> str:
    """A web address or an app's deep link; white space and letters beyond ASCII are percent-encoded."""
    link = encoded(text)
    if not link:
        return ""
    if len(link) > MAX_URL:
        raise _too_long(field, MAX_URL)
    if not is_safe_start(link) or not is_absolute(link):
        raise TemplateFault("invalid_link", f"{field}: give an https address or an app's deep link (myapp://…)")
    return link


def fit_image(field: str, text: str) -> str:
    """A web address."""
    link = encoded(text)
    if len(link) > MAX_URL:
        raise _too_long(field, MAX_URL)
    if link and not is_web_address(link):
        raise TemplateFault("invalid_link", f"{field}: give an https address")
    return link


def fit_data(field: str, text: str) -> str:
    """A value for the app, to the letter."""
    if len(text) > MAX_TEXT:
        raise _too_long(field, MAX_TEXT)
    return text


def fit_badge(field: str, text: str) -> str:
    """The number on the app's icon; nothing leaves it as it is."""
    number = text.strip()
    if number and not (number.isascii() and number.isdigit() and int(number[:9]) <= MAX_BADGE):
        raise TemplateFault("invalid_badge", f"{field}: give a whole number from 0 to {MAX_BADGE}")
    return number


def fit_field(field: str, text: str) -> str:
    """A field of a template made fit, `data.key` and `actions.0.title` among them."""
    if "." in field:
        part = "data" if field.startswith("data.") else field.rpartition(".")[2]
        return _PART_FIT[part](field, text)
    return FIT[field](field, text)


_PART_FIT: dict[str, Callable[[str, str], str]] = {
    "data": fit_data,
    "id": fit_line,
    "title": fit_line,
    "url": fit_link,
}
#: How each plain field is made fit; the fields of a template are these.
FIT: dict[str, Callable[[str, str], str]] = {
    "title": fit_line,
    "subject": fit_line,
    "body": fit_text,
    "html_body": fit_html,
    "image_url": fit_image,
    "action_url": fit_link,
    "sound": fit_line,
    "category": fit_line,
    "badge": fit_badge,
}
#: The fields of each channel, in the order in which they are rendered.
FIELDS: dict[Channel, tuple[str, ...]] = {
    Channel.PUSH: ("title", "body", "image_url", "action_url", "sound", "badge", "category"),
    Channel.EMAIL: ("subject", "body", "html_body"),
    Channel.SMS: ("body",),
    Channel.IN_APP: ("title", "body", "image_url", "action_url"),
}
#: The channels that also have buttons and data.
RICH = frozenset({Channel.PUSH, Channel.IN_APP})
_PUSH_TEXTS = ("title", "body", "image_url", "action_url", "sound", "category")
_ASCII_IS_SURE = MAX_PUSH_BYTES // 4


def check_push(content: Content) -> None:
    """Every push service refuses more than about 4 KB; words and data may take most of it.

    Data alone is a push too: it wakes the app and shows nothing.
    """
    if not (content.title or content.body or content.data):
        raise TemplateFault("empty_message", "title, body and data are empty")
    characters = sum(len(getattr(content, field)) for field in _PUSH_TEXTS)
    if (characters > _ASCII_IS_SURE or content.data or content.actions) and _push_bytes(content) > MAX_PUSH_BYTES:
        raise TemplateFault("message_too_long", f"a push may take {MAX_PUSH_BYTES} bytes in all, its data included")


def check_email(content: Content) -> None:
    """A mail has something to read."""
    if not (content.body or content.html_body):
        raise TemplateFault("empty_message", "body and html_body are empty")


def check_sms(content: Content) -> None:
    """A text message has something to read; where it ends is a matter of `shaped_sms`."""
    if not content.body:
        raise TemplateFault("empty_message", "body is empty")


def check_in_app(content: Content) -> None:
    """An inbox entry says something."""
    if not (content.title or content.body):
        raise TemplateFault("empty_message", "title and body are empty")


CHECK: dict[Channel, Callable[[Content], None]] = {
    Channel.PUSH: check_push,
    Channel.EMAIL: check_email,
    Channel.SMS: check_sms,
    Channel.IN_APP: check_in_app,
}


def fit(channel: Channel, content: Content) -> Content:
    """Words given with a call, made fit for a channel the way a template's are; raises `TemplateFault`."""
    changes: dict[str, object] = {
        field: make_fit(field, text)
        for field, make_fit in FIT.items()
        if field != "badge" and (text := getattr(content, field))
    }
    if content.actions:
        changes["actions"] = [
            {part: _PART_FIT.get(part, fit_line)(f"actions.{at}.{part}", text) for part, text in one.items()}
            for at, one in enumerate(content.actions)
        ]
    fitted: Content = msgspec.structs.replace(content, **changes)
    if channel is Channel.EMAIL and not fitted.subject:
        fitted = msgspec.structs.replace(fitted, subject=fitted.title)
    CHECK[channel](fitted)
    return fitted


def shaped_sms(body: str, *, most: int, transliterate: bool) -> str:
    """A text message as it goes out: at most so many segments, and in GSM-7 where that is wished and says the same."""
    return truncated(transliterated(body) if transliterate else body, most)


def _push_bytes(content: Content) -> int:
    """What a push takes of the content; words for mails may stand beside it."""
    return len(msgspec.json.encode(msgspec.structs.replace(content, subject="", html_body="")))


def _too_long(field: str, most: int) -> TemplateFault:
    return TemplateFault("message_too_long", f"{field}: it may have {most} characters")
