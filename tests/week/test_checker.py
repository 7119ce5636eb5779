"""The checker itself: it finds nothing in an honest week, and every kind of lie that is told it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.week import checker, kinds, standing
from tests.week.checker import Checker

Record = dict[str, Any]
#: Saturday noon in London; the clocks go forward in the night to come.
NOON = datetime(2026, 3, 28, 12, tzinfo=UTC).timestamp()
HOUR = 3_600.0


def _text(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def _send(number: int, key: str, at: float, **more: Any) -> Record:
    return {
        "at": at,
        "what": "send",
        "id": f"n{number}",
        "user": "ann",
        "number": f"N00000{number}",
        "type": key,
        **more,
    }


def _campaign(number: int, key: str, at: float) -> Record:
    return {
        "at": at,
        "what": "campaign",
        "id": f"c{number}",
        "users": ["ann"],
        "number": f"N00000{number}",
        "type": key,
    }


def _line(number: int, at: float, channel: str = "email", **more: Any) -> Record:
    to = {"email": "ann@example.com", "sms": "+15552000000", "push": "token"}[channel]
    words = f"N00000{number}\nSomething has happened."
    return {"at": at, "channel": channel, "id": f"d{number}{channel}", "to": to, "words": words, **more}


def _held(number: int, key: str, at: float, *legs: tuple[str, str, str | None]) -> Record:
    deliveries = [
        {"id": f"d{number}{channel}", "channel": channel, "status": status, "reason_code": reason}
        for channel, status, reason in legs
    ]
    told = {"id": f"n{number}", "type": key, "status": "delivered", "created_at": _text(at), "variables": {}}
    return told | {"deliveries": deliveries}


def honest() -> Record:
    """A small week in which every promise was kept."""
    types = [{"at": 0, "what": "type", "key": key, **kind} for key, kind in (kinds.KINDS | kinds.DIGESTS).items()]
    ann = {"user": "ann", "email": "ann@example.com", "phone": "+15552000000", "timezone": "Europe/London"}
    said = {"marketing_opt_in": True, "quiet_hours": {"start": "22:00", "end": "07:00"}}
    digest = _line(9, NOON + 3 * HOUR, words="Digest\nGathered 2, unlisted 0: N000003 N000002")
    return {
        "journal": [
            {"at": 0, "what": "caps", **kinds.LIMITS},
            *types,
            {"at": 1, "what": "person", **ann},
            {"at": 2, "what": "device", "user": "ann", "device": "phone", "token": "token"},
            {"at": 3, "what": "say", "user": "ann", "patch": said},
            _send(1, "OFFER", NOON),
            _send(2, "FOLLOWED", NOON + 1, channels=["email"]),
            _send(3, "FOLLOWED", NOON + 2, channels=["email"]),
            _send(4, "LOGIN_CODE", NOON + 11 * HOUR),
            _send(5, "SCORE", NOON + 3, channels=["in_app"]),
            _send(6, "ORDER", NOON + 4, channels=["push"], collapse_key="k", schedule_at=_text(NOON + HOUR)),
            _campaign(8, "NEWS", NOON + 5),
        ],
        "received": [
            _line(1, NOON + 1),
            digest,
            _line(4, NOON + 11 * HOUR + 1, "sms"),
            _line(6, NOON + HOUR + 1, "push"),
            _line(8, NOON + 60),
        ],
        "campaigns": {"c8": {"ann": "n8"}},
        "refused": [],
        "stage": {},
        "held": {
            "ann": {
                "inbox": [{"id": "n5", "at": _text(NOON + 4), "number": "N000005"}],
                "notifications": [
                    _held(1, "OFFER", NOON, ("email", "delivered", None)),
                    _held(2, "FOLLOWED", NOON, ("email", "delivered", None)),
                    _held(3, "FOLLOWED", NOON, ("email", "delivered", None)),
                    _held(4, "LOGIN_CODE", NOON, ("sms", "sent", None)),
                    _held(5, "SCORE", NOON, ("in_app", "delivered", None)),
                    _held(6, "ORDER", NOON, ("push", "sent", None)),
                    _held(8, "NEWS", NOON + 6, ("email", "sent", None)),
                    _held(9, "DIGEST_SOCIAL", NOON + 3 * HOUR - 1, ("email", "delivered", None)),
                ],
            }
        },
    }


def _note(record: Record, at: float, what: str, **more: Any) -> None:
    record["journal"].append({"at": at, "what": what, "user": "ann", **more})


def _say(record: Record, at: float, **patch: Any) -> None:
    _note(record, at, "say", patch=patch)


def _leg(record: Record, number: int) -> Record:
    notifications = record["held"]["ann"]["notifications"]
    leg: Record = next(one for one in notifications if one["id"] == f"n{number}")["deliveries"][0]
    return leg


def _drop(record: Record, number: int) -> None:
    record["received"] = [line for line in record["received"] if not line["id"].startswith(f"d{number}")]


def _move(record: Record, number: int, at: float) -> None:
    next(line for line in record["received"] if line["id"].startswith(f"d{number}"))["at"] = at


def _again(record: Record, number: int, **more: Any) -> None:
    line = next(line for line in record["received"] if line["id"].startswith(f"d{number}"))
    record["received"].append(line | {"at": line["at"] + 5} | more)


def _rewrite(record: Record, words: str) -> None:
    record["received"][1]["words"] = words


def _suppress(record: Record, number: int, reason: str) -> None:
    _drop(record, number)
    _leg(record, number).update(status="suppressed", reason_code=reason)


def _flood(record: Record, key: str, channel: str, times: int) -> None:
    for at in range(times):
        name = f"N1{at:05}"
        record["journal"].append(_send(1, key, NOON) | {"id": f"x{at}", "number": name, "channels": [channel]})
        record["received"].append(_line(1, NOON + 50 + at, channel) | {"id": f"x{at}d", "words": f"{name}\n"})
        leg = {"id": f"x{at}d", "channel": channel, "status": "sent", "reason_code": None}
        told = {"id": f"x{at}", "type": key, "status": "sent", "created_at": _text(NOON), "variables": {}}
        record["held"]["ann"]["notifications"].append(told | {"deliveries": [leg]})


Lie = Callable[[Record], None]
LIES: dict[str, tuple[str, Lie]] = {
    "told after a global no": ("after_no", lambda r: _say(r, NOON + 0.5, global_opt_out=True)),
    "told after a no to the channel": ("after_no", lambda r: _say(r, NOON + 0.5, channels={"email": False})),
    "told after a no to the type": ("after_no", lambda r: _say(r, NOON + 0.5, types={"OFFER": {"email": False}})),
    "told after a no to the category": (
        "after_no",
        lambda r: _say(r, NOON + 0.5, categories={"marketing": {"email": False}}),
    ),
    "advertised to without consent": ("after_no", lambda r: _say(r, NOON + 0.5, marketing_opt_in=False)),
    "told in the inbox after a no": ("after_no", lambda r: _say(r, NOON + 3.5, channels={"in_app": False})),
    "told after leaving by the link": ("after_no", lambda r: _note(r, NOON + 0.5, "leave", delivery="d1email")),
    "told after a complaint": (
        "after_no",
        lambda r: _note(r, NOON + 0.5, "complained", channel="email", address="ann@example.com", delivery="d1email"),
    ),
    "texted after a STOP": (
        "after_no",
        lambda r: _note(r, NOON + HOUR, "unsubscribed", channel="sms", address="+15552000000", delivery="d4sms"),
    ),
    "told at a dead address": (
        "after_no",
        lambda r: r["refused"].append(_line(1, NOON + 0.5) | {"code": "invalid_recipient"}),
    ),
    "told after an erasure": ("after_no", lambda r: _note(r, NOON + 0.5, "erase")),
    "told after a deletion": ("after_no", lambda r: _note(r, NOON + 0.5, "delete")),
    "told in a digest after a no": (
        "after_no",
        lambda r: _say(r, NOON + HOUR, types={"FOLLOWED": {"email": False}}),
    ),
    "told at an old address": ("wrong_address", lambda r: _note(r, NOON + 0.5, "profile", email="ann@example.org")),
    "rung on a device that is gone": (
        "wrong_address",
        lambda r: (
            _note(r, NOON + 5, "device", device="tablet", token="other"),
            _note(r, NOON + 6, "device", device="phone", token=None),
        ),
    ),
    "told a secret on a channel they left for another": (
        "against_choice",
        lambda r: _say(r, NOON, sms_preference="never"),
    ),
    "told at night": ("in_quiet_hours", lambda r: _move(r, 1, NOON + 10 * HOUR)),
    # Half past nine in Greenwich, and half past ten in London since last night.
    "told in a night that begins an hour earlier now": ("in_quiet_hours", lambda r: _move(r, 1, NOON + 33.5 * HOUR)),
    "told at noon of those who moved far away": ("in_quiet_hours", lambda r: _say(r, NOON - 1, timezone="Asia/Tokyo")),
    "woken by a digest": ("in_quiet_hours", lambda r: _move(r, 9, NOON + 10 * HOUR)),
    "told before its time": ("too_early", lambda r: _move(r, 6, NOON + HOUR - 1)),
    "told too late": ("expired", lambda r: r["journal"][-7].update(expires_at=_text(NOON + 0.5))),
    "told after a wait for nothing": ("needless_wait", lambda r: _move(r, 1, NOON + 3 * HOUR)),
    "told after it was taken back": ("after_cancel", lambda r: _note(r, NOON + 0.5, "cancel", id="n1")),
    "told what was overtaken": (
        "overtaken",
        lambda r: r["journal"].append(_send(7, "ORDER", NOON + 6, collapse_key="k")),
    ),
    "told alone what was to be gathered": (
        "not_gathered",
        lambda r: (_say(r, NOON - 1, digest_frequency="daily"), r["received"].append(_line(2, NOON + HOUR))),
    ),
    "told by a campaign that stands still": ("while_paused", lambda r: _note(r, NOON + 7, "pause", id="c8")),
    "forgotten by a campaign": ("lost", lambda r: (_drop(r, 8), r["campaigns"]["c8"].clear())),
    "told while the system was spared": ("not_spared", lambda r: _note(r, NOON + 0.5, "mode", mode="degraded")),
    "told twice": ("twice", lambda r: _again(r, 1)),
    "told alone and in a digest": ("twice", lambda r: r["received"].append(_line(2, NOON + HOUR))),
    "told twice in one digest": (
        "twice",
        lambda r: _rewrite(r, "Digest\nGathered 3, unlisted 0: N000003 N000002 N000002"),
    ),
    "told what nobody sent": ("unknown", lambda r: _again(r, 1, words="N999999\n")),
    "gathered for somebody else": (
        "digest_of_another",
        lambda r: (
            r["journal"].append(
                {"at": 4, "what": "person", "user": "bob", "email": None, "phone": None, "timezone": None}
            ),
            r["journal"].append(_send(7, "FOLLOWED", NOON) | {"user": "bob"}),
            _rewrite(r, "Digest\nGathered 3, unlisted 0: N000003 N000002 N000007"),
        ),
    ),
    "a digest that forgets a member": ("lost", lambda r: _rewrite(r, "Digest\nGathered 1, unlisted 0: N000003")),
    "a digest that miscounts": (
        "digest_miscounts",
        lambda r: _rewrite(r, "Digest\nGathered 3, unlisted 0: N000003 N000002"),
    ),
    "a digest that never came": ("lost", lambda r: _drop(r, 9)),
    "called sent, and never came": ("lost", lambda r: _drop(r, 1)),
    "came, and was called suppressed": (
        "lost",
        lambda r: _leg(r, 1).update(status="suppressed", reason_code="user_opted_out"),
    ),
    "never ended": ("lost", lambda r: r["held"]["ann"]["notifications"][0].update(status="processing")),
    "gone without a trace": ("lost", lambda r: r["held"]["ann"]["notifications"].pop(3)),
    "an entry that is in no inbox": ("lost", lambda r: r["held"]["ann"]["inbox"].clear()),
    "kept back for a no that was never said": ("lost", lambda r: _suppress(r, 1, "category_opted_out")),
    "kept back for a night that is none": (
        "lost",
        lambda r: (_say(r, NOON - 1, quiet_hours=None), _suppress(r, 1, "quiet_hours")),
    ),
    "kept back as overtaken by nothing": ("lost", lambda r: _suppress(r, 6, "superseded")),
    "more to one person than the channel's cap": ("over_cap", lambda r: _flood(r, "ORDER", "push", 7)),
    "more to one person than the type's cap": ("over_cap", lambda r: _flood(r, "RECEIPT", "email", 3)),
    "more codes to one number than it may get": ("over_cap", lambda r: _flood(r, "LOGIN_CODE", "sms", 4)),
    "of an erased person something is left": (
        "not_erased",
        lambda r: _note(r, NOON + 30 * HOUR, "erase"),
    ),
}


def found(record: Record) -> set[str]:
    return {one["broken"] for one in Checker(record).check()}


def test_nothing_is_found_in_an_honest_week() -> None:
    checked = Checker(honest())
    assert checked.check() == []
    assert checked.figures()["members of digests"] == 2


def test_a_night_ends_an_hour_earlier_once_the_clocks_are_set_forward() -> None:
    record = honest()
    _move(record, 1, NOON + 18.5 * HOUR)
    assert found(record) == set()


@pytest.mark.parametrize("lie", LIES)
def test_every_lie_is_found_out(lie: str) -> None:
    promise, tell = LIES[lie]
    record = deepcopy(honest())
    tell(record)
    assert promise in found(record)


def test_every_promise_has_a_lie_that_breaks_it() -> None:
    tree = ast.parse(Path(checker.__file__).read_text(encoding="utf-8"))
    words = [
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "_broken"
        and isinstance(node.args[0], ast.Constant)
    ]
    assert set(words) | {"over_cap", "lost", "not_erased"} == {promise for promise, _ in LIES.values()}


def test_the_checker_shares_no_code_with_the_program() -> None:
    allowed = {"tests.week.standing", "__future__"}
    for module in (checker, standing):
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        foreign = {name for name in names - allowed if name.split(".")[0] in ("config", "campaigns", "tests")}
        foreign |= {name for name in names if name.split(".")[0] in ("notify", "preferences", "channels", "django")}
        assert not foreign
