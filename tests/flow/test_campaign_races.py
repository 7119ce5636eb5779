"""Two hands on one campaign at the same moment: clocks, workers and people, each on a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import control, fan_out, freeze, launch, watch
from campaigns.errors import InvalidTransition
from campaigns.store import slices
from campaigns.store.campaigns import CampaignRow
from campaigns.vocabulary import Act, CampaignStatus, RunStatus
from notify import tell
from notify.store import halts
from tests.factories import Api, make_template, make_type
from tests.flow.campaigning import make_campaign, only_run, people, release_pages, start, status_of, told
from tests.flow.conftest import drain

pytestmark = pytest.mark.django_db(transaction=True)

_PATIENCE = 20.0


@pytest.fixture(autouse=True)
def _newsletter(api: Api) -> None:
    make_template()
    make_type(template_id="order_shipped", category="social")
    halts.forget()


class Hand(threading.Thread):
    """One of several who act at once; what it raised is kept."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._act = act
        self.raised: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self._act()
        except Exception as fault:  # noqa: BLE001 - it is looked at by who joins
            self.raised = fault
        finally:
            connection.close()

    def end(self) -> Exception | None:
        self.join(_PATIENCE)
        assert not self.is_alive(), "they wait for each other"
        return self.raised


def at_once(*acts: Callable[[], object]) -> list[Exception | None]:
    """What each of them raised."""
    ready = threading.Barrier(len(acts))

    def together(act: Callable[[], object]) -> Callable[[], object]:
        return lambda: (ready.wait(_PATIENCE), act())

    return [hand.end() for hand in [Hand(together(act)) for act in acts]]


@contextmanager
def stopped_in(
    patch: pytest.MonkeyPatch, owner: object, name: str, act: Callable[[], object]
) -> Iterator[threading.Event]:
    """Inside the context `act` stands still, right after it has called this function; the event lets it go."""
    real = getattr(owner, name)
    there, go_on = threading.Event(), threading.Event()

    def stopping(*values: Any, **named: Any) -> Any:
        answer = real(*values, **named)
        there.set()
        go_on.wait(_PATIENCE)
        return answer

    patch.setattr(owner, name, stopping)
    hand = Hand(act)
    assert there.wait(_PATIENCE)
    yield go_on
    go_on.set()
    assert hand.end() is None


def ask(campaign: CampaignRow, act: Act) -> None:
    control.act_on(campaign.id, act, actor="staff:ann", now=timezone.now())


def all_slices(run_id: Any) -> None:
    for _ in fan_out.fan_out(run_id):
        pass


def end_all(later: timedelta = timedelta(hours=1)) -> None:
    release_pages()
    drain()
    watch.watch(timezone.now() + later)


def test_a_start_pressed_twice_starts_once() -> None:
    people(1)
    campaign = make_campaign()
    raised = at_once(*[lambda: ask(campaign, Act.START)] * 4)
    assert [type(one) for one in raised if one is not None] == [InvalidTransition] * 3
    assert launch.launch(timezone.now()) == 1


def test_four_beats_at_once_launch_one_run() -> None:
    people(1)
    campaign = make_campaign()
    ask(campaign, Act.START)
    assert at_once(*[lambda: launch.launch(timezone.now())] * 4) == [None] * 4
    assert only_run(campaign).status is RunStatus.RUNNING


def test_four_workers_at_once_tell_everybody_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeze, "SLICE_SIZE", 3)
    people(50)
    campaign = make_campaign(max_per_second=10_000)
    run = start(campaign)
    assert at_once(*[lambda: freeze.freeze(run.id)] * 3) == [None] * 3
    for _ in range(10):
        assert at_once(*[lambda: all_slices(run.id)] * 4) == [None] * 4
        if not slices.left(run.id).people:
            break
    end_all()
    assert told() == {f"u_{at}": 1 for at in range(50)}
    assert (only_run(campaign).counts.delivered, status_of(campaign)) == (50, CampaignStatus.COMPLETED)


def test_a_pause_does_not_wait_for_the_slice_in_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    people(3)
    campaign = make_campaign()
    run = start(campaign)
    freeze.freeze(run.id)
    with stopped_in(monkeypatch, tell, "send_share", lambda: all_slices(run.id)):
        ask(campaign, Act.PAUSE)
    assert slices.left(run.id).people == 0
    end_all(timedelta(seconds=3))
    assert (only_run(campaign).status, only_run(campaign).counts.sent) == (RunStatus.PAUSED, 3)


def test_a_cancel_leaves_the_slice_in_hand_and_takes_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeze, "SLICE_SIZE", 2)
    people(6)
    campaign = make_campaign()
    run = start(campaign)
    freeze.freeze(run.id)
    with stopped_in(monkeypatch, tell, "send_share", lambda: all_slices(run.id)) as go_on:
        cancel = Hand(lambda: ask(campaign, Act.CANCEL))
        assert cancel.end() is None
        go_on.set()
    end_all()
    ended = only_run(campaign)
    assert (ended.status, slices.left(run.id).people) == (RunStatus.CANCELLED, 0)
    assert (ended.counts.sent, sum(told().values())) == (2, 2)


def test_a_cancel_leaves_nothing_behind_of_an_audience_that_is_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    people(2)
    campaign = make_campaign()
    run = start(campaign)
    with stopped_in(monkeypatch, slices, "insert", lambda: freeze.freeze(run.id)) as go_on:
        cancel = Hand(lambda: ask(campaign, Act.CANCEL))
        cancel.join(0.3)
        go_on.set()
        assert cancel.end() is None
    assert (slices.left(run.id).people, only_run(campaign).status) == (0, RunStatus.CANCELLED)


def test_a_cancel_while_a_segment_fails_deadlocks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    people(1)
    campaign = make_campaign(audience={"segment": "this is no segment"})
    run = start(campaign)
    for one in at_once(lambda: freeze.freeze(run.id), lambda: ask(campaign, Act.CANCEL)):
        assert one is None or isinstance(one, InvalidTransition)
    assert (status_of(campaign), only_run(campaign).status) in {
        (CampaignStatus.CANCELLED, RunStatus.CANCELLED),
        (CampaignStatus.FAILED, RunStatus.FAILED),
    }


@pytest.mark.parametrize("act", [Act.CANCEL, Act.PAUSE])
def test_a_campaign_that_ends_while_it_is_stopped_is_one_or_the_other(act: Act) -> None:
    people(2)
    campaign = make_campaign()
    run = start(campaign)
    freeze.freeze(run.id)
    all_slices(run.id)
    release_pages()
    drain()
    ended, asked = at_once(lambda: watch.watch(timezone.now()), lambda: ask(campaign, act))
    assert ended is None
    stopped = {Act.CANCEL: "cancelled", Act.PAUSE: "paused"}[act]
    found = (str(status_of(campaign)), str(only_run(campaign).status))
    assert found == (("completed", "completed") if isinstance(asked, InvalidTransition) else (stopped, stopped))


def test_what_a_late_worker_holds_is_told_by_the_next_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lease has ended while it stood still, before it wrote: what it then writes is nothing."""
    people(3)
    campaign = make_campaign()
    run = start(campaign)
    freeze.freeze(run.id)
    with stopped_in(monkeypatch, tell, "send_share", lambda: all_slices(run.id)) as go_on:
        monkeypatch.undo()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE campaigns_slice SET claimed_until = now() - interval '1 second'")
        all_slices(run.id)
        go_on.set()
    end_all()
    assert told() == {f"u_{at}": 1 for at in range(3)}
