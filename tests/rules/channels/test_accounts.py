from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.rules.accounts import Account, SecretRef, account_of
from channels.vocabulary import Channel, Platform

ENTRY = {"name": "fcm-main", "adapter": "fcm", "channel": "push"}


def test_the_entry_of_the_architecture_page_is_read_whole() -> None:
    account, faults = account_of(
        {
            "name": "apns-main",
            "adapter": "apns",
            "channel": "push",
            "platforms": ["ios"],
            "priority": 1,
            "weight": 100,
            "rate_per_second": 4000,
            "daily_limit": 0,
            "concurrency": 100,
            "timeout_seconds": 2.0,
            "base_url": "https://api.push.apple.com",
            "ca_file": "",
            "regions": ["*"],
            "options": {"key_id": "K", "team_id": "T", "topic": "com.example.app"},
            "secrets": {"private_key": "file:/run/secrets/apns.p8"},
        }
    )
    assert faults == []
    assert account == Account(
        name="apns-main",
        adapter="apns",
        channel=Channel.PUSH,
        platforms=frozenset({Platform.IOS}),
        rate_per_second=4000.0,
        concurrency=100,
        timeout_seconds=2.0,
        base_url="https://api.push.apple.com",
        options={"key_id": "K", "team_id": "T", "topic": "com.example.app"},
        secrets={"private_key": SecretRef("file", "/run/secrets/apns.p8")},
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "Fcm Main"),
        ("name", ""),
        ("name", 5),
        ("adapter", "../evil"),
        ("channel", "pigeon"),
        ("channel", ["push"]),
        ("platforms", "ios"),
        ("platforms", ["ios", "amiga"]),
        ("priority", -1),
        ("priority", True),
        ("weight", 1.5),
        ("rate_per_second", "fast"),
        ("rate_per_second", float("nan")),
        ("daily_limit", -1),
        ("concurrency", "many"),
        ("timeout_seconds", 0),
        ("timeout_seconds", 3600),
        ("connect_timeout_seconds", 0),
        ("base_url", "ftp://example.com"),
        ("base_url", "https://"),
        ("base_url", "https://host:99999"),
        ("base_url", "https://user:password@host"),
        ("ca_file", 5),
        ("regions", []),
        ("options", "none"),
        ("secrets", ["env:X"]),
        ("secrets", {"password": "hunter2"}),
        ("secrets", {"password": "env:"}),
        ("color", "blue"),
    ],
)
def test_each_fault_names_its_key(key: str, value: object) -> None:
    account, faults = account_of({**ENTRY, key: value})
    assert account is None
    assert [fault.key for fault in faults] == [key]
    assert "hunter2" not in faults[0].cure


def test_all_faults_of_an_entry_are_told_at_once() -> None:
    _, faults = account_of({"name": "!", "weight": -1, "colour": "blue"})
    assert sorted(fault.key for fault in faults) == ["adapter", "channel", "colour", "name", "weight"]


@given(st.dictionaries(st.text(max_size=10), st.none() | st.text(max_size=5) | st.integers() | st.lists(st.integers())))
def test_no_entry_breaks_the_reading(entry: dict[str, object]) -> None:
    account, faults = account_of(entry)
    assert (account is None) == bool(faults)
