"""The counters of all processes: the script in Redis, and the same sums in Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels import redis_state, windows
from channels.rules.windows import Counter, Log, Logs, Place, Window, Wish

_MARGIN = 5
#: Redis lets logs go by its own clock, whatever the test's says: in minutes nothing ends while an example runs.
_SLOW = 60_000
_START = 1_800_000_000_000

pytestmark = pytest.mark.usefixtures("empty_redis")

_COUNTERS = st.lists(
    st.builds(
        Counter,
        name=st.sampled_from(["a", "b", "c"]),
        windows=st.lists(st.builds(Window, most=st.integers(1, 4), span_ms=st.integers(1, 60)), min_size=1, max_size=2),
        owner=st.just(""),
    ),
    max_size=2,
    unique_by=lambda counter: counter.name,
)
_ASKS = st.lists(
    st.builds(
        Wish,
        member=st.integers(0, 12).map(str),
        wait_ms=st.sampled_from([0, 0, 20, 1_000]),
        counters=_COUNTERS,
    ),
    min_size=1,
    max_size=6,
)
_OWNERS = {"a": "somebody", "b": "somebody", "c": "another"}
#: Pages of wishes, each so many milliseconds after the last.
_LIFE = st.lists(st.tuples(st.integers(0, 40), _ASKS), min_size=1, max_size=12)


def nothing_known(names: object) -> dict[str, Log]:
    del names
    return {}


def _slow(window: Window) -> Window:
    return Window(window.most, window.span_ms * _SLOW)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(life=_LIFE)
def test_the_script_and_the_sums_answer_alike(life: list[tuple[int, list[Wish]]]) -> None:
    redis_state._client().redis.flushdb()
    alone = Logs({}, margin_ms=_MARGIN)
    # A log lives for as long as its longest window: the same windows throughout.
    spans: dict[str, list[Window]] = {}
    now = _START
    for pause, page in life:
        now += pause * _SLOW
        wishes = [
            Wish(
                wish.member,
                wish.wait_ms * _SLOW,
                [
                    Counter(c.name, spans.setdefault(c.name, [_slow(one) for one in c.windows]), _OWNERS[c.name])
                    for c in wish.counters
                ],
            )
            for wish in page
        ]
        told = windows.take(wishes, nothing_known, now_ms=now, margin_ms=_MARGIN)
        assert told == alone.take(wishes, now)


@settings(max_examples=200, deadline=None)
@given(
    life=st.lists(st.tuples(st.integers(0, 40), st.sampled_from([0, 0, 30, 500])), min_size=1, max_size=60),
    most=st.integers(1, 5),
    span=st.integers(1, 100),
)
def test_no_window_ever_holds_more_than_it_may(life: list[tuple[int, int]], most: int, span: int) -> None:
    """A naive model: every instant at which something is told, looked back upon over every window."""
    logs = Logs({}, margin_ms=_MARGIN)
    counter = Counter("a", [Window(most, span)], "somebody")
    told: list[int] = []
    now = _START
    for number, (pause, wait) in enumerate(life):
        now += pause
        place = logs.take([Wish(str(number), wait, [counter])], now)[0]
        if place.taken:
            told.append(now + place.in_ms)
    # Each may reach its provider so much later, whichever way that moves the others.
    for at in told:
        assert sum(at - span - _MARGIN < other <= at for other in told) <= most


def test_a_member_asked_for_again_counts_once_and_keeps_its_place() -> None:
    counter = Counter("a", [Window(1, 100)], "somebody")
    one, other = Wish("1", 0, [counter]), Wish("2", 1_000, [counter])
    first = windows.take([one, one, other, other], nothing_known, now_ms=_START, margin_ms=_MARGIN)
    assert first == [Place(True, 0), Place(True, 0), Place(True, 105), Place(True, 105)]
    later = windows.take([other], nothing_known, now_ms=_START + 110, margin_ms=_MARGIN)
    assert later == [Place(True, 0)]


def test_a_place_on_one_counter_alone_is_none() -> None:
    free, full = Counter("free", [Window(1, 100)], "somebody"), Counter("full", [Window(1, 100)], "somebody")
    windows.take([Wish("1", 0, [full])], nothing_known, now_ms=_START, margin_ms=_MARGIN)
    answers = windows.take(
        [Wish("2", 0, [free, full]), Wish("3", 0, [free])], nothing_known, now_ms=_START, margin_ms=_MARGIN
    )
    assert answers == [Place(False, 105), Place(True, 0)]


def test_a_page_asked_for_in_several_steps_is_counted_as_one() -> None:
    counter = Counter("a", [Window(150, 100)], "somebody")
    page = [Wish(str(number), 0, [counter]) for number in range(windows._AT_ONCE * 2 + 1)]
    places = windows.take(page, nothing_known, now_ms=_START, margin_ms=_MARGIN)
    assert places is not None
    assert [place.taken for place in places] == [True] * 150 + [False] * (len(page) - 150)


def test_counters_of_one_owner_are_counted_and_freed_apart() -> None:
    one, other = (Counter(name, [Window(1, 100)], "somebody") for name in "ab")
    windows.take([Wish("1", 0, [one]), Wish("2", 0, [other])], nothing_known, now_ms=_START, margin_ms=_MARGIN)
    windows.give_back([(one, "1"), (other, "nobody")])
    answers = windows.take(
        [Wish("3", 0, [one]), Wish("4", 0, [other])], nothing_known, now_ms=_START, margin_ms=_MARGIN
    )
    assert answers == [Place(True, 0), Place(False, 105)]


def test_what_is_given_back_is_free_again() -> None:
    counter = Counter("a", [Window(1, 100)], "somebody")
    windows.take([Wish("1", 0, [counter])], nothing_known, now_ms=_START, margin_ms=_MARGIN)
    windows.give_back([(counter, "1")])
    assert windows.take([Wish("2", 0, [counter])], nothing_known, now_ms=_START, margin_ms=_MARGIN) == [Place(True, 0)]


def test_a_flush_is_noticed_and_the_truth_asked() -> None:
    asked: list[list[str]] = []
    counter = Counter("a", [Window(2, 100)], "somebody")

    def truth(names: Collection[str]) -> dict[str, Log]:
        asked.append(list(names))
        return {"a": {"1": _START, "2": _START + 1}}

    windows.take([Wish("1", 0, [counter]), Wish("2", 0, [counter])], nothing_known, now_ms=_START, margin_ms=_MARGIN)
    redis_state._client().redis.flushdb()
    refused = windows.take([Wish("3", 0, [counter])], truth, now_ms=_START + 2, margin_ms=_MARGIN)
    assert refused == [Place(False, 103)]
    windows.take([Wish("4", 0, [counter])], truth, now_ms=_START + 3, margin_ms=_MARGIN)
    assert asked == [["a"]]


def test_an_old_memory_believes_in_empty_counters() -> None:
    counter = Counter("a", [Window(1, 100)], "somebody")
    windows.take([Wish("1", 0, [counter])], nothing_known, now_ms=_START, margin_ms=_MARGIN)

    def never(names: object) -> dict[str, Log]:
        raise AssertionError(names)

    late = _START + 200
    assert windows.take(
        [Wish("2", 0, [Counter("b", [Window(1, 100)], "somebody")])], never, now_ms=late, margin_ms=_MARGIN
    ) == [Place(True, 0)]


def test_without_redis_nobody_answers_and_it_starts_anew_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counter = Counter("a", [Window(1, 1_000)], "somebody")
    truth: dict[str, Log] = defaultdict(dict)
    windows.take([Wish("1", 0, [counter])], truth_of(truth), now_ms=_START, margin_ms=_MARGIN)
    with monkeypatch.context() as away:
        away.setattr("channels.conf.redis_url", lambda: "redis://127.0.0.1:1/0")
        assert windows.take([Wish("2", 0, [counter])], truth_of(truth), now_ms=_START + 1, margin_ms=_MARGIN) is None
    # Counted elsewhere meanwhile: Redis alone would not know, and grant nothing too much all the same.
    truth["a"] = {"2": _START + 1}
    assert windows.take(
        [Wish("3", 0, [Counter("a", [Window(2, 1_000)], "somebody")])],
        truth_of(truth),
        now_ms=_START + 2,
        margin_ms=_MARGIN,
    ) == [Place(True, 0)]
    assert redis_state._client().redis.get("carillon:{windows}:since") == str(_START + 2).encode()


def truth_of(truth: dict[str, Log]) -> windows.Recall:
    return lambda names: {name: truth[name] for name in names}


def test_only_looking_takes_no_place() -> None:
    counter = Counter("a", [Window(1, 100)], "somebody")
    for _ in range(2):
        assert windows.take([Wish("1", 0, [counter])], nothing_known, now_ms=_START, margin_ms=_MARGIN, dry=True) == [
            Place(True, 0)
        ]


def test_logs_do_not_outlive_their_windows() -> None:
    counter = Counter("a", [Window(1, 10_000)], "somebody")
    windows.take([Wish("1", 0, [counter])], nothing_known, now_ms=_START, margin_ms=_MARGIN)
    left = [
        redis_state._client().redis.pttl(name) for name in redis_state._client().redis.scan_iter("*{windows}*:somebody")
    ]
    assert len(left) == 1
    assert 0 < left[0] <= 10_005


def test_a_flush_lets_a_sixtieth_of_everybodys_share_through_once_more() -> None:
    hour = Window(600, 3_600_000)
    assert [windows.share("flushed", hour, 100).granted for _ in range(2)] == [10, 0]
    redis_state._client().redis.flushdb()
    assert [windows.share("flushed", hour, 100).granted for _ in range(2)] == [10, 0]


def test_while_redis_is_away_a_process_keeps_to_everybodys_share_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.conf.redis_url", lambda: "redis://127.0.0.1:1/0")
    hour = Window(600, 3_600_000)
    first, second = windows.share("alone", hour, 100), windows.share("alone", hour, 100)
    assert (first.granted, second.granted) == (10, 0)
    # The next tenth comes with the minute: an hour holds 600, whenever it begins.
    assert second.wait_seconds == pytest.approx(10 * 3_600 / 590, abs=1)
