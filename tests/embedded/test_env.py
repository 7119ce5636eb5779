"""Every fault of the environment names the variable, what is wrong, and the cure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from config import env
from config.embedded import neighbour
from config.env import ConfigurationError

NAME = "CARILLON_TEST_VARIABLE"
URL = ("redis", "rediss")


@pytest.fixture(autouse=True)
def _no_trace_in_the_settings_page() -> object:
    yield
    env.DECLARED.pop(NAME, None)


@pytest.mark.parametrize(
    ("written", "read", "expected"),
    [
        ("word", lambda: env.text(NAME), "word"),
        ("", lambda: env.text(NAME, "default"), "default"),
        (" 7 ", lambda: env.integer(NAME), 7),
        ("2.5", lambda: env.seconds(NAME), 2.5),
        ("ON", lambda: env.boolean(NAME), True),
        ("no", lambda: env.boolean(NAME, default=True), False),
        ("b", lambda: env.choice(NAME, ("a", "b")), "b"),
        ("/etc/x", lambda: env.path(NAME), Path("/etc/x")),
        ("", lambda: env.path(NAME), None),
        ("redis://h:1/0", lambda: env.url(NAME, schemes=URL), "redis://h:1/0"),
        ("", lambda: env.url(NAME, "", schemes=URL), ""),
    ],
)
def test_a_variable_is_read_as_its_type(
    monkeypatch: pytest.MonkeyPatch, written: str, read: Callable[[], object], expected: object
) -> None:
    monkeypatch.setenv(NAME, written)
    assert read() == expected


@pytest.mark.parametrize(
    ("written", "read", "problem", "cure"),
    [
        ("", lambda: env.text(NAME, about="the key"), "it is not set", "Set CARILLON_TEST_VARIABLE (text): the key"),
        ("7b", lambda: env.integer(NAME), "'7b' is not a whole number", "a number from 0 to"),
        ("0", lambda: env.integer(NAME, minimum=1, maximum=9), "0 is out of bounds", "a number from 1 to 9"),
        ("nan", lambda: env.seconds(NAME), "'nan' is not a duration", "seconds, for example 2.5"),
        ("-1", lambda: env.seconds(NAME), "'-1' is not a duration", "seconds, for example 2.5"),
        ("maybe", lambda: env.boolean(NAME), "'maybe' is neither true nor false", "Set it to true or false"),
        ("c", lambda: env.choice(NAME, ("a", "b")), "'c' is not a choice", "Set it to a or b"),
        ("http://h", lambda: env.url(NAME, schemes=URL), "the scheme is not one of redis, rediss", "redis://user"),
        ("redis://", lambda: env.url(NAME, schemes=URL), "names no host", "redis://user"),
        ("redis://h:x", lambda: env.url(NAME, schemes=URL), "not a well-formed address", "redis://user"),
    ],
)
def test_a_fault_names_variable_problem_and_cure(
    monkeypatch: pytest.MonkeyPatch, written: str, read: Callable[[], object], problem: str, cure: str
) -> None:
    monkeypatch.setenv(NAME, written)
    with pytest.raises(ConfigurationError) as caught:
        read()
    assert caught.value.variable == NAME
    assert str(caught.value).startswith(f"{NAME}: ")
    assert problem in str(caught.value)
    assert cure in str(caught.value)


def test_a_password_in_a_wrong_address_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "http://user:hunter2@host:bad/0")
    with pytest.raises(ConfigurationError) as caught:
        env.url(NAME, schemes=URL)
    assert "hunter2" not in str(caught.value)


def test_a_value_may_stand_in_a_file_as_container_secrets_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from the file\n")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "secret"))
    assert env.text(NAME) == "from the file"
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "absent"))
    with pytest.raises(ConfigurationError, match=f"{NAME}_FILE: .*absent cannot be read"):
        env.text(NAME)


def test_every_variable_asked_for_is_known_to_the_settings_page() -> None:
    env.integer(NAME, 7, about="how many")
    assert env.DECLARED[NAME] == env.Variable(NAME, "whole number", "7", "how many")
    env.integer(NAME, 7)
    assert env.DECLARED[NAME].about == "how many"


@pytest.mark.parametrize(("number", "other"), [("/0", "/1"), ("/1", "/0"), ("/14", "/15"), ("", "/1")])
def test_the_broker_is_next_to_redis_on_the_same_server(number: str, other: str) -> None:
    assert neighbour(f"redis://:pw@h:1{number}") == f"redis://:pw@h:1{other}"
