"""One recipient's values against a template's schema."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.rules.variables import Variable, VariableFault, check, examples, schema_faults

SCHEMA: dict[str, dict[str, Any]] = {
    "code": {"type": "string", "required": True, "default": None},
    "minutes": {"type": "number", "required": False, "default": 10},
    "note": {"type": "string", "required": False, "default": None},
    "flag": {"type": "boolean"},
    "rows": {"type": "list"},
    "plan": {"type": "object"},
}


def test_complete_values_come_back_as_they_are() -> None:
    given_values = {"code": "1", "minutes": 5, "note": "x", "flag": True, "rows": [], "plan": {}}
    assert check(SCHEMA, given_values) is given_values


def test_a_default_fills_a_gap_and_a_null() -> None:
    assert check(SCHEMA, {"code": "1"}) == {"code": "1", "minutes": 10}
    assert check(SCHEMA, {"code": "1", "minutes": None, "note": None}) == {"code": "1", "minutes": 10}


def test_what_the_schema_does_not_know_is_left_out() -> None:
    assert check(SCHEMA, {"code": "1", "minutes": 2, "other": 3}) == {"code": "1", "minutes": 2}


@pytest.mark.parametrize("variables", [{}, {"code": None}, {"minutes": 1}])
def test_a_missing_required_variable_is_named(variables: dict[str, Any]) -> None:
    with pytest.raises(VariableFault) as fault:
        check(SCHEMA, variables)
    assert (fault.value.name, fault.value.code) == ("code", "missing_variable")


def test_a_default_stands_in_for_a_required_variable() -> None:
    schema = {"app": {"type": "string", "required": True, "default": "MyApp"}}
    assert check(schema, {}) == {"app": "MyApp"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("code", 1), ("minutes", "1"), ("minutes", True), ("flag", 1), ("rows", {}), ("plan", []), ("note", ["x"])],
)
def test_a_value_of_another_type_is_refused_and_not_repeated(name: str, value: Any) -> None:
    with pytest.raises(VariableFault) as fault:
        check(SCHEMA, {"code": "secret", name: value})
    assert (fault.value.name, fault.value.code) == (name, "invalid_variable")
    assert "secret" not in str(fault.value)


@pytest.mark.parametrize("value", [1, 1.5, -(2**70), 0])
def test_every_number_is_a_number(value: float) -> None:
    assert check({"n": {"type": "number"}}, {"n": value}) == {"n": value}


def test_too_much_of_it_all_is_refused() -> None:
    with pytest.raises(VariableFault) as fault:
        check(SCHEMA, {"code": "x" * 65_536})
    assert (fault.value.name, fault.value.code) == ("", "invalid_variables")


@given(st.dictionaries(st.sampled_from([*SCHEMA, "other"]), st.none() | st.text() | st.integers() | st.booleans()))
def test_what_passes_once_passes_again_unchanged(variables: dict[str, Any]) -> None:
    try:
        checked = check(SCHEMA, variables)
    except VariableFault:
        return
    assert check(SCHEMA, checked) is checked
    assert None not in checked.values()


@pytest.mark.parametrize("name", ["", "1a", "a b", "a.b", "_a", "user", "loop", "in", "ä", "a" * 65, "a\n"])
def test_a_name_that_no_template_can_say_is_refused(name: str) -> None:
    assert [fault.code for fault in schema_faults({name: Variable()})] == ["invalid_variable_name"]


def test_a_default_of_another_type_is_refused() -> None:
    faults = schema_faults({"n": Variable(type="number", default="7"), "ok": Variable(type="number", default=7)})
    assert [(fault.name, fault.code) for fault in faults] == [("n", "invalid_default")]


def test_examples_fit_their_schema_complete_and_at_the_least() -> None:
    assert check(SCHEMA, examples(SCHEMA, complete=True)).keys() == SCHEMA.keys()
    assert examples(SCHEMA, complete=False) == {"code": "Example", "minutes": 10}
