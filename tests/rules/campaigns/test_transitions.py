"""The table of states holds together, whoever acts in whatever order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from campaigns.rules.transitions import ALLOWED, FOR_PEOPLE, acts_in, after, is_allowed
from campaigns.vocabulary import Act, CampaignStatus

S = CampaignStatus
FINAL = {S.CANCELLED, S.COMPLETED, S.FAILED}


def test_every_act_has_a_line() -> None:
    assert set(ALLOWED) == set(Act)


def test_nothing_leads_out_of_an_end_and_everything_else_may_be_cancelled() -> None:
    for status in CampaignStatus:
        assert (
            [act for act in Act if is_allowed(act, status)] == [] if status in FINAL else is_allowed(Act.CANCEL, status)
        )


def test_what_runs_was_approved_started_or_resumed() -> None:
    assert {act for act, (_, leads) in ALLOWED.items() if leads is S.RUNNING} == {Act.START, Act.LAUNCH, Act.RESUME}
    assert ALLOWED[Act.APPROVE][0] == {S.PENDING_APPROVAL}


@given(st.lists(st.sampled_from(list(Act)), max_size=30))
def test_no_order_of_acts_leads_astray(acts: list[Act]) -> None:
    status = S.DRAFT
    for act in acts:
        if is_allowed(act, status):
            was, status = status, after(act, status)
            assert was not in FINAL
            assert status is was if act is Act.CHANGE else status is not was
        assert set(acts_in(status)) == {one for one in FOR_PEOPLE if is_allowed(one, status)}


@given(st.sampled_from(FOR_PEOPLE), st.sampled_from(list(CampaignStatus)))
def test_an_act_of_people_done_twice_is_refused_the_second_time(act: Act, status: CampaignStatus) -> None:
    if is_allowed(act, status):
        assert not is_allowed(act, after(act, status))
