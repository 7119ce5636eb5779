"""What callers send about people: spelt one way, or refused by field."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from channels.vocabulary import Channel
from preferences.errors import InvalidField, invalid
from preferences.rules.intake import change_of, checked_preferences, is_id, merged_preferences, profile_of
from preferences.rules.requests import PreferencesPatch, UserBody, UserPatch
from preferences.vocabulary import Category, Preferences, QuietHours


def patched(present: Preferences, patch: dict[str, Any]) -> Preferences:
    return merged_preferences(present, msgspec.convert(patch, PreferencesPatch))


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"in": value}
    return value


def test_a_profile_is_spelt_one_way() -> None:
    body = UserBody(
        email="Alice@EXAMPLE.com", phone="+44 7700 900123", locale="en-gb", timezone="Europe/London", country_code="gb"
    )
    profile = profile_of(body)
    assert (profile.email, profile.phone) == ("Alice@example.com", "+447700900123")
    assert (profile.locale, profile.timezone, profile.country_code) == ("en-GB", "Europe/London", "GB")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "not an address"),
        ("email", ""),
        ("phone", "5559876543"),
        ("phone", "+1"),
        ("locale", "not-a-locale"),
        ("locale", "xx-YY"),
        ("locale", "en_GB"),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../../etc/passwd"),
        ("timezone", ""),
        ("country_code", "ZZ"),
        ("country_code", "GBR"),
        ("attributes", {"a": "x" * 17_000}),
        ("attributes", deep(9)),
    ],
)
def test_what_makes_no_sense_is_refused_by_field(field: str, value: Any) -> None:
    with pytest.raises(InvalidField) as caught:
        profile_of(UserBody(**{field: value}))
    (error,) = caught.value.errors
    assert (error.pointer, caught.value.code) == (f"/{field}", f"invalid_{field}")
    if isinstance(value, str) and value:
        assert value not in error.message


def test_attributes_of_eight_levels_are_taken() -> None:
    assert profile_of(UserBody(attributes=deep(8))).attributes.count("in") == 7


def test_a_patch_leaves_unset_what_it_does_not_name_and_empties_what_it_sets_to_null() -> None:
    change = change_of(UserPatch(email=None, locale=None, timezone="UTC"))
    assert (change.email, change.locale, change.timezone) == (None, "", "UTC")
    assert change.phone is change.country_code is change.attributes is UNSET


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        (Preferences(quiet_hours=QuietHours("22:00", "22:00")), "/quiet_hours"),
        (Preferences(channel_order=(Channel.SMS, Channel.SMS)), "/channel_order"),
        (Preferences(timezone="Mars/Olympus"), "/timezone"),
        (Preferences(locale="qq"), "/locale"),
        (Preferences(types={f"T{number}": {} for number in range(501)}), "/types"),
    ],
)
def test_preferences_that_make_no_sense_are_refused_by_field(wanted: Preferences, pointer: str) -> None:
    with pytest.raises(InvalidField) as caught:
        checked_preferences(wanted)
    assert (caught.value.errors[0].pointer, caught.value.code) == (pointer, f"invalid_{pointer[1:]}")


def test_a_patch_changes_one_switch_and_keeps_the_others() -> None:
    present = Preferences(categories={Category.SOCIAL: {Channel.PUSH: False, Channel.EMAIL: False}}, version=3)
    after = patched(present, {"categories": {"social": {"email": None}, "marketing": {"sms": False}}})
    assert after.categories == {Category.SOCIAL: {Channel.PUSH: False}, Category.MARKETING: {Channel.SMS: False}}


def test_null_puts_back_the_default() -> None:
    present = Preferences(global_opt_out=True, channels={Channel.SMS: False}, quiet_hours=QuietHours("22:00", "07:00"))
    assert patched(present, {"global_opt_out": None, "channels": None, "quiet_hours": None}) == Preferences()


def test_half_a_window_is_merged_into_a_whole_one_or_refused() -> None:
    present = Preferences(quiet_hours=QuietHours("22:00", "07:00"))
    assert patched(present, {"quiet_hours": {"start": "23:30"}}).quiet_hours == QuietHours("23:30", "07:00")
    for patch in ({"start": "23:30"}, {"start": "25:00", "end": "07:00"}):
        with pytest.raises(InvalidField, match="HH:MM"):
            patched(Preferences(), {"quiet_hours": patch})


@given(patch=st.fixed_dictionaries({}, optional={"global_opt_out": st.booleans(), "locale": st.just("de")}))
def test_a_patch_of_a_version_does_not_move_the_version(patch: dict[str, Any]) -> None:
    assert patched(Preferences(version=7), patch).version == 7


@pytest.mark.parametrize("text", ["u_alice", "auth0|5f7c", "alice@example.com", "a" * 128, "...", "~"])
def test_an_id_is_any_visible_ascii_without_a_slash(text: str) -> None:
    assert is_id(text)


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "a b", "a\n", "ü", "a\0", "a" * 129, "\u202eevil"])
def test_what_cannot_be_one_segment_of_a_path_is_no_id(text: str) -> None:
    assert not is_id(text)


def test_a_refusal_is_named_after_its_field() -> None:
    assert invalid("/users/3/email", "x").code == "invalid_email"
