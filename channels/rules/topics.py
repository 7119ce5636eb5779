"""Whom an FCM message is for: one device, all that subscribed to a topic, or a condition over topics.

https://firebase.google.com/docs/cloud-messaging/send-topic-messages
"""

from __future__ import annotations

import re

_PREFIX = "/topics/"
_TOPIC = re.compile(r"/topics/[A-Za-z0-9_.~%-]{1,900}\Z")
_MEMBER = re.compile(r"'[A-Za-z0-9_.~%-]{1,900}' in topics")
#: A condition in which every membership has become a T, one step simpler.
_SIMPLER = re.compile(r"!T|\(T\)|T(?:&&|\|\|)T")
#: Topics one condition may name.
_MOST = 5
_LONGEST = 4096


def target_of(token: str) -> tuple[str, str]:
    """`topic`, `condition` or `token`, and its value as FCM wants it."""
    if is_topic(token):
        return "topic", token[len(_PREFIX) :]
    return ("condition", token) if "' in topics" in token else ("token", token)


def is_group(token: str) -> bool:
    """Whether it stands for all that follow a topic, or reads as if it meant to."""
    return token.startswith(_PREFIX) or "' in topics" in token


def is_topic(token: str) -> bool:
    """Whether it reads `/topics/<name>`."""
    return _TOPIC.match(token) is not None


def is_condition(token: str) -> bool:
    """Whether it is one FCM takes: up to five `'<name>' in topics`, with `&&`, `||`, `!` and brackets between them."""
    if len(token) > _LONGEST or "T" in _MEMBER.sub("", token):
        return False
    rest, members = _MEMBER.subn("T", token)
    rest = rest.replace(" ", "")
    simpler = _SIMPLER.sub("T", rest)
    while simpler != rest:
        rest, simpler = simpler, _SIMPLER.sub("T", simpler)
    return members <= _MOST and rest == "T"
