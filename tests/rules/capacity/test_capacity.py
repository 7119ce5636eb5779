"""The arithmetic of `manage.py capacity` on figures that are made up, so that every sum can be done by hand."""

from __future__ import annotations

import json
from io import StringIO
from math import ceil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from celeryconfig import POOLS
from channels.vocabulary import Channel
from config.capacity import assumptions, report
from config.capacity.figures import Cost, Figures, FiguresFault, Kept, read_figures
from config.capacity.line import Line, line_through, pages_each
from config.capacity.load import CapacityFault, Load, checked
from config.capacity.plan import plan_for
from config.capacity.way import way_of
from notify.policy import PAGE_SIZE
from notify.vocabulary import Priority

EACH = Cost(web=20, workers=100, housekeeping=5, postgres=50, redis=25)
FIGURES = Figures(
    measured_on="2026-01-01",
    machine="a machine",
    cost=Line(page=EACH.times(100), each=EACH),
    kept=Line(page=Kept(log=200, answers=0, wal=3000), each=Kept(log=1000, answers=50, wal=1200)),
    rows=3,
    person=200,
    device=500,
    campaign=None,
)
CAMPAIGN = msgspec.structs.replace(FIGURES, campaign=EACH.times(0.5))
LOADS = st.builds(
    Load,
    events_per_day=st.floats(1, 1e10),
    recipients_per_event=st.floats(1, 1e7),
    users=st.floats(1, 1e10),
    peak=st.floats(1, 100),
    retention_days=st.floats(1, 4000),
    cores=st.integers(1, 256),
    utilisation=st.floats(0.05, 1),
)


def asked(**options: Any) -> dict[str, Any]:
    said = StringIO()
    call_command("capacity", json=True, stdout=said, **options)
    answer: dict[str, Any] = json.loads(said.getvalue())
    return answer


def refused(**changes: Any) -> str:
    with pytest.raises(CapacityFault) as caught:
        checked(Load(**changes))
    return str(caught.value)


def test_the_defaults_are_those_of_the_requirement() -> None:
    rates = plan_for(Load(), FIGURES).rates
    assert rates.notifications_per_day == 100_000_000
    assert round(rates.average_per_second) == 1157
    assert round(rates.peak_per_second) == 11_574


def test_the_requirement_s_estimator_gets_its_outputs() -> None:
    plan = plan_for(Load(), FIGURES)
    assert plan.database.log_rows == 9e9
    assert plan.database.estimated_bytes_kept == 4.5e12
    assert plan.memory.preference_cache_bytes == 10e9


def test_the_line_goes_through_both_runs() -> None:
    few, many = EACH.times(7), EACH
    line = line_through(few, 10, many, 1_000)
    assert line.at(10).total == pytest.approx(few.total)
    assert line.at(1_000).total == pytest.approx(many.total)


def test_a_part_that_grew_cheaper_with_fewer_recipients_costs_nothing_a_page() -> None:
    line = line_through(EACH.times(0.5), 10, EACH, 1_000)
    assert (line.page.total, line.each.total) == (0, EACH.total)


@given(st.floats(1, 1e7))
def test_pages_are_whole_and_hold_as_many_as_a_page_holds(recipients: float) -> None:
    pages = pages_each(recipients) * recipients
    assert pages == pytest.approx(ceil(recipients / PAGE_SIZE))


def test_cores_are_rate_times_cost_over_the_share_that_may_be_filled() -> None:
    plan = plan_for(Load(events_per_day=86_400, recipients_per_event=1_000, peak=2, utilisation=0.5), FIGURES)
    postgres = 50 + 50 * 100 * 2 / 1_000
    assert plan.rates.peak_per_second == 2_000
    assert plan.machines.postgres_cores == pytest.approx(2_000 * postgres / 1e6 / 0.5)


def test_an_event_that_fills_pages_is_computed_from_the_campaign_s_figure() -> None:
    assert plan_for(Load(recipients_per_event=500), CAMPAIGN).figure == "the campaign's"
    assert plan_for(Load(recipients_per_event=500), CAMPAIGN).cost.total == 100
    assert plan_for(Load(recipients_per_event=499), CAMPAIGN).figure.startswith("calls of 499 recipients")
    assert plan_for(Load(recipients_per_event=500), FIGURES).figure.startswith("calls of 500 recipients")


def test_a_cost_that_is_named_keeps_the_proportions() -> None:
    plan = plan_for(Load(cpu_us=1_000), FIGURES)
    assert plan.cost.total == pytest.approx(1_000)
    assert plan.cost.workers == pytest.approx(500)
    assert plan.figure.startswith("1000 µs as named")


def test_what_a_provider_has_in_hand_is_rate_times_latency() -> None:
    load = Load(events_per_day=86_400, recipients_per_event=1_000, peak=1)
    assert plan_for(load, FIGURES).in_flight == {"push": 30.0, "email": 30.0, "sms": 20.0}


def test_a_message_names_a_page_and_urgent_ones_take_one_message_less() -> None:
    one_channel = {Channel.PUSH: 1.0}
    low = Load(recipients_per_event=1_000, mix=one_channel, priorities={Priority.LOW: 1.0})
    assert way_of(low).messages == pytest.approx(4 / 1_000)
    assert way_of(msgspec.structs.replace(low, priorities={Priority.HIGH: 1.0})).messages == pytest.approx(2 / 1_000)


def test_a_page_of_three_keeps_a_process_as_long_as_a_page_of_five_hundred() -> None:
    three = Load(recipients_per_event=3, mix={Channel.PUSH: 1.0}, latency_ms={Channel.PUSH: 60.0})
    many = msgspec.structs.replace(three, recipients_per_event=500)
    assert way_of(three).busy_seconds(0.0) == pytest.approx(0.06 / 3)
    assert way_of(many).busy_seconds(0.0) == pytest.approx(0.06 / 500)


def test_a_provider_that_takes_few_at_once_is_waited_for_in_rounds() -> None:
    texts = Load(recipients_per_event=500, mix={Channel.SMS: 1.0}, latency_ms={Channel.SMS: 200.0})
    assert way_of(texts).shares[Channel.SMS].waiting == 0.2 * 500 / assumptions.STREAMS[Channel.SMS]


def test_no_pool_is_smaller_than_it_is_shipped() -> None:
    pools = plan_for(Load(events_per_day=10), FIGURES).pools
    assert {name: size.peak for name, size in pools.items()} == {pool.name: pool.concurrency for pool in POOLS}


def test_a_pooler_is_due_once_processes_outnumber_connections() -> None:
    assert not plan_for(Load(events_per_day=1_000), FIGURES).database.pooler_needed
    large = plan_for(Load(), FIGURES).database
    assert large.connections == large.worker_connections + large.web_connections + assumptions.OTHER_CONNECTIONS
    assert large.pooler_needed


@given(LOADS)
def test_every_load_gets_an_answer_that_adds_up(load: Load) -> None:
    plan = plan_for(checked(load), FIGURES)
    assert plan.rates.peak_per_second >= plan.rates.average_per_second
    assert plan.machines.primaries >= 1
    assert [one.per_second for one in plan.limits] == sorted(one.per_second for one in plan.limits)
    assert all(one.needed >= 1 for one in plan.limits)
    assert all(size.peak >= size.average for size in plan.pools.values())
    assert report.sections(load, plan)


@given(LOADS)
def test_twice_as_many_events_need_twice_as_many_cores(load: Load) -> None:
    twice = msgspec.structs.replace(load, events_per_day=2 * load.events_per_day)
    once, double = plan_for(load, FIGURES).machines, plan_for(twice, FIGURES).machines
    assert double.worker_cores == pytest.approx(2 * once.worker_cores)
    assert double.postgres_cores == pytest.approx(2 * once.postgres_cores)


@given(LOADS)
def test_more_recipients_of_an_event_never_cost_more_for_each_than_one_alone(load: Load) -> None:
    alone = msgspec.structs.replace(load, recipients_per_event=1)
    assert plan_for(load, FIGURES).cost.total <= plan_for(alone, FIGURES).cost.total


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"events_per_day": 0}, "--events-per-day: 0 is not possible. Give a number above 0"),
        ({"recipients_per_event": 0.5}, "--recipients-per-event: 0.5"),
        ({"peak": float("nan")}, "--peak: nan"),
        ({"users": float("inf")}, "--users: inf"),
        ({"utilisation": 1.2}, "--utilisation: 1.2 is not possible. Give a number above 0 up to 1."),
        ({"cpu_us": -1.0}, "--cpu-us: -1"),
        ({"latency_ms": {Channel.PUSH: -1.0}}, "--latency-ms: -1"),
        ({"mix": {Channel.PUSH: 0.7}}, "--mix: the shares add up to 70 %. Let them add up to 100."),
        ({"mix": {Channel.PUSH: 1.5, Channel.SMS: -0.5}}, "--mix: a share is below 0"),
        ({"priorities": {}}, "--priorities: the shares add up to 0 %"),
    ],
)
def test_a_number_that_cannot_be_meant_is_refused_with_its_option(changes: dict[str, Any], named: str) -> None:
    assert refused(**changes).startswith(named)


def test_bytes_are_told_in_the_unit_that_fits() -> None:
    told = [report.of_bytes(value) for value in (999, 1_000, 64e9, 1.026e15, 5e21)]
    assert told == ["999 B", "1 KB", "64 GB", "1.03 PB", "5,000 EB"]


def test_the_command_answers_for_the_reader_s_own_inputs() -> None:
    options = {"events_per_day": 86_400.0, "mix": "push=75,sms=25", "latency_ms": "sms=400", "retention_days": 30.0}
    answer = asked(recipients_per_event=2.0, peak=1.0, **options)
    assert answer["plan"]["rates"]["peak_per_second"] == 2
    assert answer["load"]["mix"] == {"push": 0.75, "sms": 0.25}
    assert answer["plan"]["in_flight"] == {"push": 0.075, "sms": 0.2}
    assert answer["load"]["latency_ms"] == {"push": 50, "email": 100, "sms": 400, "in_app": 0}


def test_the_command_draws_tables_that_name_figure_and_model() -> None:
    said = StringIO()
    call_command("capacity", stdout=said)
    assert "on the line through 10 and 1,000" in said.getvalue()
    assert "A linear model, not a measurement" in said.getvalue()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"mix": "pusch=100"}, "--mix: 'pusch' is none of push, email, sms, in_app"),
        ({"mix": "push=50,push=50"}, "--mix: push stands there twice"),
        ({"latency_ms": "push"}, "--latency-ms: '' is no number for push"),
        ({"priorities": "low=x"}, "--priorities: 'x' is no number for low"),
        (
            {"figures": Path("/nowhere.json")},
            "/nowhere.json cannot be read: No such file or directory. Run `make bench",
        ),
    ],
)
def test_the_command_names_what_is_wrong_and_its_cure(options: dict[str, Any], named: str) -> None:
    with pytest.raises(CommandError, match=r"\.") as caught:
        call_command("capacity", **options)
    assert str(caught.value).startswith(named)


def test_a_file_without_the_bench_s_figures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text('{"machine": {}}')
    with pytest.raises(FiguresFault, match=r"missing required field `capacity`"):
        read_figures(tmp_path / "old.json")


def test_the_bench_s_campaign_is_read_where_there_is_one(tmp_path: Path) -> None:
    kept = settings.BASE_DIR / "docs/performance.json"
    found = json.loads(kept.read_text())
    groups = {"workers, low": {"cpu_us": 60.0}, "PostgreSQL": {"cpu_us": 30.0}, "beat": {"cpu_us": 10.0}}
    found["campaign"] = {"notifications": 10, "groups": groups}
    (tmp_path / "new.json").write_text(json.dumps(found))
    cost = read_figures(tmp_path / "new.json").campaign
    assert cost == Cost(web=0, workers=60, housekeeping=10, postgres=30, redis=0)
