"""What rendered words must be for a channel to carry them: one line, clean text, a safe link, not too long."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from channels.vocabulary import Channel
from notify.policy import MAX_HTML, MAX_LINE, MAX_PUSH_BYTES, MAX_SMS, MAX_TEXT, MAX_URL
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


#: How each field is made fit; the fields of a template are these.
FIT: dict[str, Callable[[str, str], str]] = {
    "title": fit_line,
    "subject": fit_line,
    "body": fit_text,
    "html_body": fit_html,
    "image_url": fit_image,
    "action_url": fit_link,
}
#: The fields of each channel, in the order in which they are rendered.
FIELDS: dict[Channel, tuple[str, ...]] = {
    Channel.PUSH: ("title", "body", "image_url", "action_url"),
    Channel.EMAIL: ("subject", "body", "html_body"),
    Channel.SMS: ("body",),
    Channel.IN_APP: ("title", "body", "image_url", "action_url"),
}
_ASCII_IS_SURE = MAX_PUSH_BYTES // 4


def check_push(content: Content) -> None:
    """Every push service refuses more than about 4 KB; the words may take most of it."""
    if not (content.title or content.body):
        raise TemplateFault("empty_message", "title and body are empty")
    characters = len(content.title) + len(content.body) + len(content.image_url) + len(content.action_url)
    if (characters > _ASCII_IS_SURE or content.data or content.actions) and _push_bytes(content) > MAX_PUSH_BYTES:
        raise TemplateFault("message_too_long", f"the words of a push may take {MAX_PUSH_BYTES} bytes in all")


def check_email(content: Content) -> None:
    """A mail has something to read."""
    if not (content.body or content.html_body):
        raise TemplateFault("empty_message", "body and html_body are empty")


def check_sms(content: Content) -> None:
    """A text message ends where providers cut it."""
    if not content.body:
        raise TemplateFault("empty_message", "body is empty")
    if len(content.body) > MAX_SMS:
        raise TemplateFault("message_too_long", f"body: a text message may have {MAX_SMS} characters")


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
    changes = {field: FIT[field](field, text) for field in FIT if (text := getattr(content, field))}
    fitted: Content = msgspec.structs.replace(content, **changes)
    if channel is Channel.EMAIL and not fitted.subject:
        fitted = msgspec.structs.replace(fitted, subject=fitted.title)
    CHECK[channel](fitted)
    return fitted


def _push_bytes(content: Content) -> int:
    return len(msgspec.json.encode(content))


def _too_long(field: str, most: int) -> TemplateFault:
    return TemplateFault("message_too_long", f"{field}: it may have {most} characters")
