"""What callers of campaigns are told; every refusal names the field or the state, and the cure."""

from __future__ import annotations

from collections.abc import Sequence

from campaigns.vocabulary import Act, CampaignStatus
from channels.errors import FieldError, Refusal


class UnknownCampaign(Refusal):
    """No such campaign, or not for this caller: the answer does not tell which."""

    code = "unknown_campaign"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no campaign with this id.")


class UnknownFanout(Refusal):
    """No such fan-out, or not for this caller."""

    code = "unknown_fanout"
    status = 404

    def __init__(self) -> None:
        super().__init__("There is no fan-out with this id.")


class UnknownRun(Refusal):
    """The campaign has no such run among its newest."""

    code = "unknown_run"
    status = 404

    def __init__(self) -> None:
        super().__init__("This campaign has no such run; leave run_id out for the newest, or take it from its stats.")


class InvalidCampaign(Refusal):
    """The campaign is not kept; every fault found is told with its place."""

    status = 422

    def __init__(self, errors: Sequence[FieldError]) -> None:
        more = f" ({len(errors) - 1} more in errors)" if len(errors) > 1 else ""
        super().__init__(f"{errors[0].message}{more}", code=errors[0].code, errors=errors)


class InvalidTransition(Refusal):
    """The campaign's state does not allow it."""

    code = "invalid_transition"
    status = 409

    def __init__(self, act: Act, status: CampaignStatus, allowed: str) -> None:
        super().__init__(
            f"A campaign that is {_said(status)} cannot be told to {act}. Now it can be told to: {allowed}."
        )


class ApprovalRequired(Refusal):
    """So many people are only told after somebody else has looked."""

    code = "approval_required"
    status = 409

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"About {size:,} people would be told; above {limit:,} a campaign is submitted, and approved by somebody"
            " else, before it starts."
        )


class OwnApproval(Refusal):
    """Who submitted a large campaign cannot approve it."""

    code = "own_approval"
    status = 409

    def __init__(self) -> None:
        super().__init__("This campaign must be approved by somebody other than who submitted it.")


class NotConfirmed(Refusal):
    """What must be typed or ticked before an act was not."""

    code = "not_confirmed"
    status = 422

    def __init__(self, wanted: str = "") -> None:
        typed = f"type {int(wanted):,}, the number of people" if wanted.isdigit() else "type the name of the campaign"
        super().__init__(f"Nothing was done: {typed if wanted else 'confirm that you mean it'}.")


def _said(status: CampaignStatus) -> str:
    return str(status).replace("_", " ")


class WrongFile(Refusal):
    """The file as a whole cannot be imported; nothing of it is written. The message never repeats what is in it."""

    code = "wrong_file"
