"""All SQL of this app: one file per question."""

from channels.store.accounts import (
    Switch,
    change_switch,
    provider_switches,
    reserve_day,
    return_day,
    set_switch,
    used_of_day,
)
from channels.store.costs import (
    BudgetRow,
    MonthLine,
    Spent,
    book,
    budgets,
    month_spend,
    prices,
    put_prices,
    report_limit,
    set_budget,
    spend_by_month,
)
from channels.store.inbox import insert_inbox

__all__ = [
    "BudgetRow",
    "MonthLine",
    "Spent",
    "Switch",
    "book",
    "budgets",
    "change_switch",
    "insert_inbox",
    "month_spend",
    "prices",
    "provider_switches",
    "put_prices",
    "report_limit",
    "reserve_day",
    "return_day",
    "set_budget",
    "set_switch",
    "spend_by_month",
    "used_of_day",
]
